"""The same ranked lists, ten items a user, in the shapes that people's tools write: helpers of the tests."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Named = list[tuple[str, list[str]]]
Shape = Callable[[Named], str | bytes]


def score(place: int) -> float:
    return round(9.5 - 0.5 * place, 2)


def rows(lists: Named, *, shuffled: bool = False) -> Iterator[tuple[str, str, int]]:
    """(user, item, place from 0), in order or in an order that says nothing."""
    found = [(user, item, place) for user, items in lists for place, item in enumerate(items)]
    if shuffled:
        random.Random(0).shuffle(found)
    return iter(found)


def table(
    header: str, row: Callable[[str, str, int], str], *, shuffled: bool = True, end: str = "\n"
) -> Shape:
    def text(lists: Named) -> str:
        body = [row(*one) for one in rows(lists, shuffled=shuffled)]
        return end.join([header, *body] if header else body) + end

    return text


def one_a_user(header: str, row: Callable[[str, list[str]], str]) -> Shape:
    return lambda lists: "\n".join([header, *(row(user, items) for user, items in lists)]) + "\n"


def objects(make: Callable[[str, list[str]], Any]) -> Shape:
    return lambda lists: "".join(json.dumps(make(user, items)) + "\n" for user, items in lists)


def value(make: Callable[[Named], Any], **options: Any) -> Shape:
    return lambda lists: json.dumps(make(lists), **options)


def parquet(make: Callable[[Named], dict[str, Any]]) -> Shape:
    def body(lists: Named) -> bytes:
        sink = io.BytesIO()
        pq.write_table(pa.table(make(lists)), sink)
        return sink.getvalue()

    return body


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def records(lists: Named) -> list[dict[str, Any]]:
    return [{"user_id": u, "item_id": i, "score": score(p)} for u, i, p in rows(lists, shuffled=True)]


def columns(lists: Named) -> dict[str, list[Any]]:
    return {key: [row[key] for row in records(lists)] for key in ("user_id", "item_id", "score")}


def pairs(items: list[str]) -> list[list[Any]]:
    return [[item, score(place)] for place, item in enumerate(items)]


def scored(items: list[str]) -> dict[str, float]:
    """Scores by item, the best one last, as an object keeps no order."""
    return {item: score(place) for place, item in reversed(list(enumerate(items)))}


def shuffled_scored(items: list[str]) -> dict[str, float]:
    keys = list(enumerate(items))
    random.Random(1).shuffle(keys)
    return {item: score(place) for place, item in keys}


def unlike(lists: Named) -> list[tuple[tuple[str, list[str]], tuple[str, list[str]]]]:
    """Pairs of users, the first item of the second being none of the first's."""
    return [(one, lists[0]) for one in lists if lists[0][1][0] not in one[1]]


