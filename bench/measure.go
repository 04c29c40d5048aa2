package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/pprof"
	"slices"
	"syscall"
	"time"
)

// A section is a set of rows that are measured together, in rounds.
type section struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Note  string `json:"note"` // what the rows do, in a few sentences
	Rows  []*row `json:"rows"`

	round func(ctx context.Context, s *section) error // measures every row once
	close func() error                                // ends what the rounds used; may be nil
}

// A row is one thing that is measured.
type row struct {
	Name    string    `json:"name"`
	Unit    string    `json:"unit"`
	Base    string    `json:"base,omitempty"` // the row it is compared with
	Samples []float64 `json:"samples"`        // one a round
	Median  float64   `json:"median"`
	Ratio   float64   `json:"ratio,omitempty"` // to Base: the median over the rounds

	// The same for the time of all processors, where the row is a time.
	CPUSamples []float64 `json:"cpu_samples,omitempty"`
	CPU        float64   `json:"cpu,omitempty"`
	CPURatio   float64   `json:"cpu_ratio,omitempty"`

	Bound   string `json:"bound,omitempty"`
	Reached *bool  `json:"reached,omitempty"` // nil without a bound

	bound bound
}

// A bound is what a row should reach. The zero bound is none.
type bound struct {
	of    func(*row) float64
	least bool // the limit is the least, else the most
	limit float64
	unit  string
}

func valueOf(r *row) float64    { return r.Median }
func ratioOf(r *row) float64    { return r.Ratio }
func cpuOf(r *row) float64      { return r.CPU }
func cpuRatioOf(r *row) float64 { return r.CPURatio }

func (b bound) String() string {
	sign := "<="
	if b.least {
		sign = ">="
	}
	return fmt.Sprintf("%s %g %s", sign, b.limit, b.unit)
}

func (b bound) reached(r *row) bool {
	if b.least {
		return b.of(r) >= b.limit
	}
	return b.of(r) <= b.limit
}

// find answers the row of that name. A name that is not there is a bug.
func (s *section) find(name string) *row {
	for _, r := range s.Rows {
		if r.Name == name {
			return r
		}
	}
	panic("bench: no row " + name)
}

// put notes a round's figure.
func (s *section) put(name string, v float64) {
	r := s.find(name)
	r.Samples = append(r.Samples, v)
}

// A lapse is how long something took, in seconds.
type lapse struct{ wall, cpu float64 }

// timed runs f and answers how long it took. A profile has the row's name as the
// label "row" on what f and the goroutines it starts use. Garbage of others is
// collected before.
func timed(ctx context.Context, name string, f func() error) (l lapse, err error) {
	runtime.GC()
	pprof.Do(ctx, pprof.Labels("row", name), func(context.Context) {
		cpu, start := cpuSeconds(), time.Now()
		err = f()
		l = lapse{time.Since(start).Seconds(), cpuSeconds() - cpu}
	})
	if err != nil {
		return l, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

// cpuSeconds is what this process has used of all processors.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic("bench: " + err.Error()) // of a wrong argument only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// putLapse notes a time, in a unit of which there are so many in a second.
func (s *section) putLapse(name string, l lapse, perSecond float64) {
	r := s.find(name)
	r.Samples = append(r.Samples, l.wall*perSecond)
	r.CPUSamples = append(r.CPUSamples, l.cpu*perSecond)
}

// clock notes the time that f took, as putLapse does.
func (s *section) clock(ctx context.Context, name string, perSecond float64, f func() error) error {
	l, err := timed(ctx, name, f)
	if err == nil {
		s.putLapse(name, l, perSecond)
	}
	return err
}

// measure runs the rounds and works out what they come to.
func (s *section) measure(ctx context.Context, rounds int, progress func(done int)) (err error) {
	for i := range rounds {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := s.round(ctx, s); err != nil {
			return fmt.Errorf("%s: round %d: %w", s.Name, i+1, err)
		}
		progress(i + 1)
	}
	s.conclude()
	return nil
}

// conclude works out medians and ratios. A row without samples, of something that
// this system does not tell, stays without.
func (s *section) conclude() {
	for _, r := range s.Rows {
		if len(r.Samples) == 0 {
			continue
		}
		r.Median = median(r.Samples)
		if r.CPUSamples != nil {
			r.CPU = median(r.CPUSamples)
		}
		if r.Base != "" {
			base := s.find(r.Base)
			r.Ratio = medianRatio(r.Samples, base.Samples)
			r.CPURatio = medianRatio(r.CPUSamples, base.CPUSamples)
		}
		if r.bound.of != nil {
			reached := r.bound.reached(r)
			r.Bound, r.Reached = r.bound.String(), &reached
		}
	}
}

// medianRatio answers the median of the ratios within each round, 0 without any.
func medianRatio(samples, base []float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	ratios := make([]float64, len(samples))
	for i := range ratios {
		ratios[i] = samples[i] / base[i]
	}
	return median(ratios)
}

// median answers the middle of at least one figure, of two in the middle their mean.
func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}
