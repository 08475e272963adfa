#!/usr/bin/env python3
"""Compares Ceto's ids with those of Hugging Face tokenizers, tiktoken and GPT-2's own algorithm on mixed text.

  python3 -m venv venv && venv/bin/pip install tokenizers==0.22.2 tiktoken==0.14.0 regex==2026.11.19 gguf==0.19.0
  CETO_DATA=DATA CETO_SMOLLM2=FILE.gguf venv/bin/python data/token/testdata/compare.py [MEGABYTES]

It makes MEGABYTES (10) of code (the Go standard library's), Chinese, other scripts, emoji, digits, white space, control
characters and special tokens from a fixed seed, and the same with bytes that are not UTF-8. DATA/gpt2-tokenizer has
encoder.json and vocab.bpe, DATA/tinyshakespeare input.txt, DATA/stories260k tok512.bin; FILE is
SmolLM2-135M-Instruct.Q4_1.gguf.

  smollm2    UTF-8, special tokens parsed   tokenizers, built from the GGUF file as the published tokenizer.json is
  gpt2       UTF-8, special tokens as text  tiktoken, built from encoder.json and vocab.bpe
  gpt2       not UTF-8                      the regular expression on the text, where a byte that is not UTF-8 is a
                                            character of no class (a surrogate), then tiktoken's merges of each piece
  hf/*.json  UTF-8, a tenth of it           tokenizers
  written    UTF-8, a tenth of it           what Ceto writes for each hf/*.json, for SmolLM2 and for
                                            DATA/stories260k/tok512.bin, read by tokenizers
"""
import array
import glob
import json
import os
import random
import subprocess
import sys
import tempfile

import regex
import tiktoken
from gguf import GGUFReader
from tiktoken.load import data_gym_to_mergeable_bpe_ranks
from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
from tokenizers.models import BPE

HERE = os.path.dirname(os.path.abspath(__file__))
GPT2 = r"""'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""


def mixed(size):
    """About size bytes of UTF-8 in lines of one kind each."""
    rng = random.Random(20250101)
    root = subprocess.run(["go", "env", "GOROOT"], capture_output=True, text=True, check=True).stdout.strip()
    files = sorted(glob.glob(os.path.join(root, "src", "*", "*.go")))
    code = []
    while sum(map(len, code)) < size // 2:
        code.append(open(rng.choice(files), encoding="utf-8").read())
    code = "".join(code).splitlines(keepends=True)
    chinese = [chr(rng.randrange(0x4E00, 0x9FA6)) for _ in range(3000)]
    emoji = ["\U0001F642", "\U0001F468\u200d\U0001F469\u200d\U0001F467", "\U0001F44D\U0001F3FD", "\U0001F1E9\U0001F1EA", "\u2764\ufe0f", "\U0001F9D1\u200d\U0001F4BB", "1\ufe0f\u20e3"]
    blocks = [(0x370, 0x400), (0x400, 0x500), (0x5D0, 0x5EB), (0x621, 0x660), (0x904, 0x970), (0xE01, 0xE3B), (0xAC00, 0xD7A4), (0xC0, 0x250), (0x300, 0x370), (0x3041, 0x3097), (0x1100, 0x1200), (0x10330, 0x1034B)]
    spaces = " \t\n\r\x0b\x0c\x85\xa0\u2002\u2009\u2028\u3000"
    kinds = [
        lambda: rng.choice(code),
        lambda: "".join(rng.choice(chinese) if rng.random() < .95 else rng.choice("\uff0c\u3002\u300a\u300b 0a") for _ in range(rng.randrange(40))),
        lambda: "".join(chr(rng.randrange(*rng.choice(blocks))) if rng.random() < .8 else rng.choice(" '-\u200d") for _ in range(rng.randrange(30))),
        lambda: "".join(rng.choice(emoji) + rng.choice(["", " ", "a"]) for _ in range(rng.randrange(12))),
        lambda: "".join(rng.choice("0123456789.,\u0663\u00bd\u2167 ") for _ in range(rng.randrange(40))),
        lambda: "".join(rng.choice(spaces) for _ in range(rng.randrange(12))) + rng.choice(["", "x", "7", "!"]),
        lambda: "".join(chr(rng.randrange(0, 0xA0)) for _ in range(rng.randrange(30))),
        lambda: " ".join(rng.choice(["it's", "WE'LL", "they've", "'d'", "x'y'z", "n\u2019t", "'S'T'RE"]) for _ in range(rng.randrange(8))),
        lambda: rng.choice(["<|im_start|>", "<|endoftext|>", " <|im_end|>", "<|im_", "<|end|>", "<mask>", "<rs> ", "word", "cafe\u0301s", "CAFE\u0301"]) + rng.choice(["", " ", "user\n", "7"]),
    ]
    out, n = [], 0
    while n < size:
        s = rng.choice(kinds)() if rng.random() < .7 else kinds[0]()
        if rng.random() < .3:
            s += rng.choice(["\n", " ", "\r\n"])
        out.append(s)
        n += len(s.encode())
    return "".join(out).encode()


def broken(text):
    """The text with bytes put in, taken out and changed."""
    rng, out = random.Random(7), bytearray()
    at = 0
    while at < len(text):
        n = rng.randrange(1, 80)
        out += text[at:at + n]
        at += n + (rng.random() < .3)
        if rng.random() < .3:
            out += bytes(rng.randrange(128, 256) for _ in range(rng.randrange(4)))
    return bytes(out)


def smollm2(path):
    fields = GGUFReader(path).fields
    tokens, kinds, merges = (fields["tokenizer.ggml." + k].contents() for k in ("tokens", "token_type", "merges"))
    t = Tokenizer(BPE({t: i for i, t in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges]))
    t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)])
    t.decoder = decoders.ByteLevel()
    t.add_special_tokens([AddedToken(t_, normalized=False) for t_, k in zip(tokens, kinds) if k == 3])
    return t


def gpt2(folder):
    ranks = data_gym_to_mergeable_bpe_ranks(os.path.join(folder, "vocab.bpe"), os.path.join(folder, "encoder.json"))
    return tiktoken.Encoding("gpt2", pat_str=GPT2, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256})


def by_definition(enc, data):
    """GPT-2's algorithm on bytes."""
    ids = []
    for piece in regex.findall(GPT2, data.decode("utf-8", "surrogateescape")):
        ids += enc._encode_single_piece(piece.encode("utf-8", "surrogateescape"))
    return ids


