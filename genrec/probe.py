"""What a language model knows of a catalogue before it is told anything.

Completion: given the first half of a title's words, does the model write the rest, word for word? The same
is asked of titles made up to the same statistics: words that follow each other in real titles, as many of
them, first words as often, and no title of the catalogue. Whoever has only learned how titles read does
both equally well; whoever completes real ones more often has read these very titles.

Next item without a history: is what a validation user bought next likelier, with nothing told, than
another item's title of as many tokens? Half of the time by chance. Popular titles are likelier to anyone who
knows the shop, so this is shown and does not decide.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bench.errors import DataError
from bench.schema import FloatArray, Histories, TrainingData
from bench.statistics.bootstrap import Interval, mean_interval
from genrec import artefact
from genrec.config import GenerateSettings, Preset
from genrec.generation.generator import generate
from genrec.prompt_format import item_texts, prompts
from genrec.weights.threads import threads_for

LONGEST_REST = 48
"""Tokens that a rest of a title may take."""
FEWEST_WORDS = 4
"""Shorter titles have too short a beginning to be told apart."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What was found; shares with 95 % intervals."""

    titles: int
    completed: float
    """Share of real titles whose rest was written word for word."""
    completed_made_up: float
    advantage: Interval
    """Real minus made up."""
    users: int
    next_without_history: Interval
    """Share of validation targets likelier than another title of as many tokens; 0.5 by chance."""
    examples: tuple[tuple[str, str], ...]
    """Beginnings and rests of real titles that were completed, a few."""

    @property
    def knows_titles(self) -> bool:
        """Whether real titles are completed more often, beyond chance."""
        return self.advantage.low > 0

    @property
    def badge(self) -> str:
        """The verdict in words, with its interval."""
        interval = f"{self.advantage.value:+.3f} [{self.advantage.low:+.3f}, {self.advantage.high:+.3f}]"
        verdict = "knows these titles" if self.knows_titles else "no sign that it knows these titles"
        return f"{verdict}: completed real minus made up {interval}"


def probe(model: Any, tokenizer: Any, preset: Preset, data: TrainingData, *, count: int, seed: int) -> Probe:
    """Probe with `count` titles and validation users at most.

    Raises DataError where the catalogue has too few titles of FEWEST_WORDS words.
    """
    rng = np.random.default_rng([seed, 15])
    texts = item_texts(data.catalogue, preset)
    heading = prompts(Histories.from_lists([[]]), texts, preset, data.catalogue.wording)[0]
    real = _chosen(texts, count, rng)
    made_up = made_up_titles(texts, [len(text.split()) for text in real], rng)
    settings = GenerateSettings(
        num_beams=1, max_new_tokens=LONGEST_REST, max_seq_length=preset.generate.max_seq_length
    )
    asked = [*real, *made_up]
    with threads_for(model):
        written = generate(
            model, tokenizer, [heading + _beginning(text) for text in asked], settings, seed=seed
        )
        likelier = _next_without_history(model, tokenizer, preset, data, texts, heading, count, rng)
    rests = [written.texts[start] for start in written.indptr[:-1].tolist()]
    completed = np.array([_completes(rest, text) for rest, text in zip(rests, asked, strict=True)])
    hits, hits_made_up = completed[: len(real)], completed[len(real) :]
    return Probe(
        titles=len(real),
        completed=float(hits.mean()),
        completed_made_up=float(hits_made_up.mean()),
        advantage=mean_interval(hits.astype(np.float64) - hits_made_up, seed=seed),
        users=len(likelier),
        next_without_history=mean_interval(likelier, seed=seed),
        examples=tuple(
            (_beginning(real[row]), _rest(real[row])) for row in np.flatnonzero(hits)[:3].tolist()
        ),
    )


def made_up_titles(texts: Sequence[str], lengths: Sequence[int], rng: np.random.Generator) -> list[str]:
    """Give one title of as many words for each length, by a chain of the catalogue's word pairs.

    First words are drawn as often as titles begin with them, and each next word as often as it follows the
    word before. Beginning and title are new to the catalogue as a whole, not word by word.
    """
    known = set(texts)
    firsts = [text.split()[0] for text in texts if text.split()]
    nexts: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        words = text.split()
        for word, after in zip(words, words[1:], strict=False):
            nexts[word].append(after)
    made: list[str] = []
    for length in lengths:
        for _ in range(1000):
            title = " ".join(_chain(firsts, nexts, length, rng))
            if len(title.split()) == length and title not in known:
                known.add(title)
                made.append(title)
                break
        else:
            raise DataError(f"no new title of {length} words can be made up from this catalogue's words")
    return made


