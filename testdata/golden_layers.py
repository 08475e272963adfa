"""The layers and losses of golden.py, and the parts of its models."""
import json

import numpy as np
import torch
import torch.nn.functional as F

from golden_file import File, rng

EPS = 1e-5


def linear(x, weight, bias=None):
    y = x @ weight
    return y if bias is None else y + bias


def add_linear(f):
    r = rng("linear")
    x, w, b = r.normal(size=(2, 3, 8)), r.normal(size=(8, 5)), r.normal(size=5)
    f.case("linear", lambda x, weight, bias: F.linear(x, weight.T, bias), dict(x=x, weight=w, bias=b))
    f.case("linear_nobias", lambda x, weight: F.linear(x, weight.T), dict(x=x, weight=w))
    f.case("linear_out_in", linear_out_in, dict(x=x, weight=w.T, bias=b))
    f.case("embedding", lambda weight, ids: F.embedding(ids, weight), dict(weight=r.normal(size=(7, 4))),
           ids=dict(ids=[[3, 0, 6, 3, 1], [1, 3, 5, 0, 0]]))


def linear_out_in(x, weight, bias):
    return F.linear(x, weight, bias)


def add_norms(f):
    r = rng("norm")
    x = r.normal(size=(2, 3, 8)) * 1.5 + 0.7
    x[0, 1] = 0.01 + 3e-3 * r.normal(size=8)  # a variance near eps
    w, b = 1 + 0.3 * r.normal(size=8), 0.3 * r.normal(size=8)
    f.case("layer_norm", lambda x, weight, bias: F.layer_norm(x, (8,), weight, bias, EPS),
           dict(x=x, weight=w, bias=b), eps=EPS)
    f.case("layer_norm_nobias", lambda x, weight: F.layer_norm(x, (8,), weight, None, EPS), dict(x=x, weight=w), eps=EPS)
    x = r.normal(size=(2, 3, 8))
    x[1, 0] = 3e-3 * r.normal(size=8)
    f.case("rms_norm", lambda x, weight: F.rms_norm(x, (8,), weight, 1e-6), dict(x=x, weight=w), eps=1e-6)


def add_elementwise(f):
    r = rng("elementwise")
    x = np.concatenate([r.normal(size=24) * 2, [0, -0.01, 0.01, -4, 4, -9, 9, -25, 25, 0.5, -0.5, 1]])
    x[24] = 1e-4  # the kink itself has no derivative
    table = [("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), {}), ("gelu_erf", F.gelu, {}), ("silu", F.silu, {}),
             ("softplus", F.softplus, {}), ("elu", lambda x: F.elu(x, 1.3), dict(alpha=1.3)),
             ("leaky_relu", lambda x: F.leaky_relu(x, 0.2), dict(slope=0.2)),
             ("relu", F.relu, {}), ("tanh", torch.tanh, {}), ("sigmoid", torch.sigmoid, {})]
    for name, fn, attrs in table:
        f.case(name, lambda x: fn(x), dict(x=x.reshape(6, 6)), **attrs)
    x = 3 * r.normal(size=(3, 4, 5))
    for axis in (-1, 1):
        suffix = "" if axis == -1 else "_axis1"
        f.case("softmax" + suffix, lambda x: F.softmax(x, axis), dict(x=x), axis=axis)
        f.case("log_softmax" + suffix, lambda x: F.log_softmax(x, axis), dict(x=x), axis=axis)


def attention(q, k, v, mask):
    """q (B, T, NH, HS), k and v (B, S, KVH, HS), mask (B or 1, T, S), True where a query sees a key."""
    group = q.shape[2] // k.shape[2]
    q, k, v = (z.transpose(1, 2) for z in (q, k.repeat_interleave(group, 2), v.repeat_interleave(group, 2)))
    assert bool(mask.any(-1).all())
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None]).transpose(1, 2)


