"""The first lines of a run's page as HTML: is it good, in a sentence and five figures."""

from __future__ import annotations

from html import escape

from bench.labels import machine_text, metric_label
from bench.record import Record, View
from bench.statistics.paired_tests import Standing
from leaderboard.frames import formatting
from leaderboard.frames.board_rows import estimate
from leaderboard.frames.run_verdict import Verdict, audits_in_words


def summary(
    record: Record, verdict: Verdict, standing: Standing | None, *, among: int, metric: str, view: View
) -> str:
    """Give sentence and figures; `among` is the number of rows that have a rank on its board."""
    tiles = [
        _rank(standing, among),
        _value(record, metric, view),
        _lift(verdict),
        _cost(record),
        ("Checks", *audits_in_words(record.audits)),
    ]
    facts = "".join(
        f'<div class="fact"><small>{escape(title)}</small><span class="figure">{escape(figure)}</span>'
        f"<small>{escape(note)}</small></div>"
        for title, figure, note in tiles
    )
    return f'<p class="sentence">{escape(verdict.sentence)}</p><div class="facts">{facts}</div>'


def _rank(standing: Standing | None, among: int) -> tuple[str, str, str]:
    if standing is None:
        return "Rank", formatting.MISSING, "no rank here"
    best, worst = standing.best_rank, standing.worst_rank
    place = str(best) if best == worst else f"{best}–{worst}"
    note = "models that share a place cannot be told apart" if best != worst else "told apart from all others"
    return "Rank", f"{place} of {among}", note


def _value(record: Record, metric: str, view: View) -> tuple[str, str, str]:
    found = estimate(record, view, metric)
    half = 0.0 if found.low is None or found.high is None else (found.high - found.low) / 2
    decimals = formatting.decimals_for([half])
    span = formatting.span(found.low, found.high, decimals)
    note = f"95 % interval {span}" if span else "no interval"
    return metric_label(metric), formatting.number(found.value, decimals), note


def _lift(verdict: Verdict) -> tuple[str, str, str]:
    paired = verdict.paired
    if paired is None:
        return "Over the strongest cheap row", formatting.percent(verdict.lift), "not compared user by user"
    p_value = formatting.p_value(paired.p_value)
    equals = "" if p_value.startswith("<") else "= "
    note = f"{paired.won:,} users won, {paired.lost:,} lost; p {equals}{p_value}"
    return "Over the strongest cheap row", formatting.percent(verdict.lift), note


def _cost(record: Record) -> tuple[str, str, str]:
    if record.published_view is not None:
        return "Cost", formatting.MISSING, "published outcomes, not run here"
    times = [record.cost.wall_seconds.get(stage) for stage in ("fit", "recommend")]
    known = [seconds for seconds in times if seconds is not None]
    peak = record.cost.peak_device_bytes
    memory = f"{formatting.size(peak)} VRAM" if peak else f"{formatting.size(record.cost.peak_rss_bytes)} RAM"
    said = "declared; " if record.cost.source == "declared" else ""
    note = f"{said}fit and lists; {memory}; {formatting.plain(machine_text(record))}"
    return "Cost", formatting.seconds(sum(known)) if known else formatting.MISSING, note
