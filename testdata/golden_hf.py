#!/usr/bin/env python3
"""Writes tiny random models as published programs write them, and what they must answer: the oracle of gpt's loaders.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 numpy==2.4.6 transformers==4.57.6 gguf==0.19.0
  venv/bin/python testdata/golden_hf.py            # writes gpt/testdata/{hf,gguf,llmc,llama2c} and the like in PLACES
  venv/bin/python testdata/golden_hf.py --check    # makes them again elsewhere and compares, writes nothing

hf/CASE/       a folder as transformers' save_pretrained writes it, and expected.json; llama-chat has a tokenizer with a
               chat template too: its prompts are `messages` (and the template's begin of the answer), rendered in `text`
gguf/*.gguf    the same weights as llama.cpp's converter writes them; expected: hf/CASE/expected.json, where CASE is the
               file's name up to a dot; where NAME.json is beside it, that (weights were rounded: its logits are of these)
llmc/*.bin     hf/gpt2 as llm.c's checkpoint, version 3 (float32) and 5 (bfloat16, with its own expected .json)
llama2c/*.bin  hf/llama as llama2.c's checkpoint (head not tied)

expected.json, all by transformers on the CPU in float32 (eager attention), weights of 16 bits widened first:
  prompts          ids, of 1, 5, 12 and 20 tokens
  logits           for each prompt the rows of its last positions: all of the one of 12 tokens, one of the others
  greedy           up to 24 new ids for each prompt; the end token, where it comes, is the last
  greedy_logprobs  natural logarithm, of each of them
  margin           the smallest gap between first and second choice (logits) on the way; at least 0.02
  penalized        the same with repetition_penalty 1.3 over prompt and answer, then no_repeat_ngram_size 3
  beam             settings, and for each prompt the best two of 4 beams: new ids (16 at most) and score, the sum of
                   log-probabilities over (number of new ids, end token included)^length_penalty
Seeds are searched until margins hold, some answers end early and some do not, ids of greedy and of beams survive noise
of 2e-5 on the logits, and a loader that ignored what the case is about (`without`) would give other logits.
"""
import argparse
import copy
import filecmp
import json
import os
import shutil
import sys
import tempfile

import numpy as np
import torch
import transformers
from transformers import AutoModelForCausalLM, LogitsProcessorList

import golden_gguf
import golden_llmc

TORCH, NUMPY, TRANSFORMERS = "2.11.0", "2.4.6", "4.57.6"
HERE = os.path.dirname(os.path.abspath(__file__))
MADE_BY = "python3 testdata/golden_hf.py (torch %s, transformers %s; CPU, float32)" % (TORCH, TRANSFORMERS)

VOCAB, CONTEXT, NEW, BEAM_NEW = 104, 64, 24, 16
PAD, BEGIN, END = 0, 1, 2
LENGTHS, ALL = (1, 5, 12, 20), 12
MARGIN, NOISE = 0.02, 2e-5

IDS = dict(vocab_size=VOCAB, bos_token_id=BEGIN, eos_token_id=END, pad_token_id=PAD)
LLAMA = dict(IDS, model_type="llama", hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, tie_word_embeddings=True)
GPT2 = dict(IDS, model_type="gpt2", n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT)
LINEAR = dict(rope_type="linear", factor=2.0)
NARROW = dict(LLAMA, intermediate_size=24)
# The sixth layer alone sees all keys, as in the published models.
GEMMA3 = dict(NARROW, model_type="gemma3_text", num_hidden_layers=6, num_attention_heads=2, num_key_value_heads=1,
              head_dim=12, query_pre_attn_scalar=12, rms_norm_eps=1e-6, rope_theta=1e4, rope_local_base_freq=100.0,
              rope_scaling=LINEAR, sliding_window=8)
PHI3 = dict(NARROW, model_type="phi3", original_max_position_embeddings=CONTEXT)
SMOLLM3 = dict(NARROW, model_type="smollm3", num_hidden_layers=4, rope_theta=1e4)
# Wavelengths 6, 20, 63, 199 over a context of 32: one kept, one in the smooth band, two stretched.
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=32)

