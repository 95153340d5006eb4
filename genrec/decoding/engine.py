"""The language model as a writer: prompts in, texts with log-likelihoods out, batch by batch."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from bench.errors import BenchError, ConfigError
from bench.schema import BoolArray, Int32Array, Int64Array
from genrec.config import GenerateSettings
from genrec.decoding.attention import decoding_attention
from genrec.decoding.batches import batch_tokens, is_out_of_memory, plan, token_budget
from genrec.decoding.beam import BeamRules, beam_search
from genrec.decoding.branches import Branches, Prefix, run_prefix
from genrec.decoding.prompt_tokens import common_prefix, continuations, encode
from genrec.decoding.sampling import SampleRules, sample, uniforms
from genrec.decoding.seen_texts import SeenTexts, padded
from genrec.decoding.techniques import Techniques
from genrec.decoding.trie import Trie
from genrec.generation.kept_texts import Written
from genrec.generation.strategies import STRATEGIES
from genrec.weights.threads import threads_for

SHORTEST_PREFIX = 8
"""A shared prefix of fewer tokens is not worth a run of its own."""


class _Entry(NamedTuple):
    text: str
    log_likelihood: float
    tokens: int
    ended: bool


class Engine:
    """A model with its tokenizer and settings; the catalogue's trie is made once."""

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        settings: GenerateSettings,
        *,
        seed: int,
        catalogue_texts: Sequence[str] | None,
        example_prompt: str,
        techniques: Techniques,
    ) -> None:
        _check(model, tokenizer, settings)
        self._techniques = techniques
        self._model, self._tokenizer, self._settings, self._seed = model.eval(), tokenizer, settings, seed
        self._end: int = tokenizer.eos_token_id
        self._strategy = STRATEGIES[settings.strategy]
        self._branches = settings.continuations
        self._steps = settings.max_new_tokens
        self._trie: Trie | None = None
        self._blocked: list[Int64Array] | None = None
        if self._strategy.constrained:
            if not catalogue_texts:
                raise ConfigError(
                    f"the strategy '{settings.strategy}' needs the texts of a catalogue, and there are none"
                )
            self._texts = list(dict.fromkeys(catalogue_texts))
            self._trie = Trie(continuations(tokenizer, self._texts, example_prompt), self._end, model.device)
            self._seen_texts = SeenTexts(self._trie, catalogue_texts, self._texts)
            self._steps = self._trie.depth
        # A catalogue text is written to its end, even where that takes more than max_new_tokens.
        self._prompt_room = settings.max_seq_length - max(settings.max_new_tokens, self._steps)
        if self._prompt_room < 1:
            raise ConfigError(
                f"the longest catalogue text takes {self._steps} tokens and leaves no room for a prompt; "
                f"set generate.max_seq_length above {settings.max_seq_length}"
            )
        self.token_budget = settings.token_budget or token_budget(
            model, longest=settings.max_seq_length, steps=self._steps
        )
        """Tokens in a batch; lowered when memory runs out."""

    def write(
        self,
        prompts: Sequence[str],
        keys: Sequence[str],
        needed: BoolArray,
        seen: Sequence[Int32Array] | None = None,
    ) -> Iterator[tuple[Int64Array, list[Written]]]:
        """Write the batches that hold a needed prompt, longest first: prompt numbers and their texts.

        `keys` name the prompts' random streams; `seen` are the items, by row of the catalogue, whose texts
        are not to be written, where the settings exclude them. Batches are made from all prompts, needed
        or not, so that a run that goes on computes what the killed one would have.
        """
        rows = encode(self._tokenizer, prompts, self._prompt_room)
        self._blocked = None if seen is None else [self._seen_texts.nodes(items) for items in seen]
        room = self._branches * self._steps
        longest = self._settings.max_seq_length
        with threads_for(self._model), torch.inference_mode(), decoding_attention(self._model, longest):
            for prefix, members in self._groups(rows):
                lengths = np.array([len(rows[member]) for member in members], dtype=np.int64)
                for part in plan(lengths, room, self.token_budget):
                    if needed[members[part]].any():
                        yield from self._write_or_halve(members[part], rows, keys, prefix)

    def _groups(self, rows: list[Int32Array]) -> Iterator[tuple[Prefix | None, Int64Array]]:
        """Prompts that begin with one shared prefix, which is run here; then those that were cut."""
        uncut = np.array([len(row) < self._prompt_room for row in rows], dtype=bool)
        shared = common_prefix([rows[number] for number in np.flatnonzero(uncut)])
        if shared < SHORTEST_PREFIX or not self._techniques.shared_prefix:
            yield None, np.arange(len(rows))
            return
        prefix = run_prefix(self._model, rows[int(uncut.argmax())][:shared])
        yield None, np.flatnonzero(~uncut)
        yield prefix, np.flatnonzero(uncut)

    def _write_or_halve(
        self, batch: Int64Array, rows: list[Int32Array], keys: Sequence[str], prefix: Prefix | None
    ) -> Iterator[tuple[Int64Array, list[Written]]]:
        """Write one batch; where memory does not suffice, its halves, and no batch of that size again."""
        room = self._branches * self._steps
        tokens = batch_tokens(np.array([len(rows[number]) for number in batch]), room)
        if tokens <= self.token_budget or len(batch) == 1:
            prompts, streams = [rows[number] for number in batch], [keys[number] for number in batch]
            blocked = None if self._blocked is None else [self._blocked[number] for number in batch]
            written = self._try(prompts, streams, prefix, blocked)
            if written is not None:
                yield batch, written
                return
            if len(batch) == 1:
                raise BenchError(
                    f"memory does not suffice for one prompt of {tokens - room} tokens with {self._branches} "
                    "continuations; lower generate.max_seq_length, max_new_tokens or num_beams"
                )
            self.token_budget = tokens // 2
            if self._model.device.type == "cuda":
                torch.cuda.empty_cache()
        middle = (len(batch) + 1) // 2
        for half in (batch[:middle], batch[middle:]):
            yield from self._write_or_halve(half, rows, keys, prefix)

    def _try(
        self,
        prompts: list[Int32Array],
        keys: list[str],
        prefix: Prefix | None,
        blocked: list[Int64Array] | None,
    ) -> list[Written] | None:
        """Write one batch, or give None where memory does not suffice."""
        try:
            return self._write(prompts, keys, prefix, blocked)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return None

    def _write(
        self,
        prompts: list[Int32Array],
        keys: list[str],
        prefix: Prefix | None,
        blocked: list[Int64Array] | None,
    ) -> list[Written]:
        start = time.perf_counter()
        branches = Branches(
            self._model,
            prompts,
            room=self._branches * (self._steps - 1),
            filler=self._end,
            prefix=prefix,
        )
        if self._strategy.drawn:
            texts = self._sampled(branches, keys)
        else:
            texts = self._searched(branches, blocked)
        seconds = (time.perf_counter() - start) / len(prompts)
        return [_written(entries, seconds, distinct=self._strategy.distinct) for entries in texts]

    def _searched(self, branches: Branches, blocked: list[Int64Array] | None) -> list[list[_Entry]]:
        rules = BeamRules(
            beams=self._settings.num_beams,
            steps=self._steps,
            end=self._end,
            length_penalty=0.0 if self._trie else self._settings.length_penalty,
            trie=self._trie,
            leave_when_done=self._techniques.leave_when_done,
            stop_when_decided=self._settings.stop == "decided",
        )
        found = beam_search(branches, rules, None if blocked is None else padded(blocked, self._model.device))
        if self._trie is None:
            return self._entries(found.log_likelihoods, found.tokens, found.lengths, found.values.isfinite())
        numbers = self._trie.decided(found.nodes).tolist()
        scores, lengths = found.log_likelihoods.tolist(), found.lengths.tolist()
        return [
            [
                _Entry(self._texts[number], score, length, True)
                for number, score, length in zip(*user, strict=True)
                if score > -np.inf
            ]
            for user in zip(numbers, scores, lengths, strict=True)
        ]

    def _sampled(self, branches: Branches, keys: list[str]) -> list[list[_Entry]]:
        rules = SampleRules(
            samples=self._branches,
            steps=self._steps,
            end=self._end,
            temperature=self._settings.temperature,
            top_k=self._settings.top_k,
            top_p=self._settings.top_p,
            leave_when_done=self._techniques.leave_when_done,
        )
        drawn = sample(branches, rules, uniforms(self._seed, keys, rules.samples, rules.steps))
        return self._entries(drawn.log_likelihoods, drawn.tokens, drawn.lengths, drawn.lengths > 0)

    def _entries(self, scores: Any, tokens: Any, lengths: Any, exist: Any) -> list[list[_Entry]]:
        """Decode (users, texts, steps) tokens up to each text's end."""
        counts, kept = lengths.tolist(), exist.tolist()
        flat = [
            ids[:count]
            for user in zip(tokens.tolist(), counts, kept, strict=True)
            for ids, count, keep in zip(*user, strict=True)
            if keep
        ]
        texts = iter(
            self._tokenizer.batch_decode(flat, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        )
        ids = iter(flat)
        return [
            [
                _Entry(next(texts), score, count, next(ids)[-1] == self._end)
                for score, count, keep in zip(*user, strict=True)
                if keep
            ]
            for user in zip(scores.tolist(), counts, kept, strict=True)
        ]


def _written(entries: list[_Entry], seconds: float, *, distinct: bool) -> Written:
    """Order by log-likelihood; with `distinct`, keep the likeliest of equal texts."""
    entries = sorted(entries, key=lambda entry: -entry.log_likelihood)
    if distinct:
        best: dict[str, _Entry] = {}
        for entry in entries:
            best.setdefault(entry.text, entry)
        entries = list(best.values())
    if not entries:
        return Written(texts=(), log_likelihoods=(), tokens=(), ended=(), seconds=seconds)
    texts, log_likelihoods, tokens, ended = zip(*entries, strict=True)
    return Written(texts=texts, log_likelihoods=log_likelihoods, tokens=tokens, ended=ended, seconds=seconds)


def _check(model: Any, tokenizer: Any, settings: GenerateSettings) -> None:
    if tokenizer.eos_token_id is None:
        raise ConfigError(
            "the tokenizer has no end-of-text (EOS) token, so no text would end; set its `eos_token`"
        )
    config = model.config.get_text_config()
    positions = getattr(config, "max_position_embeddings", None)
    if positions and settings.max_seq_length > positions:
        raise ConfigError(
            f"generate.max_seq_length={settings.max_seq_length} is above the model's {positions} positions"
        )
    if 2 * settings.num_beams > config.vocab_size:
        raise ConfigError(
            f"generate.num_beams={settings.num_beams} is more than half of the {config.vocab_size} tokens "
            "that the model knows"
        )
