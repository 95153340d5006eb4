"""The probe: a model that has memorised the catalogue fails it, one with random weights passes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_models import scratch_preset

from bench.errors import DataError
from bench.schema import Catalogue, Examples, Histories, TrainingData
from genrec.config import Preset
from genrec.probe import FEWEST_WORDS, load_probed, made_up_titles, probe

BRANDS = ["Ada", "Bo", "Cleo", "Dot", "Eve", "Fay", "Gus", "Hal", "Ida", "Jon", "Kit", "Lou"]
COLOURS, NOUNS, SIZES = ["red", "blue", "green"], ["soap", "oil", "gel", "comb"], ["small", "big", "huge"]


def data_of(titles: tuple[str, ...]) -> TrainingData:
    """Twelve items that users buy in a circle."""
    count = len(titles)
    nothing = (None,) * count
    catalogue = Catalogue(
        item_ids=tuple(f"i{row}" for row in range(count)), titles=titles, brands=nothing,
        categories=((),) * count, prices=nothing,
    )  # fmt: skip
    sequences = [[(start + step) % count for step in range(4)] for start in range(count)] * 2
    return TrainingData(
        dataset="toy",
        fingerprint="f" * 64,
        catalogue=catalogue,
        train=Histories.from_lists(sequences),
        validation=Examples(
            histories=Histories.from_lists(sequences), targets=np.array([s[-1] for s in sequences], np.int32)
        ),
    )


def titles() -> tuple[str, ...]:
    rng = np.random.default_rng(3)
    return tuple(
        " ".join([brand, *(words[int(rng.integers(len(words)))] for words in (COLOURS, NOUNS, SIZES))])
        for brand in BRANDS
    )


DATA = data_of(titles())


def preset(**finetune: Any) -> Preset:
    made = scratch_preset(loss_on="text", **finetune).model_dump()
    compact = {"prompt": "compact", "item_format": "plain", "history_items": 3}
    made["finetune"] |= {"loss_on": "lines", "train_windows": 9, **finetune}
    return Preset.model_validate({**made, **compact})


def probed(tmp_path: Path, chosen: Preset) -> Any:
    torch.set_num_threads(1)
    model, tokenizer, what = load_probed(chosen, "toy", DATA, seed=0, work=tmp_path, finetuned=False)
    assert what == "toy as trained on toy"  # from scratch: there is no base to probe
    return probe(model, tokenizer, chosen, DATA, count=50, seed=0)


def test_an_overfitted_model_fails(tmp_path: Path) -> None:
    found = probed(tmp_path, preset(max_steps=150, epochs=100, learning_rate=1e-2, patience=99))
    assert found.titles == len(BRANDS) and found.users == 24
    assert found.completed > 0.8 and found.completed_made_up < found.completed
    assert found.knows_titles and found.badge.startswith("knows these titles")
    beginning, rest = found.examples[0]
    assert f"{beginning} {rest}" in DATA.catalogue.titles


def test_a_model_with_random_weights_passes(tmp_path: Path) -> None:
    found = probed(tmp_path, preset(max_steps=1, learning_rate=1e-9))
    assert found.completed == 0.0 and not found.knows_titles
    assert "no sign" in found.badge
    assert found.next_without_history.low < 0.5 < found.next_without_history.high


def test_made_up_titles_have_the_words_and_lengths_of_real_ones_and_are_new() -> None:
    real = list(DATA.catalogue.titles)
    lengths = [4] * 40
    made = made_up_titles(real, lengths, np.random.default_rng(0))
    assert [len(title.split()) for title in made] == lengths
    assert len(set(made)) == len(made) and not set(made) & set(real)
    pairs = {pair for title in real for pair in zip(title.split(), title.split()[1:], strict=False)}
    assert all(
        pair in pairs for title in made for pair in zip(title.split(), title.split()[1:], strict=False)
    )
    assert Counter(title.split()[0] for title in made).keys() <= set(BRANDS)


def test_a_catalogue_that_cannot_be_probed_says_so() -> None:
    with pytest.raises(DataError, match="no new title of 4 words"):
        made_up_titles(["Ada red soap big"], [4], np.random.default_rng(0))
    short = data_of(("a b", "c d", "e f"))
    with pytest.raises(DataError, match=f"titles of {FEWEST_WORDS} words"):
        probe(None, None, preset(), short, count=5, seed=0)
