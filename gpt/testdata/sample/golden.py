#!/usr/bin/env python3
"""Writes what gpt/generate/sample_test.go and gpt/generate/beam_test.go compare with, computed by transformers on the CPU from fixed seeds.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6 numpy==2.4.6
  venv/bin/python gpt/testdata/sample/golden.py            # writes golden.json beside itself
  venv/bin/python gpt/testdata/sample/golden.py --check    # compares it with fresh values, writes nothing

processors  For each case the options (by the names of gpt.SampleOptions), the ids so far, how many of them are the
            prompt, the logits, and the scores after the processors that generate() itself lists for these options, in
            its order. null is minus infinity. Presence and Frequency, which transformers lacks, are the formula of the
            OpenAI API: score - frequency * count - presence * (count > 0), over the ids after the prompt, here between
            repetition penalty and no-repeat.
table       Matrices M, N (V, V) and P (T, V): the logits after t ids ..., a, b are M[b] + N[a] + P[t], added in float32 in
            this order. This is the whole model that generate() runs below. P keeps sequences of the same pairs from
            having equal scores, whose order nothing would say.
generate    For each case the options, the prompt and the sequences that generate() returns, the best first: ids without
            the prompt and the padding, and the score of each (beam search only); and how often it ran the model.
"""
import json
import os
import sys

import numpy as np
import torch
import transformers
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput

VERSIONS = {"torch": "2.11.0", "transformers": "4.57.6", "numpy": "2.4.6"}
FILE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.json")
NAMES = {"Temperature": "temperature", "TopK": "top_k", "TopP": "top_p", "MinP": "min_p", "Typical": "typical_p",
         "Repetition": "repetition_penalty", "NoRepeat": "no_repeat_ngram_size", "Beams": "num_beams",
         "LengthPenalty": "length_penalty", "EarlyStopping": "early_stopping", "Returns": "num_return_sequences",
         "Tokens": "max_new_tokens", "End": "eos_token_id"}
VALUES = {"true": True, "false": False}
PAD = 0


class Table(PreTrainedModel, GenerationMixin):
    """A model whose logits are looked up by the last two ids and their number."""
    config_class = PretrainedConfig

    def __init__(self, m, n, p):
        super().__init__(PretrainedConfig(vocab_size=len(m)))
        self.m, self.n, self.p = (torch.nn.Parameter(torch.from_numpy(x)) for x in (m, n, p))

    def prepare_inputs_for_generation(self, input_ids, **kwargs):
        return {"input_ids": input_ids}

    def forward(self, input_ids, attention_mask=None, return_dict=True):
        return CausalLMOutput(logits=self.m[input_ids[:, -1:]] + self.n[input_ids[:, -2:-1]] + self.p[input_ids.shape[1]])


def config(options):
    """The GenerationConfig of options; beam search and sampling get transformers' names and otherwise its defaults."""
    c = {NAMES[k]: VALUES.get(v, v) if isinstance(v, str) else v for k, v in options.items() if k in NAMES}
    if "Bias" in options:
        c["sequence_bias"] = {(int(k),): v for k, v in options["Bias"].items()}
    if "Temperature" in options:
        c.setdefault("top_k", 0)
    return GenerationConfig(do_sample="Temperature" in options, use_cache=False, pad_token_id=PAD, **c)


def numbers(rng, shape, scale):
    """Random float32 that four decimals hold."""
    return np.round(rng.normal(0, scale, shape), 4).astype(np.float32)


def listed(x):
    return [None if np.isneginf(v) else float(str(np.float32(v))) for v in x]


def answer_penalty(scores, answer, frequency, presence):
    counts = torch.bincount(answer, minlength=scores.shape[-1]).float()
    scores = scores - torch.tensor(frequency, dtype=torch.float32) * counts
    return scores - torch.tensor(presence, dtype=torch.float32) * (counts > 0).float()


def processed(model, options, ids, prompt, logits):
    scores = torch.from_numpy(logits)[None]
    todo = list(model._get_logits_processor(config(options), input_ids_seq_length=prompt))
    early = ("SequenceBiasLogitsProcessor", "RepetitionPenaltyLogitsProcessor")
    for p in [p for p in todo if type(p).__name__ in early]:
        scores = p(ids[None], scores)
    if "Presence" in options or "Frequency" in options:
        scores = answer_penalty(scores, ids[prompt:], options.get("Frequency", 0.0), options.get("Presence", 0.0))
    for p in [p for p in todo if type(p).__name__ not in early]:
        scores = p(ids[None], scores)
    return scores[0].numpy()


