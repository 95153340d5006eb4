"""Publishing a record: pull request, comment, model card; the remote and the Hub are stand-ins."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import typer
from record_factory import make_rankings, write_record
from typer.testing import CliRunner

from bench.commands import results_check
from bench.commands.submit import register
from bench.comparison.review import quoted, review_comment
from bench.errors import ConfigError, RecordError, Unavailable
from bench.metrics.ranking import evaluate
from bench.record import Audit
from bench.records.append_only import added_since
from bench.records.store import StoredRecord, load_record, load_records
from bench.schema import Split
from bench.submission.hub_card import model_card, push_card
from bench.submission.pull_request import publish

COMMIT = "https://huggingface.co/me/model/commit/1"
PERSON = {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b.example"}
PERSON |= {name.replace("AUTHOR", "COMMITTER"): value for name, value in PERSON.items()}


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def add(results: Path, split: Split, name: str, *, skill: float, **options: Any) -> StoredRecord:
    metrics = evaluate(split, make_rankings(split, skill=skill))
    return load_record(write_record(results, split, name, skill=skill, metrics=metrics, **options))


@pytest.fixture
def checkout(sample_split: Split, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone of a bare repository, with two committed records, and no `gh` on the PATH."""
    for name, value in PERSON.items():
        monkeypatch.setenv(name, value)
    tools = tmp_path / "tools"
    tools.mkdir()
    real_git = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    (tools / "git").symlink_to(real_git)
    monkeypatch.setenv("PATH", str(tools))
    git(tmp_path, "init", "--quiet", "--bare", "--initial-branch", "main", "remote.git")
    git(tmp_path, "clone", "--quiet", str(tmp_path / "remote.git"), "checkout")
    folder = tmp_path / "checkout"
    git(folder, "switch", "--quiet", "-c", "main")
    add(folder / "results", sample_split, "weak", skill=0.05)
    add(folder / "results", sample_split, "strong", skill=0.2)
    (folder / "notes.txt").write_text("before\n")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "first")
    git(folder, "push", "--quiet", "origin", "main")
    return folder


@pytest.fixture
def new(checkout: Path, sample_split: Split) -> StoredRecord:
    """A record that is not committed, in a checkout with other changes under way."""
    (checkout / "notes.txt").write_text("changed\n")
    git(checkout, "add", "notes.txt")
    return add(checkout / "results", sample_split, "mine", skill=0.4, kind="sequential")


def test_the_branch_holds_the_new_files_alone_and_the_checkout_is_left_as_it_was(
    checkout: Path, new: StoredRecord
) -> None:
    before = git(checkout, "status", "--porcelain")
    found = publish(new, "text")
    assert found.pushed and found.url is None and "gh pr create" in found.steps[0]
    assert git(checkout, "status", "--porcelain") == before
    assert git(checkout, "branch", "--show-current") == "main"
    remote = checkout.parent / "remote.git"
    added = git(remote, "diff", "--name-status", "main", found.branch).splitlines()
    stem = f"results/v1/sample/mine/{new.path.stem}"
    assert sorted(added) == [f"A\t{stem}.json", f"A\t{stem}.parquet", f"A\t{stem}.ranks.parquet"]
    assert git(remote, "log", "-1", "--format=%s", found.branch) == "Add mine on sample"
    with pytest.raises(RecordError, match="git branch: .*already exists"):
        publish(new, "text")


def test_gh_opens_the_pull_request_with_the_comment(
    checkout: Path, new: StoredRecord, tmp_path: Path
) -> None:
    gh = tmp_path / "tools" / "gh"
    gh.write_text(
        f"#!{sys.executable}\nimport json, pathlib, sys\n"
        "said = json.dumps([sys.argv[1:], sys.stdin.read()])\n"
        f"pathlib.Path({str(tmp_path / 'said.json')!r}).write_text(said)\n"
        "print('https://example.org/pull/7')\n"
    )
    gh.chmod(0o755)
    found = publish(new, "the comment")
    assert (found.url, found.steps) == ("https://example.org/pull/7", ())
    words, body = json.loads((tmp_path / "said.json").read_text())
    assert words == [
        "pr",
        "create",
        "--head",
        found.branch,
        "--title",
        "Add mine on sample",
        "--body-file",
        "-",
    ]
    assert body == "the comment"
    gh.write_text("#!/bin/sh\necho 'not signed in' >&2\nexit 4\n")
    git(checkout, "branch", "--delete", "--force", found.branch)
    git(checkout.parent / "remote.git", "branch", "--delete", "--force", found.branch)
    with pytest.raises(RecordError, match="gh pr: not signed in"):
        publish(new, "the comment")


def test_without_a_remote_or_a_repository_it_says_what_to_do(
    checkout: Path, new: StoredRecord, sample_split: Split, tmp_path: Path
) -> None:
    git(checkout, "remote", "remove", "origin")
    found = publish(new, "text")
    assert not found.pushed and found.steps[0].startswith("git remote add origin")
    assert git(checkout, "rev-parse", "--verify", f"refs/heads/{found.branch}")
    outside = add(tmp_path / "elsewhere", sample_split, "mine", skill=0.4)
    with pytest.raises(RecordError, match="git rev-parse: .*not a git repository"):
        publish(outside, "text")


