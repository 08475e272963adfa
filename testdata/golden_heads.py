#!/usr/bin/env python3
"""Makes gpt/testdata/heads/*.json: models of gpt/testdata/hf with a new head for sequence classification; and
gpt/testdata/heads/steps/*.json: the steps of fine-tuning them on every task, whole and with LoRA.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6 peft==0.17.1
  venv/bin/python testdata/golden_heads.py

The head's weight (3 classes), ids of six rows padded on the right with 0, the index of each row's last token, classes,
the logits and the mean loss of transformers' ...ForSequenceClassification, and the losses of five AdamW steps on all
parameters (learning rate 0.001, no decay). CPU, float32, mode eval, fixed seeds.

A file of steps has the random LoRA matrices of one adapter and for each task (classify, regress, multilabel: one target
or several a row; tag: one a token; lm: the next token) the head, the targets (-1, PyTorch's -100: none), the logits, the
gradients of the mean loss at the first step and the losses of ten AdamW steps (learning rate 0.002, no decay): "full"
trains all parameters and starts without an adapter, "lora" trains the adapter and the head. A gradient of "lora" is
whole; one of "full" is its L2 norm and 16 random sums of its elements, each with a sign by `sign`: the mean square of the
differences of such sums estimates the squared L2 norm of the gradients' difference. Names are those of Ceto.
"""
import json
import os

import numpy as np
import peft
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoModelForTokenClassification

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "gpt", "testdata", "hf")
OUT = os.path.join(HERE, "..", "gpt", "testdata", "heads")
MADE_BY = "python3 testdata/golden_heads.py (torch %s, transformers %s)" % (torch.__version__.split("+")[0], transformers.__version__)


def main():
    transformers.logging.set_verbosity_error()
    os.makedirs(OUT, exist_ok=True)
    for seed, name in enumerate(["gpt2", "llama", "qwen2", "mistral"]):
        torch.manual_seed(seed)
        m = AutoModelForSequenceClassification.from_pretrained(os.path.join(MODELS, name), num_labels=3, pad_token_id=0,
                                                               dtype=torch.float32).eval()
        with torch.no_grad():
            m.score.weight.normal_(0, 0.3)
        score = m.score.weight.detach().tolist()
        last = [0, 3, 11, 7, 10, 5]
        ids = torch.randint(3, 100, (6, 12))
        for row, n in enumerate(last):
            ids[row, n + 1:] = 0
        y = torch.tensor([0, 1, 2, 1, 0, 2])
        logits, losses = m(ids, attention_mask=(ids != 0).long()).logits.detach(), []
        optimizer = torch.optim.AdamW(m.parameters(), lr=0.001, weight_decay=0)
        for _ in range(5):
            loss = m(ids, attention_mask=(ids != 0).long(), labels=y).loss
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with open(os.path.join(OUT, name + ".json"), "w") as f:
            json.dump(dict(made_by=MADE_BY, model=name, score=score, ids=ids.tolist(), last=last, y=y.tolist(),
                           logits=logits.tolist(), losses=losses), f, separators=(",", ":"))
        print(name, losses)


TASKS = {  # the class, its settings, the type of PEFT's task
    "classify": (AutoModelForSequenceClassification, dict(num_labels=3, problem_type="single_label_classification"), "SEQ_CLS"),
    "regress": (AutoModelForSequenceClassification, dict(num_labels=1, problem_type="regression"), "SEQ_CLS"),
    "multilabel": (AutoModelForSequenceClassification, dict(num_labels=3, problem_type="multi_label_classification"), "SEQ_CLS"),
    "tag": (AutoModelForTokenClassification, dict(num_labels=3), "TOKEN_CLS"),
    "lm": (AutoModelForCausalLM, {}, "CAUSAL_LM"),
}
ADAPTED = {"gpt2": ["c_attn", "c_fc"], "llama": ["q_proj", "down_proj"]}


