"""Tiny checkpoints for golden_hf.py as llm.c and llama2.c write them; little-endian, no names in them.

llm.c (github.com/karpathy/llm.c, train_gpt2.py write_model): a header of 256 int32, then the parameters one kind after
the other, each for all layers; matrices (out, in); the vocabulary padded with zero rows to a multiple of 128.
llama2.c (github.com/karpathy/llama2.c, export.py version 0): seven int32, then float32 parameters in the same way, q and
k permuted as in GGUF, and two tables of rotary that readers skip. A negative vocabulary says that the head is not tied.
"""
import numpy as np
import torch

from golden_gguf import permute

MAGIC = 20240326
DTYPES = {3: torch.float32, 5: torch.bfloat16}
BLOCK = ["ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight", "attn.c_proj.bias",
         "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias", "mlp.c_proj.weight", "mlp.c_proj.bias"]


def write(path, m, version):
    """Writes a GPT-2 for llm.c. Returns the weights that the file holds, rounded, by their names in m."""
    c, dtype = m.config, DTYPES[version]
    padded = -(-c.vocab_size // 128) * 128
    header = np.zeros(256, "<i4")
    header[:8] = MAGIC, version, c.n_positions, c.vocab_size, c.n_layer, c.n_head, c.n_embd, padded
    p = {k: v.to(dtype) for k, v in m.state_dict().items()}

    def get(name):
        v = p["transformer." + name]
        return v.T if "c_" in name and v.dim() == 2 else v  # Conv1D is (in, out)
    order = [torch.nn.functional.pad(get("wte.weight"), (0, 0, 0, padded - c.vocab_size)), get("wpe.weight")]
    order += [get("h.%d.%s" % (i, name)) for name in BLOCK for i in range(c.n_layer)]
    order += [get("ln_f.weight"), get("ln_f.bias")]
    with open(path, "wb") as f:
        f.write(header.tobytes())
        for v in order:
            v = v.contiguous()
            f.write((v.view(torch.int16) if version == 5 else v).numpy().tobytes())
    return {k: v.float().numpy() for k, v in p.items()}


def write_llama2c(path, m):
    """Writes a Llama for llama2.c."""
    c, p = m.config, {k: v.numpy() for k, v in m.state_dict().items()}

    def layers(name, heads=None):
        rows = [p["model.layers.%d.%s.weight" % (i, name)] for i in range(c.num_hidden_layers)]
        return [permute(v, heads) for v in rows] if heads else rows
    vocab = c.vocab_size if c.tie_word_embeddings else -c.vocab_size
    header = [c.hidden_size, c.intermediate_size, c.num_hidden_layers, c.num_attention_heads, c.num_key_value_heads,
              vocab, c.max_position_embeddings]
    order = [p["model.embed_tokens.weight"], *layers("input_layernorm")]
    order += layers("self_attn.q_proj", c.num_attention_heads) + layers("self_attn.k_proj", c.num_key_value_heads)
    order += layers("self_attn.v_proj") + layers("self_attn.o_proj") + layers("post_attention_layernorm")
    order += layers("mlp.gate_proj") + layers("mlp.down_proj") + layers("mlp.up_proj") + [p["model.norm.weight"]]
    angles = np.outer(np.arange(c.max_position_embeddings), c.rope_theta ** -(np.arange(0, c.head_dim, 2) / c.head_dim))
    order += [np.cos(angles), np.sin(angles)]
    if not c.tie_word_embeddings:
        order.append(p["lm_head.weight"])
    with open(path, "wb") as f:
        f.write(np.array(header, "<i4").tobytes())
        for v in order:
            f.write(np.ascontiguousarray(v, "<f4").tobytes())
