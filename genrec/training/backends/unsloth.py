"""Backend `unsloth`, seen from the main process: unsloth itself is never imported here.

Importing unsloth patches transformers for the whole process, and its LLaMA cannot search beams. So it
trains in a process of its own, which ends before anything is generated, and may live in another
environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.errors import BenchError, Unavailable
from bench.files.atomic import replace_text
from bench.progress import report
from genrec.availability import UNSLOTH_PYTHON
from genrec.training.corpus import Corpus

CORPUS, LOG = "corpus.json", "unsloth.log"
MARK = "@genrec "
"""Begins a line that the process says to us; all else on its standard output is talk."""

SHOWN_LINES = 8


def train_in_own_process(folder: Path, corpus: Corpus) -> float:
    """Train the unfinished artefact in `folder`; gives the seconds that earlier attempts spent.

    Raises BenchError with the end of the process's log if it fails. Should this process die, the other
    ends at its next report, and a later attempt goes on from its checkpoint.
    """
    replace_text(folder / CORPUS, json.dumps(asdict(corpus), ensure_ascii=False))
    result = None
    with (folder / LOG).open("w+", encoding="utf-8", errors="replace") as log:
        with _start(folder, log) as process:
            try:
                for message in _messages(process.stdout, log):
                    if "progress" in message:
                        report(*message["progress"])
                    else:
                        result = message
            except BaseException:
                process.terminate()  # its checkpoint is whole at any moment
                raise
        code = process.returncode
        if code or result is None:
            log.seek(0)
            tail = "".join(log.readlines()[-SHOWN_LINES:])
            raise BenchError(
                f"fine-tuning with unsloth ended with code {code}; end of {folder / LOG}:\n{tail}"
            )
    (folder / CORPUS).unlink()
    return float(result["carried_seconds"])


def _start(folder: Path, log: Any) -> Any:
    python = os.environ.get(UNSLOTH_PYTHON) or sys.executable
    paths = [str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "HF_HUB_OFFLINE": "1"}
    try:
        return subprocess.Popen(
            [python, "-m", "genrec.training.backends.unsloth_process", str(folder.resolve())],
            stdout=subprocess.PIPE,
            stderr=log,
            encoding="utf-8",
            errors="replace",
            env=environment,
        )
    except OSError as error:
        raise Unavailable(f"'{python}' (from {UNSLOTH_PYTHON}) cannot be started: {error.strerror}") from None


def _messages(lines: Iterable[str], log: Any) -> Iterable[dict[str, Any]]:
    for line in lines:
        if line.startswith(MARK):
            yield json.loads(line.removeprefix(MARK))
        else:
            log.write(line)
