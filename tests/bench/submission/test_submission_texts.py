"""Submitted texts: retrieval by the rules of our own models, health, faults with their places."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bench.commands.submit import register
from bench.errors import ConfigError
from bench.records.list_files import read_texts
from bench.records.store import load_records
from bench.schema import Split
from bench.submission import Choices, Entry, Submission, build_record, read_submission
from bench.submission.texts.answer import answer_line


def lines_of(split: Split, *, tokens: bool = False) -> list[dict[str, Any]]:
    """Each user's texts are the titles of two items of its own, the less likely one first."""
    titles, items = split.catalogue.titles, len(split.catalogue)
    lines = []
    for row, user in enumerate(split.user_ids):
        line = {
            "user_id": user,
            "texts": [titles[(row + 1) % items], f"  Title: {titles[row % items]}\nmore"],
            "log_likelihoods": [-2.0, -1.0],
        }
        lines.append(line | ({"tokens": [4, 4]} if tokens else {}))
    return lines


def read(split: Split, folder: Path, lines: list[Any], **options: Any) -> Submission:
    path = folder / "texts.jsonl"
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines))
    return read_submission(path, split, texts=True, **options)


def test_the_likeliest_text_finds_the_first_item(toy_split: Split, tmp_path: Path) -> None:
    submission = read(toy_split, tmp_path, lines_of(toy_split))
    assert submission.report.ok, str(submission.report)
    assert submission.rankings is not None and submission.generations is not None
    first = submission.rankings[:, 0]
    # items 4 and 6 share a title: the text stands for both, in catalogue order
    assert first.tolist() == [0, 1, 2, 3, 4, 5]
    assert submission.rankings[4, :2].tolist() == [4, 6]
    assert submission.generations.items.tolist()[:4] == [0, 1, 1, 2]
    assert submission.details["generation_health"]["exact_texts"] == 1.0
    assert submission.details["generation_health"]["texts_per_user"] == 2.0
    assert "tokens_per_user" not in submission.details["generation_health"]
    record = build_record(submission, Entry(name="mine", kind="generative"), toy_split, command="x")
    assert record.details["retrieval"]["list_rule"] == "by_likelihood"
    assert record.metrics is not None


@pytest.mark.parametrize("rule", ["published", "by_likelihood", "calrec"])
def test_every_list_rule_ranks_known_distinct_items(rule: str, toy_split: Split, tmp_path: Path) -> None:
    submission = read(toy_split, tmp_path, lines_of(toy_split, tokens=True), list_rule=rule)
    assert submission.report.ok and submission.rankings is not None
    for row in submission.rankings:
        kept = row[row >= 0]
        assert len(set(kept.tolist())) == len(kept) >= 1


def test_calrec_needs_likelihoods_and_token_counts_and_rules_have_names(
    toy_split: Split, tmp_path: Path
) -> None:
    bare = [
        {key: line[key] for key in ("user_id", "texts", "tokens")}
        for line in lines_of(toy_split, tokens=True)
    ]
    for lines in (lines_of(toy_split), bare):
        with pytest.raises(ConfigError, match="'log_likelihoods' and 'tokens'"):
            read(toy_split, tmp_path, lines, list_rule="calrec")
    with pytest.raises(ConfigError, match="did you mean 'published'"):
        read(toy_split, tmp_path, lines_of(toy_split), list_rule="publish")


def likeliest_first(split: Split) -> list[dict[str, Any]]:
    return [
        {"user_id": line["user_id"], "texts": line["texts"][::-1], "log_likelihoods": [-1.0, -2.0]}
        for line in lines_of(split)
    ]


def as_objects(line: dict[str, Any]) -> dict[str, Any]:
    beams = zip(line["texts"], line["log_likelihoods"], strict=True)
    return {"user": line["user_id"], "outputs": [{"text": t, "cumulative_logprob": ll} for t, ll in beams]}


