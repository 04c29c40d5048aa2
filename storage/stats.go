package storage

// Space is the room on the disk and what the store takes of it, in bytes.
type Space struct {
	Used    uint64 // by data/ and keys/
	Free    uint64 // to this user; 0 if not Known
	Reserve uint64 // below which commits answer ErrDiskFull
	Known   bool   // whether the file system tells
}

// Space asks the file system.
func (s *Store) Space() (sp Space, err error) {
	err = s.call(func() error {
		sp.Used = s.data.Metrics().DiskSpaceUsage() + s.keys.db.Metrics().DiskSpaceUsage()
		sp.Reserve = s.health.reserve
		sp.Free, sp.Known = s.health.free()
		return nil
	})
	return sp, err
}

// Stats are counters of data/ for monitoring. Sizes are in bytes.
type Stats struct {
	Tables      int64
	TableBytes  int64
	LogBytes    uint64
	MemoryBytes uint64 // memtables and block cache
	Flushes     int64  // since the store was opened
	Compactions int64
	Backlog     uint64 // bytes waiting for compaction, estimated
}

// Stats reads the counters.
func (s *Store) Stats() (st Stats, err error) {
	err = s.call(func() error {
		m := s.data.Metrics()
		t := m.Total()
		st = Stats{
			Tables:      t.TablesCount,
			TableBytes:  t.TablesSize,
			LogBytes:    m.WAL.Size,
			MemoryBytes: m.MemTable.Size + uint64(m.BlockCache.Size),
			Flushes:     m.Flush.Count,
			Compactions: m.Compact.Count,
			Backlog:     m.Compact.EstimatedDebt,
		}
		return nil
	})
	return st, err
}
