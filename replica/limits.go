package replica

const (
	// maxName bounds a person's name on its own device, in bytes.
	maxName = 256

	// maxSetBytes is where a change set is full, however many changes wait: what
	// arrives during one fsync, and far below a frame.
	maxSetBytes = 256 << 10

	// maxQueued bounds the changes of one document that wait for the disk, in
	// number; whoever makes more waits.
	maxQueued = 4096

	// maxCached bounds the change sets kept from building a document's graph
	// until they are applied, in bytes; others are read twice.
	maxCached = 32 << 20

	// minPrefix is the least of an id that may stand for it, after the start
	// that all ids share.
	minPrefix = 8

	// snapshotEvery is how many changes a document must have gained before
	// leaving memory writes a snapshot: below, reading them again is cheaper.
	snapshotEvery = 500

	// maxListedHeads bounds the heads in a head record, which every scan over all
	// documents reads. Somebody must try hard to make more.
	maxListedHeads = 1 << 10

	// maxContact bounds the logs of persons that are kept for no other reason than
	// that a bundle names their device as its maker, in bytes: ten devices and forty
	// changes of them.
	maxContact = 512 << 10

	// maxBundleOps bounds the operations taken from one bundle, in bytes: they are
	// held in memory until the rights they give are known.
	maxBundleOps = 64 << 20

	// maxBundleWaiting bounds what of one bundle may wait for its later parts.
	maxBundleWaiting = 64 << 20
)
