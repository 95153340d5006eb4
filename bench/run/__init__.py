"""Running models: each by itself, measured, and unable to touch what the others are scored on."""
