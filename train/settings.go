package train

// Settings are the settings that every kind of run has. The settings of pretraining and of fine-tuning embed them under
// the key train of run.yaml. To add one, see CONTRIBUTING.md.
type Settings struct {
	Batch      int     `yaml:"batch" flag:"batch" usage:"examples of a micro-batch; of pretraining and of packed texts: sequences" range:"[1,16777216]"`
	Accumulate int     `yaml:"accumulate" flag:"accumulate" usage:"micro-batches of a step" range:"[1,16777216]"`
	LR         float64 `yaml:"lr" flag:"lr" usage:"learning rate at its highest" range:"(0,inf)"`
	Warmup     Warmup  `yaml:"warmup" flag:"warmup" usage:"steps in which the learning rate rises; below 1: a share of all steps" range:"a whole number of steps, or below 1 a share of them"`
	Decay      float64 `yaml:"decay" flag:"decay" usage:"weight decay of AdamW" range:"[0,inf)"`
	Clip       float64 `yaml:"clip" flag:"clip" usage:"largest norm of all gradients together; larger gradients are scaled down" range:"[0,inf)"`
	Recompute  float64 `yaml:"recompute,omitempty" flag:"recompute" usage:"share of a step's work, 0 to 1, that may be done twice to need less memory: activations are computed again in the backward pass" range:"[0,1]"`
	Checkpoint int     `yaml:"checkpoint_every" flag:"checkpoint-every" usage:"steps between checkpoints" range:"[0,inf)"`
	Keep       int     `yaml:"keep,omitempty" flag:"keep" usage:"checkpoints that stay in the run folder, besides that of the best evaluation; -1 keeps all, 0 as many as the default" range:"[-1,inf)" default:"3"`
	Seed       uint64  `yaml:"seed" flag:"seed" usage:"seed of parameters, split, order and dropout" resume:"fixed"`
	// A new setting goes below this line.
}

// Trainer returns a trainer that is set up as the settings say. The caller adds the optimizer, with LR and Decay, the
// schedule, with Warmup, the task, the steps and the data to validate on.
func (s Settings) Trainer() Trainer {
	return Trainer{
		Batch: s.Batch, Accumulate: s.Accumulate, Clip: s.Clip, Recompute: s.Recompute, CheckpointEvery: s.Checkpoint, Keep: s.Keep,
		Seed: s.Seed,
		// The use of a new setting goes below this line.
	}
}
