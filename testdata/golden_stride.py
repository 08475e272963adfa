#!/usr/bin/env python3
"""Makes train/finetune/testdata/stride.json: the perplexity of a text by windows, as transformers measures it.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6
  venv/bin/python testdata/golden_stride.py

The model is gpt/testdata/hf/llama-chat, float32. The text stands between two tokens <|endoftext|>. For each context and stride: the loop of transformers' documentation, "Perplexity of fixed-length models": a
window's labels before the end of the last window are -100; the loss is summed over the labels that are left.
"""
import json
import os

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "gpt", "testdata", "hf", "llama-chat")
OUT = os.path.join(HERE, "..", "train", "finetune", "testdata", "stride.json")
TEXT = "The plan says in what order a graph is computed and where in memory. " * 4 + "Naïve or not, it ends here."


def main():
    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(MODEL)
    model = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).eval()
    between = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    ids = [between] + tokenizer(TEXT, add_special_tokens=False)["input_ids"] + [between]
    cases = []
    for context, stride in [(256, 256), (32, 32), (32, 16), (32, 5), (17, 1)]:
        nll, n, last = 0.0, 0, 1  # the first token is not foretold
        # transformers counts inputs and shifts labels; a window of context targets has context + 1 ids
        for begin in range(0, len(ids), stride):
            end = min(begin + context + 1, len(ids))
            window = torch.tensor([ids[begin:end]])
            labels = window.clone()
            labels[:, :last - begin] = -100
            with torch.no_grad():
                logits = model(window).logits[0, :-1].double()
            loss = torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=-100, reduction="sum")
            nll, n, last = nll + loss.item(), n + int((labels[0, 1:] != -100).sum()), end
            if end == len(ids):
                break
        cases.append(dict(context=context, stride=stride, tokens=n, loss=nll / n, perplexity=float(torch.exp(torch.tensor(nll / n, dtype=torch.float64)))))
    with open(OUT, "w") as f:
        json.dump(dict(text=TEXT, cases=cases), f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


if __name__ == "__main__":
    main()
