"""Ranker: the best candidates of text + co-visit, put in order by LambdaRank.

Stage one is the row `text-co-visit`, or with times `text-co-visit-times`, with the constants tuned for the
same data where there are any. Stage two is a LightGBM model over what that row and its parts say of a
candidate (`features`), trained on each user's last training purchase with counts that have not seen it
(`examples`); one fold says how many trees. Test users' targets are never asked.

Sources: Burges, "From RankNet to LambdaRank to LambdaMART" (2010); Ke et al., "LightGBM" (NeurIPS 2017);
two stages as in Covington et al., "Deep neural networks for YouTube recommendations" (RecSys 2016).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from baselines.neighbours.constants import Constants, TunableModel
from baselines.ranker.examples import Examples, make_examples
from baselines.ranker.features import feature_names, features
from baselines.ranker.shop import Shop
from baselines.text_co_visit import TextCoVisitSettings
from baselines.text_co_visit_times import TimedSettings, check_times
from bench.errors import Unavailable
from bench.progress import report
from bench.schema import NO_ITEM, FloatArray, Generations, Histories, Rankings, TrainingData
from bench.tuning.ledger import find_ledger
from bench.tuning.space import Real, Whole

USERS_PER_CHUNK = 1024
MAX_TREES = 400
PATIENCE = 40


class RankerSettings(Constants):
    """Constants of the second stage."""

    candidates: Annotated[int, Field(ge=2, le=1000)] = 150
    rate: Annotated[float, Field(gt=0, le=1), Real(0.02, 0.2, log=True)] = 0.06
    leaves: Annotated[int, Field(ge=2, le=1024), Whole(7, 63, log=True)] = 15
    leaf_size: Annotated[int, Field(ge=1, le=100_000), Whole(20, 400, log=True)] = 80
    feature_share: Annotated[float, Field(gt=0, le=1), Real(0.2, 1)] = 0.5
    row_share: Annotated[float, Field(gt=0, le=1), Real(0.5, 1)] = 0.8
    ridge: Annotated[float, Field(ge=0, le=1e6), Real(0.1, 50, log=True)] = 5.0
    truncation: Annotated[int, Field(ge=1, le=1000)] = 20


class Ranker(TunableModel):
    """Two stages. Lists are at most `candidates` long and hold no item of the user's own history."""

    kind = "sequential"
    display_name = "Two-stage ranker (LambdaRank)"
    Settings = RankerSettings
    first_stage = "text-co-visit"
    FirstStage: type[TextCoVisitSettings] = TextCoVisitSettings

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable where LightGBM is not installed."""
        try:
            import lightgbm  # noqa: F401
        except ImportError:
            raise Unavailable("the ranker needs LightGBM: pip install 'genrec-bench[rank]'") from None

    def fit(self, data: TrainingData) -> None:
        """Count, make examples fold by fold, choose the number of trees, train on all folds."""
        ledger = find_ledger("baselines", self.first_stage, data)
        blend = self.FirstStage.read(ledger.chosen if ledger else {})
        self._details: dict[str, Any] = {
            "first_stage": {
                "constants": blend.model_dump(),
                "tuned_by": ledger.command if ledger else None,
                "tuning_seconds": ledger.seconds if ledger else None,
            }
        }
        examples = make_examples(data.train, data.catalogue, blend, self.settings.candidates, self.seed)
        report("examples", 1, 1)
        self._booster = self._train(examples)
        self._shop = Shop.count(data.train, data.catalogue, blend)

    def recommend(self, histories: Histories, depth: int) -> Rankings:
        """Put each user's candidates in order; equal scores keep the order of the first stage."""
        lists = np.full((len(histories), depth), NO_ITEM, dtype=np.int32)
        for start in range(0, len(histories), USERS_PER_CHUNK):
            rows = np.arange(start, min(start + USERS_PER_CHUNK, len(histories)))
            chunk = histories.take(rows)
            candidates = self._shop.candidates.rank(chunk, self.settings.candidates)
            order = np.argsort(-self._scores(chunk, candidates), axis=1, kind="stable")[:, :depth]
            lists[rows, : order.shape[1]] = np.take_along_axis(candidates, order, axis=1)
        return lists

    def details(self) -> Mapping[str, Any]:
        """Give how many examples and trees there were, what the trees looked at, and the first stage."""
        return self._details

    def generations(self) -> Generations | None:
        """It writes no texts."""
        return None

    def _scores(self, histories: Histories, candidates: Rankings) -> FloatArray:
        scores = np.full(candidates.shape, -np.inf)
        present = candidates != NO_ITEM
        if self._booster is None:
            scores[present] = 0.0
        elif present.any():
            table = features(self._shop, histories, candidates)
            scores[present] = self._booster.predict(table[present], num_threads=1)
        return scores

    def _train(self, examples: Examples) -> Any:
        """Train on four folds to see how many trees the fifth wants, then on all five."""
        import lightgbm

        self._details |= {"examples": len(examples.sizes), "trees": 0}
        known, held = examples.of(examples.folds != 0), examples.of(examples.folds == 0)
        if not len(known.sizes) or not len(held.sizes):
            return None  # no target was among the candidates: the first stage's order stands
        parameters = self._parameters()
        stopped = lightgbm.train(
            parameters,
            self._dataset(known),
            num_boost_round=MAX_TREES,
            valid_sets=[self._dataset(held)],
            callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False), _progress],
        )
        trees = stopped.best_iteration
        booster = lightgbm.train(
            parameters, self._dataset(examples), num_boost_round=trees, callbacks=[_progress]
        )
        gains = booster.feature_importance("gain")
        shares = (gains / max(gains.sum(), 1e-12)).round(4).tolist()
        self._details |= {
            "trees": trees,
            "gain_share": dict(zip(self._names, shares, strict=True)),
        }
        return booster

    def _dataset(self, examples: Examples) -> Any:
        import lightgbm

        return lightgbm.Dataset(
            examples.table, label=examples.hits, group=examples.sizes, feature_name=self._names
        )

    @property
    def _names(self) -> list[str]:
        return feature_names(timed=issubclass(self.FirstStage, TimedSettings))

    def _parameters(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "objective": "lambdarank",
            "metric": "ndcg",
            "eval_at": [10],
            "learning_rate": settings.rate,
            "num_leaves": settings.leaves,
            "min_data_in_leaf": settings.leaf_size,
            "feature_fraction": settings.feature_share,
            "bagging_fraction": settings.row_share,
            "bagging_freq": 1,
            "lambda_l2": settings.ridge,
            "lambdarank_truncation_level": settings.truncation,
            "seed": self.seed,
            # the same trees on every machine
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }


class RankerTimes(Ranker):
    """The same, told when purchases took place and when the list is asked for.

    Its candidates are those of `text-co-visit-times`. It sees besides which of a candidate's links are of one
    day, the open basket, and the candidate's purchases up to the day before the request (`calendar`).
    """

    display_name = "Two-stage ranker, with times"
    uses_times = True
    first_stage = "text-co-visit-times"
    FirstStage = TimedSettings

    def check_available(self, data: TrainingData) -> None:
        """Raise Unavailable where LightGBM is not installed, or for data without times."""
        super().check_available(data)
        check_times(data)


def _progress(state: Any) -> None:
    report("trees", state.iteration + 1, state.end_iteration)
