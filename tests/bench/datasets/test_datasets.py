from __future__ import annotations

import ast
import gzip
import importlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from amazon_files import DAY, json_lines, literal_lines, read_rows, review, write_pair
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bench.datasets import DATASETS, load, resolve_data_dir
from bench.datasets.amazon.files import read_amazon
from bench.datasets.amazon.literals import parse_literal
from bench.datasets.amazon.reviews import parse_lines
from bench.errors import ConfigError, DataError
from bench.files import lines
from bench.files.lines import Block, read_blocks

ITEMS = [
    {
        "asin": "I3",
        "title": "Oak  Comb\n",
        "brand": " Woody ",
        "price": 6,
        "categories": [["B", "H"], ["B", "S"]],
    },
    {"asin": "I9", "title": "Nobody bought this", "related": {"also_bought": ["I1"] * 50}},
    {"asin": "I1", "title": "w " * 40, "description": "it's \"odd\" \\ 'x'", "brand": "", "price": 1.5},
    {"asin": "I2", "title": "", "salesRank": {"Beauty": 3}, "imUrl": None},
    {"asin": "I4", "brand": "Flora"},
    {"asin": "I5", "title": None},
]
REVIEWS = [
    review("U2", "I1", 3),
    review("U1", "I1", 1),
    review("U1", "I2", 2),
    review("U1", "I3", 1),
    review("U2", "I4", 4),
    review("U2", "I5", 5),
    review("U3", "I4", 5),
]


def test_reads_the_published_layout(tmp_path: Path) -> None:
    data = read_rows(tmp_path, REVIEWS, ITEMS)

    assert data.user_ids == ("U1", "U2", "U3")
    assert data.catalogue.item_ids == ("I3", "I1", "I2")  # metadata order, bought, titled
    assert data.catalogue.titles == ("Oak Comb", " ".join(["w"] * 25), "Unknown")
    assert data.catalogue.brands == ("Woody", None, None)
    assert data.catalogue.categories == (("B", "H", "S"), (), ())
    assert data.catalogue.prices == (6.0, 1.5, None)
    assert data.users.tolist() == [1, 0, 0, 0]  # file order
    assert data.items.tolist() == [1, 1, 2, 0]
    assert data.timestamps.tolist() == [3 * DAY, DAY, 2 * DAY, DAY]
    assert (data.untitled_items, data.untitled_interactions, data.duplicates_dropped) == (2, 3, 0)


def test_item_without_a_line_is_counted_apart(tmp_path: Path) -> None:
    data = read_rows(tmp_path, REVIEWS, [item for item in ITEMS if item["asin"] not in ("I4", "I5")])
    assert (data.undescribed_items, data.undescribed_interactions) == (2, 3)


def test_plain_and_gzipped_files_read_alike(tmp_path: Path) -> None:
    texts = json_lines(REVIEWS), literal_lines(ITEMS)
    packed = read_amazon(*write_pair(tmp_path / "a", *texts))
    plain = read_amazon(*write_pair(tmp_path / "b", *texts, packed=False))
    no_last_break = read_amazon(*write_pair(tmp_path / "c", texts[0][:-1], texts[1][:-1]))
    windows = read_amazon(*write_pair(tmp_path / "d", *(text.replace(b"\n", b"\r\n") for text in texts)))
    for other in (plain, no_last_break, windows):
        assert other.catalogue.titles == packed.catalogue.titles
        np.testing.assert_array_equal(other.items, packed.items)
        np.testing.assert_array_equal(other.timestamps, packed.timestamps)


def test_exact_duplicates_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [
        review("U1", "I1", 1, overall=5.0),
        review("U1", "I1", 1, overall=4.0),  # another rating
        review("U1", "I1", 2, overall=5.0),  # another day
        review("U2", "I1", 1, overall=5.0),  # another user
        review("U1", "I3", 1, overall=5.0),  # another item
        review("U1", "I1", 1, overall=5, reviewText="said again"),  # the same as the first
        review("U1", "I1", 1, overall=5.0),
    ]
    data = read_rows(tmp_path, rows, ITEMS)
    assert data.duplicates_dropped == 2
    assert data.users.tolist() == [0, 0, 0, 1, 0]
    assert data.items.tolist() == [1, 1, 1, 1, 0]


