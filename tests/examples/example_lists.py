import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pandas as pd

folder = Path(sys.argv[1])  # what `genrec-bench data export --for-submission` wrote
train = pd.read_parquet(folder / "train.parquet")["item_ids"]
popular = [item for item, _ in Counter(item for items in train for item in items).most_common(50)]
follows: dict[str, Counter[str]] = defaultdict(Counter)
for items in train:
    for item, after in pairwise(items):
        follows[item][after] += 1
lists = pd.read_parquet(folder / "histories.parquet", columns=["user_id", "item_ids"])
lists["item_ids"] = [
    list(dict.fromkeys([item for item, _ in follows[items[-1]].most_common(50)] + popular))[:50]
    for items in lists["item_ids"]
]
lists.to_parquet("lists.parquet")
