"""Files of any kind: lines with their numbers, Arrow tables, writes that are whole or absent."""
