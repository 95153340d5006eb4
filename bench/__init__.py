"""The harness: data, splits, metrics, cost, records. It knows models only by name."""
