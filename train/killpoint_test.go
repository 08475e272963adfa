//go:build unix

package train

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ceto-ml/ceto/internal/atomicfile"
)

// fileOps counts the operations on checkpoints' files by their names, and calls at before each.
type fileOps struct {
	atomicfile.FS
	at func(name string)
}

func (f fileOps) Create(name string) (atomicfile.File, error) {
	f.at(name)
	file, err := f.FS.Create(name)
	return fileOp{file, name, f.at}, err
}

func (f fileOps) Mkdir(name string) error { f.at(name); return f.FS.Mkdir(name) }

func (f fileOps) Rename(old, new string) error {
	f.at(new)
	err := f.FS.Rename(old, new)
	f.at(new)
	return err
}

func (f fileOps) RemoveAll(name string) error { f.at(name); return f.FS.RemoveAll(name) }

func (f fileOps) SyncDir(name string) error { f.at(name); return f.FS.SyncDir(name) }

type fileOp struct {
	atomicfile.File
	name string
	at   func(name string)
}

func (f fileOp) Write(b []byte) (int, error) { f.at(f.name); return f.File.Write(b) }

func (f fileOp) Sync() error { f.at(f.name); return f.File.Sync() }

// point is where a process is killed. It is the end of a step, or within the step a micro-batch, or an operation of its
// checkpoint. Micro-batches and operations count from 1.
type point struct{ step, micro, op int }

func (p point) String() string { return fmt.Sprintf("%d,%d,%d", p.step, p.micro, p.op) }

func parsePoint(s string) (p point, err error) {
	if s != "" {
		_, err = fmt.Sscanf(s, "%d,%d,%d", &p.step, &p.micro, &p.op)
	}
	return p, err
}

// arm makes a trainer and its data kill the process at p.
func (p point) arm(tr *Trainer, d TrainData) TrainData {
	now, ops, folder := 0, 0, stepPrefix+strconv.Itoa(p.step)
	tr.Callbacks = append(tr.Callbacks, CallbackFunc(func(s *Status) error {
		if now = s.Step; now == p.step && p.micro == 0 && p.op == 0 {
			kill()
		}
		return nil
	}))
	tr.fs = fileOps{fast{atomicfile.OS}, func(name string) {
		if p.op > 0 && strings.Contains(name, folder) {
			if ops++; ops == p.op {
				kill()
			}
		}
	}}
	return watched{d, func(batch int) {
		if p.micro > 0 && batch == (p.step-1)*tr.Accumulate+p.micro {
			kill()
		}
	}}
}
