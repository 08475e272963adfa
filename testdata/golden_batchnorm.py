"""The batch normalisation of golden.py."""
import json

import torch

from golden_file import File, rng

CASES = {
    "defaults": dict(shape=(5, 3)),
    "sequence": dict(shape=(2, 7, 3), momentum=0.3, eps=0.5),
    "plain": dict(shape=(2, 4), affine=False),
}


def add(f, name, shape, **settings):
    """Two batches in training and a third one in evaluation, each with channels last and its number behind a dot."""
    r, c = rng("batch_norm/" + name), shape[-1]
    norm = torch.nn.BatchNorm1d(c, dtype=f.dtype, **settings)
    if norm.affine:
        with torch.no_grad():
            norm.weight.copy_(f.float(1 + 0.3 * r.normal(size=c)))
            norm.bias.copy_(f.float(0.3 * r.normal(size=c)))
        f.put(name + "/weight", norm.weight)
        f.put(name + "/bias", norm.bias)
    for batch in range(3):
        norm.train(batch < 2)
        x = f.float(2 + 3 * r.normal(size=shape)).requires_grad_()
        y = norm(x.flatten(0, -2)).reshape(shape)  # rows of channels
        dy = f.float(r.normal(size=shape))
        names, wrt = ["dx"], [x]
        if norm.affine:
            names, wrt = names + ["dweight", "dbias"], wrt + [norm.weight, norm.bias]
        values = dict(x=x, y=y, dy=dy, **dict(zip(names, torch.autograd.grad(y, wrt, dy))), **dict(norm.named_buffers()))
        for k, v in values.items():
            f.put("%s/%s.%d" % (name, k, batch), v)


def batch_norms(dtype):
    f = File(dtype)
    for name, settings in CASES.items():
        add(f, name, **settings)
    return f.tensors, dict(cases=json.dumps({k: {a: v for a, v in s.items() if a != "shape"} for k, s in CASES.items()}))