def test_duplicates_without_ratings(tmp_path: Path) -> None:
    rows = [{k: v for k, v in review("U1", i, 1).items() if k != "overall"} for i in ("I1", "I3", "I1")]
    assert read_rows(tmp_path, rows, ITEMS).duplicates_dropped == 1


@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 2), st.integers(0, 2), st.integers(0, 1), st.sampled_from([None, 0, 4.0, 5.0])
        ),
        min_size=1,
        max_size=25,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_duplicates_agree_with_a_set(tmp_path: Path, rows: list[tuple[int, int, int, float | None]]) -> None:
    items = [{"asin": f"I{item}", "title": "t"} for item in range(3)]
    data = read_rows(tmp_path, [review(f"U{u}", f"I{i}", d, overall=r) for u, i, d, r in rows], items)
    kept = list(dict.fromkeys(rows))
    assert data.duplicates_dropped == len(rows) - len(kept)
    got = [
        (data.user_ids[u], data.catalogue.item_ids[i], t)
        for u, i, t in zip(data.users, data.items, data.timestamps, strict=True)
    ]
    assert got == [(f"U{u}", f"I{i}", d * DAY) for u, i, d, _ in kept]


# The fast ways give what the plain ways give

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
broken_json = st.sampled_from(
    [
        '{"a": 1',
        '"b": 2}',
        "[1",
        "2]",
        "{}, {}",
        "1, 2",
        '"',
        "",
        " ",
        "NaN",
        '"\\u0000"',
        '{}, "\\u0000", {}',
        "[1, 2",
    ]
)


@given(st.lists(json_values.map(json.dumps) | broken_json, min_size=1, max_size=5))
@example(['{"a": 1', '"b": 2}', "{}, {}"])
@example(["[1", "2]", "{}, 0, {}"])
@example(["[1", "2]", '{}, "\\u0000", {}'])
@settings(max_examples=400, deadline=None)
def test_block_parser_accepts_exactly_what_json_loads_accepts_line_by_line(texts: list[str]) -> None:
    texts = [text.replace("\n", " ") for text in texts]
    block = Block(1, "\n".join(texts))
    try:
        expected = [json.loads(text, parse_constant=_refused) for text in texts]
    except ValueError:
        expected = None
    if expected is None:
        with pytest.raises(ValueError):
            parse_lines(block)
    else:
        assert parse_lines(block) == expected


def _refused(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


literal_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)
odd_literals = st.text(alphabet="""'"[]{}(),: \\#01.eEnulltrueNaNrub-_\t""", max_size=25)


