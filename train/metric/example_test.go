package metric_test

import (
	"fmt"

	"github.com/ceto-ml/ceto/train/metric"
)

// Example measures a classifier of two classes and a translation.
func Example() {
	spam, isSpam := []float32{0.9, 0.2, 0.6, 0.4}, []float32{1, 0, 0, 1} // probabilities, and what is right
	for _, m := range []metric.Metric{metric.Accuracy, metric.F1(1), metric.AUROC} {
		acc := m.New()
		if err := acc.Add(spam, 1, isSpam); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %.3f\n", m.Name(), acc.Value())
	}
	bleu := metric.BLEU.New()
	if err := bleu.Add("the cat sat on the mat", "the cat sat on a mat", "a cat sat on the mat"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("BLEU %.1f", bleu.Value())
	// Output:
	// accuracy 0.500
	// f1_1 0.500
	// auroc 0.750
	// BLEU 95.5
}
