package main

import (
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// verbatim are the commands whose arguments may look like flags (a path "-x", the
// value -1, a text "--json"), with the number that they need.
var verbatim = map[string]int{"get": 1, "set": 3, "del": 2, "splice": 5, "at": 2}

// orderArgs puts "--" before the arguments of a verbatim command, so that kong
// takes them as they are: all that it needs, from the first one on, and of those
// after them what is not the name of a flag. Flags may stand before the verb,
// after it and behind the arguments.
func orderArgs(model *kong.Application, args []string) []string {
	verb := 0
	for verb < len(args) && strings.HasPrefix(args[verb], "-") && args[verb] != "--" {
		verb += flagLen(model, args[verb])
	}
	if verb >= len(args) {
		return args
	}
	need, ok := verbatim[args[verb]]
	if !ok {
		return args
	}
	flags := slices.Clone(args[:verb+1])
	var words []string
	for i := verb + 1; i < len(args); {
		switch n := flagLen(model, args[i]); {
		case len(words) > 0 && len(words) < need, n == 0:
			words = append(words, args[i])
			i++
		case args[i] == "--":
			words = append(words, args[i+1:]...)
			i = len(args)
		default:
			end := min(i+n, len(args))
			flags = append(flags, args[i:end]...)
			i = end
		}
	}
	return slices.Concat(flags, []string{"--"}, words)
}

// flagLen is how many arguments the flag takes up that arg begins: 0 if it is none.
func flagLen(model *kong.Application, arg string) int {
	if arg == "--" || arg == "-h" {
		return 1
	}
	name, ok := strings.CutPrefix(arg, "--")
	if !ok {
		return 0
	}
	name, _, hasValue := strings.Cut(name, "=")
	for _, f := range model.Flags {
		if f.Name == name {
			if hasValue || f.IsBool() {
				return 1
			}
			return 2
		}
	}
	return 0
}