# A case: the config; `without`, the overrides that must change the logits (each of a list); the first seed to try; how
# it is saved.
CASES = {
    "gpt2": dict(seed=31, config=GPT2, without=dict(activation_function="relu")),
    "gpt2-untied": dict(seed=69, config=dict(GPT2, n_inner=48, tie_word_embeddings=False), without=dict(layer_norm_epsilon=0.1)),
    "llama": dict(seed=1, config=dict(LLAMA, tie_word_embeddings=False), without=dict(rope_theta=100.0)),
    "llama-tied": dict(seed=12, config=LLAMA, without=dict(rms_norm_eps=0.1)),
    "llama-linear": dict(seed=12, config=dict(LLAMA, rope_scaling=LINEAR), without=dict(rope_scaling=None)),
    "llama-llama3": dict(seed=17, config=dict(LLAMA, rope_theta=100.0, rope_scaling=LLAMA3), without=dict(rope_scaling=None)),
    "llama-headdim": dict(seed=4, config=dict(LLAMA, head_dim=12, attention_bias=True, mlp_bias=True),
                          without=dict(attention_bias=False, mlp_bias=False)),
    "qwen2": dict(seed=44, config=dict(LLAMA, model_type="qwen2", rms_norm_eps=1e-6), without=dict(rope_theta=1e6)),
    "qwen3": dict(seed=8, config=dict(LLAMA, model_type="qwen3", head_dim=16, rms_norm_eps=1e-6, rope_theta=1e6),
                  without=dict(rope_theta=1e4)),
    "mistral": dict(seed=25, config=dict(LLAMA, model_type="mistral", sliding_window=8), without=dict(sliding_window=None)),
    "llama-bf16": dict(seed=108, config=dict(LLAMA, tie_word_embeddings=False), dtype=torch.bfloat16, shard="20KB",
                       without=dict(rms_norm_eps=0.1)),
    "llama-chat": dict(seed=2, config=dict(LLAMA, vocab_size=288, max_position_embeddings=256), dtype=torch.bfloat16,
                       chat=True, without=dict(rope_theta=100.0)),
    "llama-f16": dict(seed=210, config=LLAMA, dtype=torch.float16, without=dict(rms_norm_eps=0.1)),
    "gemma3": dict(seed=30, config=GEMMA3,
                   without=[dict(rope_scaling=None), dict(rope_local_base_freq=1e4), dict(rope_theta=100.0),
                            dict(sliding_window=CONTEXT), dict(hidden_activation="silu"),
                            dict(query_pre_attn_scalar=256)]),
    "gemma3-types": dict(seed=106, dtype=torch.bfloat16,
                         config=dict(GEMMA3, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
                                     query_pre_attn_scalar=20, rope_scaling=None,
                                     layer_types=["full_attention", "sliding_attention"]),
                         without=[dict(layer_types=["sliding_attention", "full_attention"]),
                                  dict(query_pre_attn_scalar=12), dict(rope_local_base_freq=1e4),
                                  dict(rope_theta=100.0), dict(sliding_window=9)]),
    "phi3": dict(seed=24, config=dict(PHI3, sliding_window=8, tie_word_embeddings=False),
                 without=[dict(sliding_window=None), dict(rope_theta=100.0)]),
    "phi3-partial": dict(seed=10, config=dict(PHI3, partial_rotary_factor=0.5), dtype=torch.bfloat16,
                         without=[dict(partial_rotary_factor=1.0), dict(rope_theta=100.0)]),
    "olmo2": dict(seed=0, config=dict(NARROW, model_type="olmo2", tie_word_embeddings=False),
                  without=[dict(rms_norm_eps=0.1), dict(rope_theta=100.0)]),
    "smollm3": dict(seed=89, config=SMOLLM3, dtype=torch.bfloat16,
                    without=[dict(no_rope_layers=[1, 1, 1, 1]), dict(rope_theta=100.0)]),
    "smollm3-interval": dict(seed=15, config=dict(SMOLLM3, no_rope_layer_interval=2), dtype=torch.bfloat16,
                             without=[dict(no_rope_layer_interval=4), dict(no_rope_layers=[0, 1, 0, 1])]),
}
# A family that the tree does not have. A test lays its Go files, which lie in the same folder, over the tree.
GRANITE = dict(NARROW, model_type="granite", embedding_multiplier=1.5, residual_multiplier=1.25,
               attention_multiplier=0.25, logits_scaling=0.5)
