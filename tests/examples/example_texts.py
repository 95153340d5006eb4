import json
import sys
from pathlib import Path

import pandas as pd


def my_llm(prompt: str) -> list[tuple[str, float]]:
    """Your model: texts for a prompt, each with its summed log-likelihood. This one repeats the last item."""
    return [(prompt.split("\n\n")[0].splitlines()[-1], -1.0)]


histories = pd.read_parquet(Path(sys.argv[1]) / "histories.parquet")
with open("texts.jsonl", "w") as file:  # noqa: PTH123
    for user_id, prompt in zip(histories["user_id"], histories["prompt"], strict=True):
        texts, log_likelihoods = zip(*my_llm(prompt), strict=True)
        line = {"user_id": user_id, "texts": texts, "log_likelihoods": log_likelihoods}
        file.write(json.dumps(line) + "\n")
