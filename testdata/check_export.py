#!/usr/bin/env python3
"""Checks what `ceto export` wrote by the programs that are to read it: transformers, gguf and llama.cpp.

  python3 -m venv venv && venv/bin/pip install torch==2.11.0 transformers==4.57.6 gguf==0.19.0 accelerate==1.10.1 \
      llama-cpp-python==0.3.36
  ceto export --model gpt/testdata/hf/llama --to gguf /tmp/out
  venv/bin/python testdata/check_export.py gpt/testdata/hf/llama /tmp/out/*.gguf

  check_export.py ORIGINAL EXPORTED...     ORIGINAL: a Hugging Face folder or a GGUF file that transformers load
    a folder   no missing, unexpected or mismatched key; weights are the original's rounded to the file's dtype, bit for
               bit; logits within 1e-4 of the original with such weights; greedy ids equal; the tokenizer, where both
               have one: equal ids of a text, template, end token
    a .gguf    the tensors that llama.cpp's converter names, no other, with the bytes that gguf's quantize makes;
               llama.cpp's logits as near as its own arithmetic allows, and its next ids equal at every position where
               the first two logits are not nearer to each other; the tokenizer as for a folder
    a .bin     the bytes that llm.c's writer writes, for its version
One line a check: ok, FAIL or skip with the reason. Exit 1 where one fails, 2 where the arguments do not serve.
Prompts are those of ORIGINAL/expected.json, or random ids from a fixed seed.
"""
import json
import os
import sys
import tempfile

TRANSFORMERS = "4.57"
try:
    import numpy as np
    import safetensors
    import torch
    import transformers
    from transformers import AutoModelForCausalLM, AutoTokenizer
except ImportError as e:
    print("skip everything: %s; see the head of this script for what to install" % e)
    sys.exit(0)
try:
    import gguf
    import golden_gguf
    import golden_llmc
except ImportError as e:
    gguf = None
    WHY = str(e)
try:
    import llama_cpp
except ImportError:
    llama_cpp = None

NEW, LOGITS = 24, 1e-4
# How far llama.cpp's logits may be off by tensor type, once inputs of products are rounded as it rounds them. F16: it sums
# in float16. Q8_0: mostly 1e-5 here, but where the last bit of a sum turns one input to the next of its 255 steps, all
# that follows turns more of them: 0.47 seen on a tiny model of large weights.
COARSE = {"F32": 1e-3, "BF16": 1e-2, "F16": 2e-2, "Q8_0": 0.5}
GELU = 0.02  # gpt2, gemma3: llama.cpp reads it from a table in float16

SAMPLE = "Hello, the thin wörld! It's 1234 o'clock.\n\n  你好 🙂\t<|endoftext|> def f(x): return x**2\r\n"
failed = False


def report(ok, path, what):
    """One line; ok None skips."""
    global failed
    failed = failed or ok is False
    print("%-4s %s: %s" % ({True: "ok", False: "FAIL", None: "skip"}[ok], path, what), flush=True)


def place(path):
    """What from_pretrained takes for a folder or a GGUF file."""
    if os.path.isdir(path):
        return dict(pretrained_model_name_or_path=path)
    folder, name = os.path.split(os.path.abspath(path))
    return dict(pretrained_model_name_or_path=folder, gguf_file=name)


def load(path):
    """A model in float32, and what transformers say of its keys."""
    m, info = AutoModelForCausalLM.from_pretrained(**place(path), dtype=torch.float32, attn_implementation="eager",
                                                   output_loading_info=True, ignore_mismatched_sizes=True)
    return m.eval(), info


def prompts_of(path, vocab):
    expected = os.path.join(path, "expected.json")
    if os.path.exists(expected):
        with open(expected) as f:
            return json.load(f)["prompts"]
    r = np.random.Generator(np.random.PCG64(5))
    return [r.integers(vocab, size=n).tolist() for n in (1, 5, 12, 20)]


def logits_of(m, ids):
    with torch.no_grad():
        return m(torch.tensor([ids])).logits[0]


def greedy(m, prompt):
    """Up to NEW new ids."""
    ids = torch.tensor([prompt])
    out = m.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW, do_sample=False)
    return out[0, len(prompt):].tolist()


def dtype_of(path):
    """The dtype that config.json names, if all tensors of the folder have it."""
    with open(os.path.join(path, "config.json")) as f:
        c = json.load(f)
    name, found = c.get("dtype") or c.get("torch_dtype") or "float32", set()
    for file in sorted(os.listdir(path)):
        if file.endswith(".safetensors"):
            with safetensors.safe_open(os.path.join(path, file), "pt") as f:
                found |= {f.get_tensor(k).dtype for k in f.keys()}
    dtype = getattr(torch, name)
    report(found == {dtype}, path, "tensors are %s; config.json says %s" % (sorted(map(str, found)), name))
    return dtype


