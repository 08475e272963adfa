"""Prints the checksum that TestSplitClasses wants: the classes of all characters in tiktoken and in tokenizers.

    python data/token/testdata/split/classes.py

Made with tiktoken 0.14.0 and tokenizers 0.22.2.
"""

import zlib

import tiktoken
import tokenizers
from tokenizers import Regex, pre_tokenizers

assert (tiktoken.__version__, tokenizers.__version__) == ("0.14.0", "0.22.2"), (tiktoken.__version__, tokenizers.__version__)

# The bits of class in split.go: letter 1, number 2, space 4, other 8, upper 32, lower 64.
CLASSES = {
    r"[\p{Lu}\p{Lt}]": 1 | 32,
    r"\p{Ll}": 1 | 64,
    r"[\p{Lm}\p{Lo}]": 1 | 32 | 64,
    r"\p{M}": 8 | 32 | 64,
    r"\p{N}": 2,
    r"\s": 4,
}
text = "".join(chr(r) for r in range(0x110000) if not 0xD800 <= r < 0xE000)
for of in "tiktoken", "tokenizers":
    table = bytearray([8]) * 0x110000
    for pattern, bits in CLASSES.items():
        if of == "tiktoken":  # what the pattern does not match is dropped
            encoding = tiktoken.Encoding("bytes", pat_str=pattern, mergeable_ranks={bytes([i]): i for i in range(256)}, special_tokens={})
            found = encoding.decode(encoding.encode_ordinary(text))
        else:
            found = "".join(x for x, _ in pre_tokenizers.Split(Regex(pattern), "removed", invert=True).pre_tokenize_str(text))
        for c in found:
            table[ord(c)] = bits
    print(of, f"{zlib.crc32(table):08x}")
