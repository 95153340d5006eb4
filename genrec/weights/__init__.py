"""Language models and tokenizers: found, loaded, described by shape, or made with random weights."""
