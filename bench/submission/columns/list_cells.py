"""One cell that holds a list: JSON values, or the text that Python, numpy or a person wrote for one.

Text is split by a small scanner of its own: nothing is evaluated, and numpy's ['a' 'b'] stays two items.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from bench.submission.columns import names

PADDING = (
    "",
    "-1",
    "[PAD]",
    "[pad]",
    "<pad>",
    "<PAD>",
    "PAD",
    "nan",
    "NaN",
    "None",
    "null",
    "NULL",
    "<NA>",
    "NA",
)
"""What fills a list up to a fixed length, unless the catalogue has an item of that id."""
MAX_DEPTH = 6
_TOKEN = re.compile(
    r"""\s*(?:
        '(?P<single>(?:[^'\\]|\\.)*)'
      | "(?P<double>(?:[^"\\]|\\.)*)"
      | (?P<open>[A-Za-z_][\w.]*\(|[\[({])
      | (?P<close>[\])}])
      | (?P<mark>[,:;])
      | (?P<keyword>[A-Za-z_]\w*=)(?!=)
      | (?P<bare>[^\s,:;\[\](){}'"]+)
    )""",
    re.VERBOSE,
)
_SEPARATORS = ("|", ",", ";", "\t")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_CONSTANTS = {"None": None, "null": None, "nan": None, "NaN": None, "<NA>": None}


class BadEntry(ValueError):
    """A row does not hold what it should; the text says why."""


def looks_like_list(value: object) -> bool:
    """Whether a cell may hold several items: a sequence, a mapping, or text in which something separates."""
    if isinstance(value, str):
        text = value.strip()
        return (
            text[:1] in ("[", "(", "{") or text.startswith(("array(", "Row(")) or _separator(text) is not None
        )
    return isinstance(value, list | tuple | dict)


def parse_list(text: str) -> list[object]:
    """Read the text of a list; raise BadEntry.

    >>> parse_list("['a', 'b']"), parse_list("['a' 'b']"), parse_list("a|b"), parse_list("a b")
    (['a', 'b'], ['a', 'b'], ['a', 'b'], ['a', 'b'])
    >>> parse_list("[('a', 0.5), ('b', 0.25)]")
    [['a', 0.5], ['b', 0.25]]
    """
    text = text.strip()
    if text[:1] in ("[", "(", "{") or re.match(r"[A-Za-z_][\w.]*\(", text):
        return _scanned(text)
    separator = _separator(text)
    parts = text.split(separator) if separator else text.split()
    return [part.strip().strip("\"'") for part in parts] if text else []


def explode(value: object) -> tuple[list[object], list[float] | None, bool]:
    """Give a cell's items, their scores if it has some, and whether the cell keeps no order of its own.

    Items may be ids, (id, score) pairs, {id: score} or {"item_id": id, "score": score}; raises BadEntry.
    """
    if value is None:
        return [], None, False
    if isinstance(value, str):
        value = parse_list(value)
    if isinstance(value, Mapping):
        return list(value), _floats(value.values()), True
    if not isinstance(value, list | tuple):
        return [value], None, False
    kinds = set(map(type, value))
    if not kinds & {list, tuple, dict}:
        if any(item == "..." for item in value):
            raise BadEntry("the list is cut short by '...', as numpy and pandas print it: save it whole")
        return list(value), None, False
    if kinds <= {dict}:
        return (*_objects(value), False)
    if not all(isinstance(item, list | tuple) and len(item) == 2 for item in value):
        raise BadEntry("the list holds neither ids nor (id, score) pairs")
    first, second = zip(*value, strict=True)
    if all(type(one) is float for one in first) and not all(type(one) is float for one in second):
        first, second = second, first  # (score, id), as a heap keeps it
    return list(first), _floats(second), False


def numbers(value: object) -> list[float]:
    """Give a cell's list of numbers; raise BadEntry."""
    if value is None:
        return []
    items = parse_list(value) if isinstance(value, str) else value
    return _floats(items if isinstance(items, list | tuple) else [items])


def _objects(value: Sequence[Mapping[str, object]]) -> tuple[list[object], list[float] | None]:
    keys = list(value[0])
    if all(len(one) == 1 for one in value) and not names.positions(keys, names.ITEM | names.LIST):
        return [next(iter(one)) for one in value], _floats(next(iter(one.values())) for one in value)
    item = names.positions(keys, names.ITEM)
    if len(item) != 1:
        raise BadEntry(f"the objects of the list have the keys {keys}; one of them must be item_id")
    others = [key for at, key in enumerate(keys) if at != item[0]]
    score = [others[at] for at in names.positions(others, names.SCORE)]
    rank = [others[at] for at in names.positions(others, names.RANK | names.DISTANCE)]
    items = [one.get(keys[item[0]]) for one in value]
    if len(score) == 1 and not rank:
        return items, _floats(one.get(score[0]) for one in value)
    if len(rank) == 1 and not score:
        return items, [-number for number in _floats(one.get(rank[0]) for one in value)]
    if others and (score or rank or any(type(value[0][key]) in (int, float) for key in others)):
        raise BadEntry(f"the objects of the list have the keys {keys}; which one orders them is not clear")
    return items, None


def _floats(values: Iterable[object]) -> list[float]:
    found = []
    for value in values:
        if isinstance(value, bool) or not isinstance(value, int | float | str | None):
            raise BadEntry(f"scores must be numbers, not {str(value)[:40]!r}")
        try:
            found.append(float("nan") if value is None else float(value))
        except OverflowError:  # a whole number of hundreds of digits
            found.append(float("inf"))
        except ValueError:
            raise BadEntry(f"scores must be numbers, not {str(value)[:40]!r}") from None
    return found


def _separator(text: str) -> str | None:
    found = next((mark for mark in _SEPARATORS if mark in text), None)
    return found or (" " if len(text.split()) > 1 else None)


def _scanned(text: str) -> list[object]:
    """Scan brackets, quotes, numbers and names of calls into nested lists; mappings become pairs."""
    stack: list[tuple[list[object], str]] = [([], "")]
    at, key = 0, False
    while at < len(text):
        token = _TOKEN.match(text, at)
        if token is None or not token.group().strip():
            if text[at:].strip():
                raise BadEntry(f"a list that cannot be read at {text[at : at + 20]!r}")
            break
        at, kind, word = token.end(), token.lastgroup, token.group(token.lastgroup or 0)
        if kind == "open":
            if len(stack) > MAX_DEPTH:
                raise BadEntry("a list that is nested too deep")
            stack.append(([], word))
        elif kind == "close":
            if len(stack) == 1:
                raise BadEntry("a list with a bracket that nothing opens")
            group, opener = stack.pop()
            stack[-1][0].append(_closed(group, opener))
        elif kind == "keyword":
            key = word.rstrip("=") == "dtype"
        elif kind == "mark":
            if word == ":":
                stack[-1][0].append(_COLON)
        elif key:  # the value of dtype=, which says nothing of the items
            key = False
        else:
            stack[-1][0].append(_unescaped(word) if kind in ("single", "double") else _plain(word))
    if len(stack) > 1:
        raise BadEntry("a list whose bracket is never closed")
    values = stack[0][0]
    only = values[0] if len(values) == 1 else values
    return only if isinstance(only, list) else [only]


_COLON = object()


def _closed(group: list[object], opener: str) -> object:
    if _COLON in group:  # {key: value, ...}
        parts = [one for one in group if one is not _COLON]
        if opener != "{" or len(group) != 3 * len(parts) // 2 or any(o is not _COLON for o in group[1::3]):
            raise BadEntry("a list with ':' in the wrong place")
        return [list(pair) for pair in zip(parts[::2], parts[1::2], strict=True)]
    if opener == "{" and group:
        raise BadEntry("a set, which keeps no order; write a list")
    is_call = len(opener) > 1
    return group[0] if is_call and len(group) == 1 else group


def _unescaped(word: str) -> str:
    return _ESCAPE.sub(_character, word) if "\\" in word else word


def _character(escape: re.Match[str]) -> str:
    mark = escape[1]
    return chr(int(mark[1:], 16)) if len(mark) > 1 else _ESCAPES.get(mark, mark)


def _plain(word: str) -> object:
    if word in _CONSTANTS:
        return None
    if re.fullmatch(r"[-+]?\d{1,18}", word):
        return int(word) if word == str(int(word)) else word
    if re.fullmatch(r"[-+]?(\d+\.\d*|\.\d+)([eE][-+]?\d+)?", word):
        return float(word)
    return word  # also 1e5, which may be an id; what wants numbers reads it all the same
