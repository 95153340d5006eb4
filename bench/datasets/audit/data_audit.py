"""The findings on one split of one data set, kept for the board, and where they are kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bench.datasets.audit.findings import CHECKS, Finding, left_out
from bench.errors import RecordError
from bench.record import VERSION_FOLDER
from bench.schema import Interactions, Split

SCHEMA_VERSION = 1
FILE_PATTERN = re.compile(r"data-audit-[0-9a-f]{12}\.json")


class DataAudit(BaseModel):
    """All findings on one split of one data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_version: int = SCHEMA_VERSION
    dataset: str
    split: str
    ties: str
    fingerprint: str
    created: datetime
    findings: list[Finding]

    @property
    def leaks(self) -> list[Finding]:
        """What must not be: under a split by time, something learned from after the cut."""
        return [finding for finding in self.findings if finding.verdict == "leak"]


def audit_data(split: Split, interactions: Interactions | None = None) -> DataAudit:
    """Look at a split; `interactions` adds what was left out before it."""
    findings = [finding for check in CHECKS for finding in check(split)]
    if interactions is not None:
        findings += left_out(split, interactions)
    return DataAudit(
        dataset=split.dataset,
        split=split.name,
        ties=split.ties,
        fingerprint=split.fingerprint,
        created=datetime.now(UTC),
        findings=findings,
    )


def file_name(fingerprint: str) -> str:
    """Give the name of the file that keeps the audit of a split."""
    return f"data-audit-{fingerprint[:12]}.json"


def stored_audits(results_dir: Path, dataset: str) -> list[DataAudit]:
    """Give the audits that are kept of a data set; one that is damaged is left out."""
    found = []
    for path in sorted((results_dir / VERSION_FOLDER / dataset).glob("data-audit-*.json")):
        try:
            found.append(load_audit(path))
        except RecordError:
            continue
    return [audit for audit in found if audit is not None]


def load_audit(path: Path) -> DataAudit | None:
    """Read a stored audit, None where there is none; RecordError where it is damaged."""
    try:
        return DataAudit.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise RecordError(f"{path.name} is not readable: {str(error).splitlines()[0]}") from None