LAYOUTS: dict[str, Any] = {
    "lines": lambda lines: "".join(json.dumps(line) + "\n" for line in lines),
    "array": json.dumps,
    "pretty": lambda lines: json.dumps(lines, indent=2),
    "keys in another order": lambda lines: json.dumps([dict(reversed(line.items())) for line in lines]),
    "users as keys": lambda lines: json.dumps({line["user_id"]: line["texts"] for line in lines}),
    "columns": lambda lines: json.dumps({key: [line[key] for line in lines] for key in lines[0]}),
    "objects": lambda lines: json.dumps(list(map(as_objects, lines))),
    "one row a text": lambda lines: "".join(
        json.dumps({"user_id": line["user_id"], "completion": text, "rank": place}) + "\n"
        for line in lines
        for place, text in enumerate(line["texts"])
    ),
    "csv": lambda lines: (
        "user_id,output\n"
        + "".join(f'{line["user_id"]},"{text}"\n' for line in lines for text in line["texts"])
    ),
    "csv of lists": lambda lines: (
        "user_id,texts\n"
        + "".join(
            f'{line["user_id"]},"{json.dumps(line["texts"]).replace(chr(34), 2 * chr(34))}"\n'
            for line in lines
        )
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("key", ["texts", "generated_sequences", "outputs", "completions"])
@pytest.mark.parametrize("likelihoods", [True, False])
def test_texts_are_read_in_every_layout(
    layout: str, key: str, likelihoods: bool, toy_split: Split, tmp_path: Path
) -> None:
    """The files hold the same texts, the best one first: the same lists come out."""
    expected = read(toy_split, tmp_path, lines_of(toy_split)).rankings
    lines = likeliest_first(toy_split)
    if layout in ("objects", "csv", "csv of lists", "one row a text"):
        renamed = lines
    else:
        renamed = [{key if name == "texts" else name: held for name, held in line.items()} for line in lines]
        if not likelihoods:
            renamed = [{k: v for k, v in line.items() if k != "log_likelihoods"} for line in renamed]
    if layout == "users as keys":
        renamed = [line | {"texts": line[key]} for line in renamed]
    path = tmp_path / "file"
    path.write_text(LAYOUTS[layout](renamed))
    submission = read_submission(path, toy_split, texts=True)
    assert submission.report.ok, str(submission.report)
    assert "order from" in submission.report.reading
    np.testing.assert_array_equal(submission.rankings, expected)


def test_without_likelihoods_the_order_stands_for_them_and_none_are_made_up(
    toy_split: Split, tmp_path: Path
) -> None:
    lines = [{k: v for k, v in line.items() if k != "log_likelihoods"} for line in likeliest_first(toy_split)]
    submission = read(toy_split, tmp_path, lines)
    assert submission.generations is not None and np.isnan(submission.generations.log_likelihoods).all()
    assert "order from the texts as they stand" in str(submission.report)


def test_texts_that_run_against_their_likelihoods_are_told(toy_split: Split, tmp_path: Path) -> None:
    submission = read(toy_split, tmp_path, lines_of(toy_split))
    assert "users whose texts run against 'log_likelihoods'" in str(submission.report)
    assert "against" not in str(read(toy_split, tmp_path, likeliest_first(toy_split)).report)
    as_they_stand = read(toy_split, tmp_path, lines_of(toy_split), choices=Choices(order="file"))
    assert as_they_stand.rankings is not None
    assert as_they_stand.rankings[:, 0].tolist() == [1, 2, 3, 4, 5, 6][:4] + [5, 4]


def test_two_columns_of_texts_are_refused_by_name(toy_split: Split, tmp_path: Path) -> None:
    lines = [{"user_id": user, "text": "a prompt", "output": "Rose Soap"} for user in toy_split.user_ids]
    text = str(read(toy_split, tmp_path, lines).report)
    assert "'text' and 'output' could be the texts" in text and "--item" in text
    chosen = read(toy_split, tmp_path, lines, choices=Choices(item="output"))
    assert chosen.rankings is not None and (chosen.rankings[:, 0] == 0).all()


def test_texts_that_name_no_item_are_shown_and_users_without_an_answer_are_missing(
    sample_split: Split, tmp_path: Path
) -> None:
    """A text that shares only "title" with the catalogue finds nothing; so does an empty one."""
    titles = sample_split.catalogue.titles
    lines = [
        {"user_id": user, "texts": [f"Something like {titles[0]}, perhaps"]} for user in sample_split.user_ids
    ]
    text = str(read(sample_split, tmp_path, lines).report)
    assert "no item's title, most of all (1,000): user 'C0000': 'Title: Something like" in text
    assert text.count("Something like") == 3
    for nothing in ("", "Title:", "qwertz", "Title: the title"):
        few = [line | {"texts": [nothing]} if at < 10 else line for at, line in enumerate(lines)]
        submission = read(sample_split, tmp_path, few)
        assert submission.report.ok and submission.report.missing_users == 10
        assert submission.rankings is not None and (submission.rankings[:10] == -1).all()
        many = [line | {"texts": [nothing, nothing]} for line in lines]
        refused = read(sample_split, tmp_path, many)
        assert "users without an answer, over 1% of all (1,000)" in str(refused.report)


def test_of_a_long_text_the_line_is_kept(toy_split: Split, tmp_path: Path) -> None:
    lines = [
        {"user_id": user, "texts": ["<think>" + "so " * 2000 + "</think>\nTitle: Oak Comb"]}
        for user in toy_split.user_ids
    ]
    submission = read(toy_split, tmp_path, lines)
    assert submission.generations is not None and set(submission.generations.texts) == {"Title: Oak Comb"}


PROMPT = "Below is a customer's purchase history\n### Purchase history:\nTitle: Mint Soap\n\n### Next item:\n"
CATALOGUE = {"Title: Rose Soap", "Title: Mint Soap", 'Title: Pipe 5"', "Title: 12 Rose Soaps"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Rose Soap", "Title: Rose Soap"),
        ("Title: Rose Soap", "Title: Rose Soap"),
        ("TITLE :  Rose   Soap ", "Title: Rose Soap"),
        ("\n  Rose\tSoap \nand more", "Title: Rose Soap"),
        ("  \n ", ""),
        ("", ""),
        ("Title:", ""),
        ("Sure! Based on the history, I would recommend:\nTitle: Rose Soap", "Title: Rose Soap"),
        ("Sure, here it is:\n\nRose Soap\n\nIt smells good.", "Title: Rose Soap"),
        ("They may like this one:\nA Soap of Roses", "Title: A Soap of Roses"),
        ('- **Title:** "Rose Soap"', "Title: Rose Soap"),
        ("1. Rose Soap\n2. Mint Soap", "Title: Rose Soap"),
        ("12 Rose Soaps", "Title: 12 Rose Soaps"),
        ('Title: Pipe 5"', 'Title: Pipe 5"'),
        ('{"title": "Rose Soap"}', "Title: Rose Soap"),
        ("### Next item:\nTitle: Rose Soap", "Title: Rose Soap"),
        (PROMPT + "Title: Rose Soap", "Title: Rose Soap"),
        (PROMPT + "Rose Soap", "Title: Rose Soap"),
        (PROMPT + "Title: Rose Soap\n\n### Next item:\nTitle: Mint Soap", "Title: Rose Soap"),
        ("Title: Rose Soap\n\n### Previous item:\nTitle: Mint Soap", "Title: Rose Soap"),
        ("Title: Rose Soap\n\n### Next item:\nTitle: Mint Soap", "Title: Rose Soap"),
        ("<think>Title: Mint Soap?\nNo.</think>\nTitle: Rose Soap", "Title: Rose Soap"),
        ("Title: Mint Soap? No.</think>Title: Rose Soap", "Title: Rose Soap"),
        ("Title: Rose Soap<think>or Title: Mint Soap", "Title: Rose Soap"),
        ("Rose Soap <think>or Mint Soap</think>", "Title: Rose Soap"),
        ("<think>Title: Mint Soap and then", ""),
        ("<|assistant|>Title: Rose Soap<|im_end|>", "Title: Rose Soap"),
    ],
)
def test_a_text_stands_for_the_line_that_names_the_item(text: str, line: str) -> None:
    assert answer_line(text, CATALOGUE) == line


@pytest.mark.parametrize("mark", ["\n", "<think>", "</think>", "### Next item:\n", "Title:", "**", "- "])
def test_hostile_texts_take_no_time(mark: str) -> None:
    """Fifty thousand characters of one mark: a pattern that tries all ways would not come back."""
    start = time.process_time()
    answer_line(mark * (50_000 // len(mark)), CATALOGUE)
    assert time.process_time() - start < 5


FAULTS: list[tuple[Any, str]] = [
    ("{", "line 2: "),
    ("[]", "line 2: a list instead of an object"),
    ({"user_id": "u1", "log_likelihoods": [-1]}, "line 2: needs 'user_id', 'texts', has"),
    ('{"user_id": "u1", "texts": ["a"], "texts": ["b"]}', "line 2: the key 'texts' stands twice"),
    (
        {"user_id": "u9", "texts": ["a"], "log_likelihoods": [-1]},
        "not in the data set (1): line 2: 'u9'",
    ),
    ({"user_id": 1, "texts": ["a"], "log_likelihoods": [-1]}, "not in the data set (1): line 2: '1'"),
    ({"user_id": "u1", "texts": [3], "log_likelihoods": [-1]}, "line 2: texts must be a list of texts"),
    ({"user_id": "u1", "texts": ["a" * 50_001], "log_likelihoods": [-1]}, "at most 50,000"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [0.5]}, "line 2: log_likelihoods must be"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [float("nan")]}, "line 2: log_likelihoods"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [True]}, "line 2: log_likelihoods"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": []}, "line 2: 1 texts and 0 log_likelihoods"),
    ({"user_id": "u1", "texts": ["a"] * 101, "log_likelihoods": [-1] * 101}, "at most 100"),
    ({"user_id": "u1", "texts": ["a"], "log_likelihoods": [-1], "tokens": [0]}, "line 2: tokens"),
    ({"user_id": "u0", "texts": ["a"], "log_likelihoods": [-1]}, "users with more than one line (1): line 2"),
    ({"fingerprint": "f" * 64}, "made for other data"),
    ('{"user_id": "u1", "texts": ["\\ud800"], "log_likelihoods": [-1]}', "half a surrogate pair"),
]


@pytest.mark.parametrize(("bad", "message"), FAULTS)
def test_each_fault_is_named_with_its_line(bad: Any, message: str, toy_split: Split, tmp_path: Path) -> None:
    lines: list[Any] = lines_of(toy_split)
    lines[1] = bad
    submission = read(toy_split, tmp_path, lines)
    assert submission.rankings is None
    assert message in str(submission.report)


def test_missing_users_need_permission_here_too(toy_split: Split, tmp_path: Path) -> None:
    lines = lines_of(toy_split)[1:]
    assert "--allow-partial" in str(read(toy_split, tmp_path, lines).report)
    partial = read(toy_split, tmp_path, lines, allow_partial=True)
    assert partial.rankings is not None and (partial.rankings[0] == -1).all()
    record = build_record(partial, Entry(name="mine", kind="generative"), toy_split, command="x")
    assert record.status == "partial"


def test_the_command_keeps_the_texts_beside_the_record(sample_split: Split, tmp_path: Path) -> None:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    path = tmp_path / "texts.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines_of(sample_split)))
    words = [
        "submit",
        str(path),
        "--dataset",
        "sample",
        "--name",
        "my-llm",
        "--kind",
        "generative",
        "--texts",
    ]
    outcome = CliRunner().invoke(app, [*words, "--results", str(tmp_path / "results")])
    assert outcome.exit_code == 0, outcome.output
    (stored,) = load_records(tmp_path / "results").records
    texts = read_texts(stored)
    assert texts is not None and len(texts) == len(sample_split.user_ids)
    first = np.asarray(texts["item_ids"].iloc[0])
    assert first[0] == sample_split.catalogue.item_ids[0]
    assert stored.record.texts_sha256 is not None
