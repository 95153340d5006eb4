"""A record as a Hugging Face model card whose metadata hold the evaluation result (`model-index`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.comparison.review import quoted
from bench.errors import RecordError, Unavailable
from bench.labels import DEFAULT_VIEW, VIEW_LABELS, metric_label
from bench.marks import published_note
from bench.record import Record
from bench.records.store import StoredRecord

if TYPE_CHECKING:
    from huggingface_hub import ModelCard

METRICS = ("recall@5", "ndcg@5", "mrr@5", "recall@10", "ndcg@10")


def model_card(stored: StoredRecord, existing: ModelCard | None = None) -> ModelCard:
    """Give the card: the one that is there with this result added, or a new one.

    A result of the same data, split and view is replaced; all else of an existing card stays.
    """
    from huggingface_hub import EvalResult, ModelCard, ModelCardData

    record = stored.record
    view = record.shown_view(DEFAULT_VIEW)
    metrics = getattr(record.metrics, view)
    data = record.dataset
    results = [
        EvalResult(
            task_type="sequential-recommendation",
            task_name="Sequential recommendation, full catalogue ranked",
            dataset_type=data.name,
            dataset_name=f"{data.name}, ties {data.ties}, {VIEW_LABELS[view]}",
            dataset_split=data.split,
            dataset_revision=data.fingerprint,
            metric_type=name,
            metric_name=metric_label(name),
            metric_value=found.value,
        )
        for name in METRICS
        if (found := metrics.get(name)) is not None and found.value is not None
    ]
    if not results:
        raise RecordError(f"{stored.id} has no quality to put in a model card")
    if existing is not None:
        ours = {result.unique_identifier for result in results}
        kept = [one for one in existing.data.eval_results or [] if one.unique_identifier not in ours]
        existing.data.model_name = existing.data.model_name or record.model.name
        existing.data.eval_results = [*kept, *results]
        return existing
    content = ModelCardData(
        model_name=record.model.name, eval_results=results, tags=["recommendation", "genrec-bench"]
    )
    return ModelCard(f"---\n{content.to_yaml()}\n---\n\n{_text(record)}")


def push_card(stored: StoredRecord, repository: str) -> str:
    """Add the result to the card of a model on the Hugging Face Hub; give the address of the commit.

    Only this sends anything. The repository must exist and the user be signed in (`hf auth login`).
    Raises Unavailable, with the reason, where the Hub cannot be reached or refuses.
    """
    try:
        from huggingface_hub import ModelCard
        from huggingface_hub.errors import (
            EntryNotFoundError,
            HfHubHTTPError,
            HFValidationError,
            OfflineModeIsEnabled,
        )
    except ImportError:
        raise Unavailable("--hub needs the package huggingface_hub: pip install huggingface_hub") from None
    message = f"Add the genrec-bench result on {stored.record.dataset.name}"
    try:
        try:
            existing: ModelCard | None = ModelCard.load(repository)
        except EntryNotFoundError:
            existing = None  # a repository without a card
        return str(model_card(stored, existing).push_to_hub(repository, commit_message=message))
    except (HfHubHTTPError, HFValidationError, OfflineModeIsEnabled, OSError, ValueError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise Unavailable(
            f"the model card was not sent to '{repository}': {reason}. The repository must exist "
            "(`hf repo create`) and you be signed in (`hf auth login`)"
        ) from None


def _text(record: Record) -> str:
    view = record.shown_view(DEFAULT_VIEW)
    metrics = getattr(record.metrics, view)
    rows = []
    for name in METRICS:
        found = metrics.get(name)
        if found is not None and found.value is not None:
            span = "" if found.low is None else f"{found.low:.4f} to {found.high:.4f}"
            rows.append(f"| {metric_label(name)} | {found.value:.4f} | {span} |")
    data = record.dataset
    parts = [
        f"# {quoted(record.model.display_name or record.model.name)}",
        f"Scored by genrec-bench on `{data.name}` (ties `{data.ties}`, split `{data.split}`, fingerprint "
        f"`{data.fingerprint[:12]}`): {data.users:,} test users, all {data.items:,} items ranked, "
        f"{VIEW_LABELS[view]}.",
        "\n".join(["| metric | value | 95 % interval |", "|---|--:|---|", *rows]),
    ]
    if note := published_note(record):
        parts.append(f"{note[0].upper()}{note[1:]}.")
    if record.status == "partial":
        parts.append("Lists are missing for some users, who count as misses.")
    parts.append(f"Made again by:\n\n```\n{' '.join(record.command.split())}\n```")
    return "\n\n".join(parts) + "\n"
