"""The charts of a run's page, as Vega-Lite. Colours: Okabe and Ito's, readable on light and dark pages.

Plain dictionaries, which are what the browser gets: to import a package that makes them takes longer
than to draw the page.
"""

from __future__ import annotations

import json
from typing import Any

import pandas as pd

from bench.statistics.paired_tests import CANNOT_TELL, IDENTICAL
from leaderboard.frames import formatting

BLUE, ORANGE, GREEN, PINK, GREY = "#3a8fc7", "#d9772b", "#1d9e79", "#c467a0", "#8a8a8a"
_MEMORY = {"RAM": BLUE, "VRAM": ORANGE, "VRAM allocated": ORANGE, "VRAM reserved": PINK}
_VERDICTS = ["A is better", "B is better", CANNOT_TELL, IDENTICAL]
_FITS = {"same": "same protocol", "unsaid": "same, as far as is said", "other": "other protocol"}
_DOT = {"type": "point", "filled": True, "size": 70, "opacity": 1}
_GROUP_AXIS = {"labelLimit": 220, "minExtent": 165}
"""Room for the labels, the same in all panels, so that their scales stand below each other."""
_INTERVAL = {"type": "rule", "strokeWidth": 6, "opacity": 0.45}

Chart = dict[str, Any]


def slice_charts(frame: pd.DataFrame, metric: str) -> list[Chart]:
    """Dots with 95 % intervals, one chart a kind of slice; labels give the number of users."""
    data = frame.assign(
        label=[
            f"{group} ({users:,} users)" for group, users in zip(frame["group"], frame["users"], strict=True)
        ]
    )
    top = float(data[["value", "high"]].max().max())
    scale = {"domain": [0, top * 1.05 if top > 0 else 1], "nice": False}
    panels = []
    for name, part in data.groupby("slice", sort=False):
        order, rows = part["label"].tolist(), _rows(part[["label", "value", "low", "high"]])
        low, value = (_number(field, title=metric, scale=scale) for field in ("low", "value"))
        text = {"type": "text", "align": "left", "dx": 10, "dy": -9, "color": GREY}
        hover = [
            _name("label", title="group"),
            _number("value", format=".4f", title=metric),
            _number("low", format=".4f"),
            _number("high", format=".4f"),
        ]
        panels.append(
            {
                "title": {"text": str(name), "anchor": "start"},
                "height": 36 * len(order) + 120,
                "encoding": {"y": _name("label", title=None, sort=order, axis=_GROUP_AXIS)},
                "layer": [
                    _layer(rows, {**_INTERVAL, "color": BLUE}, x=low, x2={"field": "high"}),
                    _layer(rows, {**_DOT, "color": BLUE}, x=value, tooltip=hover),
                    _layer(rows, text, x=value, text=_number("value", format=".4f")),
                ],
            }
        )
    return panels


def memory_chart(frame: pd.DataFrame) -> Chart:
    """Memory over the time of the run, with the stages as bands below the lines."""
    unit, divisor = ("h", 3600) if frame["seconds"].max() > 7200 else ("s", 1)
    kinds = frame["memory"].drop_duplicates().tolist()
    data = frame.assign(time=frame["seconds"] / divisor, gigabytes=frame["bytes"] / 1e9)
    stages = data.groupby("stage", sort=False)["time"].agg(["min", "max"]).reset_index()
    stages["max"] = [*stages["min"].iloc[1:], stages["max"].iloc[-1]]
    start = _number("min", title=f"Time since the start ({unit})")
    bands = {
        "x": start,
        "x2": {"field": "max"},
        "color": _name("stage", legend=None, scale={"range": [GREY, BLUE, ORANGE, GREEN, PINK]}),
    }
    names = {"type": "text", "align": "left", "baseline": "top", "dx": 4, "dy": 4, "color": GREY}
    line = {"type": "line", "strokeWidth": 2.5}
    lines = {
        "x": _number("time"),
        "y": _number("gigabytes", title="GB", scale={"zero": True}),
        "color": _name(
            "memory",
            title=None,
            legend={"orient": "top"},
            scale={"domain": kinds, "range": [_MEMORY[kind] for kind in kinds]},
        ),
        "tooltip": [_name("memory"), _name("stage"), _number("gigabytes", format=".2f", title="GB")],
    }
    return {
        "height": 260,
        "resolve": {"scale": {"color": "independent"}},
        "layer": [
            _layer(_rows(stages), {"type": "rect", "opacity": 0.14}, **bands),
            _layer(_rows(stages), names, x=start, y={"value": 0}, text=_name("stage")),
            _layer(_rows(data[["time", "gigabytes", "memory", "stage"]]), line, **lines),
        ],
    }