def ceto(jobs, folder):
    """Runs TestCompare: see compare_test.go."""
    path = os.path.join(folder, "jobs.json")
    with open(path, "w") as f:
        json.dump(jobs, f)
    env = dict(os.environ, CETO_COMPARE=path)
    subprocess.run(["go", "test", "-count=1", "-run", "^TestCompare$", "."], cwd=os.path.dirname(HERE), env=env, check=True)


def check(name, job, want, size):
    got = array.array("i")
    with open(job["ids"], "rb") as f:
        got.frombytes(f.read())
    same = list(got) == want
    print("%-15s %9d bytes %9d ids: %s" % (name, size, len(want), "equal" if same else "DIFFERENT"), flush=True)
    if not same:
        k = next((k for k, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
        print("  from number %d: %s, want %s" % (k, list(got[k:k + 12]), want[k:k + 12]))
    return same


def main():
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 10) * 1e6)
    data, ok = os.environ["CETO_DATA"], True
    folder = os.path.join(data, "gpt2-tokenizer")
    with tempfile.TemporaryDirectory() as tmp:
        text = mixed(size)
        texts = {"mixed": text, "broken": broken(text), "tenth": text[:size // 10].decode("utf-8", "ignore").encode(),
                 "shakespeare": open(os.path.join(data, "tinyshakespeare", "input.txt"), "rb").read()}
        for name, content in texts.items():
            with open(os.path.join(tmp, name), "wb") as f:
                f.write(content)

        def job(name, tokenizer, text, as_text=False, write=False):
            path = os.path.join(tmp, name)
            return {"tokenizer": tokenizer, "text": os.path.join(tmp, text), "ids": path + ".ids", "as_text": as_text, "write": path + ".out" if write else ""}
        smol, hf = os.environ["CETO_SMOLLM2"], os.path.join(HERE, "hf")
        small = {"hf_" + os.path.basename(p)[:-5]: p for p in sorted(glob.glob(os.path.join(hf, "*.json"))) if not p.endswith("expected.json")}
        jobs = {"smollm2": job("smollm2", smol, "mixed", write=True), "gpt2": job("gpt2", folder, "mixed", True), "gpt2 bytes": job("gpt2 bytes", folder, "broken", True),
                "gpt2 tiny": job("gpt2 tiny", folder, "shakespeare", True)}
        jobs.update({n: job(n, p, "tenth", write=True) for n, p in small.items()})
        jobs["stories260k"] = job("stories260k", os.path.join(data, "stories260k", "tok512.bin"), "tenth", write=True)
        ceto(list(jobs.values()), tmp)
        enc = gpt2(folder)
        ok &= check("smollm2", jobs["smollm2"], smollm2(smol).encode(text.decode()).ids, len(text))
        ok &= check("gpt2", jobs["gpt2"], enc.encode_ordinary(text.decode()), len(text))
        ok &= check("gpt2 bytes", jobs["gpt2 bytes"], by_definition(enc, texts["broken"]), len(texts["broken"]))
        ok &= check("gpt2 tiny", jobs["gpt2 tiny"], enc.encode_ordinary(texts["shakespeare"].decode()), len(texts["shakespeare"]))
        tenth = texts["tenth"].decode()
        for n, p in small.items():
            ok &= check(n, jobs[n], Tokenizer.from_file(p).encode(tenth).ids, len(texts["tenth"]))
        for n in ["smollm2", "stories260k"] + list(small):
            if jobs[n]["write"]:
                t = Tokenizer.from_file(os.path.join(jobs[n]["write"], "tokenizer.json"))
                content = text if n == "smollm2" else texts["tenth"]
                ok &= check(n + " written", jobs[n], t.encode(content.decode()).ids, len(content))
    sys.exit(not ok)


main()
