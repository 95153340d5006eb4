"""Prompts in, texts of the next item out, by any engine: `beam`, `sample`, `calrec` and `constrained`.

- beam: k beams, the k best texts; the texts that Hugging Face's beam search gives.
- sample: `num_beams` texts drawn with temperature, top-k and top-p.
- calrec: `calrec_samples` drawn texts, equal ones kept once (Li et al., CALRec, arXiv 2405.02429).
- constrained: beam search that can only write texts of the catalogue.

What is written for a prompt depends on the model, the settings, the seed and that prompt alone, not
on the prompts beside it; users with equal histories share one piece of work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from genrec.generation.kept_texts import PACKAGES, MemoryStore, Written, open_store, prompt_digest
from genrec.generation.pace import pace_of
from genrec.generation.strategies import STRATEGIES

if TYPE_CHECKING:
    from genrec.engines.interface import Engine


class TextGenerator:
    """An engine ready to write, and what it wrote kept."""

    def __init__(
        self,
        engine: Callable[[str], Engine],
        settings: GenerateSettings,
        *,
        pace: Mapping[str, Any],
        packages: tuple[str, ...] = PACKAGES,
    ) -> None:
        """`engine` makes the engine when the first prompt, which it is given, is there.

        `pace` decides how fast it writes, besides the settings, and `packages` (their versions) what.
        """
        self._make, self._settings = engine, settings
        self._engine: Engine | None = None
        self.pace, self._packages = pace, packages

    @classmethod
    def own(
        cls,
        model: Any,
        tokenizer: Any,
        settings: GenerateSettings,
        *,
        seed: int,
        catalogue_texts: Sequence[str] | None = None,
        techniques: Techniques = USUAL,
    ) -> TextGenerator:
        """Write with our own engine; `techniques` changes how long it takes, and not what is written."""

        def engine(prompt: str) -> Engine:
            from genrec.decoding.engine import Engine

            return Engine(
                model,
                tokenizer,
                settings,
                seed=seed,
                catalogue_texts=catalogue_texts,
                example_prompt=prompt,
                techniques=techniques,
            )

        return cls(engine, settings, pace=pace_of(model, techniques))

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
        if self._engine is None:
            self._engine = self._make(prompts[0])
        engine = self._engine
        with _opened(store, key, engine.token_budget, self._packages) as kept:
            engine.token_budget = kept.token_budget
            carried = kept.written.keys() & distinct.keys()
            if len(carried) < len(distinct):
                _write_missing(engine, distinct, kept)
            return replace(_assemble(digests, kept.written, carried), commit=kept.commit)

    def _seen(self, histories: Histories | None, count: int) -> Sequence[Int32Array | None]:
        if not self._settings.exclude_seen:
            return [None] * count
        if histories is None:
            raise ConfigError("generate.exclude_seen needs the users' histories beside their prompts")
        return [np.unique(items) for items in histories]


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
    writer = TextGenerator.own(model, tokenizer, settings, seed=seed, catalogue_texts=catalogue_texts)
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
def _opened(
    store: Path | None, key: str, token_budget: int, packages: tuple[str, ...]
) -> Iterator[MemoryStore]:
    if store is None:
        yield MemoryStore(token_budget)
    else:
        with open_store(store, key, token_budget=token_budget, packages=packages) as kept:
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
