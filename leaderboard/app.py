"""Entry of the leaderboard: `streamlit run leaderboard/app.py`, or `genrec-bench leaderboard`."""

from pathlib import Path

import streamlit as st

from leaderboard import navigation

_ASSETS = Path(__file__).parent / "assets"

st.set_page_config(page_title="genrec-bench leaderboard", page_icon=str(_ASSETS / "icon.svg"), layout="wide")
st.html(_ASSETS / "page.css")
navigation.run()