ROWS: dict[str, Shape] = {
    "microsoft.csv": table("userID,itemID,prediction", lambda u, i, p: f"{u},{i},{score(p)}"),
    "spark.csv": table("user,item,rating", lambda u, i, p: f"{u},{i},{score(p)}"),
    "surprise.csv": table(
        "uid,iid,r_ui,est,details", lambda u, i, p: f"{u},{i},{3.5 - p % 2},{score(p)},{{}}"
    ),
    "lenskit.csv": table("user,item,rank,score", lambda u, i, p: f"{u},{i},{p + 1},{score(p)}"),
    "position.csv": table("user_id,item_id,position", lambda u, i, p: f"{u},{i},{p + 1}"),
    "pos.csv": table("user_id,item_id,pos", lambda u, i, p: f"{u},{i},{p}"),
    "ranking.csv": table("customer_id,product_id,ranking", lambda u, i, p: f"{u},{i},{p + 1}"),
    "rank_position.csv": table("User Id,Item Id,Rank Position", lambda u, i, p: f"{u},{i},{p + 1}"),
    "distance.csv": table("user_id,item_id,distance", lambda u, i, p: f"{u},{i},{0.1 * p:.1f}"),
    "similarity.csv": table("user_id,item_id,similarity", lambda u, i, p: f"{u},{i},{1e-3 * score(p)}"),
    "rectools.csv": table(",user_id,item_id,score,rank", lambda u, i, p: f"{p},{u},{i},{score(p)},{p + 1}"),
    "recbole.inter": table(
        "user_id:token\titem_id:token\tscore:float", lambda u, i, p: f"{u}\t{i}\t{score(p)}"
    ),
    "titles.csv": table(
        "user_id,item_id,rank,title", lambda u, i, p: f'{u},{i},{p + 1},"a ""big"" title,\nwith a line break"'
    ),
    "blanks.csv": table("user_id, item_id, rank", lambda u, i, p: f"{u}, {i}, {p + 1}"),
    "quoted-blanks.csv": table('"user_id", "item_id", "rank"', lambda u, i, p: f'"{u}", "{i}", {p + 1}'),
    "semicolons.csv": table("user_id;item_id;rank", lambda u, i, p: f"{u};{i};{p + 1}"),
    "bars.csv": table("user_id|item_id|rank", lambda u, i, p: f"{u}|{i}|{p + 1}"),
    "cr.csv": table("user_id,item_id,rank", lambda u, i, p: f"{u},{i},{p + 1}", end="\r"),
    "crlf.csv": table("user_id,item_id,rank", lambda u, i, p: f"{u},{i},{p + 1}", end="\r\n"),
    "order.csv": table("user_id,item_id", lambda u, i, p: f"{u},{i}", shuffled=False),
    "own-names.csv": table("kunde,artikel", lambda u, i, p: f"{u},{i}", shuffled=False),
    "masked.csv": lambda lists: "".join(
        [
            table("user_id,item_id,score", lambda u, i, p: f"{u},{i},{score(p)}")(lists),
            *(f"{user},{other[1][0]},-inf\n" for (user, items), other in unlike(lists)),
        ]
    ),
    "elliot.tsv": table("", lambda u, i, p: f"{u}\t{i}\t{score(p)}", shuffled=False),
    "msmarco.tsv": table("", lambda u, i, p: f"{u}\t{i}\t{p + 1}", shuffled=False),
    "pairs.tsv": table("", lambda u, i, p: f"{u}\t{i}", shuffled=False),
    "words.txt": table("", lambda u, i, p: f"{u} {i} {score(p)}", shuffled=False),
    "five.run": table("", lambda u, i, p: f"{u} {i} {p + 1} {score(p)} tag"),
    "five-q0.run": table("", lambda u, i, p: f"{u} Q0 {i} {p + 1} {score(p)}"),
    "trec.run": table("", lambda u, i, p: f"{u} Q0 {i} {p} {score(p)} my tag"),
    "trec.tsv": table("", lambda u, i, p: f"{u}\tQ0\t{i}\t{p}\t{score(p)}\ttag"),
    "rows.jsonl": lambda lists: "".join(json.dumps(row) + "\n" for row in records(lists)),
    "rows.json": value(records),
    "pretty.json": value(records, indent=1),
    "columns.json": value(columns),
    "pandas.json": value(
        lambda lists: {k: {str(n): v for n, v in enumerate(held)} for k, held in columns(lists).items()}
    ),
    "pandas-split.json": value(
        lambda lists: {
            "columns": ["user_id", "item_id", "score"],
            "index": list(range(len(records(lists)))),
            "data": [list(row.values()) for row in records(lists)],
        }
    ),
    "pandas-index.json": value(lambda lists: {str(n): row for n, row in enumerate(records(lists))}),
    "pandas-table.json": value(lambda lists: {"schema": {"fields": []}, "data": records(lists)}),
    "rows.parquet": parquet(columns),
    "plain-rows.json": value(lambda lists: [[u, i, p + 1] for u, i, p in rows(lists)]),
}

