"""Generated texts from any language model, in any of the formats of ranked lists.

A user's texts are a list, or one row a text. Log-likelihoods are sums over a text's generated tokens,
natural log; where there are none, the order of the texts stands for them. How many tokens a text has is
needed by the list rule calrec only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import ConfigError
from bench.retrieval.item_text import item_texts
from bench.schema import NO_ITEM, Generations, Int32Array, Int64Array, Rankings, Split
from bench.submission.columns.content import id_text
from bench.submission.columns.list_cells import BadEntry
from bench.submission.columns.pieces import as_python, id_fault
from bench.submission.controls import Choices
from bench.submission.missing import report_fingerprint
from bench.submission.reading import open_table
from bench.submission.reading.table import Batch, Known, Wanted
from bench.submission.report import Report, shown
from bench.submission.texts.answer import answer_line
from bench.submission.texts.rank import FoundItems, rank_texts
from bench.submission.texts.roles import TextRoles, find_text_roles, texts_of_cell

MAX_TEXTS = 100
MAX_CHARACTERS = 50_000
KEPT_CHARACTERS = 1000
"""Of a longer text only the line that names the item is kept."""
MOSTLY = 0.5


@dataclass(kw_only=True)
class _User:
    """A user's texts as they stand in the file."""

    texts: list[str] = field(default_factory=list)
    likelihoods: list[float] = field(default_factory=list)
    """NaN where there is none."""
    tokens: list[int] = field(default_factory=list)
    places: list[float] = field(default_factory=list)
    """What orders the texts, the smallest first."""


@dataclass(frozen=True, kw_only=True)
class Retrieved:
    """Lists found for a file of texts."""

    rankings: Rankings
    """(users, depth) item rows."""
    generations: Generations
    details: Mapping[str, Any]
    """Generation health, and how the lists were made."""


def read_texts(
    path: Path, split: Split, report: Report, *, choices: Choices, list_rule: str, depth: int
) -> Retrieved | None:
    """Read a file of texts and let retrieval find the items.

    Gives None, with the problems in the report, if the file is not sound. ConfigError where the list rule
    needs what the file does not have.
    """
    known = Known(split)
    report.format, table = open_table(path, known, report, report.controls)
    report.place, report.unit = table.place, "texts"
    if "fingerprint" in table.declared:
        report_fingerprint(report, table.declared["fingerprint"], split)
    roles = find_text_roles(table, known, choices, report.controls)
    report.reading = roles.said
    lines = dict.fromkeys(item_texts(split.catalogue))
    users: dict[int, _User] = {}
    for batch in table.batches(_wanted(roles)):
        _collect(batch, roles, known, users, lines, report)
    report.rows = sum(len(user.texts) for user in users.values())
    report.longest = max((len(user.texts) for user in users.values()), default=0)
    if not report.rows:
        report.error("empty", "no texts at all", [path.name])
    if not report.ok:
        return None
    _report_order(users, roles, split, report)
    found = rank_texts(split.catalogue, _generations(users), _tokens(users, list_rule), list_rule, depth)
    rankings = np.full((len(split.user_ids), depth), NO_ITEM, dtype=np.int32)
    rankings[found.generations.users, : found.rankings.shape[1]] = found.rankings
    _report_found(found, split, report)
    return Retrieved(rankings=rankings, generations=found.generations, details=found.details)


def _wanted(roles: TextRoles) -> dict[int, Wanted]:
    wanted: dict[int, Wanted] = {roles.user: "id", roles.text: "list"}
    others = (roles.likelihood, roles.tokens, roles.order)
    return wanted | {at: "other" for at in others if at is not None}


def _collect(
    batch: Batch,
    roles: TextRoles,
    known: Known,
    users: dict[int, _User],
    lines: Mapping[str, None],
    report: Report,
) -> None:
    columns = {at: as_python(column) for at, column in batch.columns.items()}
    here = set(users)
    for row, line in enumerate(batch.lines.tolist()):
        owner = columns[roles.user][row]
        user = known.users.get("" if owner is None else id_text(owner))
        if user is None:
            what = "users that are not in the data set"
            report.error("unknown-user", what, [f"{report.place} {line}: {shown(owner)}"])
            continue
        if not roles.one_a_row and user in here:
            place = f"{report.place} {line}: user {shown(known.split.user_ids[user])}"
            report.error("repeated-user", "users with more than one line", [place])
            continue
        here.add(user)
        try:
            _add(users.setdefault(user, _User()), columns, row, roles, lines)
        except BadEntry as error:
            report.error("entry", "lines that are not a user's texts", [f"{report.place} {line}: {error}"])


