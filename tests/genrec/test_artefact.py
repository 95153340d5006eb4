"""The artefact folder: finished or not, of these data or not, whole or damaged."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from filelock import FileLock
from tiny_models import adapter_preset, base_checkpoint, scratch_preset, shop

from bench.errors import ConfigError, Unavailable
from genrec import artefact
from genrec.config import GenerateSettings
from genrec.training.finetune import Finetuned, finetune
from genrec.weights.base_model import find_base_model
from genrec.weights.tokenizer import load_tokenizer

DATA = shop()
PRESET = scratch_preset(max_steps=2)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finetuned:
    torch.set_num_threads(1)
    return finetune(DATA, PRESET, "tiny", seed=0, work=tmp_path_factory.mktemp("work"))


@pytest.fixture
def folder(finished: Finetuned, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(finished.folder, tmp_path / finished.folder.name))


def test_finished_model_is_taken_up_again(finished: Finetuned, folder: Path) -> None:
    assert not finished.reused and finished.carried_seconds == 0
    again = finetune(DATA, PRESET, "tiny", seed=0, work=folder.parent)
    assert again.reused
    assert again.folder == folder
    assert again.carried_seconds == finished.artefact.fit_seconds
    assert again.artefact == finished.artefact


def test_other_data_are_refused(folder: Path) -> None:
    assert artefact.read_finished(folder, fingerprint=DATA.fingerprint).dataset == "toy"
    with pytest.raises(
        ConfigError, match="was fine-tuned on other data: toy aaaaaaaaaaaa, asked for bbbbbbbbbbbb"
    ):
        artefact.read_finished(folder, fingerprint="b" * 64)


def test_other_data_get_a_model_of_their_own(folder: Path) -> None:
    other = finetune(shop(fingerprint="b" * 64), PRESET, "tiny", seed=0, work=folder.parent)
    assert not other.reused and other.folder != folder


def test_unfinished_model_is_not_loaded(folder: Path) -> None:
    artefact.write(folder, artefact.read(folder).model_copy(update={"status": "unfinished"}))
    with pytest.raises(ConfigError, match="is not finished; run the model again"):
        artefact.load_model(folder)


@pytest.mark.parametrize(
    "text", ["", '{"schema_version": 1, "sta', "[]", '{"schema_version": 99}', '{"schema_version": 1}']
)
def test_damaged_record_is_told(folder: Path, text: str) -> None:
    (folder / artefact.RECORD).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="is damaged .*remove the folder"):
        artefact.read(folder)
    assert artefact.find_artefacts(folder.parent, "tiny") == []


def test_folder_without_a_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no fine-tuned model: it has no artefact.json"):
        artefact.load_model(tmp_path)


def test_one_process_at_a_time(folder: Path) -> None:
    with FileLock(folder / ".lock"), pytest.raises(ConfigError, match="another process is fine-tuning"):
        finetune(DATA, PRESET, "tiny", seed=0, work=folder.parent)


def test_artefacts_are_found_by_name_and_data(folder: Path) -> None:
    assert [path for path, _ in artefact.find_artefacts(folder.parent, "tiny")] == [folder]
    assert [path for path, _ in artefact.find_artefacts(folder.parent, "tiny", dataset="toy")] == [folder]
    assert artefact.find_artefacts(folder.parent, "tiny", dataset="beauty2014") == []
    assert artefact.find_artefacts(folder.parent, "llama-tiny") == []
    wanted = {"seed": 0, "fingerprint": DATA.fingerprint}
    assert artefact.find_trained(folder.parent, "tiny", PRESET, **wanted) == folder
    assert artefact.find_trained(folder.parent, "tiny", scratch_preset(max_steps=3), **wanted) is None
    assert artefact.find_trained(folder.parent, "tiny", PRESET, seed=1, fingerprint=DATA.fingerprint) is None


def test_choice_on_validation_is_kept(folder: Path) -> None:
    chosen = GenerateSettings(strategy="constrained", num_beams=7)
    artefact.select(folder, chosen)
    assert artefact.read_finished(folder).selected == chosen
    assert finetune(DATA, PRESET, "tiny", seed=0, work=folder.parent).artefact.selected == chosen


def test_adapter_is_not_put_on_another_base(tmp_path: Path) -> None:
    base = base_checkpoint(tmp_path / "base", DATA)
    done = finetune(DATA, adapter_preset(base, max_steps=1), "adapter", seed=0, work=tmp_path)
    weights = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(ConfigError, match="holds an adapter for .* and that model is now at"):
        artefact.load_model(done.folder)
    again = finetune(DATA, adapter_preset(base, max_steps=1), "adapter", seed=0, work=tmp_path)
    assert not again.reused and again.folder != done.folder


class TestTokenizers:
    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        return base_checkpoint(tmp_path / "base", DATA)

    def without(self, base: Path, token: str) -> None:
        path = base / "tokenizer_config.json"
        settings = json.loads(path.read_text(encoding="utf-8"))
        del settings[token]
        path.write_text(json.dumps(settings), encoding="utf-8")

    def test_without_end_of_text_is_refused(self, base: Path, tmp_path: Path) -> None:
        self.without(base, "eos_token")
        with pytest.raises(ConfigError, match=r"has no end-of-text \(EOS\) token.*set `eos_token`"):
            finetune(DATA, adapter_preset(base), "adapter", seed=0, work=tmp_path)

    def test_without_padding_uses_the_end_of_text(self, base: Path, tmp_path: Path) -> None:
        self.without(base, "pad_token")
        tokenizer = load_tokenizer(base)
        assert tokenizer.pad_token_id == tokenizer.eos_token_id
        done = finetune(DATA, adapter_preset(base, max_steps=2), "adapter", seed=0, work=tmp_path)
        _, kept = artefact.load_model(done.folder)
        assert kept.pad_token_id == kept.eos_token_id is not None

    def test_missing_tokenizer_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text("{}", encoding="utf-8")
        with pytest.raises(ConfigError, match="has no tokenizer that can be loaded"):
            load_tokenizer(tmp_path)


def test_revision_of_a_folder_follows_its_content(tmp_path: Path) -> None:
    one = find_base_model(str(base_checkpoint(tmp_path / "one", DATA)))
    copy = find_base_model(str(shutil.copytree(tmp_path / "one", tmp_path / "copy")))
    assert one.revision == copy.revision
    (tmp_path / "copy" / "config.json").write_text("{}", encoding="utf-8")
    assert find_base_model(str(tmp_path / "copy")).revision != one.revision


def test_incomplete_checkpoint_names_what_is_missing(tmp_path: Path) -> None:
    base = base_checkpoint(tmp_path / "base", DATA)
    (base / "model.safetensors").unlink()
    with pytest.raises(Unavailable, match="it has no model.safetensors"):
        find_base_model(str(base))