def check_folder(original, weights, prompts, source, path):
    m, info = load(path)
    bad = {k: sorted(map(str, v)) for k, v in info.items() if v}
    report(not bad, path, "keys %s" % (bad or "all there, no other"))
    dtype = dtype_of(path)
    want = {k: v.to(dtype).float() for k, v in weights.items()}
    differ = [k for k, v in m.state_dict().items() if k not in want or not torch.equal(v, want[k])]
    report(not differ, path, "weights in %s %s" % (dtype, "differ: %s" % differ if differ else "equal"))
    original.load_state_dict(want)
    gap = max((logits_of(original, p) - logits_of(m, p)).abs().max().item() for p in prompts)
    report(gap <= LOGITS, path, "logits differ by %.2g; at most %g" % (gap, LOGITS))
    ids = [greedy(original, p) for p in prompts]
    report(ids == [greedy(m, p) for p in prompts], path, "greedy ids, %d" % sum(map(len, ids)))
    check_tokenizer(source, path)


def tokenizer_of(path):
    """SAMPLE's ids, chat template and end token by a folder's tokenizer (transformers) or a GGUF file's (llama.cpp); None
    where there is none."""
    if os.path.exists(os.path.join(path, "tokenizer.json")):
        t = AutoTokenizer.from_pretrained(path)
        return t(SAMPLE, add_special_tokens=False).input_ids, t.chat_template, t.eos_token_id
    if path.endswith(".gguf") and llama_cpp is not None:
        m = llama_cpp.Llama(path, vocab_only=True, verbose=False)
        if m.metadata.get("tokenizer.ggml.model", "none") == "none":
            return None  # to ask such a file for ids would abort the process
        return m.tokenize(SAMPLE.encode(), add_bos=False, special=True), m.metadata.get("tokenizer.chat_template"), m.token_eos()
    return None


def check_tokenizer(source, path):
    want, got = tokenizer_of(source), tokenizer_of(path)
    if want is None or got is None:
        return report(None, path, "tokenizer: none that a peer reads in %s" % (source if want is None else path))
    bad = [what for what, a, b in zip(("ids", "template", "end token"), got, want) if a != b]
    if os.path.isdir(path):
        extra = sorted(set(AutoTokenizer.from_pretrained(path)("a")) - {"input_ids", "attention_mask"})
        report(not extra, path, "tokenizer: a model's generate takes what it returns%s" % (", but not %s" % extra if extra else ""))
    report(not bad, path, "tokenizer: %d ids; %s in %s" % (len(got[0]), "other %s than" % ", ".join(bad) if bad else "all as", source))


def check_tensors(original, reader, arch, path):
    """Compares names, shapes and bytes. Returns the types and the weights it should hold, by transformers' names."""
    have = {t.name: t for t in reader.tensors}
    held, kinds, bad = {}, {}, []
    for name, there, want in golden_gguf.tensors(original, arch):
        t = have.pop(there, None)
        if t is None:
            bad.append("no " + there)
            continue
        kinds[name] = t.tensor_type.name
        raw = gguf.quantize(want, t.tensor_type)
        shape = tuple(int(n) for n in t.shape[::-1])
        if shape != want.shape or t.data.tobytes() != raw.tobytes():
            bad.append("%s %s%s" % (there, t.tensor_type.name, shape))
        back = gguf.dequantize(raw, t.tensor_type).reshape(want.shape)
        held[name] = torch.tensor(golden_gguf.lay(name, back, original.config, arch, golden_gguf.unpermute))
    if original.config.tie_word_embeddings:
        have.pop("output.weight", None)
    bad += ["not expected: " + n for n in have if n != "rope_freqs.weight"]
    names = ", ".join(sorted(set(kinds.values())))
    report(not bad, path, "%d tensors (%s) %s" % (len(reader.tensors), names, bad or "as gguf quantizes the original"))
    return kinds, held


def round_inputs(m, kinds):
    """Makes every matrix product round its input as llama.cpp does: to the type of the matrix. Returns what undoes it."""
    hooks = []
    for name, module in m.named_modules():
        kind = kinds.get(name + ".weight")
        if kind in (None, "F32") or isinstance(module, torch.nn.Embedding):
            continue
        kind = gguf.GGMLQuantizationType[kind]

        def hook(_, args, kind=kind):
            x = args[0].numpy()
            return torch.tensor(gguf.dequantize(gguf.quantize(x, kind), kind).reshape(x.shape)),
        hooks.append(module.register_forward_pre_hook(hook))
    return lambda: [h.remove() for h in hooks]


