#!/usr/bin/env python3
"""Writes small tokenizer.json files of each shape that Ceto reads, and what Hugging Face tokenizers makes of some texts.

  python3 -m venv venv && venv/bin/pip install tokenizers==0.22.2
  venv/bin/python data/token/testdata/golden.py            # writes data/token/testdata/hf/
  venv/bin/python data/token/testdata/golden.py --check    # compares it with fresh values, writes nothing

hf/NAME.json is a tokenizer.json, trained on the text below. hf/expected.json has the texts and, for each NAME and text,
the ids and offsets (in characters; of added tokens (0, 0)) with special tokens parsed and added, and the ids with them
as text and none added.
"""
import json
import os
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors, trainers
from tokenizers.models import BPE

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "hf")

CORPUS = """
The quick brown fox jumps over the lazy dog, and the dog doesn't mind: it's only the 3rd time in 2024 that they've met.
"We'll see," said the fox; "I'd rather be there than here, wouldn't you?" THE END of the first part, he's gone, they're not.
func add(a, b int) int {
	return a + b // the sum of the two
}

for i := 0; i < 1000; i++ {
        total += values[i] * 12345
}
Die Grö\u00dfe der Stra\u00dfe \u00fcber \u00e9tude d\u00e9j\u00e0 vu, na\u00efve caf\u00e9, \u00c5ngstr\u00f6m.
\u4e16\u754c\u4f60\u597d\uff0c\u4e16\u754c\u662f\u4f60\u7684\u3002 \u041f\u0440\u0438\u0432\u0435\u0442 \u043c\u0438\u0440 \U0001f642\U0001f642 \U0001f468\u200d\U0001f469\u200d\U0001f467
the there then that this these those they them other another together and hand sand land the the the
"""

TEXTS = [
    "", " ", "a", "the", " the", "The quick brown fox", "there  then   that", "  leading and trailing  ", "tabs\tand\r\nlines\n\n\nhere \n there",
    "it's they've WE'LL I'D he'S n\u2019t 's", "2024 12345 1000000 3.14 \u0663\u0664 \u2167 \u00bd", "func add(a, b int) int { return a+b }", "CamelCaseWords HTTPServer2go snake_case",
    "\u4e16\u754c\u4f60\u597d", "caf\u00e9 cafe\u0301 \u212b A\u030a \u1e9b\u0323", "e\u0301", "\u0323\u0307q\u0307\u0323", "\uac00 \u1100\u1161 \u1112\u1161\u11ab", "\U0001f642\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "\u0001\u0004\u007f\u0085\u00a0\u2003x\u200b\ufeff", "<|end|>", "the<|end|>there", "  <|end|>  the  <|end|>", "<|end|><|end|>", "<|en", "<|end|>|><|endless|>",
    "a <mask> b<mask> ", "the \t<mask>\n there", "<rs>  the<rs>", "word sword words word", "wordword \u00e9word word\u00e9 word_ (word)", "caf\u00e9s CAF\u00c9 cafe\u0301", "  double  double", "\u2581the \u2581",
    "the" * 30, " " * 40, "a" * 70 + "!" * 70, "e" + "\u0301\u0323" * 20 + "x", "\n".join(["the sum"] * 3), "/usr/bin//x?/\n/", "\u0e20\u0e32\u0e29\u0e32 \u0939\u093f\u0928\u094d\u0926\u0940", "q" + "\u0301" * 35,
]

GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
LLAMA3 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
O200K = (r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
         r"""|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"""
         r"""|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+""")


def byte_level(pre, vocab=360, alphabet=True, **model):
    t = Tokenizer(BPE(**model))
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    t.post_processor = processors.ByteLevel(trim_offsets=False)
    unknown = [model["unk_token"]] if "unk_token" in model else []
    t.train_from_iterator([CORPUS], trainers.BpeTrainer(
        vocab_size=vocab, show_progress=False, special_tokens=["<|end|>"] + unknown,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if alphabet else []))
    return t


def split(pattern, behavior="isolated", invert=False):
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(pattern), behavior, invert), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def edit(t, change):
    """Changes the file of a tokenizer where the Python classes offer no way."""
    f = json.loads(t.to_str())
    change(f)
    return Tokenizer.from_str(json.dumps(f))


def drop_merges(f):
    """Makes tokens that merging does not lead to."""
    f["model"]["merges"] = [m for i, m in enumerate(f["model"]["merges"]) if i % 7 != 3]


