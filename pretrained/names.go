package pretrained

import (
	"strings"

	"github.com/ceto-ml/ceto/nn"
)

// wrappers are what other programs put before the names of all tensors.
var wrappers = []string{"module.", "_orig_mod."}

// trunks are the names under which a class with a head holds the trunk. A folder of the trunk alone lacks them.
var trunks = []string{"model.", "transformer."}

// embeddings are the names of the table that a tied head shares.
var embeddings = []string{"model.embed_tokens.weight", "wte.weight"}

// unwrapped removes what torch.compile and DataParallel put before names, at the front and within.
func unwrapped(name string) string {
	name = strings.ReplaceAll(name, "_orig_mod.", "")
	for _, w := range wrappers {
		name = strings.TrimPrefix(name, w)
	}
	return name
}

// rename gives tensors the names that the model has for them: with the trunk's prefix, or by an alias of the file's
// metadata. Either name of two tied parameters serves.
func (s *Source) rename(params *nn.Params) {
	move := func(from, to string) {
		if t := s.params[from]; t != nil && s.params[to] == nil && params.Get(to) != nil {
			s.params[to] = t
			if params.Get(from) == nil {
				delete(s.params, from)
			}
		}
	}
	names := make([]string, 0, len(s.params))
	for name := range s.params {
		names = append(names, name)
	}
	for _, name := range names {
		for _, prefix := range trunks {
			if params.Get(name) == nil {
				move(name, prefix+name)
			}
		}
	}
	for alias, name := range s.aliases {
		move(s.hfParam(name), s.hfParam(alias))
	}
	for _, e := range embeddings {
		if head := s.Architecture.Head + ".weight"; params.Get(head) == nil {
			move(head, e)
		}
	}
}