def llama_logits(path, prompts, context):
    """llama.cpp's logits at every position of every prompt, keys and values kept in float32."""
    m = llama_cpp.Llama(path, n_ctx=context, logits_all=True, type_k=0, type_v=0, flash_attn=False, n_threads=2,
                        n_gpu_layers=0, verbose=False)
    for ids in prompts:
        m.reset()
        m.eval(ids)
        yield np.array(m.scores[:len(ids)])


def check_llama(m, arch, kinds, prompts, path):
    """Compares the next id at every position of prompt and greedy answer: one wrong id does not change the later ones."""
    if arch == "mistral" or llama_cpp is None:
        return report(None, path, "llama.cpp " + ("is not installed" if llama_cpp is None else "does not know " + arch))
    coarse = max(COARSE[k] for k in kinds.values())
    if arch in ("gpt2", "gemma3"):
        coarse = max(coarse, GELU)
    rows = [p + greedy(m, p) for p in prompts]
    window = getattr(m.config, "sliding_window", None) if arch != "gemma3" else None
    if window:
        rows = [r[:window] for r in rows]  # llama.cpp ignores the window of architectures llama and phi3
    if m.config.tie_word_embeddings:
        kinds["lm_head.weight"] = kinds[next(k for k in kinds if "embed_tokens" in k or "wte" in k)]
    undo = round_inputs(m, kinds)
    same, sure, gap = 0, 0, 0.0
    for ids, got in zip(rows, llama_logits(path, rows, max(map(len, rows)))):
        want = logits_of(m, ids)
        top = want.topk(2).values
        clear = (top[:, 0] - top[:, 1] > coarse).numpy()
        sure += clear.sum()
        same += (got.argmax(-1) == want.argmax(-1).numpy())[clear].sum()
        gap = max(gap, np.abs(got - want.numpy()).max())
    undo()
    report(same == sure > 0 and gap <= coarse, path, "llama.cpp: %d of %d next ids (%d unclear, margin under %g%s); logits differ by %.2g" % (
        same, sure, sum(map(len, rows)) - sure, coarse, ", within the window" if window else "", gap))


def check_gguf(original, weights, prompts, source, path):
    if gguf is None:
        return report(None, path, WHY)
    reader = gguf.GGUFReader(path)
    arch = reader.get_field("general.architecture").contents()
    original.load_state_dict(weights)
    kinds, held = check_tensors(original, reader, arch, path)
    original.load_state_dict(held, strict=False)
    original.tie_weights()
    check_llama(original, arch, kinds, prompts, path)
    if arch != "mistral":
        check_tokenizer(source, path)


def check_bin(original, weights, path):
    if gguf is None:
        return report(None, path, WHY)
    original.load_state_dict(weights)
    with open(path, "rb") as f:
        have = f.read()
    version = int.from_bytes(have[4:8], "little")
    if have[:4] != golden_llmc.MAGIC.to_bytes(4, "little") or version not in golden_llmc.DTYPES:
        return report(False, path, "not a checkpoint of llm.c, version 3 or 5")
    with tempfile.NamedTemporaryFile() as tmp:
        golden_llmc.write(tmp.name, original, version)
        want = tmp.read()
    report(have == want, path, "llm.c version %d, %d bytes; want %d, the same" % (version, len(have), len(want)))


def check(original, weights, prompts, source, path):
    if os.path.isdir(path):
        check_folder(original, weights, prompts, source, path)
    elif path.endswith(".gguf"):
        check_gguf(original, weights, prompts, source, path)
    elif path.endswith(".bin"):
        check_bin(original, weights, path)
    else:
        report(False, path, "neither a folder nor a .gguf or .bin file")


def main():
    if len(sys.argv) < 3:
        print(__doc__)
        sys.exit(2)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    if not transformers.__version__.startswith(TRANSFORMERS):
        print("note: transformers %s; written for %s" % (transformers.__version__, TRANSFORMERS))
    source = sys.argv[1]
    original, _ = load(source)
    weights = {k: v.clone() for k, v in original.state_dict().items()}
    prompts = prompts_of(source, original.config.vocab_size)
    for path in sys.argv[2:]:
        try:
            check(original, weights, prompts, source, path)
        except Exception as e:  # whatever a peer raises over a file is that file's failure
            report(False, path, "%s: %s" % (type(e).__name__, " ".join(str(e).split())))
    sys.exit(failed)


if __name__ == "__main__":
    main()
