"""The line of a generated text that names the item: past thoughts, small talk and a repeated prompt."""

from __future__ import annotations

import re
from collections.abc import Container

MARKER = "Title:"
_THOUGHT = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
_SPECIAL = re.compile(r"<\|[^|<>]{1,40}\|>|</?s>|\[/?INST\]")
_NEXT_ITEM = re.compile(r"^[#* \t]*next item\b[^\n]*$", re.IGNORECASE | re.MULTILINE)
_HEADING = re.compile(r"^[ \t]*#{2,}\s.*", re.MULTILINE | re.DOTALL)
_MARKED = re.compile(r"(?<!\w)title[*_`\"']*\s*:(.*)", re.IGNORECASE)
_BULLET = re.compile(r"^(?:[-*•>]|\d{1,2}[.)])\s+")
_WRAPPING = " \t*_`\"'“”{}"


def answer_line(text: str, item_lines: Container[str]) -> str:
    r"""Give the item's line that a text stands for, or an empty one.

    The line that carries the marker is taken, else the first that is an item's title, else the first that
    is no heading and no announcement. `item_lines` are the catalogue's ("Title: Rose Soap").

    >>> answer_line("<think>Soap?</think>Sure! I would say:\n**Title:** Rose   Soap", {"Title: Rose Soap"})
    'Title: Rose Soap'
    """
    lines = [line for line in _answer(_spoken(text)).splitlines() if line.strip(_WRAPPING + "#-")]
    marked = [match[1] for line in lines if (match := _MARKED.search(line))]
    spellings = [_spellings(line, item_lines) for line in marked or lines]
    exact = [line for line in spellings if line in item_lines]
    if exact:
        return exact[0]
    if marked:
        return spellings[0]
    plain = [line for line, raw in zip(spellings, lines, strict=True) if not _is_announcement(raw)]
    return (plain or spellings or [""])[0]


def _spoken(text: str) -> str:
    """Leave out what a model thought, and the marks of its chat format."""
    marks = list(_THOUGHT.finditer(text))
    closed = [mark.end() for mark in marks if mark[1]]
    rest = text[closed[-1] :] if closed else text
    if marks and not marks[-1][1]:  # a thought that never ends
        rest = text[closed[-1] if closed else 0 : marks[-1].start()]
    if marks and not rest.strip():  # the answer stands before the thought
        rest = text[: marks[0].start()]
    return _SPECIAL.sub("", rest)


def _answer(text: str) -> str:
    """Leave out a repeated prompt before the answer and further rounds after it."""
    heading = _NEXT_ITEM.search(text)
    if heading is not None:
        before, after = text[: heading.start()], text[heading.end() :]
        repeated = "purchase history" in before.lower() or _MARKED.search(before) is None
        text = after if repeated else before
    cut = _HEADING.sub("", text)
    return cut if cut.strip() else text


def _spellings(line: str, item_lines: Container[str]) -> str:
    """Give the line as an item's line: as it stands if the catalogue has that, else without ornaments."""
    words = " ".join(line.split())
    bare = _BULLET.sub("", words.strip(_WRAPPING)).strip(_WRAPPING).removesuffix("<eos>").strip()
    for spelling in (words, bare):
        if f"{MARKER} {spelling}" in item_lines:
            return f"{MARKER} {spelling}"
    return f"{MARKER} {bare}" if bare else ""


def _is_announcement(line: str) -> bool:
    return line.rstrip(_WRAPPING).endswith(":") or line.lstrip().startswith("#")
