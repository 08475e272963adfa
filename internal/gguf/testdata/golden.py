# Writes golden.gguf, version 3, as the gguf package 0.19.0 with numpy 2.4.6 did:
#   python3 golden.py
# For each type T there is a tensor T of random blocks and T.want, F32, its dequantization; encode.in and edges.in, F32,
# are quantized in encode.T and edges.T.
#   python3 golden.py FILE
# prints a CRC-32 of FILE's tensors, dequantized, in the order of the file.
import pathlib
import sys
import zlib

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T, GGUFReader, GGUFValueType as V, GGUFWriter
from gguf.quants import dequantize, quantize

if len(sys.argv) > 1:
    crc = 0
    for t in GGUFReader(sys.argv[1]).tensors:
        crc = zlib.crc32(np.ascontiguousarray(dequantize(t.data, t.tensor_type), np.float32).tobytes(), crc)
    print(f"{crc:#010x}")
    sys.exit()

# Where in a block the F16s are: any bits there would make most blocks huge, infinite or NaN.
halves = {T.Q4_0: [0], T.Q4_1: [0, 2], T.Q5_0: [0], T.Q5_1: [0, 2], T.Q8_0: [0], T.Q4_K: [0, 2], T.Q5_K: [0, 2], T.Q6_K: [208]}
special = np.array([0x0000, 0x8000, 0x0001, 0x83ff, 0x0400, 0x7bff, 0xfbff, 0x7c00, 0xfc00], np.uint16)  # 0 … largest, ±∞
rng = np.random.default_rng(5)


def blocks(kind, rows, cols):
    values, size = GGML_QUANT_SIZES[kind]
    b = rng.integers(0, 256, (rows * cols // values, size), np.uint8)
    for i, at in enumerate(halves[kind]):
        h = rng.normal(0, 0.02, len(b)).astype(np.float16).view(np.uint16)
        for j in range(i, len(b), 3):  # one block in three has a special scale, another a special minimum
            h[j] = special[rng.integers(len(special))]
        b[:, at : at + 2] = h[:, None].view(np.uint8)
    return b.reshape(rows, -1)


floats = rng.normal(0, 1, (9, 64)).astype(np.float32)
floats[0] *= np.float32(1e-30)
floats[1] *= np.float32(1e-6)
floats[2] *= np.float32(1e6)
floats[3] = 0
floats[4] = np.round(floats[4] * 8) / 8  # ties
floats[5, ::3] = -0.0
floats[6] *= np.float32(2e-41)  # subnormal: 1/d is infinite
floats[7, :8] = 127
floats[7] = np.round(floats[7] * 4) / 2  # q = x·1, many ties
edges = np.array([[0, -0.0, np.inf, -np.inf, 65504, 65520, 65519.996, 1e-45, 6e-8, 3.4e38, 1 / 3, -1e-7]], np.float32)

w = GGUFWriter(pathlib.Path(__file__).with_name("golden.gguf"), "test")
numbers = [(V.UINT8, 2**8), (V.INT8, 2**7), (V.UINT16, 2**16), (V.INT16, 2**15), (V.UINT32, 2**32), (V.INT32, 2**31), (V.UINT64, 2**64), (V.INT64, 2**63)]
for v, n in numbers:
    w.add_key_value(f"test.{v.name}", n - 1, v)
w.add_key_value("test.INT8.low", -128, V.INT8)
w.add_key_value("test.FLOAT32", 0.1, V.FLOAT32)
w.add_key_value("test.FLOAT64", 0.1, V.FLOAT64)
w.add_bool("test.BOOL", True)
w.add_bool("test.BOOL.not", False)
w.add_string("test.STRING", 'é "quoted"\n\0')
w.add_array("test.STRINGs", ["a", "", "ġ", "a longer one"])
w.add_array("test.INT32s", [0, 1, -(2**31)])
w.add_array("test.FLOAT32s", [0.1, -1e30])
w.add_array("test.BOOLs", [True, False, True])
for kind in halves:
    values, _ = GGML_QUANT_SIZES[kind]
    data = blocks(kind, 6, 2 * values) if values == 256 else blocks(kind, 9, 3 * values)
    with np.errstate(invalid="ignore", over="ignore"):
        want = dequantize(data, kind)
    w.add_tensor(kind.name, data, raw_dtype=kind)
    w.add_tensor(kind.name + ".want", want)
w.add_tensor("encode.in", floats)
w.add_tensor("edges.in", edges)
with np.errstate(invalid="ignore", over="ignore"):
    w.add_tensor("encode.Q8_0", quantize(floats, T.Q8_0), raw_dtype=T.Q8_0)
    for kind in (T.BF16, T.F16):
        for part, x in ("encode", floats), ("edges", edges):
            q = quantize(x, kind)
            w.add_tensor(f"{part}.{kind.name}", q, raw_dtype=kind)
            w.add_tensor(f"{part}.{kind.name}.want", dequantize(q, kind))
w.add_tensor("cube", np.arange(24, dtype=np.float32).reshape(2, 3, 4))
w.add_tensor("ints", np.arange(-2, 3, dtype=np.int32))
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
