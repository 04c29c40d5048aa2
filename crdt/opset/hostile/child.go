package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/pipes-sync/pipes/crdt"
)

// childEnv tells a process that it is the child.
const childEnv = "PIPES_HOSTILE_CHILD"

// patience is how long the core may take over one history.
const patience = 30 * time.Second

// child runs histories through the core until its input ends. A panic of the
// core ends the process; that is why there is one.
func child(in io.Reader, out io.Writer) error {
	r := bufio.NewReader(in)
	for {
		chunks, err := readList(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		answer := ""
		if err := roundTrip(chunks[1:], chunks[0]); err != nil {
			answer = err.Error()
		}
		if err := writeList(out, [][]byte{[]byte(answer)}); err != nil {
			return err
		}
	}
}

// runner is a child process and the pipes to it.
type runner struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func startRunner() (*runner, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childEnv+"=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &runner{cmd, in, bufio.NewReader(out)}, cmd.Start()
}

func (r *runner) stop() {
	r.in.Close()
	r.cmd.Wait() // how it ended does not matter any more
}

// run answers what the core says of a history; died means that it ended the
// process or its patience.
func (r *runner) run(heads []crdt.ChangeHash, chunks [][]byte) (complaint string, died bool) {
	var want []byte
	for _, h := range heads {
		want = append(want, h[:]...)
	}
	list := append([][]byte{want}, chunks...)
	timer := time.AfterFunc(patience, func() { r.cmd.Process.Kill() })
	defer timer.Stop()
	if writeList(r.in, list) != nil {
		return "", true
	}
	answer, err := readList(r.out)
	if err != nil || len(answer) != 1 {
		return "", true
	}
	return string(answer[0]), false
}

func writeList(w io.Writer, list [][]byte) error {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(list)))
	for _, x := range list {
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(x))), x...)
	}
	_, err := w.Write(b)
	return err
}

func readList(r io.Reader) (list [][]byte, err error) {
	var n uint32
	if err := binary.Read(r, binary.LittleEndian, &n); err != nil {
		return nil, err
	}
	for range n {
		var l uint32
		if err := binary.Read(r, binary.LittleEndian, &l); err != nil {
			return nil, err
		}
		b := make([]byte, l)
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		list = append(list, b)
	}
	return list, nil
}