def steps():
    """Makes the files of steps."""
    os.makedirs(os.path.join(OUT, "steps"), exist_ok=True)
    for seed, name in enumerate(ADAPTED):
        rng = np.random.Generator(np.random.PCG64(seed))
        last = [7, 0, 4]
        ids = rng.integers(3, 100, (3, 8))
        for row, n in enumerate(last):
            ids[row, n + 1:] = 0
        targets = rng.integers(0, 3, ids.shape)
        targets[rng.random(ids.shape) < 0.2] = -1
        targets[ids == 0] = -1
        y = dict(classify=[2, 0, 1], regress=[0.5, -1.25, 2.0], multilabel=[[1, 0, 1], [0, 0, 0], [0, 1, 1]], tag=targets.tolist(),
                 lm=[[int(n) if n > 0 and j % 3 > 0 else -1 for j, n in enumerate(list(row[1:]) + [0])] for row in ids])
        out = dict(made_by=MADE_BY[:-1] + ", peft %s)" % peft.__version__, model=name, ids=ids.tolist(), last=last, rank=2, alpha=6, targets=["*." + t for t in ADAPTED[name]])
        adapter, tasks = {}, {}
        for task in TASKS:
            tasks[task] = one(name, task, torch.tensor(ids), y[task], adapter, rng)
        with open(os.path.join(OUT, "steps", name + ".json"), "w") as f:
            json.dump(dict(out, adapter={n: digits(v, 9) for n, v in adapter.items()}, tasks=tasks), f, separators=(",", ":"))


def one(name, task, ids, y, adapter, rng):
    """The full and the LoRA steps of one task. The first call fills the adapter, the later ones use it."""
    kind, settings, peft_task = TASKS[task]
    head, out = {}, dict(y=y)
    for how in ["full", "lora"]:
        m = kind.from_pretrained(os.path.join(MODELS, name), pad_token_id=0, dtype=torch.float32, **settings).eval()
        for n, p in m.named_parameters():
            if task != "lm" and ceto(n).startswith("score."):
                head.setdefault(ceto(n), rng.normal(0, 0.3, p.shape).astype(np.float32))
                p.data = torch.from_numpy(head[ceto(n)].copy())
        if how == "lora":
            m = peft.get_peft_model(m, peft.LoraConfig(task_type=peft_task, r=2, lora_alpha=6, target_modules=ADAPTED[name],
                                                       fan_in_fan_out=name == "gpt2")).eval()
            for n, p in m.named_parameters():
                if "lora_" in n:
                    adapter.setdefault(ceto(n), rng.normal(0, 0.2, p.shape).astype(np.float32))
                    p.data = torch.from_numpy(adapter[ceto(n)].copy())
        out[how] = train(m, ids, labels(task, y), how == "lora")
        print(name, task, how, out[how]["losses"][0], out[how]["losses"][-1])
    return dict(out, head={n: digits(v, 9) for n, v in head.items()})


def labels(task, y):
    """The targets as transformers wants them: where there are none -100, and those of a language model unshifted."""
    if task in ["regress", "multilabel"]:
        return torch.tensor(y, dtype=torch.float32)
    y = torch.tensor(y)
    if task == "lm":
        y = torch.cat([torch.full((len(y), 1), -1), y[:, :-1]], 1)
    return torch.where(y < 0, -100, y)


def train(m, ids, y, whole):
    """Ten steps: logits and gradients at the first, losses of all."""
    trained, losses = [p for p in m.parameters() if p.requires_grad], []
    optimizer = torch.optim.AdamW(trained, lr=0.002, weight_decay=0)
    for step in range(10):
        o = m(ids, attention_mask=(ids != 0).long(), labels=y)
        losses.append(float("%.8g" % o.loss.item()))
        optimizer.zero_grad()
        o.loss.backward()
        if step == 0:
            logits = digits(o.logits.detach().numpy(), 7)
            gradients = {ceto(n): p.grad.numpy() for n, p in m.named_parameters() if p.requires_grad}
        optimizer.step()
    return dict(logits=logits, losses=losses, gradients={n: digits(g if whole else sketch(g), 8) for n, g in gradients.items()})


def ceto(name):
    """The name of a parameter in Ceto."""
    for part, other in [("base_model.model.", ""), (".modules_to_save", ""), (".default", ""), ("transformer.", "")]:
        name = name.replace(part, other)
    return "score." + name[len("classifier."):] if name.startswith("classifier.") else name


def sketch(g):
    """The L2 norm of an array and 16 sums of its elements with signs."""
    g = g.astype(np.float64).ravel()
    return np.array([np.sqrt((g * g).sum())] + [(g * sign(len(g), k)).sum() for k in range(16)])


def sign(n, k):
    """n signs, the k-th of their kind: the top bits of SplitMix64's outputs for the counters k * 2^32 + i."""
    z = (np.arange(n, dtype=np.uint64) + np.uint64(k << 32) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return 1.0 - 2.0 * ((z ^ (z >> np.uint64(31))) >> np.uint64(63)).astype(np.float64)


def digits(array, n):
    """The elements of an array as one list of numbers of n digits."""
    return [float("%.*g" % (n, x)) for x in np.asarray(array).ravel()]


if __name__ == "__main__":
    main()
    steps()