def add_attention(f):
    b, t, nh, hs = 2, 6, 4, 4
    i, j = torch.arange(t)[:, None], torch.arange(t)
    causal = (j <= i)[None]
    lengths, start = torch.tensor([4, 6]), torch.tensor([2, 0])
    segments = torch.tensor([[0, 0, 0, 1, 1, 1], [0, 1, 1, 1, 2, 2]])
    seen = (j < lengths[:, None])[:, None]
    late = j <= start[:, None, None] + torch.arange(3)[:, None]  # three queries after start keys
    table = [("attention", t, nh, torch.ones(1, t, t, dtype=torch.bool), {}, {}),
             ("attention_causal", t, nh, causal, {}, dict(causal=True)),
             ("attention_grouped", t, 2, causal, {}, dict(causal=True)),
             ("attention_multi_query", t, 1, causal, {}, dict(causal=True)),
             ("attention_window", t, nh, causal & (i - j < 3)[None], {}, dict(causal=True, window=3)),
             ("attention_lengths", t, nh, seen.expand(b, t, t), dict(lengths=lengths), {}),
             ("attention_causal_lengths", t, 2, causal & seen, dict(lengths=lengths), dict(causal=True)),
             ("attention_segments", t, nh, causal & (segments[:, :, None] == segments[:, None]),
              dict(segments=segments), dict(causal=True)),
             ("attention_start", 3, nh, late, dict(start=start), dict(causal=True))]
    for name, queries, kvh, mask, ids, attrs in table:
        r = rng(name)
        x = dict(q=r.normal(size=(b, queries, nh, hs)), k=r.normal(size=(b, t, kvh, hs)), v=r.normal(size=(b, t, kvh, hs)))
        f.case(name, lambda q, k, v, **_: attention(q, k, v, mask), x, ids=ids, **attrs)


def rotary(x, positions, base, interleaved):
    """Rotates pairs of x (B, T, NH, HS) by positions·base^(−2i/HS): (i, i+HS/2), or interleaved (2i, 2i+1)."""
    half = x.shape[-1] // 2
    freq = torch.tensor([base ** (-i / half) for i in range(half)], dtype=torch.float64)
    angle = positions.to(torch.float64)[..., None, None] * freq  # (B, T, 1, HS/2)
    cos, sin = angle.cos().to(x.dtype), angle.sin().to(x.dtype)
    a, b = (x[..., 0::2], x[..., 1::2]) if interleaved else (x[..., :half], x[..., half:])
    a, b = a * cos - b * sin, b * cos + a * sin
    return torch.stack([a, b], -1).flatten(-2) if interleaved else torch.cat([a, b], -1)


def add_rotary(f):
    """rotary_half is Llama's form, rotary_interleaved GPT-J's."""
    x = rng("rotary").normal(size=(2, 5, 3, 8))
    for name, inter in (("rotary_half", False), ("rotary_interleaved", True)):
        for suffix, start in (("", [0, 0]), ("_start", [3, 11])):
            pos = np.asarray(start)[:, None] + np.arange(5)
            f.case(name + suffix, lambda x, positions, start: rotary(x, positions, 10000.0, inter), dict(x=x),
                   ids=dict(positions=pos, start=start), base=10000.0, interleaved=inter)


def add_losses(f):
    r = rng("loss")
    z, targets = 2 * r.normal(size=(2, 4, 7)), [[3, 0, 6, 2], [2, 5, 1, 3]]
    ignore = [[3, -100, 6, 2], [-100, 5, 1, 3]]
    cw = r.uniform(0.3, 2, size=7)
    table = [("cross_entropy", targets, None, 0.0), ("cross_entropy_ignore", ignore, None, 0.0),
             ("cross_entropy_smoothing", targets, None, 0.1), ("cross_entropy_weighted", targets, cw, 0.0),
             ("cross_entropy_all", ignore, cw, 0.1)]
    for name, t, weights, smoothing in table:
        def loss(logits, targets, class_weight=None):
            args = (logits.flatten(0, 1), targets.flatten(), class_weight)
            total = F.cross_entropy(*args, reduction="sum", label_smoothing=smoothing, ignore_index=-100)
            keep = targets[targets != -100]
            weight = torch.tensor(float(len(keep)), dtype=f.dtype) if class_weight is None else class_weight[keep].sum()
            mean = F.cross_entropy(*args, label_smoothing=smoothing, ignore_index=-100)
            assert torch.allclose(total / weight, mean, rtol=1e-5), name
            f.put(name + "/weight_sum", weight)
            return total
        consts = {} if weights is None else dict(class_weight=weights)
        f.case(name, loss, dict(logits=z), ids=dict(targets=t), consts=consts, label_smoothing=smoothing, ignore_index=-100)
    x, t = r.normal(size=(5, 4)), r.normal(size=(5, 4))
    z = np.where(np.arange(20).reshape(5, 4) % 7 == 6, 12 * t, 2 * x)  # some far out
    f.case("bce_with_logits", lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction="sum"),
           dict(x=z, t=(hits := r.uniform(size=(5, 4)))))
    f.case("mse", lambda x, t: F.mse_loss(x, t, reduction="sum"), dict(x=x, t=t))
    f.case("l1", lambda x, t: F.l1_loss(x, t, reduction="sum"), dict(x=x, t=t))
    f.case("huber", lambda x, t: F.huber_loss(x, t, reduction="sum", delta=0.7), dict(x=x, t=t), delta=0.7)
    f.case("bce_with_logits_pos",
           lambda x, t, pos_weight: F.binary_cross_entropy_with_logits(x, t, reduction="sum", pos_weight=pos_weight),
           dict(x=z, t=hits), consts=dict(pos_weight=np.array([0.5, 1, 3, 7])))


