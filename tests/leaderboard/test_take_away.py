"""A board taken away: rows as CSV, Markdown, LaTeX, a citation, a link; charts as files from the browser."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from app_pages import Open, stored_runs, text_of
from browsing import MARKS, Visit
from record_factory import write_record

from bench.comparison.board_standings import stand
from bench.record import ModelInfo
from bench.records.store import load_records
from bench.schema import Split
from leaderboard.frames import board_downloads, board_rows
from leaderboard.frames.board_rows import BoardKey

needs_browser = MARKS[1]


def board_of(folder: Path) -> tuple[pd.DataFrame, BoardKey]:
    """The rows of the only board of a folder, best first."""
    ((key, records),) = board_rows.boards(load_records(folder).valid()).items()
    newest, _ = board_rows.collapse(records)
    standings = stand(newest, metric="ndcg@5", view="seen_removed")
    frame = board_rows.leaderboard(newest, view="seen_removed", cutoff=5, standings=standings)
    return board_rows.by_rank(frame, "ndcg"), key


def test_csv_holds_every_figure_in_full(folders: dict[str, Path]) -> None:
    frame, _ = board_of(folders["board"])
    table = pd.read_csv(io.StringIO(board_downloads.board_csv(frame, 5)))
    assert table["name"].tolist() == frame["name"].tolist()
    assert table["ndcg@5"].tolist()[:6] == frame["ndcg"].tolist()[:6]  # the last row was not measured
    first = table.iloc[0]
    assert (first["best_rank"], first["worst_rank"], first["letters"]) == (1, 2, "a")
    assert first["ndcg@5_low"] < first["ndcg@5"] < first["ndcg@5_high"]


def test_markdown_and_latex_hold_letters_of_significance(folders: dict[str, Path]) -> None:
    frame, key = board_of(folders["board"])
    markdown = board_downloads.board_markdown(frame, key, "seen_removed", 5, "ndcg")
    rows = [line for line in markdown.splitlines() if line.startswith("| 1")]
    assert len(rows) == 2 and rows[0].startswith("| 1–2 a | Llama twin | 0.3")
    assert "same-day purchases as in the file" in markdown and key.fingerprint[:12] in markdown
    widths = {line.count("|") for line in markdown.splitlines() if line.startswith("|")}
    assert len(widths) == 1
    latex = board_downloads.board_latex(frame, key, "seen_removed", 5, "ndcg")
    twins = [line for line in latex.splitlines() if line.startswith(("Llama twin", "LLaMA tiny"))]
    assert len(twins) == 2 and all(line.count("\\textsuperscript{a}") == 1 for line in twins)
    assert latex.count("\\\\\n") == 1 + len(frame) and "do not differ significantly in nDCG@5" in latex


def test_names_from_outside_are_text_in_every_form(sample_split: Split, tmp_path: Path) -> None:
    name = "=HYPERLINK(1)|<b>_x_ [y](z) &\\input{/etc/passwd}"
    model = ModelInfo(name="odd", kind="baseline", display_name=name)
    write_record(tmp_path, sample_split, "odd", model=model)
    frame, key = board_of(tmp_path)
    assert board_downloads.board_csv(frame, 5).splitlines()[1].count("'=HYPERLINK") == 1
    (row,) = board_downloads.board_markdown(frame, key, "seen_removed", 5, "ndcg").splitlines()[4:]
    assert len(re.findall(r"(?<!\\)\|", row)) == 8 and "<b>" not in row.replace("\\<", "")
    latex = board_downloads.board_latex(frame, key, "seen_removed", 5, "ndcg")
    assert "\\input" not in latex and "\\textbackslash" in latex


def test_the_citation_names_data_view_and_link(folders: dict[str, Path]) -> None:
    _, key = board_of(folders["board"])
    entry = board_downloads.board_bibtex(key, "seen_kept", 10, "https://example.org/?k=10")
    assert entry.startswith("@misc{genrec-bench-sample,") and entry.count("{") == entry.count("}")
    assert key.fingerprint[:12] in entry and "nDCG@10" in entry and "seen items kept" in entry
    assert "https://example.org/?k=10" in entry


def test_the_page_offers_files_and_a_link_that_spells_out_every_choice(
    open_app: Open, folders: dict[str, Path]
) -> None:
    app = open_app("board")
    labels = {element.proto.label for element in app.get("download_button")}
    assert labels == {"CSV", "Markdown", "LaTeX", "BibTeX"}
    fingerprint = next(iter(stored_runs(folders["board"]).values())).record.dataset.fingerprint
    link = next(line for line in text_of(app).splitlines() if "data_fingerprint=" in line)
    for choice in ("data=sample", "split=leave-one-out", "ties=file", "view=seen_removed", "k=5", "by=ndcg"):
        assert choice in link
    assert fingerprint in link


@pytest.mark.parametrize("page", ["leaderboard", "cost"])
@pytest.mark.browser
@needs_browser
def test_a_chart_is_saved_as_it_is_seen(browser: Any, board: str, page: str) -> None:
    visit = Visit(browser, board).open(f"?page={page}")
    saved = {}
    for form in ("SVG", "PNG"):
        with visit.page.expect_download() as waiting:
            visit.page.locator(".save:visible button", has_text=form).first.click()
        saved[form] = Path(waiting.value.path()).read_bytes()
    visit.close()
    assert saved["PNG"].startswith(b"\x89PNG") and len(saved["PNG"]) > 5000
    picture = saved["SVG"].decode()
    assert picture.startswith("<svg") and "xmlns=" in picture and "fill: rgb" in picture
    assert "var(--" not in picture and "LLaMA tiny" in picture
