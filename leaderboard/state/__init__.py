"""What the app holds: the URL's state, records and data read once, a session's own upload."""
