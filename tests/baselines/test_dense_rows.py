"""Rows by sentence embeddings: the contract, on vectors from a file, and what a wrong file is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from baselines.dense_history import DenseHistory, LastItemDense, cosine_links
from bench.contract import RecommenderContract, small_shop
from bench.errors import DataError, Unavailable
from bench.recommender import Recommender
from bench.schema import Histories


@pytest.fixture(scope="module")
def vectors(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Items on a circle: each is nearest to its two neighbours by row."""
    angles = np.arange(30) * 2 * np.pi / 30
    path = tmp_path_factory.mktemp("vectors") / "circle.npy"
    np.save(path, 3 * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    return path


class TestDenseHistory(RecommenderContract):
    @pytest.fixture(autouse=True)
    def _vectors(self, vectors: Path) -> None:
        type(self).file = str(vectors)

    def make_model(self, seed: int) -> Recommender:
        return DenseHistory(seed=seed, embeddings=self.file)


def test_the_last_item_alone_or_the_whole_history(vectors: Path) -> None:
    data = small_shop().training_data
    asked = Histories.from_lists([[10, 20]])
    last, both = (
        LastItemDense(embeddings=str(vectors)),
        DenseHistory(embeddings=str(vectors), history_decay=1),
    )
    for row in (last, both):
        row.fit(data)
    assert set(last.recommend(asked, 2)[0].tolist()) == {19, 21}
    assert set(both.recommend(asked, 4)[0].tolist()) == {9, 11, 19, 21}


def test_links_leave_out_the_item_itself_and_what_points_away() -> None:
    links = cosine_links(np.array([[1, 0], [1, 0], [0.6, 0.8], [-1, 0]], dtype=np.float32), 2, 2.0).toarray()
    assert links[0] == pytest.approx([0, 1, 0.36, 0])
    assert links[3].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (np.zeros((3, 2)), r"must have shape \(30, width\), got \(3, 2\)"),
        (np.full((30, 2), np.nan), "finite floats"),
        (np.zeros((30, 2), dtype=int), "finite floats"),
        (np.array([{}] * 30, dtype=object), "not a readable .npy array"),
    ],
)
def test_a_wrong_file_is_named(content: np.ndarray, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    np.save(path, content, allow_pickle=True)
    with pytest.raises(DataError, match=message):
        DenseHistory(embeddings=str(path)).fit(small_shop().training_data)


def test_a_missing_encoder_is_said_before_anything_runs() -> None:
    with pytest.raises(Unavailable, match="no encoder in 'nowhere'"):
        DenseHistory(encoder="nowhere").check_available(small_shop().training_data)
