#!/usr/bin/env python3
"""Makes gpt/testdata/sft.json: whole chats as transformers render and encode them, and which ids the assistant writes.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6 tokenizers==0.22.2 gguf==0.19.0
  venv/bin/python testdata/golden_sft.py [SmolLM2-135M-Instruct.Q4_1.gguf]

A case is a tokenizer (a folder of gpt/testdata/hf, or the file given), a chat template ("" for the tokenizer's own) and
chats, each with its messages, text and ids, both by apply_chat_template, and `answer`, its assistant_masks: for these the
template has a second form that encloses what the assistant writes in {% generation %}. No answer begins with white space,
which a token may share with the line's end before it: transformers counts such a token, gpt does not. SmolLM2's template is from its
file's metadata (HuggingFaceTB/SmolLM2-135M-Instruct, Apache-2.0). Without the file, what sft.json has of it stays.
"""
import json
import os
import sys

import transformers
from tokenizers import pre_tokenizers
from transformers import AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = os.path.join(HERE, "..", "gpt", "testdata")
MADE_BY = "python3 testdata/golden_sft.py (transformers %s)" % transformers.__version__

# What both templates make of a message, with the assistant's part enclosed.
MARKED = ("{{ '<|im_start|>' + m['role'] + '\n' }}{% if m['role'] == 'assistant' %}{% generation %}"
          "{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}")

CHATS = [
    [("user", "The thin man and the inn"), ("assistant", "an answer")],
    [("system", "Be brief."), ("user", "hé 你好 🙂  1234\n"), ("assistant", "It is 1234 —\n\nand 你好 too \n"),
     ("user", "then?"), ("assistant", "x = [1, 2]\n")],
    [("user", "a\n\nb"), ("assistant", "The"), ("user", ""), ("assistant", "in\tan end."), ("user", "and"),
     ("assistant", "assistant\nuser\n")],
]


def case(name, tok, template):
    whole = template or tok.chat_template
    head = "{% if loop.first and messages[0]['role'] != 'system' %}" if "SmolLM" in whole else ""
    marked = "{% for m in messages %}"
    if head:
        marked += whole[whole.index(head):whole.index("{% endif %}") + len("{% endif %}")]
    marked += MARKED + "{% endfor %}"
    chats = []
    for chat in CHATS:
        messages = [dict(role=r, content=c) for r, c in chat]
        text = tok.apply_chat_template(messages, chat_template=whole, tokenize=False)
        ids = tok.apply_chat_template(messages, chat_template=whole)
        d = tok.apply_chat_template(messages, chat_template=marked, return_dict=True, return_assistant_tokens_mask=True)
        assert d["input_ids"] == ids and 0 < sum(d["assistant_masks"]) < len(ids), (name, d)
        chats.append(dict(messages=messages, text=text, ids=ids, answer=d["assistant_masks"]))
    return dict(tokenizer=name, template=template, chats=chats)


def smollm2(path):
    """The tokenizer in the file."""
    folder, file = os.path.split(os.path.abspath(path))
    tok = AutoTokenizer.from_pretrained(folder, gguf_file=file)
    # The file says pre-tokenizer smollm, each digit alone and then GPT-2's pattern; transformers takes the latter alone.
    tok.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tok


def main():
    out = os.path.join(FOLDER, "sft.json")
    small = AutoTokenizer.from_pretrained(os.path.join(FOLDER, "hf", "llama-chat"))
    if sys.argv[1:]:
        large = smollm2(sys.argv[1])
        template, last = large.chat_template, case("smollm2", large, "")
    else:
        with open(out) as f:
            old = json.load(f)["cases"]
        template, last = old[1]["template"], old[2]
    cases = [case("llama-chat", small, ""), case("llama-chat", small, template), last]
    with open(out, "w") as f:
        json.dump(dict(made_by=MADE_BY, cases=cases), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