FAMILY = {
    "granite": dict(seed=13, config=GRANITE, dtype=torch.bfloat16,
                    without=[dict(embedding_multiplier=1.0), dict(residual_multiplier=1.0),
                             dict(attention_multiplier=8 ** -0.5), dict(logits_scaling=1.0), dict(rope_theta=100.0)]),
}
PLACES = {os.path.join(HERE, "..", "gpt", "testdata"): CASES, os.path.join(HERE, "additions", "family"): FAMILY}
CHATS = [[dict(role="user", content="What is it?")],
         [dict(role="system", content="Be brief."), dict(role="user", content="hé 你好 🙂  1234\n")],
         [dict(role="user", content="The thin man and the inn"), dict(role="assistant", content="an answer"),
          dict(role="user", content="<|im_end|> then?")]]
BEAMS = [dict(num_beams=4, num_return_sequences=2, length_penalty=p, early_stopping=e)
         for p in (1.0, 0.6) for e in (False, True)]


def config_of(fields):
    return transformers.AutoConfig.for_model(**copy.deepcopy(fields))


def build(fields, seed, dtype):
    """A model in float32 whose random weights `dtype` holds exactly: flat logits would prove nothing, so they are large."""
    torch.manual_seed(seed)
    m = AutoModelForCausalLM.from_config(config_of(fields), attn_implementation="eager").eval()
    gemma = fields["model_type"] == "gemma3_text"
    with torch.no_grad():
        for name, p in m.named_parameters():
            std = 0.5 if "emb" in name or "wte" in name or "lm_head" in name else 0.25
            p.normal_(0, 0.1 if gemma and "emb" in name else std)  # Gemma enlarges it: it would outweigh its layers
            if p.dim() == 1 and gemma:  # Gemma's norms have what is added to 1, here without rounding
                p.copy_(((p + (4 if name == "model.norm.weight" else 0)) * 4096).round() / 4096)
            elif p.dim() == 1 and name.endswith("weight"):  # norms
                p += 1
            p.copy_(p.to(dtype).float())
    m.generation_config = transformers.GenerationConfig(bos_token_id=BEGIN, eos_token_id=END, pad_token_id=PAD)
    return m


def chat_prompts():
    """The ids of CHATS, and their text as the template renders it."""
    t = golden_gguf.tokenizer()
    text = [t.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in CHATS]
    ids = [t(x, add_special_tokens=False).input_ids for x in text]
    assert ids == [t.apply_chat_template(c, add_generation_prompt=True) for c in CHATS]
    return ids, text


def draw_prompts(seed):
    r = np.random.Generator(np.random.PCG64(seed))
    return [r.integers(END + 1, VOCAB, size=n).tolist() for n in LENGTHS]


class Noise(transformers.LogitsProcessor):
    """Adds what rounding may, and more, to see whether ids hold."""

    def __init__(self, std):
        self.std, self.rng = std, torch.Generator().manual_seed(0)

    def __call__(self, ids, scores):
        return scores + self.std * torch.randn(scores.shape, generator=self.rng)


def generate(m, ids, noise=0.0, mask=None, new=NEW, **settings):
    """transformers' generate: new ids of every row, cut behind the end token, and its whole answer."""
    x = torch.tensor(ids)
    out = m.generate(x, attention_mask=torch.ones_like(x) if mask is None else mask, max_new_tokens=new, do_sample=False,
                     logits_processor=LogitsProcessorList([Noise(noise)] if noise else []), output_logits=True,
                     output_scores=True, return_dict_in_generate=True, **settings)
    rows = out.sequences[:, x.shape[1]:].tolist()
    return [r[:r.index(END) + 1] if END in r else r for r in rows], out


def greedy(m, prompts):
    """For each prompt the new ids, their log-probabilities and the smallest margin. Prompts of different lengths go as
    one batch, padded on the left."""
    n = max(map(len, prompts))
    mask = torch.tensor([[0] * (n - len(p)) + [1] * len(p) for p in prompts])
    rows, out = generate(m, [[PAD] * (n - len(p)) + p for p in prompts], mask=mask)
    found = []
    for i, ids in enumerate(rows):
        logits = torch.stack(out.logits)[:len(ids), i]
        top = logits.topk(2).values
        logprobs = logits.log_softmax(-1)[range(len(ids)), ids]
        found.append((ids, logprobs.tolist(), (top[:, 0] - top[:, 1]).min().item()))
    return found


