#!/usr/bin/env python3
"""A training step with LoRA in transformers and PEFT, to set beside "ceto bench step --lora".

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6 peft==0.17.1 gguf==0.19.0 accelerate==1.10.1
  testdata/smollm2.sh                                                 # fetches the file
  venv/bin/python bench/peers/lora_step.py --model smollm2/SmolLM2-135M-Instruct.Q4_1.gguf [--json]
  venv/bin/python bench/peers/lora_step.py --model gpt2 [--full] [--json]

--model is a GGUF file (T 64, batch 8), or gpt2: GPT-2 124M with random weights (T 256, batch 1); float32, no dropout. LoRA of
rank 8, alpha 16, on q_proj and v_proj, of GPT-2 on c_attn; --full trains all parameters instead. A step is zero_grad, forward
with the causal language model's loss on random ids, backward, the norm of the gradients clipped at 1, and AdamW (fused).

  tokens_per_s, step_ms  of the median step after --warmup (3)
  rss_mb                 the largest resident memory of the process so far, loading included, in 10^6 bytes; rss_now_mb
                         what is resident after the last step
"""
import argparse
import json
import os
import platform
import resource
import statistics
import time

import torch
import transformers


def load(name, context, attention):
    """The model in float32."""
    transformers.logging.set_verbosity_error()
    if name == "gpt2":
        c = transformers.GPT2Config(n_positions=context, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0, use_cache=False,
                                    attn_implementation=attention)
        return transformers.GPT2LMHeadModel(c)
    folder, file = os.path.split(os.path.abspath(name))
    m = transformers.AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32,
                                                          attn_implementation=attention)
    m.config.use_cache = False
    return m


def adapt(model, name, rank):
    """The model with low-rank matrices, all else frozen."""
    import peft
    targets = ["c_attn"] if name == "gpt2" else ["q_proj", "v_proj"]
    c = peft.LoraConfig(task_type="CAUSAL_LM", r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules=targets,
                        fan_in_fan_out=name == "gpt2")
    return peft.get_peft_model(model, c)


def resident():
    """Resident memory now, in 10^6 bytes."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * resource.getpagesize() / 1e6


def measure(a):
    torch.manual_seed(1)
    torch.set_num_threads(a.threads)
    batch, context = (1, 256) if a.model == "gpt2" else (8, 64)
    model = load(a.model, context, a.attention)
    if not a.full:
        model = adapt(model, a.model, a.rank)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(trained, lr=1e-3, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    ids = [torch.randint(model.config.vocab_size, (batch, context)) for _ in range(4)]

    def step(x):
        start = time.perf_counter()
        opt.zero_grad(set_to_none=True)
        loss = model(input_ids=x, labels=x).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        opt.step()
        return time.perf_counter() - start, loss.item()

    for i in range(a.warmup):
        _, first = step(ids[i % 4])
    took = [step(ids[i % 4]) for i in range(a.steps)]
    s = statistics.median(t for t, _ in took)
    return dict(peer="transformers %s, torch %s" % (transformers.__version__, torch.__version__), model=os.path.basename(a.model),
                full=a.full, attention=a.attention, batch=batch, context=context, threads=a.threads, steps=a.steps,
                tokens_per_s=round(batch * context / s, 1), step_ms=round(1e3 * s, 2), step_ms_all=[round(1e3 * t, 1) for t, _ in took],
                rss_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1), rss_now_mb=round(resident(), 1),
                trained_params=sum(p.numel() for p in trained), params=sum(p.numel() for p in model.parameters()),
                last_loss=round(took[-1][1], 4), machine=platform.machine(), load_1min=round(os.getloadavg()[0], 1))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("--model", required=True, help="a GGUF file, or gpt2")
    a.add_argument("--rank", type=int, default=8, help="of LoRA; alpha is twice as much")
    a.add_argument("--full", action="store_true", help="train all parameters")
    a.add_argument("--attention", choices=("sdpa", "eager"), default="sdpa")
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--warmup", type=int, default=3)
    a.add_argument("--steps", type=int, default=8)
    a.add_argument("--json", action="store_true", help="one line of JSON")
    a = a.parse_args()
    r = measure(a)
    if a.json:
        print(json.dumps(r))
        return
    print("%(peer)s, %(model)s: %(step_ms).1f ms/step, %(tokens_per_s).0f tokens/s, %(rss_mb).0f MB" % r)


if __name__ == "__main__":
    main()
