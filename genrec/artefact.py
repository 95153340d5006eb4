"""The folder a fine-tuned model lives in, `<work_dir>/<preset>-<key>/`.

    artefact.json   what it is: settings, data fingerprint, base model, versions, whether it is finished
    adapter/ or model/, tokenizer/
    training.json   loss curve, memory timeline, tokens, seconds
    generations/    texts written by it (see `genrec.generation.generator`)

`artefact.json` says `finished` only after everything else is in place. A folder without that word
is the trace of a killed run; fine-tuning with the same settings goes on in it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from bench.errors import ConfigError
from bench.files.atomic import replace_text
from bench.retrieval.settings import RetrieveSettings
from genrec.availability import Chosen, choose_backend
from genrec.config import GenerateSettings, Precision, Preset, settings_digest

RECORD = "artefact.json"
RECIPE = 1
"""Raised when the same settings come to train other weights, so that former artefacts are not taken up."""

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "tokenizers", "unsloth")


class Artefact(BaseModel):
    """What `artefact.json` holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: Literal[1] = 1
    status: Literal["unfinished", "finished"] = "unfinished"
    name: str
    """Preset the settings came from."""
    settings: Preset
    seed: int
    dataset: str
    split: str = "leave-one-out"
    """Name of the split that it was trained on."""
    fingerprint: str
    base_model: str | None = None
    base_revision: str | None = None
    base_licence: str | None = None
    backend: Chosen
    """The one that trained it ('auto' is resolved)."""
    versions: dict[str, str]
    machine: str = ""
    """The GPU, else the processor, that `fit_seconds` were measured on."""
    created: AwareDatetime
    fit_seconds: float | None = None
    """Wall time of fine-tuning over all attempts; null while unfinished."""
    selected: GenerateSettings | None = None
    """Generation settings chosen on validation."""
    selected_retrieve: RetrieveSettings | None = None
    """Retrieval settings chosen with them; null leaves the preset's."""


def work_dir(given: Path | None = None) -> Path:
    """Where artefacts live: the argument, else GENREC_BENCH_WORK, else the user's cache folder."""
    from_environment = os.environ.get("GENREC_BENCH_WORK")
    return given or Path(from_environment or platformdirs.user_cache_dir("genrec-bench"))


def artefact_folder(
    work: Path, name: str, preset: Preset, *, seed: int, fingerprint: str, base_revision: str | None
) -> Path:
    """Folder of the weights that these settings, data and base model lead to.

    Settings of generation and retrieval are not part of the key: they use the same weights.
    """
    identity = {"recipe": RECIPE, "seed": seed, "data": fingerprint, "base": base_revision}
    chosen = _training_settings(preset, choose_backend(preset.finetune))
    return work / f"{name}-{settings_digest(chosen, identity)}"


def _training_settings(preset: Preset, backend: Chosen) -> dict[str, Any]:
    """Settings that the weights depend on, where they differ from the defaults, and what trains them.

    Defaults are the published values and stay; so a setting that is added later leaves the keys of
    artefacts made before as they are.
    """
    chosen = preset.model_dump(
        mode="json",
        exclude={
            "generate",
            "retrieve",
            "score",
            "weights_of",
            "needs_gpu",
            "engine",
            "endpoint",
            "vllm",
            "chat",
            "prompted",
            "rerank",
        },  # fmt: skip
        exclude_defaults=True,
    )
    training = {
        name: value
        for name, value in chosen.pop("finetune", {}).items()
        if name not in ("report_to", "checkpoint_minutes", "backend")
    }
    return chosen | {"finetune": training | {"backend": backend}}


def package_versions() -> dict[str, str]:
    """Versions of the packages that shape the weights."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write(folder: Path, artefact: Artefact) -> None:
    """Replace `artefact.json` atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    replace_text(folder / RECORD, artefact.model_dump_json(indent=1))


def read(folder: Path) -> Artefact:
    """Read `artefact.json`; raises ConfigError if there is none or it is damaged."""
    path = folder / RECORD
    if not path.is_file():
        raise ConfigError(f"'{folder}' holds no fine-tuned model: it has no {RECORD}")
    try:
        found = Artefact.model_validate_json(path.read_bytes())
        # a training that diverged once ended as if it had finished; it is no model to take up
        spoiled = found.status == "finished" and _diverged(folder)
        return found.model_copy(update={"status": "unfinished"}) if spoiled else found
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{path} is damaged ({where}: {first['msg']}); remove the folder") from None


