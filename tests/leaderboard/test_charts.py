"""Every chart is Vega-Lite by its own schema, and holds the rows that it was given."""

from __future__ import annotations

import json
from collections.abc import Callable

import altair
import jsonschema
import numpy as np
import pandas as pd
import pytest

from leaderboard.draw import charts

STAGES = ("fit", "fit", "recommend", "score")
MAKERS: dict[str, tuple[Callable[[], charts.Chart], int]] = {
    "slices": (
        lambda: charts.slice_charts(
            pd.DataFrame(
                {
                    "slice": ["length", "length"],
                    "group": ["<=5", ">14"],
                    "users": [1200, 3],
                    "value": [0.1, 0.2],
                    "low": [0.05, np.nan],
                    "high": [0.15, np.nan],
                }
            ),
            "ndcg@10",
        )[0],
        2,
    ),
    "memory": (
        lambda: charts.memory_chart(
            pd.DataFrame(
                {
                    "seconds": [0.0, 1.0, 2.0, 9000.0],
                    "stage": STAGES,
                    "memory": ["RAM", "RAM", "VRAM", "VRAM"],
                    "bytes": [1e9, 2e9, 3e9, 4e9],
                }
            )
        ),
        3,
    ),
    "stages": (
        lambda: charts.stage_chart(pd.DataFrame({"stage": ["load", "fit"], "seconds": [1.0, 75.0]})),
        2,
    ),
    "loss": (
        lambda: charts.loss_chart(
            pd.DataFrame({"step": [1, 2, 2], "loss": [7.0, 6.0, np.nan], "series": ["train", "train", "val"]})
        ),
        3,
    ),
    "tiers": (
        lambda: charts.tiers_chart(
            pd.DataFrame(
                {"share": [0.0, 0.5, 1.0], "value": [0.05, 0.06, 0.055], "seconds": [1.0, 5.0, 9.0]}
            ),
            "nDCG@10",
        ),
        3,
    ),
    "decoding": (
        lambda: charts.decoding_chart(
            pd.DataFrame(
                {
                    "strategy": ["constrained:5", "constrained:20", "beam:5"],
                    "kind": ["constrained", "constrained", "beam"],
                    "tokens": [84.0, 336.0, 86.0],
                    "speed": [375.0, 330.0, 437.0],
                    "value": [0.05, 0.0554, 0.0465],
                }
            ),
            "nDCG@5",
        ),
        3,
    ),
    "differences": (
        lambda: charts.difference_charts(
            pd.DataFrame(
                {
                    "slice": ["length", "day"],
                    "label": ["<=5", "same day"],
                    "value": [0.1, -0.2],
                    "low": [0.0, -0.3],
                    "high": [0.2, -0.1],
                    "verdict": ["cannot tell", "A is better"],
                }
            ),
            "A - B",
        )[0],
        1,
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_chart_is_vega_lite(name: str) -> None:
    make, rows = MAKERS[name]
    spec = json.loads(json.dumps(make(), allow_nan=False))
    altair.LayerChart.from_dict(spec, validate=True)
    assert len(spec["layer"][0]["data"]["values"]) == rows
    for layer in spec["layer"]:
        named = {part["field"] for part in layer["encoding"].values() if "field" in part}
        assert named <= set(layer["data"]["values"][0])


def test_hours_stand_for_many_seconds() -> None:
    spec = MAKERS["memory"][0]()
    assert "(h)" in spec["layer"][0]["encoding"]["x"]["title"]
    assert spec["layer"][2]["data"]["values"][-1]["time"] == 2.5


def test_a_wrong_chart_is_found() -> None:
    spec = MAKERS["loss"][0]()
    spec["layer"][0]["mark"] = {"type": "lines"}
    with pytest.raises(jsonschema.ValidationError, match="lines"):
        altair.LayerChart.from_dict(spec, validate=True)


def test_panels_of_differences_share_one_scale_that_holds_all_intervals_and_zero() -> None:
    frame = pd.DataFrame(
        {
            "slice": ["length", "length", "day"],
            "label": ["<=5", ">14", "same day"],
            "value": [0.1, 0.2, 0.02],
            "low": [0.05, 0.1, 0.01],
            "high": [0.15, 0.3, 0.03],
            "verdict": ["A is better"] * 3,
        }
    )
    panels = charts.difference_charts(frame, "A - B")
    scales = [layer["encoding"]["x"]["scale"]["domain"] for one in panels for layer in one["layer"][1:]]
    assert len(panels) == 2 and all(scale == scales[0] for scale in scales)
    assert scales[0][0] <= 0 <= 0.3 <= scales[0][1]
    extents = {one["layer"][1]["encoding"]["y"]["axis"]["minExtent"] for one in panels}
    assert len(extents) == 1
