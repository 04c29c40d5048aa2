// Command bench is not a set of micro-benchmarks, which are beside each package's
// tests: it is one run that measures Pipes beside the parts it is made of.
//
//	go run ./bench
//	go run ./bench --rounds 9 --json numbers.json
//	go run ./bench --only commits --cpuprofile cpu.prof
//	go run ./bench --write-doc
//
// Absolute times say more about a machine than about a program, so each section
// measures what it compares in turns, round after round, and a ratio is the median
// of the ratios within a round. Whatever else the machine is doing then slows both
// sides. Times of work that needs no disk are quoted in processor time too, and bounds
// of such rows are on that. A bound that was missed is reported and is no error.
//
// Everything runs with default options: each change is checked, signed, sealed and
// synced. What a row claims to have done is verified before its time counts.
package main