@given(literal_values.map(repr) | odd_literals)
@example("""['a", "b']""")
@example("""{'a': null, 'b': true}""")
@example("""['a' 'b']""")
@example("'''a'''")
@example("[\"it's\", '2.5\" brush']")
@example("[NaN, Infinity]")
@example("{'a': 01}")
@example("'\\:'")
@settings(max_examples=1000, deadline=None)
def test_literal_parser_equals_literal_eval(text: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an unknown escape is a warning to Python, and an error in tests
            expected = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        with pytest.raises(ValueError):
            parse_literal(text)
        return
    got = parse_literal(text)
    assert repr(got) == repr(expected)  # repr also tells 1 from 1.0 and True


@given(data=st.binary(max_size=200).map(lambda b: b.replace(b"\xff", b"\n")), size=st.integers(1, 40))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_hold_the_lines_whatever_their_size(tmp_path: Path, data: bytes, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)
    if data.startswith(b"\x1f\x8b"):
        return
    try:
        expected = data.decode().removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        with pytest.raises(DataError, match="not UTF-8"):
            list(read_blocks(path, size))
        return
    if not data:
        with pytest.raises(DataError, match="empty"):
            list(read_blocks(path, size))
        return
    blocks = list(read_blocks(path, size))
    assert [line for block in blocks for line in block.lines] == expected
    assert [block.first_line for block in blocks] == list(
        1 + np.cumsum([0, *(len(block.lines) for block in blocks[:-1])])
    )


# Bad input


def _good_line(**fields: object) -> bytes:
    return json.dumps(review("U1", "I1", 1, **fields)).encode()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{'asin': 'I1'}", "swapped"),
        (b'{"reviewerID": "U1"', "not a JSON object"),
        (b"[1, 2]", "not a JSON object"),
        (b"", "not a JSON object"),
        (b"<html>", "not a JSON object"),
        (_good_line() + _good_line(), "not a JSON object"),
        (_good_line(overall=float("nan")), "NaN is not JSON"),
        (_good_line(asin=5), "'asin' must be a non-empty string"),
        (_good_line(asin=["I1"]), "'asin' must be a non-empty string"),
        (_good_line(asin="I\ud800"), "'asin' must be a non-empty string"),
        (_good_line(reviewerID=""), "'reviewerID' must be a non-empty string"),
        (_good_line(reviewerID="a\nb"), "'reviewerID' must be a non-empty string"),
        (b'{"reviewerID": "U1", "asin": "I1"}', "'unixReviewTime' must be whole seconds, is None"),
        (_good_line(unixReviewTime="1391040000"), "'unixReviewTime' must be whole seconds"),
        (_good_line(unixReviewTime=1.5), "'unixReviewTime' must be whole seconds"),
        (_good_line(unixReviewTime=True), "'unixReviewTime' must be whole seconds"),
        (_good_line(unixReviewTime=2**63), "'unixReviewTime' must be whole seconds"),
        (_good_line(overall="5"), "'overall' must be a number"),
        (_good_line(overall=10**400), "'overall' is too large"),
        (_good_line().replace(b"fine", b"\xff\xfe"), "not UTF-8"),
        (b"[" * 100_000, "not a JSON object|cannot be parsed"),
    ],
)
def test_bad_review_names_file_and_line(tmp_path: Path, line: bytes, message: str) -> None:
    reviews = json_lines(REVIEWS) + line + b"\n" + json_lines(REVIEWS)
    with pytest.raises(DataError, match=message) as caught:
        read_amazon(*write_pair(tmp_path, reviews, literal_lines(ITEMS)))
    assert f"reviews_Toy_5.json.gz, line {len(REVIEWS) + 1}: " in str(caught.value)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{'asin': 'I1', 'title': 'cut sh", "unterminated|EOF|expected|invalid"),
        (b"{'asin': 'I1', 'title': __import__('os').getcwd()}", "malformed"),
        (b"{'asin': 'I1', 'title': 5}", "'title' must be a string"),
        (b"{'asin': 'I1', 'brand': ['x']}", "'brand' must be a string"),
        (b"{'asin': 'I1', 'price': '5'}", "'price' must be a number"),
        (b"{'asin': 'I1', 'price': 1" + b"0" * 400 + b"}", "int too large|too large"),
        (b"{'asin': 'I1', 'categories': 'Beauty'}", "'categories' must be a list"),
        (b"{'asin': 'I1', 'categories': ['Beauty']}", "'categories' must be a list of lists"),
        (b"{'title': 'no id'}", "'asin' must be a non-empty string"),
        (b"7", "not a Python dictionary"),
        (b"{'asin': 'I1', 'title': '\xe9'}", "not UTF-8"),
        (_good_line(), "a review"),
        (b"(" * 5_000, "too many nested|recursion|MemoryError"),
    ],
)
def test_bad_metadata_names_file_and_line(tmp_path: Path, line: bytes, message: str) -> None:
    metadata = literal_lines(ITEMS[:1]) + line + b"\n" + literal_lines(ITEMS)
    with pytest.raises(DataError, match=message) as caught:
        read_amazon(*write_pair(tmp_path, json_lines(REVIEWS), metadata))
    assert "meta_Toy.json.gz, line 2: " in str(caught.value)


