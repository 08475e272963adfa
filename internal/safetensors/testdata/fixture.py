# Writes fixture.safetensors, as safetensors 0.8.0 with numpy 2.4.6 did: python3 fixture.py
import numpy as np
from safetensors.numpy import save_file

save_file({
    "a.f32": np.array([[1.5, -2.25, 0], [3e38, -0.0, 1e-45]], np.float32),
    "b.f64": np.array([0.1, -1e300]),
    "c.f16": np.array([1.5, -2, 65504], np.float16),
    "d.i64": np.array([[-(2**63)], [2**63 - 1]], np.int64),
    "e.i32": np.array([-(2**31), 2**31 - 1, 7], np.int32),
    "f.u8": np.array([0, 255, 3], np.uint8),
    "g.bool": np.array([True, False, True]),
    "h.scalar": np.array(42, np.float32),
    "i.empty": np.zeros((2, 0, 3), np.float32),
    'j "é\\<': np.array([1], np.uint8),
}, "fixture.safetensors", metadata={"format": "np"})
