"""Item lines, prompts and training texts, as exact strings."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.datasets.prompts import example_texts, last_item_examples, prompts, training_texts
from bench.errors import ConfigError
from bench.retrieval.item_text import instruction, item_texts, text_fingerprint
from bench.schema import Catalogue, Examples, Histories, Split, Wording

FULL = "title+category+brand+price"

TITLE_PROMPT = (
    "Below is a customer's purchase history on Amazon, listed in chronological order (earliest to latest).\n"
    "Each item is represented by the following format: Title: <item title>\n"
    "Based on this history, predict only one item the customer is most likely to purchase next in the same "
    "format.\n"
    "### Purchase history:\n"
    "Title: Rose Soap\n"
    "Title: Mint Soap\n"
    "\n"
    "### Next item:\n"
)

FULL_TEXT = (
    "Below is a customer's purchase history on Amazon, listed in chronological order (earliest to latest).\n"
    "Each item is represented by the following format: Title: <item title> | Category: <category path> | "
    "Brand: <brand> | Price: <price> (a field that is not known is left out)\n"
    "Based on this history, predict only one item the customer is most likely to purchase next in the same "
    "format.\n"
    "### Purchase history:\n"
    "Title: Oak Comb | Category: Beauty > Hair | Brand: Woody | Price: $6.00\n"
    "Title: Red Lipstick | Category: Beauty > Makeup | Price: $9.99\n"
    "\n"
    "### Next item:\n"
    "Title: Sea Salt Scrub"
)


def one_item(title: str, brand: str | None = None, price: float | None = None) -> Catalogue:
    return Catalogue(item_ids=("a",), titles=(title,), brands=(brand,), categories=((),), prices=(price,))


def test_prompt_in_the_title_format(toy_split: Split) -> None:
    texts = item_texts(toy_split.catalogue)
    assert prompts(Histories.from_lists([[0, 1]]), texts) == [TITLE_PROMPT]


def test_training_text_is_the_prompt_and_the_last_item(toy_split: Split) -> None:
    texts = item_texts(toy_split.catalogue)
    assert training_texts(Histories.from_lists([[0, 1, 4]]), texts) == [TITLE_PROMPT + "Title: Red Lipstick"]


def test_example_text_is_the_prompt_and_the_target(toy_split: Split) -> None:
    texts = item_texts(toy_split.catalogue)
    examples = Examples(histories=Histories.from_lists([[0, 1]]), targets=np.array([7], dtype=np.int32))
    assert example_texts(examples, texts) == [TITLE_PROMPT + "Title: Sea Salt Scrub"]


def test_training_text_in_the_full_format(toy_split: Split) -> None:
    texts = item_texts(toy_split.catalogue, FULL)
    assert training_texts(Histories.from_lists([[2, 4, 7]]), texts, FULL) == [FULL_TEXT]


def test_full_lines_leave_out_what_is_not_known(toy_split: Split) -> None:
    lines = item_texts(toy_split.catalogue, FULL)
    assert lines[0] == "Title: Rose Soap | Category: Beauty > Bath | Brand: Flora | Price: $3.50"
    assert lines[3] == "Title: Oak Brush | Category: Beauty > Hair | Brand: Woody"
    assert lines[7] == "Title: Sea Salt Scrub"
    assert not any("None" in line for line in lines)


def test_a_price_that_is_no_number_is_left_out() -> None:
    assert item_texts(one_item("Soap", price=float("nan")), FULL) == ["Title: Soap"]
    assert item_texts(one_item("Soap", brand="", price=0.0), FULL) == ["Title: Soap | Price: $0.00"]


def test_html_entities_stay_and_an_empty_title_is_unknown() -> None:
    assert item_texts(one_item("Bath &amp; Body 32&quot;")) == ["Title: Bath &amp; Body 32&quot;"]
    assert item_texts(one_item("")) == ["Title: Unknown"]


@given(st.text(), st.text())
def test_an_item_is_always_one_line(title: str, brand: str) -> None:
    for item_format in ("title", FULL):
        (line,) = item_texts(one_item(title, brand), item_format)
        assert len(line.splitlines()) == 1
        assert line.startswith("Title: ")


def test_empty_history_leaves_the_history_empty(toy_split: Split) -> None:
    texts = item_texts(toy_split.catalogue)
    (prompt,) = prompts(Histories.from_lists([[]]), texts)
    assert prompt.endswith("### Purchase history:\n\n\n### Next item:\n")
    assert prompts(Histories.from_lists([]), texts) == []


def test_last_item_examples_cut_off_the_last_item() -> None:
    examples = last_item_examples(Histories.from_lists([[3, 1, 2], [5], [4, 0]], users=[9, 2, 4]))
    assert [history.tolist() for history in examples.histories] == [[3, 1], [], [4]]
    assert examples.targets.tolist() == [2, 5, 0]
    assert examples.histories.users.tolist() == [9, 2, 4]


def test_an_empty_training_sequence_is_an_error(toy_split: Split) -> None:
    with pytest.raises(ValueError, match="training sequence 1 is empty"):
        training_texts(Histories.from_lists([[1], []]), item_texts(toy_split.catalogue))


def test_an_unknown_format_names_the_closest(toy_split: Split) -> None:
    with pytest.raises(ConfigError, match="did you mean 'title'"):
        item_texts(toy_split.catalogue, "titel")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown item format"):
        instruction(Wording(), "json")  # type: ignore[arg-type]


@pytest.mark.real_data
def test_all_beauty_prompts_in_a_moment(real_split: Split) -> None:
    texts = item_texts(real_split.catalogue)
    start = time.process_time()
    written = prompts(real_split.test.histories, texts)
    assert time.process_time() - start < 2
    assert len(written) == 22_363
    for row in (0, 11_111, 22_362):
        lines = written[row].splitlines()
        titles = [real_split.catalogue.titles[item] for item in real_split.test.histories[row]]
        assert lines[4:-2] == [f"Title: {title}" for title in titles]


FILM = Wording(
    item="Title: {title}, Genres: {categories}",
    layout="Title: <film>, Genres: <genres>",
    introduction="A history of films.",
    request="One more film.",
)


def test_a_data_set_words_its_items_and_prompts() -> None:
    films = Catalogue(
        item_ids=("1", "2"),
        titles=("Toy Story (1995)", ""),
        brands=(None, None),
        categories=(("Animation", "Children's"), ()),
        prices=(None, None),
        wording=FILM,
    )
    lines = item_texts(films)
    assert lines == ["Title: Toy Story (1995), Genres: Animation,Children's", "Title: Unknown, Genres: "]
    assert prompts(Histories.from_lists([[0]]), lines, wording=FILM) == [
        "A history of films.\n"
        "Each item is represented by the following format: Title: <film>, Genres: <genres>\n"
        "One more film.\n### Purchase history:\n"
        "Title: Toy Story (1995), Genres: Animation,Children's\n\n### Next item:\n"
    ]
    assert item_texts(films, FULL)[0] == "Title: Toy Story (1995) | Category: Animation > Children's"


def test_the_text_fingerprint_covers_lines_and_instruction(toy_split: Split) -> None:
    catalogue = toy_split.catalogue
    assert text_fingerprint(catalogue) == text_fingerprint(replace(catalogue, prices=(1.0,) * 8))
    others = [replace(catalogue, wording=FILM), replace(catalogue, titles=catalogue.titles[::-1])]
    assert len({text_fingerprint(one) for one in [catalogue, *others]}) == 3


def test_only_another_wording_changes_what_a_generative_model_is_named_by(toy_split: Split) -> None:
    """So the artefacts of data sets that keep the published wording are found again."""
    data = toy_split.training_data
    assert data.generative_fingerprint == data.fingerprint
    worded = replace(data, catalogue=replace(data.catalogue, wording=FILM))
    assert worded.generative_fingerprint != data.fingerprint