def stage_chart(frame: pd.DataFrame) -> Chart:
    """Wall time by stage, one bar each, labelled."""
    data = frame.assign(label=[formatting.seconds(value) for value in frame["seconds"]])
    order, longest = data["stage"].tolist(), float(data["seconds"].max())
    rows = _rows(data[["stage", "seconds", "label"]])
    text = {"type": "text", "align": "left", "dx": 5, "color": GREY}
    return {
        "height": 28 * len(order) + 50,
        "encoding": {
            "y": _name("stage", sort=order, title=None),
            "x": _number("seconds", title="Wall time (s)", scale={"domainMax": longest * 1.15}),
        },
        "layer": [
            _layer(rows, {"type": "bar", "color": BLUE, "height": 16}),
            _layer(rows, text, text=_name("label")),
        ],
    }


def loss_chart(frame: pd.DataFrame) -> Chart:
    """Loss by step, one line a series."""
    encoding = {
        "x": _number("step", title="Step"),
        "y": _number("loss", title="Loss", scale={"zero": False}),
        "color": _name(
            "series", title=None, legend={"orient": "top"}, scale={"range": [BLUE, ORANGE, GREEN]}
        ),
        "tooltip": [_name("series"), _number("step"), _number("loss", format=".4f")],
    }
    line = {"type": "line", "point": len(frame) < 40, "strokeWidth": 2}
    return {"height": 240, "layer": [_layer(_rows(frame), line, **encoding)]}


def tiers_chart(frame: pd.DataFrame, metric: str) -> Chart:
    """Quality against the share of users whom the costly row serves, the seconds of serving on hover."""
    encoding = {
        "x": _number("share", title="Users served by the costly row", axis={"format": "%"}),
        "y": _number("value", title=metric, scale={"zero": False}),
        "tooltip": [
            _number("share", format=".0%", title="share of users"),
            _number("value", format=".4f", title=metric),
            _number("seconds", format=",.1f", title="seconds of serving"),
        ],
    }
    line = {"type": "line", "point": True, "strokeWidth": 2, "color": BLUE}
    return {"height": 240, "layer": [_layer(_rows(frame), line, **encoding)]}


def decoding_chart(frame: pd.DataFrame, metric: str) -> Chart:
    """Quality against tokens written a user, one line a kind of decoding, its settings beside the dots."""
    rows = _rows(frame.sort_values("tokens"))
    tokens = _number("tokens", title="Tokens written for a user", scale={"type": "log"})
    value = _number("value", title=f"{metric}, validation users")
    kind = _name("kind", title=None, legend={"orient": "top"}, scale={"range": [BLUE, ORANGE, GREEN, PINK]})
    hover = [
        _name("strategy"),
        _number("value", format=".4f", title=metric),
        _number("tokens", format=",.0f", title="tokens a user"),
        _number("speed", format=",.1f", title="users per second"),
    ]
    text = {"type": "text", "align": "left", "dx": 8, "dy": 10, "color": GREY}
    return {
        "height": 260,
        "layer": [
            _layer(rows, {"type": "line", "strokeWidth": 1.5}, x=tokens, y=value, color=kind),
            _layer(rows, _DOT, x=tokens, y=value, color=kind, tooltip=hover),
            _layer(rows, text, x=tokens, y=value, text=_name("strategy")),
        ],
    }


