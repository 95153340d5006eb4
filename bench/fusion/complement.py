"""What two rows find together: hits of both, of one alone, of neither, and what a fusion could reach."""

from __future__ import annotations

from dataclasses import dataclass

from bench.schema import Int32Array


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Users by who lists their target among the first `cutoff` places."""

    cutoff: int
    users: int
    both: int
    first_only: int
    second_only: int
    neither: int
    reachable: int
    """Users whose target stands anywhere in either list: no fusion of the two can find more."""

    @property
    def either(self) -> int:
        """Users served by one of the two at this cut-off: what a perfect choice between them would reach."""
        return self.both + self.first_only + self.second_only


def overlap(first: Int32Array, second: Int32Array, cutoff: int) -> Overlap:
    """Compare two rows by the ranks of the users' targets (0: not listed)."""
    ours, theirs = ((ranks > 0) & (ranks <= cutoff) for ranks in (first, second))
    return Overlap(
        cutoff=cutoff,
        users=len(first),
        both=int((ours & theirs).sum()),
        first_only=int((ours & ~theirs).sum()),
        second_only=int((theirs & ~ours).sum()),
        neither=int((~ours & ~theirs).sum()),
        reachable=int(((first > 0) | (second > 0)).sum()),
    )
