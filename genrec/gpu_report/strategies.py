"""Part `strategies`: decoding strategies of the model from scratch on validation users, with their cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

from genrec.gpu_report.quality import chosen_settings, validation_row
from genrec.gpu_report.records import write_table_record
from genrec.gpu_report.setting import Setting
from genrec.gpu_report.steps import Measured, Part, Row, Step

NAME = "strategies"

STRATEGIES: dict[str, tuple[str, ...]] = {
    "beam": ("generate.strategy=beam",),
    **{
        f"sample:{temperature}": ("generate.strategy=sample", f"generate.temperature={temperature}")
        for temperature in (0.5, 0.2, 0.1)
    },
    "calrec": ("generate.strategy=calrec", "retrieve.list_rule=calrec"),
    "constrained": ("generate.strategy=constrained",),
}


def steps(setting: Setting) -> Iterable[Step]:
    """One step a strategy; the fine-tuned model is that of part `llama-60m`, trained if it is not there."""
    for name, overrides in STRATEGIES.items():
        yield Step(name=name, measure=partial(_measure, setting, name, overrides))


def _measure(setting: Setting, name: str, overrides: tuple[str, ...]) -> Measured:
    return Measured(
        row={"strategy": name, **validation_row(setting, (*chosen_settings(setting), *overrides))}
    )


def _summary(setting: Setting, rows: Sequence[Row]) -> Path:
    preset = setting.scale.preset
    return write_table_record(
        setting, NAME, f"{preset}-strategies", "From scratch: strategies on validation users", rows
    )


PART = Part(name=NAME, title="decoding strategies on validation users", steps=steps, summary=_summary)
