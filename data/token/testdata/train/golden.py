"""Writes shakespeare.txt: the tokens that Hugging Face tokenizers learns from Tiny Shakespeare, one a line as JSON.

    CETO_DATA=DIR python data/token/testdata/train/golden.py

The text is DIR/tinyshakespeare/input.txt; the vocabulary has 1000 tokens, the first of them special. Each token after
the 257th is a merge, written as its two halves. Made with tokenizers 0.22.2.
"""

import json
import os

import tokenizers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

assert tokenizers.__version__ == "0.22.2", tokenizers.__version__
HERE = os.path.dirname(os.path.abspath(__file__))

tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
trainer = trainers.BpeTrainer(
    vocab_size=1000,
    special_tokens=["<|endoftext|>"],
    initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    show_progress=False,
)
# One text, as Ceto reads it: the trainer's own reader of files cuts them at line ends.
tokenizer.train_from_iterator([open(os.path.join(os.environ["CETO_DATA"], "tinyshakespeare", "input.txt")).read()], trainer)

model = json.loads(tokenizer.to_str())["model"]
byId = sorted(model["vocab"], key=model["vocab"].get)
with open(os.path.join(HERE, "shakespeare.txt"), "w") as f:
    for token in byId[:257]:
        f.write(json.dumps([token]) + "\n")
    for left, right in model["merges"]:
        f.write(json.dumps([left, right]) + "\n")
