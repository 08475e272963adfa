package finetune

import (
	"maps"
	"slices"
	"strings"

	"github.com/ceto-ml/ceto/data/record"
	"github.com/ceto-ml/ceto/data/token"
	"github.com/ceto-ml/ceto/gpt"
	"github.com/ceto-ml/ceto/graph/plan"
	"github.com/ceto-ml/ceto/train/metric"
	"github.com/pkg/errors"
)

// textMetrics compare texts that a model wrote with those that were wanted, by the names that EvaluateText takes.
var textMetrics = map[string]metric.Text{"bleu": metric.BLEU, "bleu_zh": metric.BLEUChinese, "chrf": metric.ChrF, "rouge1": metric.ROUGE1,
	"rouge2": metric.ROUGE2, "rougel": metric.ROUGEL, "rougel_chars": metric.ROUGELChars, "exact": metric.Exact}

// TextMetrics lists the metrics of EvaluateText.
func TextMetrics() []string { return slices.Sorted(maps.Keys(textMetrics)) }

// OpenBase opens the pretrained model of the settings as it is, without a run: what it answers, and its loss, before
// it has learned. The settings' task is chat or lm. x may be nil for the CPU.
func OpenBase(s Settings, x plan.Executor) (*Predictor, error) {
	make := tasks[s.Task]
	if make == nil {
		return nil, errors.Errorf("finetune: task %q; known: %v", s.Task, Tasks())
	}
	j := &Job{Settings: s, task: make()}
	if _, ok := j.task.(writer); !ok {
		return nil, errors.Errorf("finetune: a model that was not fine-tuned has no head for %s; want chat or lm", s.Task)
	}
	err := j.openModel()
	if err == nil {
		err = j.task.restore(j)
	}
	var p *Predictor
	if err == nil {
		p, err = j.predictor(x, nil)
	}
	if err != nil {
		j.Close()
	}
	return p, err
}

// answerTokens is the number of tokens that an answer has at most, where nothing else is asked for.
const answerTokens = 128

// Answer goes on with chats that each end where the assistant is to speak: with o.Tokens tokens at most, 128 by default,
// and the most likely ones unless o has a Temperature. The answers are in the order of the chats, without white space
// around them and half a character at the end. A chat that leaves no room for its answer in the model's context is an
// error.
func (p *Predictor) Answer(chats [][]gpt.Message, o gpt.SampleOptions) ([]string, error) {
	c, ok := p.task.(*chat)
	if !ok {
		return nil, errors.Errorf("finetune: Answer: a run of %s; want one of chat", p.Settings.Task)
	}
	prompts := make([][]int32, len(chats))
	for i, m := range chats {
		text, err := c.template.Render(m)
		if err == nil {
			prompts[i], err = gpt.PromptIDs(p.Tokenizer, text, token.Parse)
		}
		if err != nil {
			return nil, errors.Wrapf(err, "finetune: chat %d", i)
		}
	}
	if _, ends := p.end(); c.plain && !ends {
		o.Stop = append(slices.Clone(o.Stop), "\n\n") // what the plain template has behind an answer
	}
	return p.write(prompts, o)
}

// end is the token of the tokenizer that ends a text.
func (j *Job) end() (int32, bool) {
	if t, ok := j.Tokenizer.(token.Subword); ok {
		return t.End()
	}
	return 0, false
}

// write continues prompts, those of like length together.
func (p *Predictor) write(prompts [][]int32, o gpt.SampleOptions) ([]string, error) {
	orElse(&o.Tokens, answerTokens)
	o.End = append(slices.Clone(o.End), p.Source.End...)
	if id, ok := p.end(); ok && !slices.Contains(o.End, id) {
		o.End = append(o.End, id)
	}
	context := p.Source.Model.Dims().Context
	order := make([]int, len(prompts))
	for i, ids := range prompts {
		order[i] = i
		if len(ids)+o.Tokens > context {
			return nil, errors.Errorf("finetune: prompt %d has %d tokens; with an answer of up to %d that is more than the model's context of %d", i, len(ids), o.Tokens, context)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return len(prompts[b]) - len(prompts[a]) })
	g := &gpt.Generator{Model: p.Source.Model, State: p.run.State.State, Executor: p.x, Tokenizer: p.Tokenizer}
	defer g.Close()
	texts := make([]string, len(prompts))
	for len(order) > 0 {
		n := min(len(order), generateRows(len(prompts[order[0]])+o.Tokens))
		batch := make([][]int32, n)
		for i, x := range order[:n] {
			batch[i] = prompts[x]
		}
		answers, err := g.Generate(batch, o)
		if err != nil {
			return nil, errors.Wrap(err, "finetune")
		}
		for _, a := range answers {
			texts[order[a.Prompt]] = strings.TrimSpace(strings.ToValidUTF8(a.Text, "")) // the last token may end within a character
		}
		order = order[n:]
	}
	return texts, nil
}

