package crdt

// MaxDepth is how deep maps and lists may nest in what is written, and how long
// a path may be. People nest a handful; the bound keeps recursion over
// documents shallow on every peer.
const MaxDepth = 100
