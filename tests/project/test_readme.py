"""The README cannot go stale: its table, its example and its commands are the real ones."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from bench.cli import build_app
from bench.comparison.readme_tables import update_readme
from bench.datasets import DATASETS
from bench.models import MODELS

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
FOLDERS = ("baselines", "bench", "genrec", "leaderboard", "results", "tests")
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *(path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("README.md"))),
]
ALL_TEXT = "\n".join(path.read_text(encoding="utf-8") for path in DOCUMENTS)


def commands() -> list[list[str]]:
    """Every shell command of the code blocks of all READMEs, split into words, comments left out."""
    found = []
    for block in re.findall(r"```bash\n(.*?)```", ALL_TEXT, flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            found += [part for part in _split(shlex.split(line, comments=True)) if part]
    return found


def _split(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in {"&&", "|"}:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


@pytest.mark.parametrize("name", ["README.md", "results/README.md"])
def test_the_tables_are_made_from_the_records(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "README.md"
    copy.write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    assert not update_readme(copy, ROOT / "results"), "run: genrec-bench results table --update-readme"
    assert "| `text-co-visit` |" in copy.read_text(encoding="utf-8")


def test_the_example_is_the_file_that_is_tested() -> None:
    example = (ROOT / "tests" / "examples" / "example_model.py").read_text(encoding="utf-8")
    assert f"```python\n{example}```" in TEXT
    assert len(example.splitlines()) < 25


def test_every_command_of_ours_exists_and_takes_its_options() -> None:
    root = typer.main.get_command(build_app())
    ours = [words[1:] for words in commands() if words[0].endswith("genrec-bench")]
    assert len(ours) >= 8
    for words in ours:
        command: Any = root
        rest = list(words)
        while hasattr(command, "commands"):
            name = rest.pop(0) if rest and not rest[0].startswith("-") else None
            if name is None:
                break
            assert name in command.commands, f"genrec-bench {shlex.join(words)}: no command '{name}'"
            command = command.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        for word in rest:
            if word.startswith("-"):
                assert word.partition("=")[0] in options, (
                    f"genrec-bench {shlex.join(words)}: no option {word}"
                )


def test_every_bench_run_names_real_options_models_and_data(pytestconfig: pytest.Config) -> None:
    runs = [words for words in commands() if words[0].endswith("pytest") and "bench" in words]
    assert len(runs) >= 4
    added = {words[3] for words in commands() if words[:3] == ["genrec-bench", "data", "add"]}
    for words in runs:
        for option, value in zip(words, words[1:] + [""], strict=True):
            if option == "--dataset":
                assert value in DATASETS or value in added
            if option == "--models":
                assert set(value.split(",")) <= set(MODELS)
            if option.startswith("--"):
                assert pytestconfig._parser.optparser._option_string_actions.get(option), option


def test_rooms_inside_rooms_are_read_too() -> None:
    assert ROOT / "bench" / "datasets" / "README.md" in DOCUMENTS


def test_files_that_are_named_exist() -> None:
    for name in re.findall(r"`((?:bench|genrec|baselines|leaderboard|tests)/[\w./-]+\.\w+)`", ALL_TEXT):
        assert (ROOT / name).exists(), name


def test_links_between_documents_lead_somewhere() -> None:
    for path in DOCUMENTS:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", path.read_text(encoding="utf-8")):
            assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_readme_is_short() -> None:
    assert len(TEXT.splitlines()) < 200
