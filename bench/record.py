"""The result record: what a row of the board is made of, and how it is kept on disk.

A record is `results/v1/<dataset>/<model>/<UTC>-<commit>.json`; beside it, with the same stem, lie
`.parquet` (the ranked lists: `user_id`, `item_ids`), `.ranks.parquet` (where each user's target
stands in them; of published outcomes the only file: `user_id` and one view), for generative runs
`.texts.parquet`, and, if the record was withdrawn or a flag on it cleared, `.invalid.json` or
`.cleared.json`. Nothing in the folder is ever rewritten.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from bench.record_parts import Cost, Count, Digest, Environment, Name, Part, Score, Text, UtcTime
from bench.schema import Split
from bench.tuning.ledger import Ledger

SCHEMA_VERSION = 1
VERSION_FOLDER = f"v{SCHEMA_VERSION}"
"""Folder of the records of this schema version, below the results folder."""
DEPTH = 50
"""Items of a ranked list that a model is asked for."""
NAME_PATTERN = r"^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$"
"""A data set or model name: safe as a folder name, no '..', no hidden file."""

SPLIT_PATTERN = r"^[a-z0-9](?:[a-z0-9.:_-]{0,62}[a-z0-9])?$"
"""The name of a split."""
TIES_PATTERN = r"^(file|shuffled:\d{1,10}|shuffled-day:\d{1,10})$"
"""The name of a tie rule."""

FORMER_METRICS = {"coverage": "interest_coverage"}
"""Names of metrics in records of before, and what they are called now."""

Kind = Literal["baseline", "untrained", "sequential", "generative", "hybrid", "cost-only"]
"""baseline: a floor of the published protocol. untrained: counts and text searches, with constants chosen on
validation users. sequential: learned from purchases, writes no text. generative: writes the next item's text.
hybrid: lists of other rows put together."""
View = Literal["seen_kept", "seen_removed"]
VIEWS: tuple[View, View] = ("seen_kept", "seen_removed")


class DatasetInfo(Part):
    """What the model was measured on."""

    name: str = Field(pattern=NAME_PATTERN, description="Name in the registry of data sets.")
    fingerprint: str = Field(pattern=r"^[0-9a-f]{64}$", description="SHA-256 over the canonical content.")
    ties: str = Field(pattern=TIES_PATTERN, description="Order of purchases of one time or day.")
    split: str = Field(pattern=SPLIT_PATTERN, description="Name of the split: leave-one-out, loo2, ...")
    users: Count = Field(description="Test users.")
    items: Count = Field(description="Items in the catalogue, all of them ranked.")
    interactions: Count = Field(description="Purchases after untitled items are dropped.")
    unseen_users: int | None = Field(
        default=None, ge=0, description="Split by time: users without a purchase before the cut."
    )
    unseen_targets: int | None = Field(
        default=None, ge=0, description="Split by time: test targets that nobody bought before the cut."
    )
    private: bool = Field(
        default=False, description="Users and items are row numbers in its files; texts are not kept."
    )
    estimated_times: int = Field(
        default=0, ge=0, description="Purchases whose time the copy of the data marks as estimated."
    )
    item_text: str | None = Field(
        default=None, max_length=400, description="An item's line for a language model, in the format title."
    )
    instruction: str | None = Field(
        default=None, max_length=1000, description="First and last sentence of the prompt."
    )
    text_fingerprint: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of what a language model is given beside the histories.",
    )


class ModelInfo(Part):
    """What was measured."""

    name: str = Field(pattern=NAME_PATTERN, description="Name in the registry, or given at submission.")
    kind: Kind = Field(description="Family, for filtering the board.")
    parameters: dict[str, Any] = Field(default_factory=dict, description="Settings that define the model.")
    display_name: str = Field(max_length=120, description="Name shown to people.")
    authors: str = Field(default="", max_length=400, description="Who made the model.")
    link: str = Field(default="", max_length=400, description="Paper or repository, http(s) only.")
    uses_times: bool | None = Field(
        default=None, description="Whether it was told when purchases and requests took place."
    )
    file_sha256: Digest | None = Field(
        default=None,
        description="Of a model from --model-file: SHA-256 of the file that the command names.",
    )


class Estimate(Part):
    """A mean over users with its 95 % percentile bootstrap interval."""

    value: Score | None = Field(description="Mean over all users; null if nothing was measured.")
    low: Score | None = Field(default=None, description="2.5th percentile, null where no interval applies.")
    high: Score | None = Field(default=None, description="97.5th percentile.")


class Slice(Part):
    """The metrics of one group of users."""

    label: Name = Field(description="Group, e.g. '6-14' items of history.")
    users: Count = Field(description="Users in the group.")
    metrics: dict[Name, Estimate] = Field(description="recall@5, ndcg@5, mrr@5, recall@10, ...")


def _by_present_names(estimates: dict[str, Estimate]) -> dict[str, Estimate]:
    """Give metrics that older records hold under a former name the name that they have now."""
    named = {}
    for name, found in estimates.items():
        before, at, cutoff = name.partition("@")
        named[f"{FORMER_METRICS.get(before, before)}{at}{cutoff}"] = found
    if len(named) < len(estimates):
        raise ValueError("holds a metric twice, under its former and its present name")
    return named


Estimates = Annotated[dict[Name, Estimate], AfterValidator(_by_present_names)]


class Metrics(Part):
    """Quality in both views; null for a cost-only record."""

    seen_kept: Estimates = Field(description="Lists as the model returned them.")
    seen_removed: Estimates = Field(description="Items of the user's own history dropped.")
    slices: dict[View, dict[Name, list[Slice]]] = Field(
        description="View -> slice (history_length, target_popularity, same_day, shared_title) -> groups."
    )
    draws: Literal[1, 2] = Field(
        default=1,
        description="Intervals and audits were drawn by: 1 NumPy's Generator, 2 `bench.statistics.draws`.",
    )

    @model_validator(mode="after")
    def _values_are_inside_their_intervals(self) -> Metrics:
        for view in (self.seen_kept, self.seen_removed):
            _check_intervals(view)
        for kinds in self.slices.values():
            for groups in kinds.values():
                for group in groups:
                    _check_intervals(group.metrics)
        return self


def _check_intervals(estimates: dict[str, Estimate]) -> None:
    for name, found in estimates.items():
        if found.low is None and found.high is None:
            continue
        if found.value is None or found.low is None or found.high is None:
            raise ValueError(f"{name} has a part of an interval only")
        if not found.low - 1e-9 <= found.value <= found.high + 1e-9:
            raise ValueError(f"{name} is {found.value}, outside its own interval {found.low} to {found.high}")


class Audit(Part):
    """One check of a set of ranked lists, shown as a badge."""

    name: Name
    verdict: Literal["pass", "flag", "fail", "info"]
    value: float | None = None
    message: Text


class Record(Part):
    """One measured or submitted row."""

    schema_version: Literal[1] = 1
    status: Literal["complete", "partial", "cost-only"] = Field(
        description="partial: lists are missing for some users (--allow-partial); they count as misses."
    )
    source: Literal["harness", "submission", "published-outcomes"] = Field(
        description="Run by the harness, lists handed in, or ranks that others published, not re-run."
    )
    created: UtcTime = Field(description="With its zone; UTC.")
    command: Text = Field(description="What to type to get this record again.")
    seed: int = Field(ge=-(2**63), lt=2**63)
    depth: int = Field(ge=1, le=1000, description="Length of the lists asked for.")
    removal_room: int = Field(
        default=0,
        ge=0,
        description="Of the depth, items asked for so that no list starves once seen items are removed; each "
        "list is kept up to where it holds as many unseen items as the rest of the depth.",
    )
    dataset: DatasetInfo
    model: ModelInfo
    metrics: Metrics | None
    cost: Cost
    environment: Environment
    details: dict[str, Any] = Field(
        default_factory=dict, description="The model's own evidence: generation_health, loss_curve, ..."
    )
    audits: list[Audit] = Field(default_factory=list)
    tuning: Ledger | None = Field(
        default=None, description="How the model's constants were chosen, where `genrec-bench tune` did it."
    )
    card: dict[str, Any] = Field(default_factory=dict, description="Model card of a submission.")
    lists_sha256: Digest | None = Field(
        default=None, description="SHA-256 of the .parquet beside the record."
    )
    texts_sha256: Digest | None = Field(default=None, description="SHA-256 of the .texts.parquet, if any.")
    published_view: View | None = Field(
        default=None, description="Published outcomes: the one view that their ranks are of."
    )
    outcomes_sha256: Digest | None = Field(
        default=None, description="Published outcomes: SHA-256 of the .ranks.parquet, all they consist of."
    )

    def shown_view(self, view: View) -> View:
        """Give the view whose figures stand for `view`: of published outcomes always the published one."""
        return self.published_view or view

    @model_validator(mode="after")
    def _outcomes_are_whole(self) -> Record:
        """Published outcomes have a view and no lists; nothing else has either."""
        if (self.source == "published-outcomes") != (self.published_view is not None):
            raise ValueError("published outcomes, and they alone, name the view of their ranks")
        if self.published_view is not None and (self.lists_sha256 or self.texts_sha256):
            raise ValueError("published outcomes have no lists and no texts")
        return self


def dataset_info(split: Split) -> DatasetInfo:
    """Describe the split as a record does."""
    return DatasetInfo(
        name=split.dataset,
        fingerprint=split.fingerprint,
        ties=split.ties,
        split=split.name,
        users=len(split.test),
        items=len(split.catalogue),
        interactions=split.interactions,
        unseen_users=None if split.cut is None else split.unseen_users,
        unseen_targets=None if split.cut is None else split.unseen_targets,
        private=split.private,
        estimated_times=split.estimated_times,
        item_text=split.catalogue.wording.item,
        instruction=f"{split.catalogue.wording.introduction} {split.catalogue.wording.request}",
        text_fingerprint=split.text_fingerprint,
    )
