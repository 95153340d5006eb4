from collections import Counter, defaultdict

import numpy as np


class NextItem:
    """What others bought right after the user's last item, then best sellers."""

    def __init__(self, seed):
        self.nexts = defaultdict(Counter)  # nothing here is random

    def fit(self, data):
        for items in data.train:  # one array of item rows a user, oldest first
            for item, following in zip(items[:-1].tolist(), items[1:].tolist(), strict=True):
                self.nexts[item][following] += 1
        self.best = [item for item, _ in Counter(data.train.items.tolist()).most_common()]

    def recommend(self, histories, depth):
        lists = np.full((len(histories), depth), -1)  # -1: no item
        for user, items in enumerate(histories):
            nexts = [item for last in items[-1:] for item, _ in self.nexts[int(last)].most_common()]
            found = list(dict.fromkeys(nexts + self.best[:depth]))[:depth]
            lists[user, : len(found)] = found
        return lists
