"""What a submitter may say about the columns, and how each front end calls the controls for it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Choices:
    """The submitter's own word on what the columns are; None where the file shall tell."""

    user: str | None = None
    item: str | None = None
    order: str | None = None
    """A column, `score` or `rank` (the column that is known as such), or `file`."""
    ascending: bool = False
    """Whether the smallest value of the order column is the best."""


def option_words(choices: Choices) -> list[str]:
    """Give the words of the command line that make these choices."""
    options = (("--user", choices.user), ("--item", choices.item), ("--order", choices.order))
    words = [word for option, given in options if given is not None for word in (option, given)]
    return words + (["--ascending"] if choices.ascending else [])


@dataclass(frozen=True, kw_only=True)
class Controls:
    """How messages name the controls of the front end that shows them."""

    user: str = "--user COLUMN"
    item: str = "--item COLUMN"
    order: str = "--order COLUMN"
    by_score: str = "--order score"
    by_rank: str = "--order rank"
    by_file: str = "--order file"
    ascending: str = "--ascending"
    partial: str = "--allow-partial"
    texts: str = "--texts"
    format: str = "--format"
    """Empty where the front end has none."""


COMMAND_LINE = Controls()
