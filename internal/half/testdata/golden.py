# Prints the sums of half_test.go, as numpy 2.4.6 and gguf 0.19.0 made them: python3 golden.py
import zlib

import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize, quantize

x, floats = 1, np.empty(1 << 20, np.uint32)
for i in range(len(floats)):
    x = (x * 1664525 + 1013904223) % 2**32
    floats[i] = x
floats = floats.view(np.float32)
floats[np.isnan(floats)] = 0
halves = np.arange(1 << 16, dtype=np.uint16)

with np.errstate(over="ignore"):
    narrow = {"F16": floats.astype(np.float16), "BF16": quantize(floats.reshape(1, -1), T.BF16)}
wide = {"F16": halves.view(np.float16).astype(np.float32), "BF16": dequantize(halves.view(np.uint8).reshape(1, -1), T.BF16)}
for name in narrow:
    w = np.nan_to_num(wide[name], nan=0, posinf=np.inf, neginf=-np.inf)
    print(f'"{name}": {{{zlib.crc32(w.tobytes()):#010x}, {zlib.crc32(narrow[name].tobytes()):#010x}}}')