def test_half_characters_in_a_title_are_replaced(tmp_path: Path) -> None:
    data = read_rows(tmp_path, REVIEWS, [*ITEMS[1:], {"asin": "I3", "title": "Comb \ud83d"}])
    assert data.catalogue.titles[-1] == "Comb ?"


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    reviews, items = json_lines(REVIEWS), literal_lines(ITEMS)
    with pytest.raises(DataError, match="swapped"):
        read_amazon(*write_pair(tmp_path / "a", items, reviews))
    others = literal_lines([{"asin": f"X{n}", "title": "t"} for n in range(9)])
    with pytest.raises(DataError, match="describes 0 of the 5 items .* not of one category"):
        read_amazon(*write_pair(tmp_path / "b", reviews, others))


@given(cut=st.floats(0.02, 0.999), which=st.integers(0, 1))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_truncated_gzip(tmp_path: Path, cut: float, which: int) -> None:
    paths = write_pair(tmp_path, json_lines(REVIEWS), literal_lines(ITEMS))
    whole = paths[which].read_bytes()
    paths[which].write_bytes(whole[: max(2, int(len(whole) * cut))])
    with pytest.raises(DataError, match="cut short") as caught:
        read_amazon(*paths)
    assert str(paths[which]) in str(caught.value)


@given(place=st.floats(0, 1), bit=st.integers(0, 7))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_gives_a_clear_error_or_the_same_data(tmp_path: Path, place: float, bit: int) -> None:
    paths = write_pair(tmp_path, json_lines(REVIEWS), literal_lines(ITEMS))
    data = bytearray(paths[0].read_bytes())
    data[int(place * (len(data) - 1))] ^= 1 << bit
    paths[0].write_bytes(data)
    try:
        read = read_amazon(*paths)
    except DataError as error:
        assert str(paths[0]) in str(error)
    else:  # a bit of the gzip header that means nothing, such as the time
        assert len(read) == 4


def test_missing_empty_and_unreadable_files(tmp_path: Path) -> None:
    reviews, metadata = write_pair(tmp_path, json_lines(REVIEWS), literal_lines(ITEMS))
    with pytest.raises(DataError, match="cannot read .*none.gz"):
        read_amazon(tmp_path / "none.gz", metadata)
    with pytest.raises(DataError, match="cannot read .*Is a directory"):
        read_amazon(tmp_path, metadata)
    reviews.write_bytes(b"")
    with pytest.raises(DataError, match="is empty"):
        read_amazon(reviews, metadata)
    reviews.write_bytes(gzip.compress(b""))
    with pytest.raises(DataError, match="is empty"):
        read_amazon(reviews, metadata)


def test_endless_line_is_refused_before_it_fills_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1 << 20)
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"{}\n" + b" " * (1 << 24)))
    with pytest.raises(DataError, match="line 2: longer than 1048576 bytes"):
        list(read_blocks(path))


# The registry


def test_every_entry_is_whole() -> None:
    for name, entry in DATASETS.items():
        assert entry.name == name
        if entry.embedded:
            continue
        module, _, function = entry.reader.partition(":")
        assert callable(getattr(importlib.import_module(module), function))
        assert len({file.name for file in entry.files}) == len(entry.files) >= 2
        for file in entry.files:
            assert file.addresses or entry.homepage.startswith("https://")
            ending = ".zip" if file.member else f"/{file.name}"
            assert all(url.startswith("https://") and url.endswith(ending) for url in file.addresses)
    assert {
        "sample",
        "beauty2014",
        "sports2014",
        "toys2014",
        "electronics2014",
        "videogames2018",
        "ml100k",
    } <= set(DATASETS)
    assert {"videogames2023", "videogames2023-lastout", "videogames2023-time"} <= set(DATASETS)
    assert DATASETS["beauty2014"].folder == "amazon-beauty-2014"
    folders = [entry.folder for entry in DATASETS.values()]
    assert len(set(folders)) == len(folders)


