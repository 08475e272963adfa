"""One golden file: its operands, results and bytes. See golden.py."""
import json
import zlib

import numpy as np
import torch


def rng(name):
    """A generator for one case, so that a new case changes no other."""
    return np.random.Generator(np.random.PCG64(zlib.crc32(name.encode())))


def write(path, tensors, meta):
    """Writes a safetensors file whose bytes depend on the arguments alone: widest dtype first, then by name."""
    codes = {"float64": "F64", "float32": "F32", "int32": "I32"}
    header, at, blobs = {"__metadata__": dict(sorted(meta.items()))}, 0, []
    for name, v in sorted(tensors.items(), key=lambda kv: (-kv[1].itemsize, kv[0])):
        blob = np.ascontiguousarray(v).astype(v.dtype.newbyteorder("<")).tobytes()
        header[name] = {"dtype": codes[v.dtype.name], "shape": list(v.shape), "data_offsets": [at, at + len(blob)]}
        at += len(blob)
        blobs.append(blob)
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(len(head).to_bytes(8, "little") + head + b"".join(blobs))


def read(path):
    """Reads what write wrote."""
    dtypes = {"F64": "<f8", "F32": "<f4", "I32": "<i4"}
    with open(path, "rb") as f:
        raw = f.read()
    n = int.from_bytes(raw[:8], "little")
    header, body, out = json.loads(raw[8:8 + n]), raw[8 + n:], {}
    meta = header.pop("__metadata__")
    for name, h in header.items():
        lo, hi = h["data_offsets"]
        out[name] = np.frombuffer(body[lo:hi], dtypes[h["dtype"]]).reshape(h["shape"])
    return out, meta


class File:
    """The tensors of one file, of one dtype."""

    def __init__(self, dtype):
        self.dtype, self.tensors, self.cases = dtype, {}, {}

    def float(self, v):
        """An operand: rounded to float32, then of the file's dtype."""
        return torch.tensor(np.asarray(v, np.float32), dtype=self.dtype)

    def put(self, name, v):
        """Keeps a tensor, ids as int32."""
        assert name not in self.tensors, name
        v = v.detach()
        self.tensors[name] = (v if v.is_floating_point() else v.to(torch.int32)).numpy().copy()

    def case(self, name, f, floats, ids=None, consts=None, **attrs):
        """Keeps the operands of f(floats, ids, consts by name), its result and the gradients of floats."""
        x = {k: self.float(v).requires_grad_() for k, v in floats.items()}
        i = {k: torch.tensor(np.asarray(v), dtype=torch.long) for k, v in (ids or {}).items()}
        c = {k: self.float(v) for k, v in (consts or {}).items()}
        y = f(**x, **i, **c)
        dy = self.float(rng(name + "/dy").normal(size=tuple(y.shape)))
        grads = torch.autograd.grad(y, list(x.values()), dy)
        for k, v in {**x, **i, **c, "y": y, "dy": dy}.items():
            self.put(name + "/" + k, v)
        for k, v in zip(x, grads):
            self.put(name + "/d" + k, v)
        assert all(np.isfinite(self.tensors[name + "/d" + k]).all() for k in x), name
        self.cases[name] = attrs
