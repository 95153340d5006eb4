"""Errors that a user can act on: what was given, what is allowed, what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Bad input or a state the user can mend; shown as one message, without a traceback."""


class DataError(BenchError):
    """A data file is missing, damaged, or not what its name says."""


class ConfigError(BenchError):
    """An option, a name or a configuration value is not allowed."""


class RankingError(BenchError):
    """Ranked lists are not ranked lists: wrong shape or type, an unknown or repeated item, a gap."""


class ModelError(BenchError):
    """A model failed: it raised, wrote into what it was given, or its process ended."""


class RecordError(BenchError):
    """A result record is unreadable, of an unknown version, or would be overwritten."""


class Unavailable(BenchError):
    """A model cannot run here (no GPU, no weights, missing extra); the message says how to get it."""


def unknown_name(what: str, given: str, allowed: Iterable[str]) -> ConfigError:
    """Build the error for a name that is not in a table, naming the closest one that is.

    >>> str(unknown_name("model", "random-item", ["random-items", "repeat-last"]))
    "unknown model 'random-item'; did you mean 'random-items'? Allowed: random-items, repeat-last"
    """
    names = sorted(allowed)
    close = get_close_matches(given, names, n=1)
    guess = f"; did you mean '{close[0]}'?" if close else "."
    return ConfigError(f"unknown {what} '{given}'{guess} Allowed: {', '.join(names) or 'none'}")
