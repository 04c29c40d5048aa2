// Package am is the Automerge core, written in Rust, as an engine. It is not safe
// for bytes from elsewhere, and not a wrapper to build applications on: that is
// [crdt.View] and [crdt.Tx].
//
// # Never give it what nobody checked
//
// THE CORE ENDS THE PROCESS ON INPUT THAT IT DOES NOT EXPECT: it is built to
// abort where it would panic, and recover cannot help. A change of sixty bytes
// can keep it busy for minutes, and some that it accepts make its next save
// unreadable. It follows that
//
//   - [Doc.Apply] is for changes that crdt/change decoded and crdt/opset found
//     to fit the document's history, and for no others;
//   - [Load] is for what [Doc.Save] gave in this replica and storage kept under
//     a checksum or a seal; a save from elsewhere has to be taken apart into
//     changes that are checked one by one.
//
// Nothing here checks them again.
//
// # Memory
//
// The core's memory is its own: Go's garbage collector neither sees nor frees
// it. Close every [Doc]. One that is forgotten leaks; [Options.Leaked] can say
// so. About 1.3 KB stay in memory for each change, however small. Close gives
// large documents' memory back to the system where glibc's allocator would keep
// it. While a map is read its values take about 1.1 KB each; lists are read
// [window] items at a time.
//
// On Linux the first document limits glibc's allocator to two heaps, unless
// MALLOC_ARENA_MAX is set: with one for each thread, tens of megabytes would stay.
// [Trim] gives back at once what Close gives back from time to time.
//
// Every call frees the core's results before it returns, and what Go gets is its
// own copy. The only results that live longer are ids of the [maxHandles] objects
// used last, which belong to the Doc.
//
// # Concurrency
//
// A Doc has one lock. Documents do not share anything, so they can be used at
// the same time.
//
// # Speed
//
// Reading at heads costs time in proportion to the size of the object, for each
// call: read whole objects, or [Doc.Fork] once and read that.
//
// # Differences from JavaScript
//
// Where marks of one name but different values overlap, because they were set at
// the same time, the core may give one of them another extent than Automerge 3
// does: about one in a thousand random documents has such a place. What is stored
// and exchanged is the same.
//
// The core is version 0.5 of 2023 as github.com/automerge/automerge-go ships it,
// for linux and darwin on amd64 and arm64. Only its static library is used.
package am
