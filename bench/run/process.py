"""A process of its own for each model, so that no model's memory, time or faults are another's."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from bench.errors import ModelError
from bench.progress import report
from bench.run.handover import Answer, Inputs, Job, raise_failure, read_answer, write_inputs, write_job

_BOOT = (
    "import sys; sys.path[:] = sys.argv[2:]; "
    "from pathlib import Path; from bench.run.worker import main; main(Path(sys.argv[1]))"
)
"""The process imports from where this one does, and runs none of this one's main module."""
GRACE_SECONDS = 5.0


class ModelProcess:
    """Starts at once, and constructs its model while the caller reads the data. Use it in a `with` block.

    What the model prints goes to the standard error of this process. Leaving the block ends the
    process if it is still there (Ctrl-C, an error here).
    """

    def __init__(self, job: Job) -> None:
        self._name = job.entry.name
        self._folder = tempfile.TemporaryDirectory(prefix="genrec-bench-", ignore_cleanup_errors=True)
        path = Path(self._folder.name)  # the owner's alone, as mkdtemp makes it
        write_job(path, job)
        self._process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-c", _BOOT, str(path), *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._last_report = "start"

    def __enter__(self) -> ModelProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if kind is not None:
            process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        self._folder.cleanup()

    def ask(self, inputs: Inputs) -> Answer:
        """Hand the data over and wait for the answer, passing reports of progress on.

        Raises what stopped the model: `bench.errors.Unavailable` and other errors that it raised to
        be shown, ModelError with its traceback for all else, and for a process that just ended.
        """
        path = Path(self._folder.name)
        write_inputs(path, inputs)
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended already, and said why
            self._process.stdin.write(b"\n")
            self._process.stdin.flush()
        for line in self._process.stdout:
            what, done, total, note = json.loads(line)
            self._last_report = what
            report(what, done, total, note)
        raise_failure(path)
        try:
            return read_answer(path)
        except FileNotFoundError:
            raise ModelError(self._end()) from None

    def _end(self) -> str:
        code = self._process.wait()
        ended = f"the process of model '{self._name}' ended without an answer, at '{self._last_report}': "
        if code >= 0:
            return f"{ended}exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        killed = name == "SIGKILL"
        return ended + name + (". The system kills so when memory runs out" if killed else "")
