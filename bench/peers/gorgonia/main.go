// Command gorgonia times a training step of a small GPT that is written in Gorgonia's own ops. The step is forward
// and backward on Gorgonia's TapeMachine, without an update. It is a peer of "ceto bench step --config A". The last
// line that it prints is one JSON object.
//
//	go run ./bench/peers/gorgonia --steps 10 --threads 2
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// result is the line of JSON.
type result struct {
	Peer       string  `json:"peer"`
	Version    string  `json:"gorgonia"`
	Config     string  `json:"config"`
	What       string  `json:"what"`
	Threads    int     `json:"threads"`
	Params     int     `json:"params"`
	Nodes      int     `json:"nodes"`
	Steps      int     `json:"steps"`
	MsPerStep  float64 `json:"ms_per_step"` // the median
	MsMin      float64 `json:"ms_min"`
	TokensPerS float64 `json:"tokens_per_s"`
	FirstLoss  float64 `json:"first_loss"` // nats per token
	LastLoss   float64 `json:"last_loss"`
}

func main() {
	steps := flag.Int("steps", 10, "timed steps")
	warmup := flag.Int("warmup", 2, "steps before them")
	threads := flag.Int("threads", 0, "threads; 0: as many as the machine has")
	flag.Parse()
	if *steps < 1 || *warmup < 0 || *threads < 0 || flag.NArg() > 0 {
		fmt.Fprintln(os.Stderr, "gorgonia: want --steps from 1, --warmup and --threads from 0, and no arguments")
		os.Exit(2)
	}
	if *threads > 0 {
		runtime.GOMAXPROCS(*threads)
	}
	res, err := bench(configA, *steps, *warmup)
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(res)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// bench times steps of a fresh model on random tokens.
func bench(c config, steps, warmup int) (result, error) {
	r := rand.New(rand.NewPCG(1337, 0))
	res := result{Peer: "gorgonia", Version: version(), Config: "A", What: "forward and backward", Threads: runtime.GOMAXPROCS(0), Steps: steps}
	m, err := newModel(c, func(p param) *tensor.Dense {
		res.Params += p.shape.TotalSize()
		return draw(r, p)
	})
	if err != nil {
		return res, err
	}
	run, err := newRun(m, nil)
	if err != nil {
		return res, err
	}
	defer run.vm.Close()
	res.Nodes = len(m.g.AllNodes())
	ids, targets := make([]int, c.Batch*c.Context), make([]int, c.Batch*c.Context)
	var times []float64
	for i := range warmup + steps {
		for j := range ids {
			ids[j], targets[j] = r.IntN(c.Vocab), r.IntN(c.Vocab)
		}
		start := time.Now()
		loss, err := run.step(ids, targets)
		if err != nil {
			return res, err
		}
		if i == 0 {
			res.FirstLoss = loss
		}
		res.LastLoss = loss
		if i >= warmup {
			times = append(times, float64(time.Since(start))/float64(time.Millisecond))
		}
	}
	slices.Sort(times)
	res.MsPerStep, res.MsMin = (times[(steps-1)/2]+times[steps/2])/2, times[0]
	res.TokensPerS = float64(len(ids)) / res.MsPerStep * 1000
	return res, nil
}

// run is a compiled model with its gradients.
type run struct {
	m    *model
	vm   G.VM
	loss G.Value
}

// newRun compiles m. If read is not nil, newRun calls it with the logits and with each gradient, by name.
func newRun(m *model, read func(name string, n *G.Node)) (*run, error) {
	r := &run{m: m}
	var nodes G.Nodes
	for _, p := range m.params() {
		nodes = append(nodes, m.p[p.name])
	}
	grads, err := G.Grad(m.loss, nodes...)
	if err != nil {
		return nil, errors.Wrap(err, "gorgonia peer: Grad")
	}
	if read != nil {
		read("logits", m.logits)
		for i, n := range nodes {
			read(n.Name(), grads[i])
		}
	}
	G.Read(m.loss, &r.loss)
	pos, mask := make([]int, m.Batch*m.Context), tensor.New(tensor.Of(G.Float32), tensor.WithShape(m.mask.Shape()...))
	for i := range pos {
		pos[i] = i % m.Context
	}
	for i, v := 0, mask.Data().([]float32); i < len(v); i++ {
		if i%m.Context > i/m.Context%m.Context {
			v[i] = -1e9 // a later key
		}
	}
	if err := errors.Wrap(errorOf(G.Let(m.pos, dense(pos)), G.Let(m.mask, mask)), "gorgonia peer: Let"); err != nil {
		return nil, err
	}
	r.vm = G.NewTapeMachine(m.g)
	return r, nil
}

// step runs forward and backward for B·T ids and targets, and returns the loss in nats per token.
func (r *run) step(ids, targets []int) (float64, error) {
	hot := tensor.New(tensor.Of(G.Float32), tensor.WithShape(len(targets), r.m.Vocab))
	for i, t := range targets {
		hot.Data().([]float32)[i*r.m.Vocab+t] = 1
	}
	r.vm.Reset()
	err := errorOf(G.Let(r.m.ids, dense(ids)), G.Let(r.m.targets, hot))
	if err == nil {
		err = r.vm.RunAll()
	}
	if err != nil {
		return 0, errors.Wrap(err, "gorgonia peer: step")
	}
	return float64(r.loss.Data().(float32)), nil
}

func dense(v []int) *tensor.Dense { return tensor.New(tensor.WithShape(len(v)), tensor.WithBacking(v)) }

// errorOf returns the first error.
func errorOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// draw returns the first values of a parameter: N(0, 0.02²), norms 1, biases 0.
func draw(r *rand.Rand, p param) *tensor.Dense {
	v := make([]float32, p.shape.TotalSize())
	for i := range v {
		switch {
		case p.shape[0] > 1:
			v[i] = float32(0.02 * r.NormFloat64())
		case strings.HasSuffix(p.name, ".weight"):
			v[i] = 1
		}
	}
	return tensor.New(tensor.WithShape(p.shape...), tensor.WithBacking(v))
}

// version returns the version of the Gorgonia module in this program.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, d := range info.Deps {
			if d.Path == "gorgonia.org/gorgonia" {
				return d.Version
			}
		}
	}
	return "unknown"
}

// layer returns the path of block i.
func layer(i int) string { return "h." + strconv.Itoa(i) + "." }
