"""The Streamlit leaderboard: reads records through `bench`."""