// generateRows is how many sequences of up to that many tokens are written at once: 16, where their keys and values are
// those of at most 4096 tokens.
func generateRows(tokens int) int { return max(1, min(16, 4096/tokens)) }

// EvaluateText has the model answer records, greedily, and compares its answers with those that the records have, by
// metrics of TextMetrics; rows nil is all. It returns the values and their 95 % intervals, by the bootstrap over records,
// and the answers, in the order of rows. Of a chat of several turns the last answer counts, given all before it.
func (p *Predictor) EvaluateText(r *record.Records, rows []int, metrics []string, maxTokens int) (values map[string]Number, ci95 map[string][2]Number, answers []string, err error) {
	scores := map[string]*metric.TextScores{}
	for _, name := range metrics {
		m, ok := textMetrics[name]
		if !ok {
			return nil, nil, nil, errors.Errorf("finetune: metric %q; known: %v", name, TextMetrics())
		}
		scores[name] = m.New()
	}
	if rows == nil {
		rows = r.Rows()
	}
	if len(rows) == 0 {
		return nil, nil, nil, errors.New("finetune: no records to measure on")
	}
	chats, wanted, err := p.questions(r, rows)
	if err != nil {
		return nil, nil, nil, err
	}
	if answers, err = p.Answer(chats, gpt.SampleOptions{Tokens: maxTokens}); err != nil {
		return nil, nil, nil, err
	}
	statistics := map[string]func(rows []int) float64{}
	for name, s := range scores {
		for i, a := range answers {
			if err := s.Add(a, wanted[i]); err != nil {
				return nil, nil, nil, err
			}
		}
		statistics[name] = s.Of
	}
	values, ci95 = summary(len(rows), statistics)
	return values, ci95, answers, nil
}

// questions are the chats of records up to the last answer, and that answer.
func (p *Predictor) questions(r *record.Records, rows []int) (chats [][]gpt.Message, wanted []string, err error) {
	if _, ok := p.task.(*chat); !ok {
		return nil, nil, errors.Errorf("finetune: EvaluateText: a run of %s; want one of chat", p.Settings.Task)
	}
	if err := p.task.columns(p.Job, r); err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		m, err := p.Settings.Data.Layout.Chat(r, row)
		if err != nil {
			return nil, nil, err
		}
		last := lastAnswer(m)
		chats, wanted = append(chats, m[:last]), append(wanted, strings.TrimSpace(m[last].Content))
	}
	return chats, wanted, nil
}

// PredictRows answers records: those of chat by their layout, where a column of answers need not be there, those of the
// other tasks by their texts.
func (p *Predictor) PredictRows(r *record.Records, rows []int) ([]Answer, error) {
	if _, ok := p.task.(*chat); !ok {
		texts := make([]string, len(rows))
		for i, row := range rows {
			var err error
			if texts[i], err = r.Text(row, p.text()); err != nil {
				return nil, err
			}
		}
		return p.Predict(texts)
	}
	chats := make([][]gpt.Message, len(rows))
	for i, row := range rows {
		var err error
		if chats[i], err = p.Settings.Data.Layout.Ask(r, row); err != nil {
			return nil, err
		}
	}
	return p.texts(p.Answer(chats, gpt.SampleOptions{}))
}

// texts are answers of their own.
func (p *Predictor) texts(all []string, err error) ([]Answer, error) {
	answers := make([]Answer, len(all))
	for i := range all {
		answers[i] = Answer{Text: &all[i]}
	}
	return answers, err
}

// goOn is Predict of the writers: of chat the answer to each text, of lm what may come behind it.
func (p *Predictor) goOn(texts []string) ([]Answer, error) {
	if _, ok := p.task.(*chat); ok {
		chats := make([][]gpt.Message, len(texts))
		for i, t := range texts {
			chats[i] = []gpt.Message{{Role: "user", Content: p.Settings.Data.Layout.prompt(t)}}
		}
		return p.texts(p.Answer(chats, gpt.SampleOptions{}))
	}
	prompts := make([][]int32, len(texts))
	for i, t := range texts {
		var err error
		if prompts[i], _, err = p.begun(t); err != nil {
			return nil, errors.Wrapf(err, "finetune: text %d", i)
		}
	}
	var o gpt.SampleOptions
	if id, ok := p.separator(); ok {
		o.End = []int32{id}
	}
	return p.texts(p.write(prompts, o))
}
