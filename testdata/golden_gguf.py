"""Tiny GGUF files for golden_hf.py, with the keys, names and layouts of llama.cpp's convert_hf_to_gguf.py.

Format: github.com/ggml-org/ggml, docs/gguf.md. Matrices are (out, in); Conv1D of GPT-2 is turned. In files of llama,
smollm3 and granite, rows of q and k are permuted in each head: the two halves that rotary turns together lie
interleaved. A file of gemma3 holds the weights of its norms with 1 added.

Some settings have no key, and llama.cpp assumes them. In smollm3 every fourth layer has no rotary. In gemma3 every
sixth layer sees all keys, unless attention.sliding_window_pattern says otherwise. Its scores are divided by the square
root of the head's width. The window of phi3 has a key, which llama.cpp ignores.
"""
import importlib.metadata
import math

import gguf
import numpy as np
import tokenizers
from gguf import GGMLQuantizationType as Type
from transformers import PreTrainedTokenizerFast
from transformers.models.gpt2.tokenization_gpt2 import bytes_to_unicode

GGUF = "0.19.0"

# file: the architecture it names where that is not the usual one; the type of each tensor where not all are F32; kind,
# the file's general.file_type, where such a file does not name Q8_0.
# In practice files of Mistral name llama; the key general.architecture = mistral is read too.
FILES = {
    "gpt2.gguf": {}, "llama.gguf": {}, "llama-linear.gguf": {}, "llama-llama3.gguf": {}, "llama-headdim.gguf": {},
    "qwen2.gguf": {}, "qwen3.gguf": {}, "mistral.gguf": {}, "mistral.arch.gguf": dict(arch="mistral"),
    "llama-chat.gguf": dict(types={"": Type.BF16}),
    "gemma3.gguf": {}, "phi3.gguf": {}, "phi3-partial.gguf": {}, "olmo2.gguf": {},
    "smollm3.gguf": dict(types={"": Type.BF16}, kind=gguf.LlamaFileType.MOSTLY_BF16),
    "granite.gguf": dict(types={"": Type.BF16}, kind=gguf.LlamaFileType.MOSTLY_BF16),
    "llama.mix.gguf": dict(types={"attn_v": Type.F16, "ffn_up": Type.BF16, "ffn_down": Type.F16, "": Type.Q8_0}),
}

NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "self_attn.qkv_proj": "attn_qkv", "mlp.gate_up_proj": "ffn_up", "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
    "transformer.wte": "token_embd", "transformer.wpe": "position_embd", "transformer.ln_f": "output_norm",
    "ln_1": "attn_norm", "ln_2": "ffn_norm", "attn.c_attn": "attn_qkv", "attn.c_proj": "attn_output",
    "mlp.c_fc": "ffn_up", "mlp.c_proj": "ffn_down",
}
# The norm called post_attention stands before the MLP of most, behind the attention of these.
BEHIND, ATTENTION = ("gemma3", "olmo2"), "post_attention_layernorm"
# The architectures whose name is not the model_type.
ARCHS = {"mistral": "llama", "gemma3_text": "gemma3"}
# The architectures whose files have the rows of q and k permuted.
PERMUTED = ("llama", "mistral", "smollm3", "granite")
MERGES = ["h e", "Ġ t", "Ġt he", "i n", "a n", "e r", "o n", "Ġ a", "r e", "Ġ s", "a t", "i s", "e n", "Ġ w", "Ġ b",
          "o u", "in g", "Ġa n", "Ġan d", "l l", "u s", "er s", "i t", "Ġ i", "Ġi s", "t h", "th in", "us er",
          "a s", "Ċ Ċ"]
# ChatML.
TEMPLATE = ("{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
            "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}")
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def version():
    return importlib.metadata.version("gguf")


def name_of(name, arch):
    """model.layers.0.mlp.up_proj.weight is blk.0.ffn_up.weight."""
    path, kind = name.rsplit(".", 1)
    for layers in ("model.layers.", "transformer.h."):
        if path.startswith(layers):
            i, part = path[len(layers):].split(".", 1)
            there = "post_attention_norm" if part == ATTENTION and arch in BEHIND else NAMES[part]
            return "blk.%s.%s.%s" % (i, there, kind)
    return NAMES[path] + "." + kind


