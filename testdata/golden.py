#!/usr/bin/env python3
"""Writes the golden files that Ceto's tests compare with, computed by PyTorch on the CPU from fixed seeds.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 numpy==2.4.6
  venv/bin/python testdata/golden.py            # writes testdata/golden/*.safetensors
  venv/bin/python testdata/golden.py --check    # compares them with fresh values, writes nothing

layers[_f64]    every layer and loss: for a case, "case/operand", "case/y", "case/dy" (fixed, random) and, for each operand
                of floats, "case/doperand", the gradient of the sum of y·dy. Attributes are in the metadata, key "cases".
gpt_tiny[_f64]  GPT-2's architecture (biases, tanh GELU), gpt_nano[_f64] nanoGPT's variant (no biases, erf GELU), with
                tied embeddings: the parameters by their published names, ids, targets, logits, loss (mean, nats/token),
                "grad.NAME"; then ten steps of clip and AdamW from the same parameters: train.ids and train.targets
                (10, B, T), train.losses and train.norms (before the clip), each taken before its update, "final.NAME".
batch_norm[_f64]  BatchNorm1d with channels last: "case/weight", "case/bias", and for batches 0 and 1 in training and 2 in
                evaluation "case/x.0", y, dy, the gradients dx, dweight, dbias, and the buffers after the batch.
optim[_f64]     ten steps of each optimizer along fixed gradients: "grads" (10, 2, 3), "p0", "OPTIMIZER" (10, 2, 3).

Files without a suffix are float32, those with _f64 float64; both hold the same operands, which float32 holds exactly.
Ids are int32. Matrices of layers are (in, out), as in GPT-2's checkpoints, but in linear_out_in.
In float32 the key third of c_attn.bias has a gradient of rounding noise only, which AdamW turns into steps: do not
compare that third of final.*.c_attn.bias in float32.
"""
import argparse
import json
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden_batchnorm import batch_norms
from golden_file import File, read, rng, write
from golden_layers import EPS, block, block_shapes, draw, layers, norm

TORCH, NUMPY = "2.11.0", "2.4.6"
COMMAND = "python3 testdata/golden.py"
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")


def gpt(ids, p, n, heads, act):
    """Logits (B, T, V) of ids (B, T)."""
    x = p["wte.weight"][ids] + p["wpe.weight"][: ids.shape[1]]
    for i in range(n):
        x = block(x, p, heads, act, "h.%d." % i)
    return norm(x, p, "ln_f") @ p["wte.weight"].T


def whole_gpt(dtype, name, bias, act):
    n, heads, c, v, t, b, steps = 2, 4, 32, 96, 16, 2, 10
    f, r = File(dtype), rng(name)
    shapes = {"wte.weight": (v, c), "wpe.weight": (t, c), "ln_f.weight": (c,), "ln_f.bias": (c,)}
    for i in range(n):
        shapes.update(block_shapes(c, "h.%d." % i))
    p = {k: f.float(x).requires_grad_() for k, x in draw(r, shapes, bias, 0.15).items()}
    ids, targets = torch.from_numpy(r.integers(v, size=(2, steps + 1, b, t)))

    def loss_of(logits, i):
        return F.cross_entropy(logits.flatten(0, 1), targets[i].flatten())
    logits = gpt(ids[0], p, n, heads, act)
    loss = loss_of(logits, 0)
    loss.backward()
    for k, x in {"ids": ids[0], "targets": targets[0], "logits": logits, "loss": loss, **p}.items():
        f.put(k, x)
    for k, x in p.items():
        f.put("grad." + k, x.grad)
    hyper = dict(lr=1e-3, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)
    opt = torch.optim.AdamW([dict(params=[x for x in p.values() if x.dim() >= 2]),
                             dict(params=[x for x in p.values() if x.dim() < 2], weight_decay=0.0)], foreach=False, **hyper)
    losses, norms = [], []
    for i in range(1, steps + 1):
        opt.zero_grad()
        loss = loss_of(gpt(ids[i], p, n, heads, act), i)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(p.values(), 1.0, foreach=False))
        opt.step()
        losses.append(loss.detach())
    for k, x in {"ids": ids[1:], "targets": targets[1:], "losses": torch.stack(losses), "norms": torch.stack(norms)}.items():
        f.put("train." + k, x)
    for k, x in p.items():
        f.put("final." + k, x)
    config = dict(layers=n, heads=heads, width=c, vocab=v, context=t, batch=b, bias=bias,
                  gelu="tanh" if act == "tanh" else "erf", eps=EPS, clip=1.0, optimizer=hyper)
    return f.tensors, dict(config=json.dumps(config))


