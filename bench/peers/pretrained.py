#!/usr/bin/env python3
"""Figures of transformers and of llama.cpp on a pretrained GGUF file, to set beside Ceto's in bench/pretrained.md.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6 gguf==0.19.0 accelerate==1.10.1 \
      llama-cpp-python==0.3.36
  testdata/smollm2.sh                                                 # fetches the file
  venv/bin/python bench/peers/pretrained.py smollm2/SmolLM2-135M-Instruct.Q4_1.gguf [--peer llama.cpp] [--json]

transformers computes in float32 on the dequantized weights, as Ceto does; llama.cpp on the quantised file itself, so its
figures stand beside and are no goal of a float32 engine. Prompts are ids, not text: transformers' conversion of a GGUF
tokenizer adds a begin token that the file does not ask for. Batch 1, greedy, weights read from a warm page cache.

  tokens_per_s   128 new tokens after 32, over the whole call (the prompt's pass included); end tokens do not stop it
  prefill_per_s  tokens of a prompt of 512 per second, up to the logits of its last position, keys and values kept
  first_token_s  seconds from this program's start (imports included) to the first token after 32; import_s of it
The first two are medians of --rounds (3), after one short warm-up.
"""
import time

START = time.perf_counter()

import argparse  # noqa: E402  (the clock must start before)
import json
import os
import platform
import statistics

PROMPT, NEW, LONG = 32, 128, 512


def timed(f):
    t = time.perf_counter()
    f()
    return time.perf_counter() - t


class Transformers:
    """transformers, float32."""

    def __init__(self, path, threads):
        import torch
        import transformers
        from transformers import AutoModelForCausalLM
        self.torch, self.version = torch, "transformers %s, torch %s" % (transformers.__version__, torch.__version__)
        self.imported = time.perf_counter()
        torch.set_num_threads(threads)
        transformers.logging.set_verbosity_error()
        folder, file = os.path.split(os.path.abspath(path))
        self.m = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32).eval()

    def generate(self, ids, new):
        x = self.torch.tensor([ids])
        out = self.m.generate(x, attention_mask=self.torch.ones_like(x), do_sample=False, max_new_tokens=new,
                              min_new_tokens=new)
        assert out.shape[1] == len(ids) + new

    def prefill(self, ids):
        with self.torch.inference_mode():
            self.m(self.torch.tensor([ids]), use_cache=True, logits_to_keep=1)


class LlamaCpp:
    """llama.cpp through llama-cpp-python, on the tensors as the file has them."""

    def __init__(self, path, threads):
        import llama_cpp
        self.version = "llama-cpp-python %s" % llama_cpp.__version__
        self.imported = time.perf_counter()
        self.m = llama_cpp.Llama(path, n_ctx=2 * LONG, n_batch=LONG, n_threads=threads, n_threads_batch=threads,
                                 n_gpu_layers=0, verbose=False)

    def generate(self, ids, new):
        self.m.reset()
        g = self.m.generate(ids, temp=0.0)
        for _ in range(new):
            next(g)

    def prefill(self, ids):
        self.m.reset()
        self.m.eval(ids)


PEERS = {"transformers": Transformers, "llama.cpp": LlamaCpp}


def measure(peer, path, threads, rounds):
    """The figures that the head of this script describes."""
    ids = list(range(1000, 1000 + LONG))
    p = PEERS[peer](path, threads)
    p.generate(ids[:PROMPT], 1)
    first = time.perf_counter() - START
    p.generate(ids[:PROMPT], 8)
    p.prefill(ids)
    new = [NEW / timed(lambda: p.generate(ids[:PROMPT], NEW)) for _ in range(rounds)]
    long = [LONG / timed(lambda: p.prefill(ids)) for _ in range(rounds)]
    return dict(peer=peer, version=p.version, model=os.path.basename(path), threads=threads, rounds=rounds,
                tokens_per_s=round(statistics.median(new), 2), prefill_per_s=round(statistics.median(long), 1),
                first_token_s=round(first, 2), import_s=round(p.imported - START, 2),
                tokens_per_s_all=[round(x, 2) for x in new], prefill_per_s_all=[round(x, 1) for x in long],
                machine=platform.machine(), load_1min=round(os.getloadavg()[0], 1))


def main():
    a = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    a.add_argument("path", help="a GGUF file")
    a.add_argument("--peer", choices=PEERS, default="transformers")
    a.add_argument("--threads", type=int, default=2)
    a.add_argument("--rounds", type=int, default=3)
    a.add_argument("--json", action="store_true", help="one line of JSON")
    a = a.parse_args()
    r = measure(a.peer, a.path, a.threads, a.rounds)
    if a.json:
        print(json.dumps(r))
        return
    print("%(version)s, %(model)s, %(threads)d threads" % r)
    print("%(tokens_per_s).1f tokens/s, prefill %(prefill_per_s).0f tokens/s, first token %(first_token_s).1f s" % r)


if __name__ == "__main__":
    main()
