"""From text to items, the same for every model: item text, BM25, list rules, generation health."""