def beams(m, prompt, settings, noise=0.0):
    rows, out = generate(m, [prompt], noise=noise, new=BEAM_NEW, **settings)
    return [dict(ids=r, score=s) for r, s in zip(rows, out.sequences_scores.tolist())]


def penalized(m, prompt, noise=0.0):
    return generate(m, [prompt], noise=noise, repetition_penalty=1.3, no_repeat_ngram_size=3)[0][0]


def logits_of(m, prompts):
    """Logits of all positions of the prompt of 12 tokens and of the last position of the others."""
    out = []
    for p in prompts:
        with torch.no_grad():
            rows = m(torch.tensor([p])).logits[0]
        out.append(rows if len(p) == ALL else rows[-1:])
    return out


def answers(m, prompts):
    """The expected answers, or None where rounding could change them or where they show too little."""
    batch = greedy(m, prompts)
    ids, margin = [x[0] for x in batch], min(x[2] for x in batch)
    lengths = [len(x) for x in ids]
    if margin < MARGIN or min(lengths) < 3 or min(lengths) == NEW or max(lengths) < NEW or len(set(ids[-1])) < 3:
        return None
    g = [greedy(m, [p])[0] for p in prompts]
    assert [x[0] for x in g] == ids, "a left-padded batch answers otherwise"
    pen = [penalized(m, p) for p in prompts]
    if pen == ids or pen != [penalized(m, p, NOISE) for p in prompts]:
        return None
    found = []
    for s in BEAMS:
        found.append([beams(m, p, s) for p in prompts])
        for p, want in zip(prompts, found[-1]):
            if [x["ids"] for x in beams(m, p, s, NOISE)] != [x["ids"] for x in want]:
                return None
    ended = [x["ids"][-1] == END for f in found for rows in f for x in rows]
    if not any(ended) or all(ended):
        return None
    return dict(margin=margin, prompts=prompts, logits=[x.tolist() for x in logits_of(m, prompts)], greedy=ids,
                greedy_logprobs=[x[1] for x in g], penalized=pen,
                beam=[dict(s, new=BEAM_NEW, results=f) for s, f in zip(BEAMS, found)])


def gap(m, other, prompts):
    """The largest difference between two models' logits."""
    return max((a - b).abs().max().item() for a, b in zip(logits_of(m, prompts), logits_of(other, prompts)))


def bends(m, fields, without, prompts):
    """Whether the logits change where the settings are overridden, by each of a list."""
    for w in without if isinstance(without, list) else [without]:
        other = AutoModelForCausalLM.from_config(config_of(dict(fields, **w)), attn_implementation="eager").eval()
        other.load_state_dict(m.state_dict(), strict=False)
        if gap(m, other, prompts) <= 0.05:
            return False
    return True


def search(config, without, dtype=torch.float32, seed=0, chat=False, **_):
    """The first seed whose model gives answers that a test can use."""
    ids, text = chat_prompts() if chat else (None, None)
    for s in range(seed, seed + 2000):
        m, prompts = build(config, s, dtype), ids or draw_prompts(s)
        a = answers(m, prompts)
        if a and bends(m, config, without, prompts):
            return m, dict(made_by=MADE_BY, seed=s, **(dict(messages=CHATS, text=text) if chat else {}), **a)
    sys.exit("golden_hf: no seed serves; first tried %d" % seed)


def rounded(x):
    """Seven significant digits: all that float32 holds."""
    if isinstance(x, float):
        return float("%.7g" % x)
    if isinstance(x, list):
        return [rounded(v) for v in x]
    return {k: rounded(v) for k, v in x.items()} if isinstance(x, dict) else x


def write_json(path, fields):
    """One line a field."""
    lines = ["%s: %s" % (json.dumps(k), json.dumps(v, separators=(",", ":"))) for k, v in rounded(fields).items()]
    with open(path, "w") as f:
        f.write("{\n" + ",\n".join(lines) + "\n}\n")


