"""The same ranked lists in every format that `genrec-bench submit` reads: helpers of the tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench.schema import NO_ITEM, Rankings, Split

Named = list[tuple[str, list[str]]]
"""(user id, item ids best first) of each user that has a list."""


def named_lists(split: Split, rankings: Rankings) -> Named:
    ids = split.catalogue.item_ids
    return [
        (user, [ids[item] for item in row if item != NO_ITEM])
        for user, row in zip(split.user_ids, rankings, strict=True)
    ]


def _score(place: int) -> float:
    return round(10.0 - 0.125 * place, 3)


def _table(header: str, row: Callable[[str, str, int], str], lists: Named) -> str:
    body = [row(user, item, place) for user, items in lists for place, item in enumerate(items)]
    return "\n".join([header, *body] if header else body) + "\n"


def csv_text(lists: Named) -> str:
    return _table("user_id,item_id,rank", lambda u, i, p: f"{u},{i},{p + 1}", lists)


def tsv_scores_only(lists: Named) -> str:
    return _table("user\titem\tscore", lambda u, i, p: f"{u}\t{i}\t{_score(p)}", lists)


def csv_file_order(lists: Named) -> str:
    return _table("user_id,asin", lambda u, i, p: f"{u},{i}", lists)


def rectools_text(lists: Named) -> str:
    """`reco.to_csv()`: an index column, then user_id, item_id, score, rank; here by rank, not by user."""
    rows = sorted((p, u, i) for u, items in lists for p, i in enumerate(items))
    body = [f"{n},{u},{i},{_score(p)},{p + 1}" for n, (p, u, i) in enumerate(rows)]
    return "\n".join([",user_id,item_id,score,rank", *body]) + "\n"


def recbole_text(lists: Named) -> str:
    """RecBole's atomic files: tab-separated, types in the header."""
    return _table(
        "user_id:token\titem_id:token\tscore:float", lambda u, i, p: f"{u}\t{i}\t{_score(p)}", lists
    )


def recbole_lists(lists: Named) -> str:
    rows = [f"{user}\t{' '.join(items)}" for user, items in lists]
    return "\n".join(["user_id:token\titem_id_list:token_seq", *rows]) + "\n"


def quoted_csv(lists: Named) -> str:
    return _table('"user_id","item_id","rank"', lambda u, i, p: f'"{u}","{i}",{p}', lists)


def json_lines(lists: Named) -> str:
    return "".join(json.dumps({"user_id": user, "item_ids": items}) + "\n" for user, items in lists)


def json_lines_scores(lists: Named) -> str:
    return "".join(
        json.dumps({"user": user, "items": items, "scores": [_score(p) for p in range(len(items))]}) + "\n"
        for user, items in lists
    )


def trec_text(lists: Named) -> str:
    return _table("", lambda u, i, p: f"{u} Q0 {i} {p + 1} {_score(p)} my-run", lists)


def trec_spaced(lists: Named) -> str:
    """Several spaces and ranks from 0, as some tools write it."""
    return _table("", lambda u, i, p: f"{u}  Q0   {i} {p}  {_score(p)} my run", lists)


def ranx_json(lists: Named) -> str:
    return json.dumps({user: {item: _score(p) for p, item in enumerate(items)} for user, items in lists})


TEXT_FORMATS: dict[str, Callable[[Named], str]] = {
    "lists.csv": csv_text,
    "scores.tsv": tsv_scores_only,
    "order.csv": csv_file_order,
    "rectools.csv": rectools_text,
    "recbole.tsv": recbole_text,
    "recbole-lists.tsv": recbole_lists,
    "quoted.csv": quoted_csv,
    "lists.jsonl": json_lines,
    "scored.jsonl": json_lines_scores,
    "run.trec": trec_text,
    "spaced.run": trec_spaced,
    "run.json": ranx_json,
}


def write_text(folder: Path, name: str, lists: Named) -> Path:
    path = folder / name
    path.write_text(TEXT_FORMATS[name](lists), encoding="utf-8")
    return path


def write_gzip(folder: Path, name: str, lists: Named) -> Path:
    path = folder / f"{name}.gz"
    path.write_bytes(gzip.compress(TEXT_FORMATS[name](lists).encode()))
    return path


def write_parquet_lists(folder: Path, lists: Named, **columns: Any) -> Path:
    path = folder / "lists.parquet"
    users, items = [user for user, _ in lists], [items for _, items in lists]
    pq.write_table(
        pa.table({"user_id": users, "item_ids": pa.array(items, pa.list_(pa.string()))} | columns), path
    )
    return path


def write_parquet_rows(folder: Path, lists: Named, *, order: Sequence[str] = ("rank", "score")) -> Path:
    rows = [(u, i, p + 1, _score(p)) for u, items in lists for p, i in enumerate(items)]
    columns = {
        "user_id": [row[0] for row in rows],
        "item_id": pa.array([row[1] for row in rows]).dictionary_encode(),
        "rank": [row[2] for row in rows],
        "score": [row[3] for row in rows],
    }
    path = folder / "rows.parquet"
    pq.write_table(
        pa.table({k: v for k, v in columns.items() if k not in ("rank", "score") or k in order}), path
    )
    return path