OPTIMIZERS = {
    "sgd": (torch.optim.SGD, dict(lr=0.1)),
    "sgd_decay": (torch.optim.SGD, dict(lr=0.1, weight_decay=0.05)),
    "momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9)),
    "momentum_decay": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.05)),
    "nesterov": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, nesterov=True)),
    "adam": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8)),
    "adam_decay": (torch.optim.Adam, dict(lr=0.01, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.05)),
    "adamw": (torch.optim.AdamW, dict(lr=0.01, betas=(0.9, 0.95), eps=1e-8, weight_decay=0.1)),
}


def optimizers(dtype):
    f, r = File(dtype), rng("optim")
    grads = r.normal(size=(10, 2, 3))
    grads[:, 0, 1], grads[:, 1, 2] = 3e-8 * grads[:, 0, 1], 0  # eps shows; nothing but decay moves
    grads, p0 = f.float(grads), f.float(r.normal(size=(2, 3)))
    f.put("grads", grads)
    f.put("p0", p0)
    for name, (kind, hyper) in OPTIMIZERS.items():
        p = p0.clone().requires_grad_()
        opt, path = kind([p], foreach=False, **hyper), []
        for g in grads:
            p.grad = g.clone()
            opt.step()
            path.append(p.detach().clone())
        f.put(name, torch.stack(path))
    return f.tensors, dict(cases=json.dumps({k: h for k, (_, h) in OPTIMIZERS.items()}))


def differ(name, path, tensors, meta):
    """Says where a committed file differs from fresh values; float32 and float64 have the bounds of the tests."""
    old, old_meta = read(path)
    bad = [k for k in meta if old_meta.get(k) != meta[k]] + sorted(set(old) ^ set(tensors))
    atol, rtol = (1e-12, 1e-9) if name.endswith("_f64") else (1e-5, 1e-4)
    for k in sorted(set(old) & set(tensors)):
        noise = k.startswith("final.") and k.endswith("c_attn.bias") and rtol > 1e-9
        if not noise and not np.allclose(old[k], tensors[k], rtol=rtol, atol=atol):
            bad.append(k)
    for k in bad:
        print("%s: %s differs" % (name, k), file=sys.stderr)
    return bool(bad)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--check", action="store_true", help="compare with the files, write nothing")
    check = ap.parse_args().check
    if torch.__version__.split("+")[0] != TORCH or np.__version__ != NUMPY:
        sys.exit("golden.py: torch %s and numpy %s, want %s and %s" % (torch.__version__, np.__version__, TORCH, NUMPY))
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    table = [("layers", layers), ("batch_norm", batch_norms), ("optim", optimizers),
             ("gpt_tiny", lambda dtype: whole_gpt(dtype, "gpt_tiny", True, "tanh")),
             ("gpt_nano", lambda dtype: whole_gpt(dtype, "gpt_nano", False, "none"))]
    os.makedirs(FOLDER, exist_ok=True)
    failed = False
    for name, make in table:
        for suffix, dtype in (("", torch.float32), ("_f64", torch.float64)):
            tensors, meta = make(dtype)
            meta.update(torch=TORCH, numpy=NUMPY, command=COMMAND)
            path = os.path.join(FOLDER, name + suffix + ".safetensors")
            if check:
                failed |= differ(name + suffix, path, tensors, meta)
            else:
                write(path, tensors, meta)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
