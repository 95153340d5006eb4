"""The charts of a run's page, in Altair. Colours: Okabe and Ito's, readable on light and dark pages."""

from __future__ import annotations

from typing import Any

import altair as alt
import pandas as pd

from leaderboard import formatting

BLUE, ORANGE, GREEN, PINK, GREY = "#3a8fc7", "#d9772b", "#1d9e79", "#c467a0", "#8a8a8a"
_MEMORY = {"RAM": BLUE, "VRAM": ORANGE, "VRAM allocated": ORANGE, "VRAM reserved": PINK}


def slice_charts(frame: pd.DataFrame, metric: str) -> list[Any]:
    """Dots with 95 % intervals, one chart a kind of slice; labels give the number of users."""
    data = frame.assign(
        label=[
            f"{group} ({users:,} users)" for group, users in zip(frame["group"], frame["users"], strict=True)
        ]
    )
    top = float(data[["value", "high"]].max().max())
    scale = alt.Scale(domain=[0, top * 1.05 if top > 0 else 1], nice=False)
    panels = []
    for name, part in data.groupby("slice", sort=False):
        order = part["label"].tolist()
        y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=220))
        base = alt.Chart(part).encode(y=y)
        rules = base.mark_rule(strokeWidth=6, opacity=0.45, color=BLUE).encode(
            x=alt.X("low:Q", scale=scale, title=metric), x2="high:Q"
        )
        dots = base.mark_point(filled=True, size=70, color=BLUE, opacity=1).encode(
            x=alt.X("value:Q", scale=scale, title=metric),
            tooltip=[
                alt.Tooltip("label:N", title="group"),
                alt.Tooltip("value:Q", format=".4f", title=metric),
                alt.Tooltip("low:Q", format=".4f"),
                alt.Tooltip("high:Q", format=".4f"),
            ],
        )
        texts = base.mark_text(align="left", dx=10, dy=-9, color=GREY).encode(
            x=alt.X("value:Q", scale=scale), text=alt.Text("value:Q", format=".4f")
        )
        panels.append(
            (rules + dots + texts).properties(
                title=alt.Title(str(name), anchor="start"), height=36 * len(order) + 110
            )
        )
    return panels


def memory_chart(frame: pd.DataFrame) -> Any:
    """Memory over the time of the run, with the stages as bands below the lines."""
    unit, divisor = ("h", 3600) if frame["seconds"].max() > 7200 else ("s", 1)
    kinds = frame["memory"].drop_duplicates().tolist()
    data = frame.assign(time=frame["seconds"] / divisor, gigabytes=frame["bytes"] / 1e9)
    stages = data.groupby("stage", sort=False)["time"].agg(["min", "max"]).reset_index()
    stages["max"] = [*stages["min"].iloc[1:], stages["max"].iloc[-1]]
    bands = (
        alt.Chart(stages)
        .mark_rect(opacity=0.14)
        .encode(
            x=alt.X("min:Q", title=f"Time since the start ({unit})"),
            x2="max:Q",
            color=alt.Color("stage:N", legend=None, scale=alt.Scale(range=[GREY, BLUE, ORANGE, GREEN, PINK])),
        )
    )
    names = (
        alt.Chart(stages)
        .mark_text(align="left", baseline="top", dx=4, dy=4, color=GREY)
        .encode(x="min:Q", y=alt.value(0), text="stage:N")
    )
    lines = (
        alt.Chart(data)
        .mark_line(strokeWidth=2.5)
        .encode(
            x="time:Q",
            y=alt.Y("gigabytes:Q", title="GB", scale=alt.Scale(zero=True)),
            color=alt.Color(
                "memory:N",
                title=None,
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(domain=kinds, range=[_MEMORY[kind] for kind in kinds]),
            ),
            tooltip=["memory:N", "stage:N", alt.Tooltip("gigabytes:Q", format=".2f", title="GB")],
        )
    )
    return alt.layer(bands, names, lines).resolve_scale(color="independent").properties(height=260)


def stage_chart(frame: pd.DataFrame) -> Any:
    """Wall time by stage, one bar each, labelled."""
    data = frame.assign(label=[formatting.seconds(value) for value in frame["seconds"]])
    order, longest = data["stage"].tolist(), float(data["seconds"].max())
    base = alt.Chart(data).encode(
        y=alt.Y("stage:N", sort=order, title=None),
        x=alt.X("seconds:Q", title="Wall time (s)", scale=alt.Scale(domainMax=longest * 1.15)),
    )
    bars = base.mark_bar(color=BLUE, height=16)
    return (bars + base.mark_text(align="left", dx=5, color=GREY).encode(text="label:N")).properties(
        height=28 * len(order) + 50
    )


def loss_chart(frame: pd.DataFrame) -> Any:
    """Loss by step, one line a series."""
    return (
        alt.Chart(frame)
        .mark_line(point=len(frame) < 40, strokeWidth=2)
        .encode(
            x=alt.X("step:Q", title="Step"),
            y=alt.Y("loss:Q", title="Loss", scale=alt.Scale(zero=False)),
            color=alt.Color(
                "series:N",
                title=None,
                legend=alt.Legend(orient="top"),
                scale=alt.Scale(range=[BLUE, ORANGE, GREEN]),
            ),
            tooltip=["series:N", "step:Q", alt.Tooltip("loss:Q", format=".4f")],
        )
        .properties(height=240)
    )


def difference_chart(frame: pd.DataFrame, title: str) -> Any:
    """Differences with intervals around zero: columns label, value, low, high, significant."""
    order = frame["label"].tolist()
    y = alt.Y("label:N", sort=order, title=None, axis=alt.Axis(labelLimit=260))
    base = alt.Chart(frame).encode(y=y)
    verdicts = ["significant", "cannot tell"]
    legend = alt.Legend(orient="top")
    colour = alt.Color(
        "verdict:N", title=None, legend=legend, scale=alt.Scale(domain=verdicts, range=[BLUE, GREY])
    )
    shape = alt.Shape(
        "verdict:N", title=None, legend=legend, scale=alt.Scale(domain=verdicts, range=["circle", "diamond"])
    )
    zero = alt.Chart(pd.DataFrame({"x": [0.0]})).mark_rule(strokeDash=[4, 3], color=GREY).encode(x="x:Q")
    rules = base.mark_rule(strokeWidth=6, opacity=0.45).encode(
        x=alt.X("low:Q", title=title), x2="high:Q", color=colour
    )
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(
        x="value:Q",
        color=colour,
        shape=shape,
        tooltip=["label:N", alt.Tooltip("value:Q", format="+.4f"), "verdict:N"],
    )
    return (zero + rules + dots).properties(height=34 * len(order) + 125)