def _add(
    user: _User,
    columns: Mapping[int, Sequence[object]],
    row: int,
    roles: TextRoles,
    lines: Mapping[str, None],
) -> None:
    """Add a row's texts to a user's; raise BadEntry."""
    texts, inside = texts_of_cell(columns[roles.text][row])
    for number, text in enumerate(texts, 1):
        fault = id_fault(text)
        if fault is not None or len(text) > MAX_CHARACTERS:
            limit = f"has {len(text):,} characters; texts have at most {MAX_CHARACTERS:,}"
            raise BadEntry(f"text {number} of texts {fault or limit}")
    likelihoods = inside
    if roles.likelihood is not None:
        likelihoods = _numbers(columns[roles.likelihood][row], len(texts), "log_likelihoods")
    if likelihoods is not None and not all(-1e9 <= value <= 1e-6 for value in likelihoods):
        raise BadEntry("log_likelihoods must be finite numbers of at most 0")
    tokens = None
    if roles.tokens is not None:
        tokens = _numbers(columns[roles.tokens][row], len(texts), "tokens")
    if tokens is not None and not all(value.is_integer() and 1 <= value <= 100_000 for value in tokens):
        raise BadEntry("tokens must be a whole number from 1 for each text")
    start = len(user.texts)
    places: Sequence[float] = range(start, start + len(texts))
    if roles.order is not None:
        places = _numbers(columns[roles.order][row], len(texts), "order") or places
        places = places if roles.ascending else [-place for place in places]
    elif likelihoods is not None:
        places = [-value for value in likelihoods]
    if len(user.texts) + len(texts) > MAX_TEXTS:
        raise BadEntry(f"{start + len(texts)} texts of one user; there may be at most {MAX_TEXTS}")
    user.texts += [text if len(text) <= KEPT_CHARACTERS else answer_line(text, lines) for text in texts]
    user.likelihoods += likelihoods if likelihoods is not None else [np.nan] * len(texts)
    user.tokens += map(int, tokens or ())
    user.places += places


def _numbers(value: object, count: int, what: str) -> list[float] | None:
    """Give one number a text; None where the row has none; raise BadEntry."""
    if value is None or value == "":
        return None
    values: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    if any(isinstance(one, bool) or not isinstance(one, int | float | str) for one in values):
        raise BadEntry(f"{what} must be numbers")
    try:
        numbers = [float(one) for one in values]
    except (ValueError, OverflowError):
        raise BadEntry(f"{what} must be numbers") from None
    if len(numbers) != count:
        raise BadEntry(f"{count} texts and {len(numbers)} {what}; they must be as many")
    return numbers


def _report_order(users: Mapping[int, _User], roles: TextRoles, split: Split, report: Report) -> None:
    """Warn where the texts stand in the file the other way round than what orders them."""
    against = [
        user
        for user, one in users.items()
        if len(one.places) > 1 and all(np.diff(one.places) <= 0) and any(np.diff(one.places) < 0)
    ]
    several = sum(len(set(one.places)) > 1 for one in users.values())
    if 2 * len(against) > several:
        places = (f"user {shown(split.user_ids[user])}" for user in against)
        what = f"users whose texts run against {roles.order_name}: the last text was taken as the best"
        hint = f"Where the file has them in order, say {report.controls.by_file}"
        report.warn("against", what, places, len(against), hint)


def _report_found(found: FoundItems, split: Split, report: Report) -> None:
    """Warn, with examples, where most texts are no item's title, or find nothing at all."""
    generations = found.generations
    owners = np.repeat(generations.users, np.diff(generations.indptr))

    def places(wrong: Int64Array) -> Iterator[str]:
        for at in wrong[:3].tolist():
            line = found.lines[at] or generations.texts[at]
            yield f"user {shown(split.user_ids[owners[at]])}: {shown(line, 80)}"

    found_none = generations.items == NO_ITEM
    strange = np.flatnonzero(~found.is_item & ~found_none)
    if len(strange) > MOSTLY * len(owners):
        what = "texts that are no item's title, most of all"
        hint = "Each stands for the item with the most words in common; cut off what is not the item's title"
        report.warn("strange", what, places(strange), len(strange), hint)
    nothing = np.flatnonzero(found_none)
    what = "texts that share no telling word with any item, and find nothing"
    report.warn("nothing-found", what, places(nothing), len(nothing))


def _sorted(users: Mapping[int, _User]) -> Iterator[tuple[int, _User, list[int]]]:
    """Give the users in order, with the order of their texts; equal ones keep the order of the file."""
    for user in sorted(users):
        places = users[user].places
        yield user, users[user], sorted(range(len(places)), key=places.__getitem__)


def _tokens(users: Mapping[int, _User], list_rule: str) -> Int32Array | None:
    """Give the token counts of all texts, or None unless every text has one."""
    complete = all(len(one.tokens) == len(one.texts) for one in users.values())
    likely = not any(np.isnan(one.likelihoods).any() for one in users.values() if one.texts)
    if list_rule == "calrec" and not (complete and likely):
        raise ConfigError(
            "the list rule calrec needs the log-likelihood and the number of tokens of each text (columns "
            "'log_likelihoods' and 'tokens'), and this file lacks them; by_likelihood and published do not"
        )
    if not complete:
        return None
    counts = (one.tokens[at] for _, one, order in _sorted(users) for at in order)
    return np.fromiter(counts, dtype=np.int32)


def _generations(users: Mapping[int, _User]) -> Generations:
    rows = list(_sorted(users))
    indptr = np.concatenate([[0], np.cumsum([len(order) for _, _, order in rows])]).astype(np.int64)
    texts = tuple(chain.from_iterable((one.texts[at] for at in order) for _, one, order in rows))
    likelihoods = chain.from_iterable((one.likelihoods[at] for at in order) for _, one, order in rows)
    return Generations(
        users=np.array([user for user, _, _ in rows], dtype=np.int32),
        indptr=indptr,
        texts=texts,
        log_likelihoods=np.fromiter(likelihoods, dtype=np.float64, count=len(texts)),
        items=np.full(len(texts), NO_ITEM, dtype=np.int32),
    )
