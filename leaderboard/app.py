"""Entry of the leaderboard: `streamlit run leaderboard/app.py`, or `genrec-bench leaderboard`."""

import gc
from pathlib import Path
from urllib.parse import quote

import streamlit as st

from leaderboard import navigation

ASSETS = Path(__file__).parent / "assets"
# An emoji as the icon would have Streamlit read its list of all emojis: a tenth of a second.
ICON = f"data:image/svg+xml,{quote((ASSETS / 'icon.svg').read_text(encoding='utf-8'))}"

# The collector looks for garbage after every 700 new objects; those of records and imports stay.
gc.set_threshold(50_000, 20, 20)
st.set_page_config(page_title="genrec-bench leaderboard", page_icon=ICON, layout="wide")
st.html(ASSETS / "page.css")
navigation.run()