def llama2(prepend):
    """Characters with byte fallback: Llama 2's file (normalizers), or Mistral's newer one (Metaspace)."""
    t = Tokenizer(BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    t.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")])
    special = ["<unk>", "<s>", "</s>"] + ["<0x%02X>" % b for b in range(256)]
    t.train_from_iterator(CORPUS.split("\n"), trainers.BpeTrainer(
        vocab_size=480, show_progress=False, special_tokens=special, initial_alphabet=list("abcdefghijklmnopqrstuvwxyz")))

    def change(f):
        f["added_tokens"] = f["added_tokens"][:3]
        if prepend != "normalizer":
            f["normalizer"] = None
            f["pre_tokenizer"] = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": prepend, "split": False}
        # sentencepiece never joins a space to what is before it
        f["model"]["merges"] = [m for m in f["model"]["merges"] if "\u2581" not in (m[0] + m[1]).lstrip("\u2581")]
    t = edit(t, change)
    t.add_special_tokens([AddedToken("<|end|>", normalized=False)])
    t.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", 1)])
    return t


def tokenizers():
    yield "gpt2", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False))
    t = byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True))
    t.add_special_tokens([AddedToken("<mask>", lstrip=True), AddedToken("<rs>", rstrip=True), AddedToken("word", single_word=True, normalized=True)])
    t.add_tokens([AddedToken("<|endless|>", normalized=False)])
    yield "roberta", t
    yield "smollm", byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    t = byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(False), pre_tokenizers.ByteLevel(add_prefix_space=False)]))
    t.add_tokens([AddedToken("  ", normalized=False), AddedToken("    ", normalized=False)])
    yield "digits", t
    t = edit(byte_level(split(LLAMA3), ignore_merges=True), drop_merges)
    t.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing("<|end|> $A", "<|end|> $A <|end|> $B", [("<|end|>", 0)])])
    yield "llama3", t
    yield "merges", edit(byte_level(split(LLAMA3)), drop_merges)
    t = byte_level(split(QWEN2))
    t.normalizer = normalizers.NFC()
    t.add_tokens([AddedToken("cafe\u0301s", normalized=True), AddedToken("CAFE\u0301", normalized=False), AddedToken("<mask>", lstrip=True, rstrip=True)])
    t.post_processor = processors.TemplateProcessing("$A <|end|>", "$A <|end|> $B", [("<|end|>", 0)])
    yield "qwen2", t
    yield "cl100k", byte_level(split(LLAMA3, "removed", True))
    yield "o200k", byte_level(split(O200K))
    yield "drops", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), vocab=200, alphabet=False)
    yield "unknown", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), vocab=200, alphabet=False, unk_token="<unk>")
    yield "fused", byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False), vocab=200, alphabet=False, unk_token="<unk>", fuse_unk=True)
    yield "llama2", llama2("normalizer")
    yield "mistral", llama2("first")


def expected(t):
    rows = []
    for text in TEXTS:
        t.encode_special_tokens = False
        e = t.encode(text)
        t.encode_special_tokens = True
        rows.append({"ids": e.ids, "offsets": [list(o) for o in e.offsets], "as_text": t.encode(text, add_special_tokens=False).ids})
    return rows


def main():
    files, cases = {}, {}
    for name, t in tokenizers():
        f = json.loads(t.to_str())
        if name in ("gpt2", "llama2"):  # as older versions wrote them
            f["model"]["merges"] = [" ".join(m) for m in f["model"]["merges"]]
        files[name + ".json"] = json.dumps(f, ensure_ascii=False, separators=(",", ":")) + "\n"
        cases[name] = expected(Tokenizer.from_str(files[name + ".json"]))
    rows = ",\n".join('%s: [\n%s\n]' % (json.dumps(n), ",\n".join(json.dumps(r, separators=(",", ":")) for r in c)) for n, c in cases.items())
    files["expected.json"] = '{"texts": %s,\n"cases": {\n%s\n}}\n' % (json.dumps(TEXTS), rows)
    os.makedirs(HERE, exist_ok=True)
    bad = 0
    for name, content in files.items():
        path = os.path.join(HERE, name)
        if "--check" in sys.argv:
            if open(path, encoding="utf-8").read() != content:
                bad += 1
                print("%s differs" % name)
        else:
            with open(path, "w", encoding="utf-8") as w:
                w.write(content)
    print("%d files, %d bytes, %d differ" % (len(files), sum(len(c.encode()) for c in files.values()), bad))
    sys.exit(bad > 0)


main()