def test_the_command_publishes_what_it_wrote(checkout: Path, sample_split: Split, tmp_path: Path) -> None:
    ids = sample_split.catalogue.item_ids
    lists = tmp_path / "lists.jsonl"
    ranked = make_rankings(sample_split, skill=0.1, seed=3).tolist()
    lines = zip(sample_split.user_ids, ranked, strict=True)
    lists.write_text(
        "".join(json.dumps({"user_id": u, "item_ids": [ids[i] for i in row]}) + "\n" for u, row in lines)
    )
    app = typer.Typer()
    register(app)
    words = [str(lists), "--dataset", "sample", "--name", "theirs", "--kind", "sequential"]
    words += ["--ties", "file", "--results", str(checkout / "results"), "--pr"]
    failed = CliRunner().invoke(app, [*words, "--dry-run"])
    assert isinstance(failed.exception, ConfigError) and "--dry-run" in str(failed.exception)
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert (
        "one commit with the new files, pushed" in done.output and "to do: open a pull request" in done.output
    )
    branches = git(checkout.parent / "remote.git", "branch", "--list", "add-theirs-sample-*")
    assert len(branches.splitlines()) == 1


def test_new_records_are_found_and_described(checkout: Path, new: StoredRecord) -> None:
    results = checkout / "results"
    assert added_since("main", results) == [new.path]
    text = review_comment([new], load_records(results).valid())
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert rows[1].startswith("| 1 | **`mine`** (new) | ") and rows[2].startswith("| 2 | `strong` | ")
    assert "Place 1 of 3 by nDCG@5, seen items removed." in text
    assert "Against the strongest untrained row, `strong`" in text
    assert text.count("users won") == 2 and text.count("**better**") == 2
    app = typer.Typer()
    app.command()(results_check.comment)
    done = CliRunner().invoke(app, ["--base", "main", "--results", str(results)])
    assert done.exit_code == 0 and done.output.strip() == text.strip()
    assert "adds no record" in review_comment([], [])


def test_flags_are_said_in_plain_words_and_outside_text_stays_text(
    sample_split: Split, tmp_path: Path
) -> None:
    flag = Audit(name="copy", verdict="flag", message="as `x` | <img src=x> @someone")
    stored = add(tmp_path / "results", sample_split, "mine", skill=0.2, source="submission", audits=[flag])
    text = review_comment([stored], [stored])
    assert "the lists are nearly those of another row. `as 'x' / <img src=x> @someone`" in text
    assert "**It has no rank on the board**" in text and f"results clear {stored.path.stem}" in text
    assert "no untrained row on this data" in text
    assert quoted("a\nb``c") == "`a b''c`"


def test_the_model_card_holds_the_result_and_keeps_what_was_there(
    sample_split: Split, tmp_path: Path
) -> None:
    from huggingface_hub import ModelCard

    stored = add(tmp_path / "results", sample_split, "mine", skill=0.2)
    assert stored.record.metrics is not None
    card = ModelCard(str(model_card(stored)))  # as it is read back
    (found,) = [one for one in card.data.eval_results or [] if one.metric_type == "ndcg@5"]
    assert found.metric_value == pytest.approx(stored.record.metrics.seen_removed["ndcg@5"].value)
    assert (found.dataset_type, found.dataset_split) == ("sample", "leave-one-out")
    assert found.dataset_revision == stored.record.dataset.fingerprint
    assert "1,000 test users" in card.text and stored.record.command in card.text

    theirs = ModelCard("---\nlicense: mit\ntags:\n- theirs\n---\n# Their own words\n")
    first = ModelCard(str(model_card(stored, theirs)))
    again = ModelCard(str(model_card(stored, first)))
    assert len(again.data.eval_results or []) == len(card.data.eval_results or [])
    assert again.data.license == "mit" and again.data.tags == ["theirs"]
    assert again.text.strip() == "# Their own words"


class _Hub(BaseHTTPRequestHandler):
    """What the Hub answers about a repository without a card."""

    sent: list[tuple[str, bytes]] = []

    def do_HEAD(self) -> None:
        self._answer(404, {}, ("X-Error-Code", "EntryNotFound"))

    do_GET = do_HEAD

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.sent.append((self.path, body))
        content: dict[str, Any] = {}
        if self.path.endswith("/preupload/main"):
            content = {"files": [{"path": "README.md", "uploadMode": "regular", "shouldIgnore": False}]}
        if self.path.endswith("/commit/main"):
            content = {
                "commitUrl": "https://huggingface.co/me/model/commit/1",
                "commitOid": "1",
                "success": True,
            }
        self._answer(200, content)

    def _answer(self, status: int, content: dict[str, Any], *headers: tuple[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (
            ("Content-Length", str(len(body))),
            ("Content-Type", "application/json"),
            *headers,
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[str]:
    _Hub.sent.clear()
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_card_is_sent_to_the_hub_as_one_commit(hub: str, sample_split: Split, tmp_path: Path) -> None:
    stored = add(tmp_path / "results", sample_split, "mine", skill=0.2)
    code = (
        "import sys; from pathlib import Path; from bench.records.store import load_record; "
        "from bench.submission.hub_card import push_card; "
        "print(push_card(load_record(Path(sys.argv[1])), 'me/model'))"
    )
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HUB_OFFLINE": "0", "HF_TOKEN": "hf_test"}
    environment |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
    words = [sys.executable, "-c", code, str(stored.path)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == COMMIT
    (body,) = [body for path, body in _Hub.sent if path == "/api/models/me/model/commit/main"]
    assert b"Add the genrec-bench result on sample" in body and b"README.md" in body


def test_offline_nothing_is_sent_and_the_reason_is_said(sample_split: Split, tmp_path: Path) -> None:
    stored = add(tmp_path / "results", sample_split, "mine", skill=0.2)
    with pytest.raises(Unavailable, match="was not sent to 'me/model'"):
        push_card(stored, "me/model")
