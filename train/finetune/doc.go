// Package finetune teaches a pretrained model a task of one's own. It reads, checks and divides the records. Then it
// fits a new head and trains LoRA by package lpft, and stops where the validation loss no longer falls. Metrics come
// with 95 % intervals.
//
//	j, err := finetune.Open(finetune.Settings{Task: "classify", Model: "smollm2",
//		Data: finetune.DataSettings{Path: "sms.csv", Text: "text", Label: []string{"label"}}})
//	defer j.Close()
//	r, err := j.Fit(finetune.Options{Out: "runs/sms"})
//	fmt.Println(r.Metrics["f1"], r.CI95["f1"])
//
//	p, err := finetune.OpenRun("runs/sms", nil)
//	answers, err := p.Predict([]string{"You have won a prize"})
//
// [Open] returns a [Job]: a [Setup] and its [Data]. The Setup holds the settings, the model's files and the tokenizer.
// [OpenRun] returns a [Predictor]: a Setup and the model with what a run has learned. Each task is one file.
package finetune
