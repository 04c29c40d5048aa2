// Package opset is not yet an engine: it keeps no values. It is what a
// document's history says about itself, compactly: which changes were applied,
// which objects, elements and keys their operations made. From that a [State]
// decides of every further change whether it is ready (and then applies it),
// waits for others, is known, or is invalid, with the reason.
//
// # Validity
//
// Whether a change is valid depends on the change and on its causal past, the
// closure of its deps, and on nothing else. Otherwise two replicas that receive
// the same changes in different orders would differ for ever. The argument,
// rule by rule; C is the change, P its causal past, and no rule runs before all
// of P is applied:
//
//   - The codec's limits and [change.Change.Canonical] look at C alone.
//   - seq is one more than that of the author's last change in P. P is known
//     through a vector clock: for each actor, how many of its changes are in P.
//     By induction every actor's changes in P are a prefix 1, 2, ..., n.
//   - startOp is above the highest counter in P, and not far above.
//   - An operation may refer to an object, an element or a predecessor only if
//     that operation is in P or stands earlier in C. An actor's counters rise
//     with its seq (by the rule above), so "in P" is: counter at most the last
//     counter of the actor's n-th change, n from the clock. That other
//     operations of the same actor, or of others, happen to be here already
//     changes no answer.
//   - What the operation referred to is (object and kind, key, insert, counter,
//     mark) was fixed by the change that made it; nothing updates it later.
//   - A key written twice in C must be overwritten in C; nesting is the depth
//     of the parent, which is in P or in C, plus one.
//
// Limits on sums over all changes (objects, keys) would break the argument and
// do not exist; the quota of the pending queue only delays.
//
// Two different changes with one (actor, seq) are the exception that no rule
// over P can decide. [Equivocates] is therefore not a verdict of validity: the
// State keeps the one it has, and the layer above, which binds actors to signed
// chains, must decide which of the two it feeds to every State.
//
// # Size
//
// An operation costs no entry of its own: operations of one kind in a row are
// one span of 16 bytes, and deletions and increments, to which nothing may
// refer, leave none. See BenchmarkGuard.
//
// # Version
//
// These rules are [Version] 1. They belong to version 1 of the change set: a
// rule that refuses more, or less, needs a new one.
package opset

// Version is the version of the rules by which a State judges.
const Version = 1
