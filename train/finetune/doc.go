// Package finetune teaches a pretrained model a task of one's own. It reads and checks the records, divides them, fits a
// new head or trains LoRA by package lpft, stops where validation no longer gains, and gives metrics with intervals.
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
// [Open] returns a [Job], which is a [Setup] (settings, model, tokenizer) and its [Data]. [OpenRun] returns a
// [Predictor], which is a Setup and a model with what a run has learned. What the tasks differ in is in one file each.
package finetune
