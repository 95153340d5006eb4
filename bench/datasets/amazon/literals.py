"""Python literals read fast: most lines become JSON by changing quotes, the rest go to `ast.literal_eval`."""

from __future__ import annotations

import ast
import json
import warnings
from typing import Any

_JSON_NAMES = ("null", "true", "false", "NaN", "Infinity")


def parse_literal(line: str) -> Any:
    """Give `ast.literal_eval(line)`, many times faster for plain lines; raises ValueError.

    Without backslashes a quote can only open or close a string, so changing the quotes of every
    string gives JSON with the same value. Words that only JSON knows, and whatever is then not
    JSON (None, tuples, joined strings), take the slow way, which also decides what is an error (only
    nesting may go deeper here than Python's own parser allows).
    """
    if "\\" not in line and not any(name in line for name in _JSON_NAMES):
        try:
            return json.loads(_requote(line))
        except (ValueError, RecursionError):
            pass
    return _literal_eval(line)


def _requote(line: str) -> str:
    """Put every string of the line in double quotes, from one double quote in it to the next."""
    pieces: list[str] = []
    start, inside = 0, False  # inside: in a single-quoted string
    while (quote := line.find('"', start)) >= 0:
        before = line[start:quote]
        inside ^= before.count("'") % 2 == 1
        pieces.append(before.replace("'", '"'))
        if inside:
            pieces.append('\\"')
            start = quote + 1
        else:
            start = line.find('"', quote + 1) + 1
            if start == 0:
                raise ValueError("a string does not end")
            pieces.append(line[quote:start])
    return "".join(pieces) + line[start:].replace("'", '"')


def _literal_eval(line: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # unknown escapes such as '\/' only warn
            return ast.literal_eval(line)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError(getattr(error, "msg", None) or str(error) or type(error).__name__) from None