def permute(w, heads):
    """Rows (NH, 2, HS/2) to (NH, HS/2, 2): from halves that rotary turns together to neighbours."""
    return w.reshape(heads, 2, -1, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def unpermute(w, heads):
    """The inverse of permute."""
    return w.reshape(heads, -1, 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


def scaling(c):
    """The rope_type of rope_scaling, or None."""
    return (getattr(c, "rope_scaling", None) or {}).get("rope_type")


def rope_factors(c):
    """What llama3's rope_scaling divides each frequency by: 1, the factor, or a blend between two wavelengths."""
    s, dim = c.rope_scaling, c.head_dim
    low, high = (s["original_max_position_embeddings"] / s[k] for k in ("low_freq_factor", "high_freq_factor"))
    out = []
    for i in range(0, dim, 2):
        wave = 2 * math.pi * c.rope_theta ** (i / dim)
        keep = min(max((low / wave - 1) / (low / high - 1), 0), 1)
        out.append(1 / (keep + (1 - keep) / s["factor"]))
    return np.array(out, np.float32)


def vocabulary(n):
    """Tokens and merges of a byte-level BPE: special tokens, characters, merges. Of 104 tokens, only line feed and
    printable ASCII have characters, other bytes have none; of 288, all bytes have."""
    chars = ["Ċ", "Ġ"] + [chr(b) for b in range(33, 127)] if n == 104 else sorted(bytes_to_unicode().values())
    merges = MERGES[:n - len(SPECIALS) - len(chars)]
    tokens = SPECIALS + chars + [m.replace(" ", "") for m in merges]
    assert len(tokens) == n == len(set(tokens)), n
    return tokens, merges


def tokenizer():
    """The vocabulary of 288 tokens as a tokenizer of transformers, with a chat template."""
    tokens, merges = vocabulary(288)
    pairs = [tuple(m.split()) for m in merges]
    t = tokenizers.Tokenizer(tokenizers.models.BPE({x: i for i, x in enumerate(tokens)}, pairs))
    t.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    t.decoder = tokenizers.decoders.ByteLevel()
    t.add_special_tokens(SPECIALS)
    pad, begin, end = SPECIALS
    return PreTrainedTokenizerFast(tokenizer_object=t, pad_token=pad, bos_token=begin, eos_token=end,
                                   chat_template=TEMPLATE)


def write_vocabulary(w, n):
    tokens, merges = vocabulary(n)
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("gpt-2")
    w.add_token_list(tokens)
    w.add_token_types([gguf.TokenType.CONTROL] * len(SPECIALS) + [gguf.TokenType.NORMAL] * (n - len(SPECIALS)))
    w.add_token_merges(merges)
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_pad_token_id(0)
    w.add_add_bos_token(False)
    if n == 288:
        w.add_chat_template(TEMPLATE)


def settings(w, c):
    """The keys of the architecture."""
    if c.model_type not in ("gemma3_text", "phi3", "olmo2"):
        w.add_vocab_size(c.vocab_size)
    w.add_context_length(c.max_position_embeddings)
    w.add_embedding_length(c.hidden_size)
    w.add_block_count(c.num_hidden_layers)
    w.add_head_count(c.num_attention_heads)
    if c.model_type == "gpt2":
        w.add_feed_forward_length(c.n_inner or 4 * c.hidden_size)
        w.add_layer_norm_eps(c.layer_norm_epsilon)
        return
    w.add_feed_forward_length(c.intermediate_size)
    w.add_head_count_kv(c.num_key_value_heads)
    w.add_layer_norm_rms_eps(c.rms_norm_eps)
    w.add_rope_freq_base(c.rope_theta)
    heads(w, c)
    if c.model_type in ("mistral", "gemma3_text", "phi3"):
        w.add_sliding_window(c.sliding_window or 0)
    if c.model_type == "gemma3_text":
        w.add_rope_freq_base_swa(c.rope_local_base_freq)
    if c.model_type == "granite":
        w.add_embedding_scale(c.embedding_multiplier)
        w.add_residual_scale(c.residual_multiplier)
        w.add_attention_scale(c.attention_multiplier)
        w.add_logit_scale(c.logits_scaling)
    if c.model_type == "phi3":
        w.add_rope_scaling_orig_ctx_len(c.original_max_position_embeddings)
    if scaling(c) == "linear":
        w.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        w.add_rope_scaling_factor(c.rope_scaling["factor"])


def heads(w, c):
    """The widths of a head and of what rotary turns of it, where the architecture's files have them."""
    head_dim = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    if c.model_type not in ("gemma3_text", "olmo2"):
        w.add_rope_dimension_count(int(head_dim * getattr(c, "partial_rotary_factor", 1)))
    if c.model_type not in ("phi3", "olmo2", "smollm3", "granite"):
        w.add_key_length(head_dim)
        w.add_value_length(head_dim)


def lay(name, v, c, arch, permute=permute):
    """A tensor of transformers as the file lays it out; with unpermute, back again."""
    if v.ndim == 2 and ("c_attn" in name or "c_proj" in name or "c_fc" in name):
        return v.T
    if arch in PERMUTED and "q_proj" in name:
        return permute(v, c.num_attention_heads)
    if arch in PERMUTED and "k_proj" in name:
        return permute(v, c.num_key_value_heads)
    if arch == "gemma3" and name.endswith("norm.weight"):
        return v + np.float32(-1 if permute is unpermute else 1)
    return v


def tensors(m, arch):
    """Name here, name there, float32 matrix (out, in) or vector, as the file lays them out."""
    for name, p in m.state_dict().items():
        if not (name == "lm_head.weight" and m.config.tie_word_embeddings):
            yield name, name_of(name, arch), np.ascontiguousarray(lay(name, p.numpy(), m.config, arch))


def write(path, m, arch=None, types=None, kind=gguf.LlamaFileType.MOSTLY_Q8_0):
    """Writes the model. Returns the weights that the file holds rounded, by their names in m."""
    c, held = m.config, {}
    arch = arch or ARCHS.get(c.model_type, c.model_type)
    w = gguf.GGUFWriter(path, arch)
    w.add_type(gguf.GGUFType.MODEL)
    # llama.cpp seeks </s> in the vocabulary of a model whose name has phi3 in it.
    w.add_name("tiny random " + {"phi3": "phi"}.get(c.model_type, c.model_type))
    settings(w, c)
    w.add_file_type(kind if types else gguf.LlamaFileType.ALL_F32)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    write_vocabulary(w, c.vocab_size)
    for name, there, v in tensors(m, arch):
        t = Type.F32
        if types and v.ndim > 1:
            t = next(t for part, t in types.items() if part in there)
            w32 = m.state_dict()[name].numpy()
            rounded = gguf.dequantize(gguf.quantize(w32, t), t)
            if not np.array_equal(rounded, w32):
                held[name] = rounded
        w.add_tensor(there, gguf.quantize(v, t), raw_dtype=t)
    if scaling(c) == "llama3":
        w.add_tensor("rope_freqs.weight", rope_factors(c))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return held