def write_case(folder, name, case):
    """Writes hf/NAME; returns the model."""
    m, want = search(**case)
    dtype, out = case.get("dtype", torch.float32), os.path.join(folder, "hf", name)
    copy.deepcopy(m).to(dtype).save_pretrained(out, max_shard_size=case.get("shard", "5GB"))
    if case.get("chat"):
        golden_gguf.tokenizer().save_pretrained(out)
    back = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32, attn_implementation="eager")
    assert gap(m, back, want["prompts"]) < 1e-4, name
    write_json(os.path.join(out, "expected.json"), want)
    print("%-14s seed %4d, margin %.3f, new ids %s" % (name, want["seed"], want["margin"], [len(x) for x in want["greedy"]]))
    return m


def write_rounded(path, m, weights):
    """Writes the expected answers of a model whose file holds rounded weights, given by their names in m."""
    m = copy.deepcopy(m)
    m.load_state_dict({**m.state_dict(), **{k: torch.tensor(v) for k, v in weights.items()}})
    m.tie_weights()
    for seed in range(2000):
        a = answers(m, draw_prompts(seed))
        if a:
            return write_json(path, dict(made_by=MADE_BY, seed=seed, **a))
    sys.exit("golden_hf: no prompts serve for " + path)


def write_all(folder, cases):
    """Writes the cases, and what is made of them; returns the kinds of files."""
    os.makedirs(os.path.join(folder, "gguf"))
    models = {name: write_case(folder, name, case) for name, case in cases.items()}
    for name in golden_gguf.FILES:
        m = models.get(name.split(".")[0])
        if m is None:
            continue
        path = os.path.join(folder, "gguf", name)
        weights = golden_gguf.write(path, m, **golden_gguf.FILES[name])
        if weights:
            write_rounded(path[:-len("gguf")] + "json", m, weights)
    if cases is not CASES:
        return ["hf", "gguf"]
    for d in ("llmc", "llama2c"):
        os.makedirs(os.path.join(folder, d))
    golden_llmc.write(os.path.join(folder, "llmc", "gpt2-v3.bin"), models["gpt2"], 3)
    weights = golden_llmc.write(os.path.join(folder, "llmc", "gpt2-v5.bin"), models["gpt2"], 5)
    write_rounded(os.path.join(folder, "llmc", "gpt2-v5.json"), models["gpt2"], weights)
    golden_llmc.write_llama2c(os.path.join(folder, "llama2c", "llama.bin"), models["llama"])
    return ["hf", "gguf", "llmc", "llama2c"]


def files_of(folder, kinds):
    return sorted(os.path.relpath(os.path.join(d, f), folder) for kind in kinds
                  for d, _, fs in os.walk(os.path.join(folder, kind)) for f in fs)


def same(a, b):
    """Whether two files agree: bytes, or in expected answers ids exactly and floats to 1e-5 (another CPU's rounding)."""
    if filecmp.cmp(a, b, shallow=False):
        return True
    if not a.endswith(".json"):
        return False
    with open(a) as f, open(b) as g:
        return close(json.load(f), json.load(g))


def close(a, b):
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= 1e-5 + 1e-5 * abs(b)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(close, a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[k], b[k]) for k in a)
    return a == b


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--check", action="store_true", help="compare, write nothing")
    check = p.parse_args().check
    for what, have, want in (("torch", torch.__version__, TORCH), ("numpy", np.__version__, NUMPY),
                             ("transformers", transformers.__version__, TRANSFORMERS),
                             ("gguf", golden_gguf.version(), golden_gguf.GGUF)):
        if have.split("+")[0] != want:
            sys.exit("golden_hf: %s is %s; want %s" % (what, have, want))
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for folder, cases in PLACES.items():
        with tempfile.TemporaryDirectory() as tmp:
            kinds = write_all(tmp, cases)
            if check:
                compare(tmp, folder, kinds)
                continue
            for d in kinds:
                shutil.rmtree(os.path.join(folder, d), ignore_errors=True)
                shutil.copytree(os.path.join(tmp, d), os.path.join(folder, d), copy_function=shutil.copyfile)


def compare(new, old, kinds):
    """Exits with the names of the files that differ."""
    files = files_of(new, kinds)
    bad = sorted(set(files) ^ set(files_of(old, kinds)))
    bad += [f for f in files if f not in bad and not same(os.path.join(new, f), os.path.join(old, f))]
    if bad:
        sys.exit("golden_hf: not the same in %s: %s" % (os.path.normpath(old), ", ".join(bad)))


if __name__ == "__main__":
    main()