def _chain(
    firsts: Sequence[str], nexts: dict[str, list[str]], length: int, rng: np.random.Generator
) -> list[str]:
    words = [firsts[int(rng.integers(len(firsts)))]]
    while len(words) < length and nexts.get(words[-1]):
        after = nexts[words[-1]]
        words.append(after[int(rng.integers(len(after)))])
    return words


def _chosen(texts: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
    usable = [text for text in dict.fromkeys(texts) if len(text.split()) >= FEWEST_WORDS]
    if len(usable) < 2:
        raise DataError(f"a probe needs titles of {FEWEST_WORDS} words, and this catalogue has {len(usable)}")
    rows = rng.permutation(len(usable))[:count]
    return [usable[row] for row in sorted(rows.tolist())]


def _beginning(text: str) -> str:
    words = text.split()
    return " ".join(words[: (len(words) + 1) // 2])


def _rest(text: str) -> str:
    words = text.split()
    return " ".join(words[(len(words) + 1) // 2 :])


def _completes(written: str, text: str) -> bool:
    """Whether the first line of what was written begins with the rest of the title, word for word."""
    rest = _rest(text).split()
    return written.partition("\n")[0].split()[: len(rest)] == rest


def _next_without_history(
    model: Any,
    tokenizer: Any,
    preset: Preset,
    data: TrainingData,
    texts: Sequence[str],
    heading: str,
    count: int,
    rng: np.random.Generator,
) -> FloatArray:
    """1 for each validation target that is likelier than the title beside it, 0.5 for as likely ones."""
    from genrec.decoding.candidates import CandidateScorer
    from genrec.decoding.prompt_tokens import continuations

    ids = continuations(tokenizer, texts, heading)
    lengths = np.array([len(row) for row in ids])
    targets = data.validation.targets[rng.permutation(len(data.validation))[:count]]
    others = np.array([_like(lengths, int(target), rng) for target in targets.tolist()])
    items = np.unique(np.concatenate([targets, others])).astype(np.int32)
    parts = [items[start : start + 64] for start in range(0, len(items), 64)]
    scorer = CandidateScorer(model, tokenizer, ids, longest=preset.generate.max_seq_length)
    alone = np.zeros(len(texts))
    for batch, scores in scorer.score([heading] * len(parts), parts):
        for part, values in zip(batch.tolist(), scores, strict=True):
            alone[parts[part]] = values
    difference = alone[targets] - alone[others]
    return np.where(difference == 0, 0.5, difference > 0).astype(np.float64)


def _like(lengths: Any, item: int, rng: np.random.Generator) -> int:
    """Draw another item whose title has as many tokens, or as nearly as there is one."""
    distance = np.abs(lengths - lengths[item])
    distance[item] = np.iinfo(distance.dtype).max
    return int(rng.choice(np.flatnonzero(distance == distance.min())))


def load_probed(
    preset: Preset, name: str, data: TrainingData, *, seed: int, work: Path, finetuned: bool
) -> tuple[Any, Any, str]:
    """Load the model to be probed, and say what it is: the base as it comes, or the fine-tuned model.

    A model trained from scratch has no base, so that it is probed as trained. Raises Unavailable or
    ConfigError where it is not there.
    """
    from genrec.training.finetune import finetune
    from genrec.weights.base_model import default_device, find_base_model, load_base_model
    from genrec.weights.tokenizer import load_tokenizer

    if preset.base_model is not None and not finetuned:
        base = find_base_model(preset.base_model, preset.revision)
        model = load_base_model(base.folder, four_bit=False, device=default_device())
        return model.requires_grad_(False).eval(), load_tokenizer(base.folder), f"{base.name} as it comes"
    done = finetune(data, preset, preset.weights_of or name, seed=seed, work=work)
    model, tokenizer = artefact.load_model(done.folder, preset.generate.precision)
    return model, tokenizer, f"{name} as trained on {data.dataset}"
