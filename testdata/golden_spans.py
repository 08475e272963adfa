#!/usr/bin/env python3
"""Makes train/finetune/testdata/spans.json: what seqeval makes of random tags.

  python3 -m venv venv && venv/bin/pip install seqeval==1.2.2 scikit-learn==1.9.1 numpy==2.4.6
  venv/bin/python testdata/golden_spans.py

Each case has the labels and, for each text, the wanted and the found tags of its tokens by the scheme IOB2 and the
entities that seqeval sees in them, [first token, end, label]; then seqeval's strict precision, recall and F1, 0 where
they are 0/0: of each label, micro and macro.
"""
import json
import os

import numpy as np
import seqeval.metrics.v1 as seqeval
from seqeval.scheme import IOB2, Entities

OUT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "train", "finetune", "testdata")
LABELS = ["LOC", "ORG", "PER"]


def tags(rng, n, labels):
    """Random tags of n tokens: about half of them are outside, entities have up to three tokens."""
    out = []
    while len(out) < n:
        if not labels or rng.random() < 0.4:
            out.append("O")
        else:
            label = labels[rng.integers(len(labels))]
            out += ["B-" + label] + ["I-" + label] * int(rng.integers(3))
    return out[:n]


def damage(rng, row, labels, share):
    """The same tags with a share of the entities drawn anew."""
    other, out = tags(rng, len(row), labels), list(row)
    for start, end, _ in entities(row):
        if rng.random() < share:
            out[start:end] = ["O"] * (end - start)
    for start, end, _ in entities(other):
        if rng.random() < share and all(t == "O" for t in out[start:end]) and not out[end:end + 1][:1] in [["I-" + l] for l in labels]:
            out[start:end] = other[start:end]
    return out


def entities(row):
    return [[e.start, e.end, e.tag] for e in Entities([row], IOB2).entities[0]]


def case(name, want, got):
    def scores(average):
        p, r, f, _ = seqeval.precision_recall_fscore_support(want, got, average=average, mode="strict", scheme=IOB2, zero_division=0)
        return np.transpose([p, r, f]).tolist()
    present = sorted({e[2] for row in want + got for e in entities(row)})
    return dict(name=name, labels=LABELS, rows=[dict(want=w, got=g, want_entities=entities(w), got_entities=entities(g)) for w, g in zip(want, got)],
                label=dict(zip(present, scores(None))), micro=scores("micro"), macro=scores("macro"))


def main():
    rng = np.random.Generator(np.random.PCG64(1))
    cases = []
    for name, share, wanted, found in [("good", 0.2, LABELS, LABELS), ("poor", 0.7, LABELS, LABELS), ("a label is never found", 0.5, LABELS, LABELS[:2]),
                                       ("a label is never wanted", 0.5, LABELS[1:], LABELS), ("all right", 0, LABELS, LABELS), ("all wrong", 1, LABELS[:1], LABELS[1:])]:
        want = [tags(rng, int(n), wanted) for n in rng.integers(1, 13, 12)]
        got = [[t if t == "O" or t[2:] in found else "O" for t in damage(rng, row, found, share)] for row in want]
        cases.append(case(name, want, got))
        print(name, cases[-1]["micro"], cases[-1]["macro"])
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "spans.json"), "w") as f:
        json.dump(dict(made_by="python3 testdata/golden_spans.py (seqeval 1.2.2, scikit-learn 1.9.1, numpy %s)" % np.__version__, cases=cases),
                  f, separators=(",", ":"))


if __name__ == "__main__":
    main()
