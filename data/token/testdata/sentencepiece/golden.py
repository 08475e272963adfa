"""Writes golden.json: ids of Hugging Face tokenizers for SentencePiece-style BPE with byte fallback.

    CETO_DATA=DIR python data/token/testdata/sentencepiece/golden.py

The vocabulary is that of DIR/stories260k/tok512.bin, with a space as ▁; the pairs are made from the scores as
transformers makes them from a sentencepiece model. Made with tokenizers 0.22.2.
"""

import json
import os
import random
import struct

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers

assert tokenizers.__version__ == "0.22.2", tokenizers.__version__
HERE = os.path.dirname(os.path.abspath(__file__))


def read(path):
    data, at, tokens, scores = open(path, "rb").read(), 4, [], []
    while at < len(data):
        score, n = struct.unpack_from("<fi", data, at)
        tokens.append(data[at + 8 : at + 8 + n].decode())
        scores.append(score)
        at += 8 + n
    tokens[:3] = ["<unk>", "<s>", "</s>"]
    return [t.replace(" ", "▁") for t in tokens], scores


def pairs(tokens, scores):
    ids, found = {t: i for i, t in enumerate(tokens)}, []
    for i, t in enumerate(tokens):
        if i >= 3 + 256:
            found += [(-scores[i], cut, t[:cut], t[cut:]) for cut in range(1, len(t)) if t[:cut] in ids and t[cut:] in ids]
    return [(left, right) for _, _, left, right in sorted(found)]


def texts():
    rnd = random.Random(1)
    parts = "a b c th the and Once upon time Lily was . , ! ? ' \" é ß д 中 か 한 🙂 👩\u200d👧 \u00a0 \u3000 \u200b ▁ <s> </s> <unk> <0x41> 1 20".split(" ")
    parts += [" "] * 12 + ["  ", "\n", "\n\n", "\t", "\r\n", "\0", "\x7f"]
    return ["", " ", "  a", "Once upon a time, there was a little girl named Lily.", "<s> a", "<s>a</s> a</s></s>a"] + [
        "".join(rnd.choice(parts) for _ in range(rnd.randint(1, 16))) for _ in range(60)
    ]


tokens, scores = read(os.path.join(os.environ["CETO_DATA"], "stories260k", "tok512.bin"))
merges = pairs(tokens, scores)
model = models.BPE({t: i for i, t in enumerate(tokens)}, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
hf = Tokenizer(model)
hf.add_special_tokens([AddedToken(t, special=True, normalized=False) for t in tokens[:3]])

space = normalizers.Replace(" ", "▁")
ids = {}
for name, normalizer, pre in [
    ("none", space, None),
    ("prefix", normalizers.Sequence([normalizers.Prepend("▁"), space]), None),
    ("always", None, pre_tokenizers.Metaspace("▁", "always", False)),
    ("first", None, pre_tokenizers.Metaspace("▁", "first", False)),
]:
    hf.normalizer = normalizer or normalizers.Sequence([])
    if pre:
        hf.pre_tokenizer = pre
    ids[name] = [hf.encode(t, add_special_tokens=False).ids for t in texts()]

with open(os.path.join(HERE, "golden.json"), "w") as f:
    rows = {"tokens": tokens, "scores": scores, "merges": merges, "texts": texts(), **ids}
    f.write("{\n" + ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()) + "\n}\n")
