"""Prompts in, texts of the next item out: the strategies `beam`, `sample`, `calrec` and `constrained`.

- beam: k beams, the k best texts; the texts that Hugging Face's beam search gives.
- sample: `num_beams` texts drawn with temperature, top-k and top-p.
- calrec: `calrec_samples` drawn texts, equal ones kept once (Li et al., CALRec, arXiv 2405.02429).
- constrained: beam search that can only write texts of the catalogue.

What is written for a prompt depends on the model, the settings, the seed and that prompt alone, not
on the prompts beside it; users with equal histories share one piece of work.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.errors import ConfigError
from bench.progress import report
from bench.retrieval.generated import GeneratedTexts
from bench.schema import Histories, Int32Array
from genrec.config import GenerateSettings, settings_digest
from genrec.decoding.techniques import USUAL, Techniques
from genrec.generation.kept_texts import MemoryStore, Written, open_store, prompt_digest
from genrec.generation.pace import pace_of
from genrec.generation.strategies import STRATEGIES
from genrec.weights.threads import threads_for

if TYPE_CHECKING:
    from genrec.decoding.engine import Engine


class TextGenerator:
    """A model ready to write; what it needs besides prompts (the catalogue's trie) is made once."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        settings: GenerateSettings,
        *,
        seed: int,
        catalogue_texts: Sequence[str] | None = None,
        techniques: Techniques = USUAL,
    ) -> None:
        """`techniques` changes how long it takes, and not what is written."""
        self._parts = (model, tokenizer, settings)
        self._techniques = techniques
        self._seed, self._catalogue_texts = seed, catalogue_texts
        self._engine: Engine | None = None

    def generate(
        self,
        prompts: Sequence[str],
        *,
        histories: Histories | None = None,
        store: Path | None = None,
        key: str = "",
    ) -> GeneratedTexts:
        """Write the texts of every prompt.

        `histories` are the users' whole ones; with `exclude_seen` their items' texts are not written.

        With `store`, a folder, texts are appended to `<store>/<key>.jsonl` as they are written, and
        those that are there already are not written again; `key` stands for all that they depend on
        (see `generation_key`). Raises ConfigError where the model, the tokenizer or the catalogue
        cannot be used, or another process writes the same file.
        """
        asked = [
            _Asked(prompt, items)
            for prompt, items in zip(prompts, self._seen(histories, len(prompts)), strict=True)
        ]
        digests = [one.digest for one in asked]
        distinct = dict(zip(digests, asked, strict=True))
        if not distinct:
            return _assemble([], {}, set())
        engine = self._prepared(prompts[0])
        with _opened(store, key, engine.token_budget) as kept:
            engine.token_budget = kept.token_budget
            carried = kept.written.keys() & distinct.keys()
            if len(carried) < len(distinct):
                with threads_for(self._parts[0]):
                    _write_missing(engine, distinct, kept)
            return replace(_assemble(digests, kept.written, carried), commit=kept.commit)

    @property
    def pace(self) -> dict[str, Any]:
        """What decides how fast it writes, besides its settings."""
        return pace_of(self._parts[0], self._techniques)

    def _seen(self, histories: Histories | None, count: int) -> Sequence[Int32Array | None]:
        if not self._parts[2].exclude_seen:
            return [None] * count
        if histories is None:
            raise ConfigError("generate.exclude_seen needs the users' histories beside their prompts")
        return [np.unique(items) for items in histories]

    def _prepared(self, prompt: str) -> Engine:
        if self._engine is None:
            from genrec.decoding.engine import Engine

            self._engine = Engine(
                *self._parts,
                seed=self._seed,
                catalogue_texts=self._catalogue_texts,
                example_prompt=prompt,
                techniques=self._techniques,
            )
        return self._engine


def generate(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    settings: GenerateSettings,
    *,
    seed: int,
    catalogue_texts: Sequence[str] | None = None,
    histories: Histories | None = None,
    store: Path | None = None,
    key: str = "",
) -> GeneratedTexts:
    """Write the texts of every prompt; see `TextGenerator.generate`."""
    writer = TextGenerator(model, tokenizer, settings, seed=seed, catalogue_texts=catalogue_texts)
    return writer.generate(prompts, histories=histories, store=store, key=key)


def generation_key(
    settings: GenerateSettings, *, seed: int, model: str, fingerprint: str, pace: Mapping[str, Any]
) -> str:
    """Name a store of texts by all that they and their seconds depend on besides the prompt.

    `model` names the weights (the artefact's folder), `fingerprint` the data, `pace` (see
    `genrec.generation.pace`) what decides the speed. What the strategy does not read is left out.
    """
    strategy = STRATEGIES[settings.strategy]
    # defaults are left out, so that a setting added later does not rename what is written already
    chosen = settings.model_dump(mode="json", exclude=set(strategy.unread), exclude_defaults=True)
    drawn_by = seed if strategy.drawn else None
    rest = {"seed": drawn_by, "model": model, "data": fingerprint, "pace": dict(pace)}
    return settings_digest(chosen, rest)


@contextmanager
def _opened(store: Path | None, key: str, token_budget: int) -> Iterator[MemoryStore]:
    if store is None:
        yield MemoryStore(token_budget)
    else:
        with open_store(store, key, token_budget=token_budget) as kept:
            yield kept


class _Asked(NamedTuple):
    """A prompt, and the items whose texts are not to be written, None where all may be."""

    prompt: str
    seen: Int32Array | None

    @property
    def digest(self) -> str:
        """Name for both."""
        if self.seen is None:
            return prompt_digest(self.prompt)
        return prompt_digest(f"{self.prompt}\0{','.join(map(str, self.seen.tolist()))}")


def _write_missing(engine: Engine, distinct: dict[str, _Asked], kept: MemoryStore) -> None:
    digests = list(distinct)
    needed = np.array([digest not in kept.written for digest in digests])
    start, tokens, done, total = time.perf_counter(), 0, 0, len(digests)
    report("generate", total - int(needed.sum()), total)
    asked = list(distinct.values())
    seen = [one.seen for one in asked if one.seen is not None]
    for batch, texts in engine.write([one.prompt for one in asked], digests, needed, seen or None):
        fresh = [(digests[row], text) for row, text in zip(batch, texts, strict=True) if needed[row]]
        kept.add(fresh)
        done += len(fresh)
        tokens += sum(sum(text.tokens) for _, text in fresh)
        seconds = time.perf_counter() - start
        note = f"{done / seconds:.1f} users/s, {tokens / seconds:.0f} tokens/s"
        report("generate", total - int(needed.sum()) + done, total, note)


def _assemble(digests: Sequence[str], written: dict[str, Written], carried: set[str]) -> GeneratedTexts:
    rows = [written[digest] for digest in digests]
    indptr = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row.texts) for row in rows], out=indptr[1:])
    distinct = set(digests)
    return GeneratedTexts(
        indptr=indptr,
        texts=tuple(chain.from_iterable(row.texts for row in rows)),
        log_likelihoods=np.array(
            list(chain.from_iterable(row.log_likelihoods for row in rows)), dtype=np.float64
        ),
        tokens=np.array(list(chain.from_iterable(row.tokens for row in rows)), dtype=np.int32),
        truncated=~np.array(list(chain.from_iterable(row.ended for row in rows)), dtype=bool),
        seconds=sum(written[digest].seconds for digest in distinct),
        carried_seconds=sum(written[digest].seconds for digest in carried),
    )
