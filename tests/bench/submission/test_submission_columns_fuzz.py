"""Files drawn over column names, shapes, orders and packings: no accepted file is read by a column it hides.

What each column holds is known here: whatever column the report names as the order, the lists must be those
that this column gives; and where it names none, there must be no column that could say otherwise. The
default run draws some 200 files; GENREC_BENCH_FUZZ_EXAMPLES sets another number.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_split import first_users, whole_numbers
from submission_shapes import PACKINGS

from bench.schema import Split
from bench.submission import read_submission
from bench.submission.columns.names import DISTANCE, INDEX, RANK, plain

RANDOM = "GENREC_BENCH_FUZZ_RANDOM" in os.environ
EXAMPLES = int(os.environ.get("GENREC_BENCH_FUZZ_EXAMPLES", "200"))
DEPTH = 6

USERS = ("user_id", "userID", "user", "uid", "User Id", "reviewerID", "customer_id", "qid", "person", "who")
ITEMS = ("item_id", "itemID", "item", "iid", "asin", "product_id", "docid", "movie", "artikel", "thing")
LISTS = ("item_ids", "recommendations", "recs", "items", "prediction", "topk", "results", "what")
NUMBERS = (
    "rank", "position", "pos", "ranking", "score", "prediction", "rating", "est", "similarity", "distance",
    "dist", "weight", "value", "x", "n", "timestamp", "index", "Unnamed: 0", "price", "column 3",
)  # fmt: skip
CONTENTS = ("falling", "rising", "rank", "rank0", "noise", "constant", "whole", "stars")


@dataclass(frozen=True)
class Drawn:
    """A file: its columns by name, and which hold the users and the recommended items."""

    names: list[str]
    columns: dict[str, list[Any]]
    """One value a row; (user, item) rows, or users."""
    user: str
    item: str
    by_row: bool
    packing: str
    layout: str


def _numbers(content: str, place: int, rng: np.random.Generator) -> float | int:
    return {
        "falling": lambda: round(20 - 1.25 * place, 3),
        "rising": lambda: round(0.25 * place + 0.125, 3),
        "rank": lambda: place + 1,
        "rank0": lambda: place,
        "noise": lambda: round(float(rng.normal()), 4),
        "constant": lambda: 5.0,
        "whole": lambda: int(rng.integers(1, 400)),
        "stars": lambda: int(rng.integers(1, 6)),
    }[content]()


@st.composite
def drawn_files(draw: st.DrawFn, split: Split) -> Drawn:
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    lists = [rng.permutation(len(split.catalogue))[:DEPTH].tolist() for _ in split.user_ids]
    by_row = draw(st.booleans())
    user = draw(st.sampled_from(USERS))
    item = draw(st.sampled_from(ITEMS if by_row else LISTS))
    extra = draw(st.lists(st.sampled_from(NUMBERS), max_size=3, unique=True))
    extra = [name for name in extra if name not in (user, item)]
    contents = {name: draw(st.sampled_from(CONTENTS)) for name in extra}
    ids = split.catalogue.item_ids
    columns: dict[str, list[Any]] = {name: [] for name in (user, item, *extra)}
    rows = [(row, place) for row in range(len(lists)) for place in range(DEPTH)]
    shuffle = draw(st.sampled_from(["as meant", "by item", "at random", "backwards"]))
    if by_row:
        if shuffle == "by item":
            rows.sort(key=lambda row: (row[0], ids[lists[row[0]][row[1]]]))
        elif shuffle == "at random":
            rows = [rows[at] for at in rng.permutation(len(rows))]
        elif shuffle == "backwards":
            rows.sort(key=lambda row: (row[0], -row[1]))
        for row, place in rows:
            columns[user].append(split.user_ids[row])
            columns[item].append(ids[lists[row][place]])
            for name, content in contents.items():
                columns[name].append(_numbers(content, place, rng))
    else:
        for row, items in enumerate(lists):
            columns[user].append(split.user_ids[row])
            columns[item].append([ids[one] for one in items])
            for name, content in contents.items():
                columns[name].append([_numbers(content, place, rng) for place in range(DEPTH)])
    if draw(st.booleans()):  # a true item, a last item, or a note beside the lists
        name = draw(st.sampled_from(["target", "label", "last_item", "note", "title", "ground_truth"]))
        beside = [ids[rng.integers(len(ids))] for _ in split.user_ids]
        held = [f"a {name}" if name in ("note", "title") else beside[row] for row in range(len(beside))]
        owners = [row for row, _ in rows] if by_row else range(len(lists))
        columns[name] = [held[row] for row in owners]
    names = draw(st.permutations(list(columns)))
    layout = draw(st.sampled_from(["csv", "tsv", "jsonl", "json", "columns", "parquet"]))
    packing = draw(st.sampled_from(["none", "none", *PACKINGS])) if layout != "parquet" else "none"
    return Drawn(list(names), columns, user, item, by_row, packing, layout)


def body_of(file: Drawn) -> bytes:
    if file.layout == "parquet":
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({name: file.columns[name] for name in file.names}), sink)
        return sink.getvalue().to_pybytes()
    values = zip(*(file.columns[name] for name in file.names), strict=True)
    rows = [dict(zip(file.names, row, strict=True)) for row in values]
    if file.layout == "json":
        text = json.dumps(rows)
    elif file.layout == "jsonl":
        text = "".join(json.dumps(row) + "\n" for row in rows)
    elif file.layout == "columns":
        text = json.dumps({name: file.columns[name] for name in file.names})
    else:
        mark = "\t" if file.layout == "tsv" else ","
        body = [mark.join(map(_field, row.values())) for row in rows]
        text = "\n".join([mark.join(file.names), *body]) + "\n"
    return PACKINGS.get(file.packing, bytes)(text.encode())


def _field(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def lists_by(file: Drawn, order: str | None, ascending: bool, split: Split) -> list[list[int]]:
    """The lists that a column gives, or the file's own order (None); equal values keep the file's order."""
    rows = {one: at for at, one in enumerate(split.catalogue.item_ids)}
    found: dict[str, list[tuple[float, int]]] = {}
    for at, owner in enumerate(file.columns[file.user]):
        items = _listed(file.columns[file.item][at])
        values = _listed(file.columns[order][at]) if order is not None else [0.0] * len(items)
        found.setdefault(owner, []).extend(
            (value if ascending else -value, rows[one]) for value, one in zip(values, items, strict=True)
        )
    return [[row for _, row in sorted(found[owner], key=lambda pair: pair[0])] for owner in split.user_ids]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def could_say_otherwise(file: Drawn, name: str) -> bool:
    """Whether a column of numbers speaks against the order of the file, or might."""
    if file.by_row:
        return plain(name) not in INDEX
    best_last = plain(name) in DISTANCE | RANK
    steps = [np.diff(values) if best_last else -np.diff(values) for values in file.columns[name]]
    return any((step < 0).any() for step in steps)


outcomes = {"accepted": 0, "refused": 0}
READING = re.compile(
    r"users from '(?P<user>.*?)', items from (?:the lists in )?'(?P<item>.*?)', "
    r"order from (?:'(?P<column>.*)', (?P<best>lowest|highest) first|.*)"
)


@pytest.fixture(scope="module")
def splits(sample_split: Split) -> dict[str, Split]:
    small = first_users(sample_split, 25)
    return {"texts": small, "numbers": whole_numbers(small)}


@pytest.mark.parametrize("ids", ["texts", "numbers"])
def test_no_accepted_file_is_ordered_by_a_column_that_it_does_not_name(
    ids: str, splits: dict[str, Split]
) -> None:
    split = splits[ids]
    folder = Path(tempfile.mkdtemp())

    @settings(
        max_examples=max(1, EXAMPLES // 2),
        deadline=None,
        database=None,
        derandomize=not RANDOM,
        suppress_health_check=list(HealthCheck),
    )
    @given(file=drawn_files(split))
    def check(file: Drawn) -> None:
        path = folder / "file"
        path.write_bytes(body_of(file))
        submission = read_submission(path, split)
        report = submission.report
        if submission.rankings is None:
            outcomes["refused"] += 1
            assert any(word in str(report) for word in ("--", "line", "row", "entry", "user '")), str(report)
            return
        outcomes["accepted"] += 1
        named = READING.match(report.reading)
        assert named is not None, report.reading
        assert (named["user"], named["item"]) == (file.user, file.item)
        column, ascending = named["column"], named["best"] == "lowest"
        got = [[item for item in row if item >= 0] for row in submission.rankings.tolist()]
        assert got == lists_by(file, column, ascending, split), report.reading
        if column is None:
            numbers = [name for name in file.names if name in NUMBERS and name not in (file.user, file.item)]
            assert not any(could_say_otherwise(file, name) for name in numbers), f"{report}\n{file.names}"

    check()


def test_both_outcomes_were_drawn() -> None:
    """The fuzzing above says something only if it met both; run after it, so last."""
    if not sum(outcomes.values()):
        pytest.skip("the fuzzing was not selected")
    print(f"\n{outcomes}")
    assert min(outcomes.values()) > sum(outcomes.values()) // 10