def _diverged(folder: Path) -> bool:
    """Whether the training of a finished artefact ended with a loss that is no number."""
    try:
        best = training_summary(folder).get("best_loss")
    except (OSError, ValueError):
        return False
    return isinstance(best, float) and not math.isfinite(best)


def read_finished(folder: Path, *, fingerprint: str | None = None) -> Artefact:
    """Read a finished artefact; with `fingerprint`, refuse one that was trained on other data."""
    artefact = read(folder)
    if artefact.status != "finished":
        raise ConfigError(f"'{folder}' is not finished; run the model again and training goes on there")
    if fingerprint is not None and artefact.fingerprint != fingerprint:
        raise ConfigError(
            f"'{folder}' was fine-tuned on other data: {artefact.dataset} {artefact.fingerprint[:12]}, "
            f"asked for {fingerprint[:12]}; fine-tune on this data instead"
        )
    return artefact


def find_artefacts(
    work: Path, name: str, *, dataset: str | None = None, split: str | None = None
) -> list[tuple[Path, Artefact]]:
    """Finished artefacts of one preset, newest first; unreadable folders are passed over."""
    found = []
    for path in work.glob(f"*/{RECORD}"):
        try:
            artefact = read_finished(path.parent)
        except ConfigError:
            continue
        own = artefact.name == name and dataset in (None, artefact.dataset)
        if own and split in (None, artefact.split):
            found.append((path.parent, artefact))
    return sorted(found, key=lambda pair: pair[1].created, reverse=True)


def find_trained(work: Path, name: str, preset: Preset, *, seed: int, fingerprint: str) -> Path | None:
    """Folder of a finished artefact of these settings, data and seed, whatever its base's revision."""
    wanted = (_training_settings(preset, choose_backend(preset.finetune)), seed, fingerprint)
    for folder, found in find_artefacts(work, name):
        made = _training_settings(found.settings, found.backend)
        if (made, found.seed, found.fingerprint) == wanted:
            return folder
    return None


def select(folder: Path, chosen: GenerateSettings, retrieve: RetrieveSettings | None = None) -> None:
    """Keep the settings that won on validation; later runs pick them up."""
    won = {"selected": chosen, "selected_retrieve": retrieve}
    write(folder, read_finished(folder).model_copy(update=won))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for one process; a killed holder's lock is free again."""
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        raise ConfigError(f"another process is fine-tuning in '{folder}'; wait for it to end") from None


def load_model(folder: Path, precision: Precision = "auto") -> tuple[Any, Any]:
    """Load a finished model and its tokenizer for generation, on the GPU if there is one.

    `auto` is bf16 on a GPU and fp32 on a CPU. An adapter comes on its base model, held as in training: on
    4-bit weights as a layer beside them, else added into them, which spares its products at each step.
    Never imports unsloth.
    """
    from genrec.weights.base_model import default_device, find_base_model, load_base_model, with_precision
    from genrec.weights.tokenizer import load_tokenizer

    artefact = read_finished(folder)
    device = default_device()
    if artefact.base_model is None or artefact.backend == "full":
        model = load_base_model(folder / "model", four_bit=False, device=device)
    else:
        from peft import PeftModel

        base = find_base_model(artefact.base_model, artefact.base_revision)
        _same_base(folder, artefact, base.revision)
        model = load_base_model(base.folder, four_bit=artefact.settings.finetune.four_bit, device=device)
        model = PeftModel.from_pretrained(model, folder / "adapter")
        if not artefact.settings.finetune.four_bit:
            model = model.merge_and_unload()
    return with_precision(model, precision), load_tokenizer(folder / "tokenizer")


def _same_base(folder: Path, artefact: Artefact, revision: str) -> None:
    if revision != artefact.base_revision:
        raise ConfigError(
            f"'{folder}' holds an adapter for '{artefact.base_model}' at {artefact.base_revision}, and that "
            f"model is now at {revision} on this machine; fetch the former revision or fine-tune again"
        )


def training_summary(folder: Path) -> Mapping[str, Any]:
    """Read `training.json` of a finished artefact."""
    loaded: Mapping[str, Any] = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    return loaded
