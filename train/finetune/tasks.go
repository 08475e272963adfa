package finetune

// kind is a task by its name.
type kind struct {
	name string
	new  func() task
}

// tasks lists the tasks. A new task is a file with its type, and a line here.
var tasks = []kind{
	{"classify", func() task { return &classify{} }},
	{"multilabel", func() task { return &multilabel{} }},
	{"regress", func() task { return &regress{} }},
	{"tag", func() task { return &tag{} }},
	{"chat", func() task { return &chat{} }},
	{"lm", func() task { return &lm{} }},
	// A new task goes below this line.
}
