"""Damaged and hostile files in every format: never a traceback, never a partial record, always a place.

The default run draws some 300 files; GENREC_BENCH_FUZZ_EXAMPLES sets another number,
and GENREC_BENCH_FUZZ_RANDOM draws other files each time.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from submission_files import TEXT_FORMATS, Named

from bench.metrics.ranking import check_rankings
from bench.records.store import load_records, write
from bench.schema import Split
from bench.submission import Entry, SubmissionError, build_record, read_submission
from bench.submission.reading import delimited

RANDOM = "GENREC_BENCH_FUZZ_RANDOM" in os.environ
EXAMPLES = int(os.environ.get("GENREC_BENCH_FUZZ_EXAMPLES", "300"))
USERS = ("u0", "u1", "u2", "u3", "u4", "u5")
ITEMS = tuple(f"i{row}" for row in range(8))
SOUND: Named = [(user, [ITEMS[(row + place) % 8] for place in range(4)]) for row, user in enumerate(USERS)]

HOSTILE = [
    "", " ", "nan", "NaN", "inf", "-inf", "1e999", "-1", "0", "1.5", "9" * 400, "0x10", "1_0", "\ufeff",
    "u0", "u9", "i0", "i99", '"', "''", '"a\nb"', "\t", ",", ";", "\n", "\r", "\r\n", "\n\n", "#", "\x00",
    "{", "}", "[", "]", "[[[[", "null", "true", "NaN", "\\ud800", "\\u0000", "../../etc/passwd",
    "<script>alert(1)</script>", "=cmd|' /C calc'!A0", "é", "\u202e", "🧴", "a" * 5000, "# fingerprint: x\n",
    '{"fingerprint": "x"}\n', "user_id", "item_id", "rank", "score",
]  # fmt: skip
MAGIC = [
    b"PAR1",
    b"\x1f\x8b\x08",
    b"PK\x03\x04",
    b"BZh9",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\x80\x04\x95",
    b"\xe9",
]

PLACE = re.compile(r"(line|row|entry) \d+|user '|'u\d'|'[^']*file[^']*'|file\b")


def _parquet() -> bytes:
    table = pa.table({"user_id": [user for user, _ in SOUND], "item_ids": [items for _, items in SOUND]})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="none")
    return sink.getvalue()


def _texts() -> bytes:
    lines = [
        {"user_id": user, "texts": [f"Oak {item}" for item in items], "log_likelihoods": [-1.0, -2.5, -3, -9]}
        for user, items in SOUND
    ]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


SOUND_BYTES = {name: text(SOUND).encode() for name, text in TEXT_FORMATS.items()} | {
    "lists.parquet": _parquet(),
    "texts": _texts(),
}

piece = st.one_of(
    st.sampled_from(HOSTILE).map(lambda text: text.encode("utf-8")),
    st.binary(max_size=8),
    st.sampled_from(MAGIC),
)
edit = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "cut", "double"]),
    st.floats(0, 1),
    st.floats(0, 0.2),
    piece,
)


def _apply(body: bytes, kind: str, where: float, length: float, new: bytes) -> bytes:
    start = int(where * len(body))
    end = min(len(body), start + 1 + int(length * len(body)))
    if kind == "insert":
        return body[:start] + new + body[start:]
    if kind == "replace":
        return body[:start] + new + body[end:]
    if kind == "delete":
        return body[:start] + body[end:]
    if kind == "cut":
        return body[:start]
    return body[:end] + body[start:]


@st.composite
def damaged(draw: st.DrawFn, sound: bytes) -> bytes:
    """A sound file with edits at random places, or replaced fields; sometimes gzipped and damaged again."""
    body = sound
    if draw(st.booleans()):
        fields = re.split(rb"([\s,;:\[\]{}\"]+)", body)
        at = draw(st.integers(0, len(fields) - 1))
        fields[at] = draw(piece)
        body = b"".join(fields)
    for change in draw(st.lists(edit, min_size=0 if body != sound else 1, max_size=3)):
        body = _apply(body, *change)
    if draw(st.integers(0, 4)) == 0:
        body = gzip.compress(body, mtime=0)
        if draw(st.booleans()):
            body = _apply(body, *draw(edit))
    return body


refused: dict[str, int] = {}
accepted: dict[str, int] = {}


@pytest.mark.parametrize("name", SOUND_BYTES)
def test_a_damaged_file_is_refused_with_a_place_or_scored_whole(name: str, toy_split: Split) -> None:
    folder = Path(tempfile.mkdtemp())

    @settings(
        max_examples=max(1, EXAMPLES // len(SOUND_BYTES)),
        deadline=None,
        database=None,
        derandomize=not RANDOM,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(body=damaged(SOUND_BYTES[name]))
    def check(body: bytes) -> None:
        path = folder / f"file-{name}"
        path.write_bytes(body)
        results = folder / "results"
        entry = Entry(name="mine", kind="hybrid")
        submission = read_submission(path, toy_split, texts=name == "texts")
        text = str(submission.report)
        assert all(line.isprintable() for line in text.split("\n"))
        try:
            record = build_record(submission, entry, toy_split, command="genrec-bench submit")
        except SubmissionError as error:
            refused[name] = refused.get(name, 0) + 1
            assert not submission.report.ok and submission.rankings is None
            assert PLACE.search(str(error)), str(error)
            assert not results.exists()
            return
        accepted[name] = accepted.get(name, 0) + 1
        assert submission.rankings is not None
        check_rankings(submission.rankings, len(toy_split.catalogue), len(toy_split.test))
        write(record, toy_split, submission.rankings, submission.generations, results)
        loaded = load_records(results)
        assert len(loaded.records) == 1 and not loaded.problems
        shutil.rmtree(results)

    check()
    shutil.rmtree(folder)


def test_most_of_the_drawn_files_were_bad(request: pytest.FixtureRequest) -> None:
    """The fuzzing above says something only if it produced bad files; run after it, so last."""
    bad, good = sum(refused.values()), sum(accepted.values())
    if bad + good == 0:
        pytest.skip("the fuzzing was not selected")
    print(f"\n{bad} bad files refused, {good} still sound ones scored: {refused}")
    assert bad > good


@settings(max_examples=max(20, EXAMPLES // 10), deadline=None, database=None, derandomize=True)
@given(
    body=st.one_of(
        st.binary(max_size=300), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_bytes_at_all(body: bytes) -> None:
    from bench.submission import Report, parse_card  # the card is read from the same hands

    try:
        parse_card(body, "card.yaml")
    except SubmissionError as error:
        assert "card.yaml" in str(error)
    assert Report(file="x").ok


TABLES = [name for name in SOUND_BYTES if name.endswith((".csv", ".tsv", ".trec", ".run"))]


@settings(
    max_examples=max(20, EXAMPLES // 3),
    deadline=None,
    database=None,
    derandomize=not RANDOM,
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data())
def test_the_fast_and_the_careful_reading_of_tables_agree(data: st.DataObject, toy_split: Split) -> None:
    """Blocks that Arrow parses whole must give what the line-by-line reader gives."""
    name = data.draw(st.sampled_from(TABLES))
    body = data.draw(damaged(SOUND_BYTES[name]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(body)
        fast = read_submission(path, toy_split)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(delimited, "_parse_fast", lambda block, layout, wanted: None)
            careful = read_submission(path, toy_split)
    assert str(fast.report) == str(careful.report)
    assert (fast.rankings is None) == (careful.rankings is None)
    if fast.rankings is not None:
        assert (fast.rankings == careful.rankings).all()
