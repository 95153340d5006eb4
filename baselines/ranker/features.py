"""What the trees see of a user and a candidate: how the recent purchases speak for it, and what it is."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.ranker.shop import CATEGORY_LEVELS, Shop
from baselines.repeat_last import newest_items
from bench.schema import NO_ITEM, Histories, Rankings

RECENT = 10
"""Purchases looked at, the newest; older ones hardly speak."""
DECAYS = (1.0, 0.75, 0.45, 0.2)
USERS_PER_CHUNK = 256

Features = NDArray[np.float32]


def feature_names() -> list[str]:
    """Name the columns of `features`, in order."""
    names = ["blend", "blend_rank", "blend_share"]
    for link in ("after", "before"):
        names += [f"{link}_{decay}" for decay in DECAYS] + [f"{link}_last", f"{link}_previous"]
    names += ["follows_last", "follows_previous", "follows_sum"]
    names += ["conditional_sum", "conditional_max", "conditional_last"]
    names += ["cosine_sum", "cosine_decayed", "cosine_max", "cosine_last", "links"]
    for text in ("title", "text"):
        names += [f"{text}_last", f"{text}_previous", f"{text}_slow", f"{text}_fast", f"{text}_max"]
    for attribute in ("brand", *(f"category{level}" for level in CATEGORY_LEVELS)):
        names += [f"{attribute}_last", f"{attribute}_share"]
    names += ["price", "price_to_last", "price_to_mean"]
    names += ["popularity", "popularity_last", "popularity_mean", "history_length"]
    return names


def features(shop: Shop, histories: Histories, candidates: Rankings) -> Features:
    """(users, candidates, features); NaN in all columns of a place without a candidate."""
    table = np.empty((*candidates.shape, len(feature_names())), dtype=np.float32)
    for start in range(0, len(histories), USERS_PER_CHUNK):
        rows = np.arange(start, min(start + USERS_PER_CHUNK, len(histories)))
        columns = _columns(shop, histories.take(rows), candidates[rows])
        table[rows] = np.stack(columns, axis=-1)
    table[candidates == NO_ITEM] = np.nan
    return table


def _columns(shop: Shop, histories: Histories, candidates: Rankings) -> list[Any]:
    """Give each column as (users, candidates); arrays below are (users, recent purchases, candidates)."""
    recent = newest_items(histories, RECENT)
    present = (recent != NO_ITEM)[:, :, None]
    own, other = np.broadcast_arrays(recent[:, :, None], candidates[:, None, :])
    ages = np.arange(RECENT)
    weights = {decay: np.power(decay, ages)[:, None] for decay in DECAYS}
    settings = shop.settings

    after, before = shop.after.at(own, other), shop.before.at(own, other)
    follows, cosine = shop.follows.at(own, other), shop.cosine.at(own, other)
    title, text = shop.titles.at(own, other), shop.texts.at(own, other)
    blend = shop.blend_pairs.at(own, other) * np.power(settings.history_decay, ages)[:, None]
    blend = blend + np.power(settings.text_decay, ages)[:, None] * (
        settings.title_weight * title**settings.title_power + settings.full_weight * text**settings.full_power
    )
    scores = blend.sum(axis=1)
    columns: list[Any] = [
        scores,
        np.broadcast_to(np.arange(candidates.shape[1]), candidates.shape),
        scores / np.maximum(scores.max(axis=1, keepdims=True), 1e-12),
    ]
    for link in (after, before):
        columns += [(link * weights[decay]).sum(axis=1) for decay in DECAYS] + [link[:, 0], link[:, 1]]
    columns += [follows[:, 0], follows[:, 1], follows.sum(axis=1)]
    odds = after / (np.where(present, shop.counts[own], 0) + 5.0)
    columns += [odds.sum(axis=1), odds.max(axis=1), odds[:, 0]]
    columns += [cosine.sum(axis=1), (cosine * weights[0.45]).sum(axis=1), cosine.max(axis=1), cosine[:, 0]]
    columns += [((after > 0) | (before > 0)).sum(axis=1)]
    for like in (title, text):
        columns += [like[:, 0], like[:, 1]]
        columns += [(like * weights[decay]).sum(axis=1) for decay in (0.75, 0.45)] + [like.max(axis=1)]
    lengths = np.maximum(present.sum(axis=1), 1)
    for codes in shop.attributes:
        shared = (codes[own] == codes[other]) & (codes[own] >= 0) & present
        columns += [shared[:, 0], shared.sum(axis=1) / lengths]
    columns += _prices(shop, recent, candidates)
    popularity = np.log1p(shop.counts)
    known = np.where(present[:, :, 0], popularity[recent], 0.0)
    columns += [
        popularity[candidates],
        np.broadcast_to(known[:, :1], candidates.shape),
        np.broadcast_to(known.sum(axis=1, keepdims=True) / lengths, candidates.shape),
        np.broadcast_to(histories.lengths[:, None], candidates.shape),
    ]
    return columns


def _prices(shop: Shop, recent: Rankings, candidates: Rankings) -> list[Any]:
    own = np.where(recent != NO_ITEM, shop.prices[recent], np.nan)
    known = ~np.isnan(own)
    mean = np.where(known, own, 0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    price = shop.prices[candidates]
    return [price, price - own[:, :1], price - mean[:, None]]
