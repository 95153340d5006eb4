"""Entry of the leaderboard: `streamlit run leaderboard/app.py`, or `genrec-bench leaderboard`."""

from pathlib import Path

import streamlit as st

from leaderboard import navigation

st.set_page_config(page_title="genrec-bench leaderboard", page_icon="📊", layout="wide")
st.html(Path(__file__).parent / "assets" / "page.css")
navigation.run()
