"""Choosing a model's constants on users that no test looks at, and the ledger of what that took."""
