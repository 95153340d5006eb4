"""The table of numbers published elsewhere: schema, order, known values, and how it is printed."""

from __future__ import annotations

import copy
import json
from importlib.resources import files
from typing import Any

import pytest
import typer
import yaml
from typer.testing import CliRunner

from bench.commands.reported import register
from bench.errors import ConfigError
from bench.models import MODELS
from bench.reported.rows import FIRST_SOURCES, find_reported, load_reported, parse_reported
from bench.reported.text import reported_table


@pytest.fixture
def content() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(
        (files("bench.reported") / "reported.yaml").read_text(encoding="utf-8")
    )
    return parsed


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.callback()(lambda: None)
    register(app)
    return app


def test_every_row_is_valid_and_every_source_and_protocol_is_used(content: dict[str, Any]) -> None:
    rows = parse_reported(content)
    assert {row.source_id for row in rows} == set(content["sources"])
    assert {entry["protocol"] for entry in content["rows"]} == set(content["protocols"])
    assert all(row.counterpart is None or row.counterpart in MODELS for row in rows)


def test_gpt4rec_and_the_write_up_come_first() -> None:
    order = [row.source_id for row in load_reported("beauty2014")]
    leading = [source for source in order if source in FIRST_SOURCES]
    assert order[0] == "gpt4rec"
    firsts = [order.index(source) for source in FIRST_SOURCES]
    assert firsts == sorted(firsts)
    # Only ActionPiece and E4SRec, read in the GLoSS paper, stand further down with their own kind.
    assert order[: len(leading) - 2] == leading[:-2]


@pytest.mark.parametrize(
    ("row_id", "metric", "value"),
    [
        ("gpt4rec", "recall@5", 0.0653),
        ("gpt4rec", "recall@10", 0.0810),
        ("nanogenrec-1b", "ndcg@5", 0.02688),
        ("nanogenrec-3b", "recall@5", 0.06520),
        ("nanogenrec-8b", "mrr@5", 0.03391),
        ("nanogenrec-last-item-bm25", "recall@5", 0.04333),
        ("tiger", "ndcg@10", 0.0384),
        ("s3rec-sasrec", "recall@10", 0.0605),
        ("sasrecpp", "ndcg@10", 0.0557),
        ("llamarec", "mrr@5", 0.0385),
    ],
)
def test_values_as_published(row_id: str, metric: str, value: float) -> None:
    (row,) = find_reported(row_id, "beauty2014")
    assert row.metrics[metric] == value


def test_gpt4rec_is_marked_as_another_protocol_with_its_interval() -> None:
    (row,) = find_reported("gpt4rec", "beauty2014")[:1]
    assert not row.comparable
    assert "Not leave-one-out over all users" in row.notes
    interval = row.interval("recall@5")
    assert interval is not None
    # 0.0653 +- 1.96 sqrt(0.0653 * 0.9347 / 2236), worked out by hand: half-width 0.01024.
    assert interval == pytest.approx((0.05506, 0.07554), abs=2e-5)
    assert "0.0551-0.0755" in row.notes
    assert row.interval("ndcg@5") is None


def test_a_source_gives_all_its_rows_and_a_wrong_name_the_closest_one() -> None:
    assert {row.id for row in find_reported("nanogenrec", "beauty2014")} >= {"nanogenrec-1b", "nanogenrec-8b"}
    with pytest.raises(ConfigError, match="did you mean 'gpt4rec'"):
        find_reported("gpt4rek", "beauty2014")


def _set(field: str, value: Any) -> Any:
    return lambda content: content["rows"][0].__setitem__(field, value)


@pytest.mark.parametrize(
    "damage",
    [
        _set("metrics", {"recall@5": 6.53}),
        _set("metrics", {"precision@5": 0.1}),
        _set("metrics", {}),
        _set("source", "gpt5rec"),
        _set("protocol", "loo"),
        _set("read", "heard"),
        _set("reason", ""),
        _set("unknown", 1),
        _set("id", "../x"),
        lambda content: content["rows"].append(content["rows"][0]),
        lambda content: content["sources"]["gpt4rec"].__setitem__("link", "javascript:alert(1)"),
        lambda content: content.pop("rows"),
    ],
)
def test_a_malformed_table_is_refused(content: dict[str, Any], damage: Any) -> None:
    damaged = copy.deepcopy(content)
    damage(damaged)
    with pytest.raises(ConfigError):
        parse_reported(damaged)


@pytest.mark.parametrize("width", [80, 90, 100, 120])
def test_the_printed_table_fits_its_width(width: int) -> None:
    text = reported_table(load_reported("beauty2014"), width)
    assert max(map(len, text.splitlines())) <= width
    for row in load_reported("beauty2014"):
        assert row.model.split()[0] in text


def test_the_command_prints_text_and_json(app: typer.Typer) -> None:
    plain = CliRunner().invoke(app, ["reported", "beauty2014"])
    assert plain.exit_code == 0 and "GPT4Rec" in plain.stdout and "Protocols" in plain.stdout
    rows = json.loads(CliRunner().invoke(app, ["reported", "beauty2014", "--json"]).stdout)
    assert len(rows) == len(load_reported("beauty2014"))
    assert rows[0]["interval"]["recall@5"] == pytest.approx([0.05506, 0.07554], abs=2e-5)
    unknown = CliRunner().invoke(app, ["reported", "beauty2015"])
    assert isinstance(unknown.exception, ConfigError) and "beauty2014" in str(unknown.exception)
