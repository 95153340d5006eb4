"""Those rows as cells of an HTML table."""
