//go:build cgo

package am_test

import (
	"testing"

	"github.com/pipes-sync/pipes/crdt"
	"github.com/pipes-sync/pipes/crdt/am"
	"github.com/pipes-sync/pipes/crdt/enginetest"
)

func open(a crdt.ActorID) (crdt.Engine, error) { return am.New(a, nil) }

func load(save []byte, a crdt.ActorID) (crdt.Engine, error) { return am.Load(save, a, nil) }

func TestEngine(t *testing.T) {
	enginetest.Run(t, enginetest.Engine{New: open, Load: load})
}