def norm(x, p, name):
    return F.layer_norm(x, x.shape[-1:], p[name + ".weight"], p.get(name + ".bias"), EPS)


def project(x, p, name):
    return linear(x, p[name + ".weight"], p.get(name + ".bias"))


def self_attention(x, p, heads, at=""):
    b, t, c = x.shape
    q, k, v = (z.view(b, t, heads, c // heads).transpose(1, 2) for z in project(x, p, at + "c_attn").split(c, 2))
    y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return project(y.transpose(1, 2).reshape(b, t, c), p, at + "c_proj")


def mlp(x, p, act, at=""):
    return project(F.gelu(project(x, p, at + "c_fc"), approximate=act), p, at + "c_proj")


def block(x, p, heads, act, at=""):
    x = x + self_attention(norm(x, p, at + "ln_1"), p, heads, at + "attn.")
    return x + mlp(norm(x, p, at + "ln_2"), p, act, at + "mlp.")


def block_shapes(c, at=""):
    """Parameters of a block, (in, out)."""
    shapes = {at + "ln_1.weight": (c,), at + "ln_1.bias": (c,), at + "ln_2.weight": (c,), at + "ln_2.bias": (c,)}
    for name, n, m in (("attn.c_attn", c, 3 * c), ("attn.c_proj", c, c), ("mlp.c_fc", c, 4 * c), ("mlp.c_proj", 4 * c, c)):
        shapes.update({at + name + ".weight": (n, m), at + name + ".bias": (m,)})
    return shapes


def draw(r, shapes, bias, std):
    """First values for parameters, none of them 0 or 1."""
    p = {}
    for name, shape in shapes.items():
        v = r.normal(size=shape)
        if len(shape) == 2:
            p[name] = std * v
        elif name.endswith("weight"):
            p[name] = 1 + 0.2 * v
        elif bias:
            p[name] = 0.1 * v
    return p


def add_blocks(f):
    c, heads = 16, 4
    for suffix, bias, act in (("", True, "tanh"), ("_nano", False, "none")):
        r = rng("block" + suffix)
        x, p = r.normal(size=(2, 5, c)), draw(r, block_shapes(c), bias, 0.3)
        attrs = dict(heads=heads, gelu="tanh" if act == "tanh" else "erf", eps=EPS, causal=True)

        def part(at):
            return {k.removeprefix(at): v for k, v in p.items() if k.startswith(at)}
        f.case("self_attention" + suffix, lambda x, **p: self_attention(x, p, heads), dict(x=x, **part("attn.")), **attrs)
        f.case("mlp" + suffix, lambda x, **p: mlp(x, p, act), dict(x=x, **part("mlp.")), **attrs)
        f.case("block" + suffix, lambda x, **p: block(x, p, heads, act), dict(x=x, **p), **attrs)


def layers(dtype):
    f = File(dtype)
    for add in (add_linear, add_norms, add_elementwise, add_attention, add_rotary, add_losses, add_blocks):
        add(f)
    return f.tensors, dict(cases=json.dumps(f.cases))
