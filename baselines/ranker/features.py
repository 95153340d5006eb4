"""What the trees see of a user and a candidate: how the recent purchases speak for it, and what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baselines.neighbours.history_ranker import on_request_day
from baselines.ranker.calendar import calendar_columns, calendar_names
from baselines.ranker.shop import CATEGORY_LEVELS, Links, Shop
from baselines.repeat_last import newest_items
from bench.schema import NO_ITEM, Histories, Rankings

RECENT = 10
"""Purchases looked at, the newest; older ones hardly speak."""
DECAYS = (1.0, 0.75, 0.45, 0.2)
USERS_PER_CHUNK = 256

Features = NDArray[np.float32]


def feature_names(*, timed: bool = False) -> list[str]:
    """Name the columns of `features`, in order; `timed`, of a shop that has counted by time."""
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
    if timed:
        for link in ("basket", "later"):
            names += [f"{link}_{decay}" for decay in (1.0, 0.45)] + [f"{link}_last"]
        names += ["basket_today", "later_today", *calendar_names()]
    return names


def features(shop: Shop, histories: Histories, candidates: Rankings) -> Features:
    """(users, candidates, features); NaN in all columns of a place without a candidate."""
    columns = len(feature_names(timed=shop.calendar is not None))
    table = np.empty((*candidates.shape, columns), dtype=np.float32)
    for start in range(0, len(histories), USERS_PER_CHUNK):
        rows = np.arange(start, min(start + USERS_PER_CHUNK, len(histories)))
        table[rows] = np.stack(_columns(shop, histories.take(rows), candidates[rows]), axis=-1)
    table[candidates == NO_ITEM] = np.nan
    return table


def _columns(shop: Shop, histories: Histories, candidates: Rankings) -> list[Any]:
    """Give each column as (users, candidates); arrays below are (users, recent purchases, candidates)."""
    recent = newest_items(histories, RECENT)
    present = (recent != NO_ITEM)[:, :, None]
    own, other = np.broadcast_arrays(recent[:, :, None], candidates[:, None, :])
    ages = np.arange(RECENT)
    weights = {decay: np.power(decay, ages)[:, None] for decay in DECAYS}

    after, before = shop.after.at(own, other), shop.before.at(own, other)
    follows, cosine = shop.follows.at(own, other), shop.cosine.at(own, other)
    title, text = shop.titles.at(own, other), shop.texts.at(own, other)
    users = np.arange(len(histories))[:, None]
    scores = Links.of(shop.candidates.scores(histories)).at(users, candidates)
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
    if shop.calendar is not None:
        columns += _timed(shop, histories, own, other, weights)
        columns += calendar_columns(shop.calendar, histories, candidates)
    return columns


def _timed(shop: Shop, histories: Histories, own: Any, other: Any, weights: Mapping[float, Any]) -> list[Any]:
    """What was bought on one day, and on different days, with the recent purchases and with today's."""
    assert shop.basket is not None and shop.later is not None
    basket, later = shop.basket.at(own, other), shop.later.at(own, other)
    columns = []
    for link in (basket, later):
        columns += [(link * weights[decay]).sum(axis=1) for decay in (1.0, 0.45)] + [link[:, 0]]
    today = replace(histories, items=on_request_day(histories).astype(np.int32))
    open_basket = (newest_items(today, RECENT) == 1)[:, :, None]
    return [*columns, (basket * open_basket).sum(axis=1), (later * open_basket).sum(axis=1)]


def _prices(shop: Shop, recent: Rankings, candidates: Rankings) -> list[Any]:
    own = np.where(recent != NO_ITEM, shop.prices[recent], np.nan)
    known = ~np.isnan(own)
    mean = np.where(known, own, 0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    price = shop.prices[candidates]
    return [price, price - own[:, :1], price - mean[:, None]]
