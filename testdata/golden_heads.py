#!/usr/bin/env python3
"""Makes gpt/testdata/heads/*.json: models of gpt/testdata/hf with a new head for sequence classification.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6
  venv/bin/python testdata/golden_heads.py

The head's weight (3 classes), ids of six rows padded on the right with 0, the index of each row's last token, classes,
the logits and the mean loss of transformers' ...ForSequenceClassification, and the losses of five AdamW steps on all
parameters (learning rate 0.001, no decay). CPU, float32, mode eval, fixed seeds.
"""
import json
import os

import torch
import transformers
from transformers import AutoModelForSequenceClassification

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "gpt", "testdata", "hf")
OUT = os.path.join(HERE, "..", "gpt", "testdata", "heads")
MADE_BY = "python3 testdata/golden_heads.py (torch %s, transformers %s)" % (torch.__version__.split("+")[0], transformers.__version__)


def main():
    transformers.logging.set_verbosity_error()
    os.makedirs(OUT, exist_ok=True)
    for seed, name in enumerate(["gpt2", "llama", "qwen2", "mistral"]):
        torch.manual_seed(seed)
        m = AutoModelForSequenceClassification.from_pretrained(os.path.join(MODELS, name), num_labels=3, pad_token_id=0,
                                                               dtype=torch.float32).eval()
        with torch.no_grad():
            m.score.weight.normal_(0, 0.3)
        score = m.score.weight.detach().tolist()
        last = [0, 3, 11, 7, 10, 5]
        ids = torch.randint(3, 100, (6, 12))
        for row, n in enumerate(last):
            ids[row, n + 1:] = 0
        y = torch.tensor([0, 1, 2, 1, 0, 2])
        logits, losses = m(ids, attention_mask=(ids != 0).long()).logits.detach(), []
        optimizer = torch.optim.AdamW(m.parameters(), lr=0.001, weight_decay=0)
        for _ in range(5):
            loss = m(ids, attention_mask=(ids != 0).long(), labels=y).loss
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with open(os.path.join(OUT, name + ".json"), "w") as f:
            json.dump(dict(made_by=MADE_BY, model=name, score=score, ids=ids.tolist(), last=last, y=y.tolist(),
                           logits=logits.tolist(), losses=losses), f, separators=(",", ":"))
        print(name, losses)


if __name__ == "__main__":
    main()