def progress_chart(frame: pd.DataFrame, metric: str, ours: float | None) -> Chart:
    """Published figures by year, the best so far as steps, and the best measured here as a dashed line.

    Columns: year, value, best, model, source, fit.
    """
    data = frame.assign(protocol=[_FITS[fit] for fit in frame["fit"]])
    rows = _rows(data[["year", "value", "model", "source", "protocol"]])
    steps = _rows(frame.groupby("year")[["best"]].max().reset_index())
    years = [int(year) for year in sorted(set(frame["year"]))]
    axis = {"format": "d", "values": list(range(years[0], years[-1] + 1))}
    scale = {"domain": [years[0] - 0.5, years[-1] + 0.5], "nice": False}
    year = _number("year", title="Year of the source", axis=axis, scale=scale)
    value = _number("value", title=metric)
    by_protocol = {"domain": list(_FITS.values()), "range": [BLUE, GREEN, GREY]}
    marks = {**by_protocol, "range": ["circle", "diamond", "cross"]}
    legend = {"orient": "top"}
    hover = [_name("model"), _number("value", format=".4f", title=metric), _name("source"), _name("protocol")]
    layers = [
        _layer(
            steps,
            {"type": "line", "interpolate": "step-after", "color": GREY},
            x=year,
            y=_number("best", title=metric),
        ),
        _layer(
            rows,
            {"type": "point", "size": 60, "strokeWidth": 2},
            x=year,
            y=value,
            tooltip=hover,
            color=_name("protocol", title=None, legend=legend, scale=by_protocol),
            shape=_name("protocol", title=None, legend=legend, scale=marks),
        ),
    ]
    if ours is not None:
        line = {"type": "rule", "strokeDash": [6, 4], "color": ORANGE, "strokeWidth": 2}
        layers.append(_layer({"values": [{"value": ours}]}, line, y=value))
    return {"height": 300, "layer": layers}


def difference_charts(frame: pd.DataFrame, title: str) -> list[Chart]:
    """Differences with intervals around zero, one chart a slice, all on one scale.

    Columns: slice, label, value, low, high, verdict.
    """
    low, high = min(float(frame["low"].min()), 0.0), max(float(frame["high"].max()), 0.0)
    room = 0.05 * (high - low) or 1.0
    scale = {"domain": [low - room, high + room], "nice": False}
    return [_differences(part, str(name), title, scale) for name, part in frame.groupby("slice", sort=False)]


def _differences(frame: pd.DataFrame, name: str, title: str, scale: Chart) -> Chart:
    order = frame["label"].tolist()

    def by_verdict(values: list[str]) -> Chart:
        scale = {"domain": _VERDICTS, "range": values}
        return _name("verdict", title=None, legend={"orient": "top"}, scale=scale)

    shape = by_verdict(["circle", "square", "diamond", "cross"])
    shared = {
        "y": _name("label", sort=order, title=None, axis=_GROUP_AXIS),
        "color": by_verdict([BLUE, ORANGE, GREY, GREEN]),
    }
    zero = {"type": "rule", "strokeDash": [4, 3], "color": GREY}
    rows = _rows(frame[["label", "value", "low", "high", "verdict"]])
    hover = [_name("label"), _number("value", format="+.4f"), _name("verdict")]
    low, value = (_number(field, title=title, scale=scale) for field in ("low", "value"))
    return {
        "title": {"text": name, "anchor": "start"},
        "height": 34 * len(order) + 165,
        "layer": [
            _layer({"values": [{"x": 0.0}]}, zero, x=_number("x")),
            _layer(rows, _INTERVAL, x=low, x2={"field": "high"}, **shared),
            _layer(rows, _DOT, x=value, shape=shape, tooltip=hover, **shared),
        ],
    }


def _layer(rows: Chart, mark: Chart, **encoding: Any) -> Chart:
    """Give a layer that brings its rows: those of a whole chart come late and are drawn as nothing first."""
    return {"data": rows, "mark": mark, "encoding": encoding}


def _number(field: str, **more: Any) -> Chart:
    return {"field": field, "type": "quantitative", **more}


def _name(field: str, **more: Any) -> Chart:
    return {"field": field, "type": "nominal", **more}


def _rows(frame: pd.DataFrame) -> Chart:
    """Give the rows as Vega-Lite takes them: null where a number is missing."""
    return {"values": json.loads(frame.to_json(orient="records"))}
