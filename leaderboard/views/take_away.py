"""What can be taken away from a board: its rows as files, a link to it as it is seen, a citation."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from bench.record import View
from leaderboard.frames import board_downloads
from leaderboard.frames.board_rows import BoardKey
from leaderboard.state import url_state


def show(frame: pd.DataFrame, key: BoardKey, view: View, cutoff: int, ranked_by: str) -> None:
    """Offer the rows of a board, in the order in which they are seen."""
    stem = f"{key.dataset}-{key.split}-{key.ties}-{cutoff}".replace(":", "-")
    rows = (frame, key, view, cutoff, ranked_by)
    link = _link(key, view, cutoff, ranked_by)
    files = (
        ("CSV", lambda: board_downloads.board_csv(frame, cutoff), "csv", "text/csv"),
        ("Markdown", lambda: board_downloads.board_markdown(*rows), "md", "text/markdown"),
        ("LaTeX", lambda: board_downloads.board_latex(*rows), "tex", "text/x-tex"),
        ("BibTeX", lambda: board_downloads.board_bibtex(key, view, cutoff, link), "bib", "text/x-bibtex"),
    )
    with st.expander(f"Take away ({len(frame)})", icon=":material/download:"):
        with st.container(horizontal=True):
            for label, make, suffix, mime in files:
                st.download_button(label, make, file_name=f"{stem}.{suffix}", mime=mime, on_click="ignore")
        st.caption(
            "CSV holds every figure in full; Markdown and LaTeX hold tie letters and half intervals. Charts: "
            "SVG and PNG below each. A link that keeps showing this, whatever the defaults become:"
        )
        st.code(link, language=None, wrap_lines=True)


def _link(key: BoardKey, view: View, cutoff: int, ranked_by: str) -> str:
    """Give the address of the board with every choice written out."""
    here = (st.context.url or "").partition("?")[0]
    return here + url_state.href(
        data=key.dataset,
        split=key.split,
        ties=key.ties,
        data_fingerprint=key.fingerprint,
        view=view,
        k=str(cutoff),
        by=ranked_by,
    )
