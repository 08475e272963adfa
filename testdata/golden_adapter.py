#!/usr/bin/env python3
"""Makes gpt/testdata/adapter: LoRA adapters of PEFT for models of gpt/testdata/hf, and what the adapted models answer.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6 peft==0.17.1
  venv/bin/python testdata/golden_adapter.py

A folder is as PEFT's save_pretrained writes it, less its README; expected.json has the name of the model, the prompts of
its own expected.json, the logits after each prompt, 16 greedy ids, the largest change of a logit by the adapter, and the
losses of ten AdamW steps on it (learning rate 0.002, no decay) over `train`, ids (2, 13) of which each predicts the next.
CPU, float32, fixed seeds; A and B are random and large enough to change what is said.
"""
import json
import os

import peft
import torch
import transformers
from transformers import AutoModelForCausalLM

HERE = os.path.dirname(os.path.abspath(__file__))
MODELS = os.path.join(HERE, "..", "gpt", "testdata", "hf")
OUT = os.path.join(HERE, "..", "gpt", "testdata", "adapter")
MADE_BY = "python3 testdata/golden_adapter.py (torch %s, transformers %s, peft %s)" % (
    torch.__version__.split("+")[0], transformers.__version__, peft.__version__)
CASES = {
    "llama-qv": ("llama", dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])),
    "llama-all": ("llama-headdim", dict(r=3, lora_alpha=6, target_modules="all-linear", use_rslora=True,
                                        rank_pattern={"mlp.down_proj": 5}, alpha_pattern={"layers.0.self_attn.k_proj": 12})),
    "qwen3-first": ("qwen3", dict(r=2, lora_alpha=2, target_modules=["o_proj", "gate_proj"], layers_to_transform=[0])),
    "gpt2-attn": ("gpt2", dict(r=4, lora_alpha=16, target_modules=["c_attn", "c_fc"], fan_in_fan_out=True)),
    "phi3-fused": ("phi3", dict(r=4, lora_alpha=8, target_modules=["qkv_proj", "gate_up_proj"])),
    "gemma3-all": ("gemma3", dict(r=2, lora_alpha=4, target_modules="all-linear")),
}


def main():
    for seed, (name, (model, settings)) in enumerate(CASES.items()):
        with open(os.path.join(MODELS, model, "expected.json")) as f:
            prompts = json.load(f)["prompts"]
        base = AutoModelForCausalLM.from_pretrained(os.path.join(MODELS, model), dtype=torch.float32).eval()
        plain = [base(torch.tensor([p])).logits[0, -1] for p in prompts]
        m = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **settings)).eval()
        torch.manual_seed(seed)
        with torch.no_grad():
            for n, p in m.named_parameters():
                if "lora_" in n:
                    p.normal_(0, 0.15)
        folder = os.path.join(OUT, name)
        m.peft_config["default"].base_model_name_or_path = model
        m.save_pretrained(folder, save_embedding_layers=False)
        os.remove(os.path.join(folder, "README.md"))
        with open(os.path.join(folder, "adapter_config.json")) as f:
            config = json.load(f)
        config["target_modules"].sort()  # PEFT keeps a set
        with open(os.path.join(folder, "adapter_config.json"), "w") as f:
            json.dump(config, f, indent=2, sort_keys=True)
        with torch.no_grad():
            logits = [m(torch.tensor([p])).logits[0, -1] for p in prompts]
            ids = []
            for p in prompts:
                seen = list(p)
                for _ in range(16):
                    seen.append(int(m(torch.tensor([seen])).logits[0, -1].argmax()))
                ids.append(seen[len(p):])
        train = torch.tensor([[(7 * i + 5 * j * j + 3) % 100 + 3 for j in range(13)] for i in range(2)])
        trained, losses = [p for p in m.parameters() if p.requires_grad], []
        optimizer = torch.optim.AdamW(trained, lr=0.002, weight_decay=0)
        for _ in range(10):
            out = m(train[:, :-1]).logits
            loss = torch.nn.functional.cross_entropy(out.reshape(-1, out.shape[-1]), train[:, 1:].reshape(-1))
            losses.append(loss.item())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        change = max(float((a - b).abs().max()) for a, b in zip(logits, plain))
        assert change > 0.5, (name, change)
        with open(os.path.join(folder, "expected.json"), "w") as f:
            json.dump(dict(made_by=MADE_BY, model=model, change=round(change, 3), prompts=prompts, greedy=ids,
                           train=train.tolist(), losses=[float("%.7g" % x) for x in losses],
                           logits=[[float("%.7g" % x) for x in row.tolist()] for row in logits]), f, separators=(",", ":"))
        print(name, "changes logits by", round(change, 3))


if __name__ == "__main__":
    main()