LISTS: dict[str, Shape] = {
    "array.json": value(lambda lists: [{"user_id": u, "item_ids": items} for u, items in lists]),
    "lists.json": value(dict),
    "lists-lines.jsonl": objects(lambda u, items: {u: items}),
    "pairs.json": value(lambda lists: {u: pairs(items) for u, items in lists}),
    "scores.json": value(lambda lists: {u: shuffled_scored(items) for u, items in lists}),
    "objects.json": value(
        lambda lists: {u: [{"item_id": i, "rating": s} for i, s in pairs(items)] for u, items in lists}
    ),
    "wrapped.json": value(lambda lists: {"run": "mine", "recommendations": dict(lists)}),
    "list-columns.json": value(
        lambda lists: {"user_id": [u for u, _ in lists], "recommendations": [items for _, items in lists]}
    ),
    "keys.jsonl": objects(lambda u, items: {"split": "test", "n": 10, "recs": items, "user": u}),
    "scored.jsonl": objects(
        lambda u, items: {"user_id": u, "scores": [s for _, s in pairs(items)], "item_ids": items}
    ),
    "some-scores.jsonl": objects(
        lambda u, items: {"user_id": u, "item_ids": items}
        | ({"scores": [s for _, s in pairs(items)]} if int(u[-1]) % 2 else {})
    ),
    "pairs.jsonl": objects(lambda u, items: {"user_id": u, "predictions": pairs(items)}),
    "ranked-objects.jsonl": objects(
        lambda u, items: {"user_id": u, "topk": [{"asin": i, "rank": n} for n, i in enumerate(items)]}
    ),
    "padded.jsonl": objects(
        lambda u, items: {"user_id": u, "item_ids": [*items, "[PAD]", "-1", -1, None, ""]}
    ),
    "parts.json": value(
        lambda lists: {u: {"items": items, "scores": [s for _, s in pairs(items)]} for u, items in lists}
    ),
    "wide-plain.csv": lambda lists: "".join(f"{u},{','.join(items)}\n" for u, items in lists),
    "arrays.jsonl": objects(lambda u, items: [u, items]),
    "wide-index.csv": one_a_user(",0,1,2,3,4,5,6,7,8,9", lambda u, items: ",".join([u, *items])),
    "masked.jsonl": objects(
        lambda u, items: {
            "user_id": u,
            "item_ids": items + ["-1"],
            "scores": [s for _, s in pairs(items)] + [float("-inf")],
        }
    ),
    "python.csv": one_a_user("user_id,item_ids", lambda u, items: f"{u},{quoted(str(items))}"),
    "json.csv": one_a_user("user_id,item_ids", lambda u, items: f"{u},{quoted(json.dumps(items))}"),
    "numpy.csv": one_a_user(
        "user_id,item_ids", lambda u, items: f"{u},{quoted(str(np.array(items, dtype=object)))}"
    ),
    "numpy2.tsv": one_a_user(
        "user_id\titem_ids", lambda u, items: f"{u}\t[{', '.join(f'np.str_({i!r})' for i in items)}]"
    ),
    "numpy-array.tsv": one_a_user("user\trecs", lambda u, items: f"{u}\tarray({items}, dtype='<U4')"),
    "spark-rows.tsv": one_a_user(
        "user\trecommendations",
        lambda u, items: f"{u}\t[{', '.join(f'Row(item_id={i!r}, rating={s})' for i, s in pairs(items))}]",
    ),
    "tuples.tsv": one_a_user("user\trecs", lambda u, items: f"{u}\t{[(i, s) for i, s in pairs(items)]}"),
    "bars.csv": one_a_user("user_id,item_ids", lambda u, items: f"{u},{'|'.join(items)}"),
    "commas.tsv": one_a_user("user_id\titem_ids", lambda u, items: f"{u}\t{', '.join(items)}"),
    "blanks.csv": one_a_user("user_id,item_ids", lambda u, items: f"{u},{' '.join(items)}"),
    "recbole-lists.tsv": one_a_user(
        "user_id:token\titem_id_list:token_seq", lambda u, items: f"{u}\t{' '.join(items)}"
    ),
    "wide.csv": one_a_user(
        "user_id," + ",".join(f"item_{n}" for n in range(1, 11)), lambda u, items: ",".join([u, *items])
    ),
    "wide-padded.csv": one_a_user(
        "user_id," + ",".join(f"rec_{n}" for n in range(12)), lambda u, items: ",".join([u, *items, "", "-1"])
    ),
    "wide-scores.csv": one_a_user(
        "user_id," + ",".join(f"item_{n},score_{n}" for n in range(1, 11)),
        lambda u, items: ",".join([u, *(f"{i},{s}" for i, s in pairs(items))]),
    ),
    "wide-reversed.csv": one_a_user(
        ",".join(f"top{n}" for n in range(10, 0, -1)) + ",user_id",
        lambda u, items: ",".join([*reversed(items), u]),
    ),
    "wide.parquet": parquet(
        lambda lists: {"user_id": [u for u, _ in lists]}
        | {str(n): [items[n] for _, items in lists] for n in range(10)}
    ),
    "wide.jsonl": objects(lambda u, items: {f"item_{n}": i for n, i in enumerate(items)} | {"user_id": u}),
    "lists.parquet": parquet(
        lambda lists: {"user_id": [u for u, _ in lists], "item_ids": [items for _, items in lists]}
    ),
    "fixed.parquet": parquet(
        lambda lists: {
            "user_id": [u for u, _ in lists],
            "item_ids": pa.array([items for _, items in lists], pa.list_(pa.string(), 10)),
        }
    ),
    "large.parquet": parquet(
        lambda lists: {
            "user_id": pa.array([u for u, _ in lists], pa.large_string()).dictionary_encode(),
            "item_ids": pa.array([items for _, items in lists], pa.large_list(pa.large_string())),
        }
    ),
    "nulls.parquet": parquet(
        lambda lists: {"user_id": [u for u, _ in lists], "item_ids": [[*items, None] for _, items in lists]}
    ),
    "structs.parquet": parquet(
        lambda lists: {
            "user_id": [u for u, _ in lists],
            "recommendations": [[{"item_id": i, "rating": s} for i, s in pairs(items)] for _, items in lists],
        }
    ),
    "map.parquet": parquet(
        lambda lists: {
            "user_id": [u for u, _ in lists],
            "recommendations": pa.array(
                [list(map(tuple, pairs(items))) for _, items in lists], pa.map_(pa.string(), pa.float64())
            ),
        }
    ),
    "scored.parquet": parquet(
        lambda lists: {
            "user_id": [u for u, _ in lists],
            "item_ids": [items for _, items in lists],
            "scores": [[s for _, s in pairs(items)] for _, items in lists],
        }
    ),
    "distances.parquet": parquet(
        lambda lists: {
            "user_id": [u for u, _ in lists],
            "ids": [items for _, items in lists],
            "distances": [[0.1 * n for n in range(len(items))] for _, items in lists],
        }
    ),
    "text.parquet": parquet(
        lambda lists: {"user_id": [u for u, _ in lists], "item_ids": [str(items) for _, items in lists]}
    ),
}  # fmt: skip


PACKINGS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": lambda body: bytes(pa.compress(body, "zstd", asbytes=True)),
    "lz4": lambda body: bytes(pa.compress(body, "lz4", asbytes=True)),
    "utf-8 mark": lambda body: b"\xef\xbb\xbf" + body,
    "utf-16": lambda body: body.decode().encode("utf-16"),
    "utf-16-be": lambda body: b"\xfe\xff" + body.decode().encode("utf-16-be"),
    "utf-16 without a mark": lambda body: body.decode().encode("utf-16-le"),
    "utf-32": lambda body: body.decode().encode("utf-32"),
    "utf-16 in gz": lambda body: gzip.compress(body.decode().encode("utf-16")),
}