PROCESSORS = [
    {}, {"Bias": {"3": 5.0, "0": -2.5, "39": -1e9}}, {"Bias": {"7": 0.125}}, {"Repetition": 1.3}, {"Repetition": 0.7},
    {"Presence": 0.6}, {"Frequency": 0.35}, {"Presence": -1.5, "Frequency": 2.0},
    {"NoRepeat": 1}, {"NoRepeat": 2}, {"NoRepeat": 3}, {"NoRepeat": 50},
    {"Temperature": 0.7}, {"Temperature": 2.5}, {"Temperature": 1.0, "TopK": 5}, {"Temperature": 1.0, "TopK": 1},
    {"Temperature": 1.0, "TopK": 100}, {"Temperature": 1.0, "TopP": 0.5}, {"Temperature": 1.0, "TopP": 0.95},
    {"Temperature": 1.0, "TopP": 0.01}, {"Temperature": 1.0, "MinP": 0.1}, {"Temperature": 1.0, "MinP": 0.02},
    {"Temperature": 1.0, "Typical": 0.2}, {"Temperature": 1.0, "Typical": 0.9},
    {"Temperature": 0.8, "TopK": 20, "TopP": 0.9, "MinP": 0.05}, {"Temperature": 1.7, "TopK": 30, "TopP": 0.9, "Typical": 0.7},
    {"Temperature": 1.4, "TopP": 0.97, "MinP": 0.03, "Typical": 0.8, "Repetition": 1.2, "Presence": 0.5, "Frequency": 0.25,
     "NoRepeat": 2, "Bias": {"4": 1.5, "11": -3.0}},
]

E, F = {"End": [1]}, {"End": [1, 5]}
GENERATE = [
    {"Tokens": 12}, {"Tokens": 12, **E}, {"Tokens": 15, "Repetition": 1.5, "NoRepeat": 2, "Bias": {"3": 0.5}, **F},
    {"Tokens": 10, "Beams": 2}, {"Tokens": 10, "Beams": 4, "Returns": 4},
    {"Tokens": 1, "Beams": 3, "Returns": 3, **E}, {"Tokens": 2, "Beams": 3, "Returns": 3, **F},
    *({"Tokens": 14 if s != "never" else 28, "Beams": b, "Returns": b, "LengthPenalty": p, "EarlyStopping": s, **e}
      for b in (2, 4) for p in (1.0, 0.0, 2.5, -1.0) for s in ("false", "true", "never") for e in (E, F)),
    {"Tokens": 14, "Beams": 3, "Returns": 2, "NoRepeat": 2, **E},
    {"Tokens": 14, "Beams": 3, "Returns": 3, "Repetition": 1.4, "Bias": {"2": 0.75, "1": -1.0}, **F},
]


def generated(model, options, prompt):
    c = config({"LengthPenalty": 0.0, **options} if options.get("Beams", 1) > 1 else options)
    out = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt)), generation_config=c,
                         return_dict_in_generate=True, output_scores=True)
    sequences = []
    for i, ids in enumerate(out.sequences[:, len(prompt):].tolist()):
        ends = [k for k, id in enumerate(ids) if id in options.get("End", [])]
        s = {"IDs": ids[: ends[0] + 1] if ends else ids}
        if options.get("Beams", 1) > 1:
            s["Score"] = float(str(np.float32(out.sequences_scores[i])))
        sequences.append(s)
    return {"want": sequences, "steps": len(out.scores)}


def main():
    for name, module in (("torch", torch), ("transformers", transformers), ("numpy", np)):
        if module.__version__.split("+")[0] != VERSIONS[name]:
            sys.exit(f"{name} is {module.__version__}; the golden file is made with {VERSIONS[name]}")
    torch.set_num_threads(1)
    rng = np.random.default_rng(5)
    v, small = 40, 16
    gold = {"versions": VERSIONS, "command": "python3 gpt/testdata/sample/golden.py", "processors": [], "generate": []}
    m, n, p = numbers(rng, (small, small), 1.5), numbers(rng, (small, small), 1.0), numbers(rng, (33, small), 0.3)
    m[:, 1] += np.float32(0.5)  # sequences end often enough, and not at once
    m = np.round(m, 4)
    model, wide = Table(m, n, p).eval(), Table(*[np.zeros((v, v), np.float32)] * 3)
    for options in PROCESSORS:
        for _ in range(2):
            ids, prompt, logits = rng.integers(0, 12, 20), int(rng.integers(1, 15)), numbers(rng, v, 2)
            want = processed(wide, options, torch.from_numpy(ids), prompt, logits)
            gold["processors"].append({"options": options, "ids": ids.tolist(), "prompt": prompt,
                                       "logits": listed(logits), "want": listed(want)})
    gold["table"] = {"M": [listed(r) for r in m], "N": [listed(r) for r in n], "P": [listed(r) for r in p]}
    for options in GENERATE:
        for _ in range(3):
            prompt = rng.integers(2, small, 3).tolist()
            gold["generate"].append({"options": options, "prompt": prompt, **generated(model, options, prompt)})
    lines = {k: "[\n" + ",\n".join(json.dumps(x) for x in gold[k]) + "\n]" for k in ("processors", "generate")}
    rest = {k: json.dumps(gold[k]) for k in ("versions", "command", "table")}
    text = "{\n" + ",\n".join(f'"{k}": {x}' for k, x in {**rest, **lines}.items()) + "\n}\n"
    if "--check" in sys.argv[1:]:
        sys.exit(None if open(FILE).read() == text else "golden.json differs")
    with open(FILE, "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
