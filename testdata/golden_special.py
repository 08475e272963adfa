#!/usr/bin/env python3
"""Draws tokenizers whose special tokens stand in several files, and records what transformers 4.57.6 makes of texts.

  pip install transformers==4.57.6 tokenizers==0.22.2
  python3 testdata/golden_special.py       # writes data/token/testdata/special.json

vocabs are the texts of vocabularies. A case has files, in which the text "@VOCAB" stands for the one that it names, and
for each text its ids with added tokens, and what they decode to. A case
that transformers refuses has an error instead.
"""
import json
import os
import random
import tempfile

import transformers
from tokenizers import pre_tokenizers

transformers.logging.set_verbosity(transformers.logging.CRITICAL)
OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "token", "testdata", "special.json")
ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
MERGES = [["h", "e"], ["l", "l"], ["\u0120", "t"], ["he", "ll"], ["\u0120t", "he"]]
WORDS = ["<s>", "</s>", "<pad>", "<|user|>", "<|bot|>", "<tool>", "<|endoftext|>", "<|end", "<|end|>x", "\u00e9", "\u0120",
         "\u010a", "tool", "caf", "<unk>"]
TEXTS = ["", "hello the <s>there</s>", "<|user|>hi<|bot|>\n", " <pad>  <tool> x<tool>y tool toolx", "<|endoftext|><|end|>x <|end|> <|en",
         "caf\u00e9 \u9b3c \u0120 \u010a", "<unk><s><s> </s> hello"]
ROLES = ["bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token"]


def vocabulary(kind):
    tokens = ALPHABET + ["".join(m) for m in MERGES]
    v = {t: i for i, t in enumerate(tokens)}
    if kind == "named":
        v.update({t: len(v) + i for i, t in enumerate(WORDS[:5])})
    if kind == "holes":
        v = {t: i * 2 if i > 250 else i for t, i in v.items()}
    if kind == "twice":
        v["the"] = v["hell"]
    return v


def token(r, text):
    t = {"content": text}
    for key in ["lstrip", "rstrip", "single_word"]:
        t[key] = r.random() < 0.25
    t["special"] = r.random() < 0.5
    t["normalized"] = r.random() < 0.3
    return t


def draw(r):
    kind = r.choice(["plain", "named", "named", "holes", "twice"])
    vocab = vocabulary(kind)
    files = {}
    config = {"tokenizer_class": r.choice(["PreTrainedTokenizerFast", "PreTrainedTokenizerFast", "GPT2Tokenizer", "Qwen2Tokenizer", "LlamaTokenizerFast", "GPTNeoXTokenizerFast", "GemmaTokenizerFast"])}
    for key in r.sample(ROLES, r.randint(0, 4)):
        config[key] = r.choice(WORDS + [None])
    if r.random() < 0.4:
        config["additional_special_tokens"] = r.choice([None, [], r.sample(WORDS, 2)])
    for key in ["add_bos_token", "add_eos_token", "add_prefix_space"]:
        if r.random() < 0.3 and not (key == "add_prefix_space" and config["tokenizer_class"] == "LlamaTokenizerFast"):
            config[key] = r.random() < 0.5
    if r.random() < 0.5:
        config["added_tokens_decoder"] = {str(len(vocab) + r.randint(0, 9)): token(r, w) for w in r.sample(WORDS, r.randint(1, 4))}
    files["tokenizer_config.json"] = config
    if r.random() < 0.6:
        m = {key: r.choice([r.choice(WORDS), token(r, r.choice(WORDS))]) for key in r.sample(ROLES, 3)}
        if r.random() < 0.5:
            m["additional_special_tokens"] = [r.choice([w, token(r, w)]) for w in r.sample(WORDS, 2)]
        files["special_tokens_map.json"] = m
    if r.random() < 0.5:
        files["added_tokens.json"] = {w: len(vocab) + i for i, w in enumerate(r.sample(WORDS, 3))}
    if misread(files):
        del files["added_tokens.json"]
    if config["tokenizer_class"] in ("GPT2Tokenizer", "Qwen2Tokenizer") and r.random() < 0.4:
        files["vocab.json"] = "@VOCAB"
        files["merges.txt"] = "#version: 0.2\n" + "".join(" ".join(m) + "\n" for m in MERGES)
        return kind, files
    files["tokenizer.json"] = {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [dict(token(r, w), id=len(vocab) + r.randint(0, 5)) for w in r.sample(WORDS, r.randint(0, 4))],
        "normalizer": r.choice([None, {"type": "NFC"}]),
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": r.random() < 0.3, "trim_offsets": True, "use_regex": True},
        "post_processor": None, "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": r.choice([None, None, "[UNK]", ""]), "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": r.random() < 0.3,
                  "vocab": "@VOCAB", "merges": MERGES},
    }
    return kind, files


def misread(files):
    """Tells whether transformers takes a token of added_tokens.json for another one. It files the last one of them under
    the last of additional_special_tokens, so a role of that text becomes the wrong token."""
    text = lambda t: t["content"] if isinstance(t, dict) else t
    m, config = files.get("special_tokens_map.json", {}), files["tokenizer_config.json"]
    last = [text(t) for t in m.get("additional_special_tokens", [])][-1:]
    named = [text(d[key]) for d in (m, config) for key in ROLES if key in d]
    return "added_tokens.json" in files and any(t in named for t in last)


def record(kind, files):
    vocab = json.dumps(vocabulary(kind), ensure_ascii=False)
    texts = {n: f if n == "merges.txt" else json.dumps(f, ensure_ascii=False) for n, f in files.items()}
    case = {"vocab": kind, "files": texts}
    with tempfile.TemporaryDirectory() as d:
        for name, text in texts.items():
            with open(os.path.join(d, name), "w", encoding="utf-8") as f:
                f.write(text.replace('"@VOCAB"', vocab))
        try:
            t = transformers.AutoTokenizer.from_pretrained(d)
            case["ids"] = [t(x)["input_ids"] for x in TEXTS]
            case["texts"] = [t.decode(i, clean_up_tokenization_spaces=False) for i in case["ids"]]
            case["bos"], case["eos"] = t.bos_token_id, t.eos_token_id
        except BaseException as e:
            case["error"] = type(e).__name__
    return case


def main():
    r = random.Random(17)
    cases = [record(*draw(r)) for _ in range(90)]
    vocabs = {k: json.dumps(vocabulary(k), ensure_ascii=False) for k in ["plain", "named", "holes", "twice"]}
    with open(OUT, "w", encoding="utf-8") as f:
        json.dump({"vocabs": vocabs, "texts": TEXTS, "cases": cases}, f, ensure_ascii=False, indent=0)
        f.write("\n")
    print(len([c for c in cases if "error" not in c]), "of", len(cases), "open")


main()