def test_unknown_name_gives_the_closest() -> None:
    with pytest.raises(ConfigError, match="unknown data set 'beuty2014'; did you mean 'beauty2014'"):
        load("beuty2014")


def test_missing_data_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="genrec-bench data download toys2014") as caught:
        load("toys2014", tmp_path)
    assert "amazon-toys-2014" in str(caught.value) and "GENREC_BENCH_DATA" in str(caught.value)


def test_data_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "amazon-toys-2014").write_text("not a folder")
    with pytest.raises(DataError, match="there is no file"):
        load("toys2014", tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_data_folder_without_permission(tmp_path: Path) -> None:
    folder = tmp_path / "amazon-toys-2014"
    folder.mkdir(mode=0o000)
    with pytest.raises(DataError, match="Permission denied"):
        load("toys2014", tmp_path)


def test_data_folder_with_an_impossible_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read .*too long"):
        load("toys2014", tmp_path / ("x" * 300))


def test_data_folder_is_argument_then_environment_then_user_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert resolve_data_dir() == Path(os.environ["XDG_DATA_HOME"]) / "genrec-bench"
    monkeypatch.setenv("GENREC_BENCH_DATA", str(tmp_path))
    assert resolve_data_dir() == tmp_path
    assert resolve_data_dir(Path("~/x")) == Path("~/x").expanduser()


def test_loads_the_unpacked_file_too(tmp_path: Path) -> None:
    entry = DATASETS["toys2014"]
    folder = tmp_path / entry.folder
    folder.mkdir()
    (folder / entry.files[0].name.removesuffix(".gz")).write_bytes(json_lines(REVIEWS))
    (folder / entry.files[1].name).write_bytes(gzip.compress(literal_lines(ITEMS)))
    assert len(load("toys2014", tmp_path)) == 4


def test_reading_needs_no_heavy_package() -> None:
    code = (
        "import sys, bench.datasets.splits; bench.datasets.splits.load_split('sample');"
        "print([m for m in ('pandas', 'pyarrow', 'torch', 'scipy', 'rich') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# The real data


@pytest.mark.real_data
def test_real_beauty(real_data_dir: Path) -> None:
    data = load("beauty2014", real_data_dir)
    assert (len(data.user_ids), len(data.catalogue), len(data)) == (22_363, 12_094, 198_371)
    assert (data.untitled_items, data.untitled_interactions, data.duplicates_dropped) == (7, 131, 0)
    assert max(len(title.split()) for title in data.catalogue.titles) == 25


@pytest.mark.real_data
def test_real_beauty_equals_a_plain_reader(real_data_dir: Path) -> None:
    folder = real_data_dir / "amazon-beauty-2014"
    with gzip.open(folder / "reviews_Beauty_5.json.gz", "rt", encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    with gzip.open(folder / "meta_Beauty.json.gz", "rt", encoding="utf-8") as stream:
        titles = {item["asin"]: item.get("title") for item in map(ast.literal_eval, stream)}
    data = load("beauty2014", real_data_dir)
    expected = [
        (row["reviewerID"], row["asin"], row["unixReviewTime"])
        for row in rows
        if titles[row["asin"]] is not None
    ]
    got = zip(
        (data.user_ids[user] for user in data.users.tolist()),
        (data.catalogue.item_ids[item] for item in data.items.tolist()),
        data.timestamps.tolist(),
        strict=True,
    )
    assert list(got) == expected
    assert data.catalogue.titles == tuple(
        " ".join(title.split()[:25]) or "Unknown" for title in titles.values() if title is not None
    )
