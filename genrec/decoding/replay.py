"""Decoding steps on fixed buffers, recorded once and replayed: no kernel is launched from Python again.

A recorded step is a list of kernels with fixed shapes and addresses. So for a span of steps the
inputs lie in buffers of their own, new keys and values are written where a tensor of positions says,
and attention reads the cache up to the span's end behind a mask that hides what is not yet written.
The first step of a span runs plainly, is recorded, and is replayed once: only a recording that gives
what the plain step gave is used. Otherwise decoding goes on plainly for good, and says why.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch

from genrec.decoding.cache import advance, hold, run_step

SPAN = 16
"""Steps on one set of buffers. More would have attention read more places that are still empty, fewer
would record more often; to record takes about as long as one plain step. Reasoned, not measured."""

TOLERANCE = 0.05
"""Largest difference between replayed and plain logits, as a share of the largest logit. Equal kernels
give equal numbers, other ones a rounding in bf16; a kernel that the recording left out, quite others."""

Record = Callable[[Callable[[], Any]], tuple[Any, Callable[[], None]]]
"""(work) -> (the tensor it gives, how to run it again into that tensor)."""


def cuda_graph(work: Callable[[], Any]) -> tuple[Any, Callable[[], None]]:
    """Record the kernels that `work` launches on a CUDA GPU."""
    stream = torch.cuda.current_stream()
    graph = torch.cuda.CUDAGraph()
    try:
        # other threads may use the GPU meanwhile: a meter that reads its memory does
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            output = work()
    finally:
        torch.cuda.set_stream(stream)  # a recording that fails leaves its own stream in place
    return output, graph.replay


class StepRecorder:
    """How one engine records its decoding steps, and how that went."""

    def __init__(self, record: Record | None) -> None:
        """Take None where nothing can be recorded: the steps then run plainly, on the same buffers."""
        self._record = record
        self.problem: str | None = None
        """Why nothing is recorded any more."""
        self.recorded = 0
        """Spans that were recorded."""

    def __str__(self) -> str:
        if self.problem is not None:
            return f"plain: {self.problem}"
        return "CUDA graph" if self.recorded else "fixed buffers, nothing recorded"

    def try_record(self, work: Callable[[], Any], expected: Any) -> tuple[Any, Callable[[], None]] | None:
        """Record `work`, which gives `expected` now; None where that cannot be or comes out otherwise."""
        if self._record is None:
            return None
        try:
            output, replay = self._record(work)
            replay()
            worst = float((output - expected).abs().max() / expected.abs().max())
            if worst <= TOLERANCE:
                self.recorded += 1
                return output, replay
            self.problem = f"a replayed step differs from the plain one by {worst:.2g} of the largest logit"
        except RuntimeError as error:
            self.problem = f"a step cannot be recorded ({str(error).strip().splitlines()[0]})"
        warnings.warn(f"decoding goes on without replayed steps: {self.problem}", stacklevel=2)
        return None


class Replay:
    """The steps of one batch; a new span begins when their shape changes or the buffers are full."""

    def __init__(self, model: Any, cache: Any, capacity: int, recorder: StepRecorder) -> None:
        self._model, self._cache, self._capacity, self._recorder = model, cache, capacity, recorder
        self._inputs: tuple[Any, ...] | None = None
        self._recorded: tuple[Any, Callable[[], None]] | None = None

    def end_span(self) -> None:
        """Forget the buffers: the cache is about to move."""
        hold(self._cache, None, 0)
        self._inputs = self._recorded = None

    def run(self, tokens: Any, mask: Any, positions: Any) -> Any:
        """Run one step; takes what the model takes, `mask` over all positions up to the new ones.

        Gives float32 logits, which the next step may overwrite.
        """
        if self._recorder.problem is not None:
            self.end_span()
            return self._plain(tokens, mask, positions)
        begins = not self._fits(tokens, mask)
        if begins:
            self._begin(tokens, mask)
        self._fill(tokens, mask, positions)
        if self._recorded is not None:
            logits, replay = self._recorded
            replay()
        else:
            logits = self._work()
            if begins:
                self._recorded = self._recorder.try_record(self._work, logits)
        advance(self._cache, tokens.shape[1])
        return logits

    def _fits(self, tokens: Any, mask: Any) -> bool:
        if self._inputs is None:
            return False
        held_tokens, held_mask, *_ = self._inputs
        return bool(held_tokens.shape == tokens.shape and mask.shape[3] <= held_mask.shape[3])

    def _begin(self, tokens: Any, mask: Any) -> None:
        """Make the buffers of a span, of a width that attention kernels like: a multiple of 8."""
        self.end_span()
        branches, filled = tokens.shape[1], mask.shape[3] - tokens.shape[1]
        width = min(self._capacity, -(-(filled + SPAN * branches) // 8) * 8)
        slots = torch.zeros(branches, dtype=torch.long, device=tokens.device)
        self._inputs = (
            torch.zeros_like(tokens, memory_format=torch.contiguous_format),
            mask.new_zeros(*mask.shape[:3], width),
            torch.zeros_like(tokens, memory_format=torch.contiguous_format),
            slots,
        )
        hold(self._cache, slots, width)

    def _fill(self, tokens: Any, mask: Any, positions: Any) -> None:
        assert self._inputs is not None
        held_tokens, held_mask, held_positions, slots = self._inputs
        held_tokens.copy_(tokens)
        held_mask[..., : mask.shape[3]].copy_(mask)
        held_positions.copy_(positions)
        torch.arange(mask.shape[3] - len(slots), mask.shape[3], out=slots)

    def _work(self) -> Any:
        assert self._inputs is not None
        tokens, mask, positions, _ = self._inputs
        return self._plain(tokens, mask, positions)

    def _plain(self, tokens: Any, mask: Any, positions: Any) -> Any:
        return run_step(self._model, self._cache, tokens, mask, positions)
