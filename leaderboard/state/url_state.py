"""The view of the app in its URL: every choice is a query parameter, so that a link reproduces it.

The URL is the one source of truth. Before a widget is drawn, its value is taken from the URL; when
it changes, the URL is written. A choice equal to its default is left out. What a link names and is
not here is kept for `settle`, so that it can be said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

MAX_TEXT = 200
_WIDGET = "url:"
_MISSES, _CHANGED = "url-misses", "url-changed"


def get(name: str, default: str = "") -> str:
    """Give a choice as text, cut to a sane length."""
    value: str = st.query_params.get(name, default)
    return value[:MAX_TEXT]


def get_all(name: str) -> list[str]:
    """Give a choice that may hold several values."""
    values: list[str] = st.query_params.get_all(name)
    return values


def put(name: str, value: str | Sequence[str], default: str | Sequence[str] = "") -> None:
    """Write a choice to the URL, or drop it where it is the default."""
    put_all({name: "" if value == default else value})


def put_all(choices: Mapping[str, str | Sequence[str]]) -> None:
    """Write several choices at once, as one step of the browser's history; empty ones are dropped."""
    st.session_state[_CHANGED] = True
    st.query_params.from_dict(_merged(choices))


def href(**choices: str | Sequence[str]) -> str:
    """Give the address of the present view with these choices changed."""
    return "?" + urlencode(_merged(choices), doseq=True)


def known(name: str, options: Sequence[str], default: str) -> str:
    """Give a choice if it is one of the options, else the default."""
    value = get(name)
    if value and value not in options:
        miss(name, [value])
    return value if value in options else default


def known_of(name: str, options: Sequence[str]) -> list[str]:
    """Give those of a choice's several values that are among the options."""
    values = get_all(name)
    miss(name, [value for value in values if value not in options])
    return [value for value in values if value in options]


def miss(name: str, values: Sequence[str]) -> None:
    """Note what the URL names and is not here."""
    if values:
        st.session_state.setdefault(_MISSES, {})[name] = [value[:MAX_TEXT] for value in values]


def begin() -> None:
    """Start a run of the script: forget what an earlier one, cut short, has noted."""
    st.session_state.pop(_MISSES, None)


def settle() -> dict[str, list[str]]:
    """Give what the link named and is not here, by name of the choice, and forget it.

    What a choice made in the app has left behind is dropped from the URL instead: it is no fault of a link.
    """
    misses: dict[str, list[str]] = st.session_state.pop(_MISSES, {})
    if st.session_state.pop(_CHANGED, False) and misses:
        kept = {name: [one for one in get_all(name) if one not in gone] for name, gone in misses.items()}
        st.query_params.from_dict(_merged(kept))
        return {}
    return misses


def one_of(name: str, options: Sequence[str], default: str) -> dict[str, Any]:
    """Give a select widget its options, key and callback; an unknown value in the URL is the default."""
    st.session_state[_WIDGET + name] = known(name, options, default)
    return {"options": options, "key": _WIDGET + name, "on_change": _store, "args": (name, default)}


def joint(names: tuple[str, str], options: Sequence[str], default: str) -> dict[str, Any]:
    """Give one select widget for two choices, whose options are made by `joined`."""
    first, second = parted(default)
    value = joined((get(names[0], first), get(names[1], second)))
    key = f"{_WIDGET}{names[0]}+{names[1]}"
    st.session_state[key] = value if value in options else default
    return {"options": options, "key": key, "on_change": _store_joint, "args": (names, default)}


def joined(values: tuple[str, str]) -> str:
    """Make two values one option."""
    return "|".join(values)


def parted(option: str) -> tuple[str, str]:
    """Give the two values of an option."""
    first, _, second = option.partition("|")
    return first, second


def some_of(
    name: str,
    options: Sequence[str],
    default: Sequence[str] = (),
    *,
    fewest: int = 0,
    most: int | None = None,
) -> dict[str, Any]:
    """Give a multi-select widget its options, key and callback; unknown values in the URL are dropped.

    Fewer than `fewest` are filled up from the defaults, more than `most` are cut.
    """
    given = known_of(name, options)
    if not given and not fewest:
        given = list(default)
    more = [value for value in default if value not in given]
    given = [*given, *more[: max(fewest - len(given), 0)]][:most]
    st.session_state[_WIDGET + name] = given
    return {"options": options, "key": _WIDGET + name, "on_change": _store, "args": (name, list(default))}


def place_in(name: str, place: int, options: Sequence[str], default: str) -> dict[str, Any]:
    """Give a select widget one place of a choice that holds several values, such as a pair of runs."""
    values = known_of(name, options)
    value = values[place] if place < len(values) and values[place] in options else default
    key = f"{_WIDGET}{name}:{place}"
    st.session_state[key] = value
    return {"options": options, "key": key, "on_change": _store_places, "args": (name,)}


def text(name: str) -> dict[str, Any]:
    """Give a text widget its key and callback."""
    st.session_state[_WIDGET + name] = get(name)
    return {"key": _WIDGET + name, "on_change": _store, "args": (name, ""), "max_chars": MAX_TEXT}


def number(name: str) -> float | None:
    """Give a choice that is a number above 0; None where there is none."""
    try:
        value = float(get(name))
    except ValueError:
        return None
    return value if 0 < value < 1e12 else None


def number_box(name: str) -> dict[str, Any]:
    """Give a number widget its key and callback."""
    st.session_state[_WIDGET + name] = number(name)
    return {"key": _WIDGET + name, "on_change": _store_number, "args": (name,)}


def flag(name: str) -> dict[str, Any]:
    """Give a toggle its key and callback."""
    st.session_state[_WIDGET + name] = get(name) == "yes"
    return {"key": _WIDGET + name, "on_change": _store, "args": (name, "")}


def _merged(choices: Mapping[str, str | Sequence[str]]) -> dict[str, list[str]]:
    params = {name: get_all(name) for name in st.query_params}
    for name, value in choices.items():
        params[name] = [value] if isinstance(value, str) else list(value)
    return {name: values for name, values in params.items() if any(values)}


def _store(name: str, default: str | list[str]) -> None:
    value = st.session_state[_WIDGET + name]
    if isinstance(value, bool):
        value = "yes" if value else ""
    put(name, default if value is None else value, default)


def _store_joint(names: tuple[str, str], default: str) -> None:
    chosen = parted(st.session_state[f"{_WIDGET}{names[0]}+{names[1]}"])
    changed = zip(names, chosen, parted(default), strict=True)
    put_all({name: "" if value == usual else value for name, value, usual in changed})


def _store_number(name: str) -> None:
    value = st.session_state[_WIDGET + name]
    put(name, "" if value is None else f"{value:.12g}")


def _store_places(name: str) -> None:
    keys = sorted(key for key in st.session_state if str(key).startswith(f"{_WIDGET}{name}:"))
    put(name, [st.session_state[key] for key in keys])
