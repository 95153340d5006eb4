"""A model that is asked and not trained: what it is told, what is read out of its answers, what it ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from served_model import best_texts, prompt_of, serving
from tiny_models import base_checkpoint, shop
from typer.testing import CliRunner

from bench.contract import RecommenderContract
from bench.errors import ConfigError
from bench.metrics.ranking import remove_seen
from bench.retrieval.generated import GeneratedTexts
from bench.schema import NO_ITEM, Histories, Wording
from genrec.preset_files import load_preset
from genrec.prompted.answers import Order, order, titles
from genrec.prompted.instructions import draw_examples, order_wanted, titles_wanted
from genrec.prompted.position import position_bias
from genrec.prompted.recommender import PromptedRecommender, split_lines
from genrec.prompted.reranker import Reranker

DATA = shop()
CANDIDATES = ["red cream", "green soap", "blue brush"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}[{{ message.role }}] {{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}[assistant] {% endif %}"
)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("a\nb\nc", ["a", "b", "c"]),
        ("Sure, here they are:\n\n1. a\n2) b\n- c\n* d\n(5) e", ["a", "b", "c", "d"]),
        ('"a"\n**b**\na\n', ["a", "b"]),
        ("7 Days Cream\n12-pack soap", ["7 Days Cream", "12-pack soap"]),
        ("", []),
        (" \n\n", []),
    ],
)
def test_titles_are_lines_without_their_marks(answer: str, expected: list[str]) -> None:
    assert titles(answer, 4) == expected


@pytest.mark.parametrize(
    ("answer", "named", "invented", "repeated"),
    [
        ("3, 1, 2", [2, 0, 1], 0, 0),
        ("[2] > [3]", [1, 2], 0, 0),
        ("2. green soap\n1. red cream", [1, 0], 0, 0),
        ("blue brush\ngreen soap", [2, 1], 0, 0),
        ("1. blue brush\n2. golden soap\n3. green so", [2, 1], 1, 0),
        ("(3)\n(1)", [2, 0], 0, 0),
        ("1, 2\n3", [0, 1, 2], 0, 0),
        ("2.\n1:", [1, 0], 0, 0),
        ("3, 9, 3, 0, golden soap", [2], 3, 1),
        ("", [], 0, 0),
        ("I cannot say", [], 1, 0),
    ],
)
def test_an_order_is_numbers_or_texts_and_what_is_neither_is_invented(
    answer: str, named: list[int], invented: int, repeated: int
) -> None:
    assert order(answer, CANDIDATES) == Order(named=tuple(named), invented=invented, repeated=repeated)


def test_position_bias_of_answers_known_by_hand() -> None:
    copies = [Order(named=(0, 1, 2, 3), invented=0, repeated=0)] * 4
    assert position_bias(copies, [5] * 4, seed=0)["first_choice"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert position_bias(copies, [5] * 4, seed=0)["order_kept"]["value"] == 1.0
    last = [Order(named=(4, 0), invented=0, repeated=0)]
    assert position_bias(last, [5], seed=0)["first_choice"]["value"] == 1.0
    assert position_bias(last, [5], seed=0)["order_kept"]["value"] == 0.0
    rng = np.random.default_rng(0)
    fair = [Order(named=tuple(rng.permutation(5).tolist()), invented=0, repeated=0) for _ in range(2000)]
    found = position_bias(fair, [5] * 2000, seed=0)
    assert all(found[name]["low"] < 0.5 < found[name]["high"] for name in ("first_choice", "order_kept"))
    assert position_bias([Order(named=(), invented=1, repeated=0)], [5], seed=0)["first_choice"] is None


def test_the_instructions_word_for_word() -> None:
    wording = Wording(introduction="Bought so far:")
    assert titles_wanted(["a", "b"], 3, wording, [(["x"], ["y", "z"])]) == (
        "For example, after\n- x\nsuch a history went on with\n- y\n- z\n\nBought so far:\n- a\n- b\n\n"
        "Write the titles of the 3 items that come next, most likely first: one title a line, and nothing "
        "else.\n"
    )
    assert order_wanted(["a"], ["p", "q"], wording) == (
        "Bought so far:\n- a\n\nOne of these 2 items comes next:\n1. p\n2. q\n\nWrite the numbers of the "
        "items, most likely first, separated by commas, and nothing else.\n"
    )


def test_examples_are_halves_of_training_histories() -> None:
    drawn = draw_examples(DATA.train, 6, 2, np.random.default_rng(0))
    train = [items.tolist() for items in DATA.train]
    assert len(drawn) == 6 and all(before + after in train for before, after in drawn)
    assert all(before and 1 <= len(after) <= 2 for before, after in drawn)


def test_lines_become_texts_in_their_order() -> None:
    answers = GeneratedTexts(
        indptr=np.array([0, 1, 2, 3]),
        texts=("a\nb\nc", "", "d"),
        log_likelihoods=np.array([-3.0, -1.0, -2.0]),
        tokens=np.array([7, 1, 2], dtype=np.int32),
        truncated=np.array([True, False, False]),
        seconds=1.0,
        carried_seconds=0.0,
    )
    lines = split_lines(answers, 10)
    assert lines.texts == ("a", "b", "c", "d") and lines.indptr.tolist() == [0, 3, 3, 4]
    assert lines.tokens[:3].sum() == 7 and lines.tokens[3] == 2
    assert lines.log_likelihoods.tolist() == [-3.0, -3.0, -3.0, -2.0]
    assert lines.truncated.tolist() == [True, True, True, False]


def preset_file(folder: Path, part: dict[str, Any], **changes: Any) -> str:
    """A preset file with a tiny base model that takes messages."""
    base = base_checkpoint(folder / "base", DATA)
    config = json.loads((base / "tokenizer_config.json").read_text())
    (base / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": TEMPLATE}))
    tree = {
        "base_model": str(base), "chat": True, "prompt": "instruction", "item_format": "plain",
        "history_items": 2, "generate": {"num_beams": 1, "max_new_tokens": 12, "max_seq_length": 250},
    } | part | changes  # fmt: skip
    path = folder / "tiny-asked.yaml"
    path.write_text(yaml.safe_dump(tree))
    return str(path)


class TestPrompted:
    """The row that writes titles."""

    def served(self, url: str) -> list[str]:
        return [
            "engine=openai", f"endpoint.base_url={url}", "endpoint.model=tiny", "generate.max_new_tokens=9",
        ]  # fmt: skip

    def test_with_a_served_model(self, tmp_path: Path) -> None:
        histories = DATA.validation.histories
        with serving() as server:
            model = PromptedRecommender("smollm2-135m-prompted", 0, self.served(server.url), tmp_path)
            model.check_available(DATA)
            model.fit(DATA)
            lists = model.recommend(histories, 5)
            assert all("messages" in body and body["max_tokens"] == 9 for body in server.runs)
            prompts = list(dict.fromkeys(prompt_of(body) for body in server.runs))
        generations = model.generations()
        assert generations is not None
        assert set(generations.texts) == {text.strip() for text in best_texts(prompts, 9)}
        assert lists.shape == (len(histories), 5) and (lists != NO_ITEM).any()
        facts = model.details()
        assert facts["prompted"] == {"titles": 10, "examples": 0} and facts["engine"] == "openai"
        assert "finetune" not in model.parameters

    def test_examples_stand_in_the_prompt_and_the_seed_draws_them(self, tmp_path: Path) -> None:
        asked = []
        with serving() as server:
            for seed in (0, 0, 1):
                more = [*self.served(server.url), "prompted.examples=2"]
                model = PromptedRecommender("smollm2-135m-prompted", seed, more, tmp_path / str(len(asked)))
                model.fit(DATA)
                model.recommend(DATA.validation.histories.take(np.array([0])), 5)
                asked.append(prompt_of(server.runs[-1]))
        assert asked[0] == asked[1] != asked[2] and asked[0].count("For example, after") == 2

    def test_a_server_without_likelihoods_will_do(self, tmp_path: Path) -> None:
        def silent(answer: dict[str, Any], _: Any) -> dict[str, Any]:
            for choice in answer["choices"]:
                choice["logprobs"] = None
            return answer

        lists = []
        for number, (lie, more) in enumerate(((None, []), (silent, ["endpoint.likelihoods=false"]))):
            with serving(lie=lie) as server:
                own = [*self.served(server.url), *more]
                model = PromptedRecommender("smollm2-135m-prompted", 0, own, tmp_path / str(number))
                model.fit(DATA)
                lists.append(model.recommend(DATA.validation.histories, 5))
        assert (lists[0] == lists[1]).all()
        generations = model.generations()
        assert generations is not None and np.isnan(generations.log_likelihoods).all()

    def test_with_weights_at_hand_the_template_is_used(self, tmp_path: Path) -> None:
        from genrec.weights.tokenizer import chat_prompts, load_tokenizer

        preset = preset_file(tmp_path, {"prompted": {"titles": 3}})
        tokenizer = load_tokenizer(load_preset(preset).base_model or "")
        (text,) = chat_prompts(tokenizer, ["hello"])
        assert text == "[user] hello[assistant] ", "the start token is put in front by the tokenizer"
        model = PromptedRecommender(preset, 0, (), tmp_path)
        model.check_available(DATA)
        model.fit(DATA)
        lists = model.recommend(DATA.validation.histories, 5)
        again = PromptedRecommender(preset, 0, (), tmp_path)
        again.fit(DATA)
        assert (again.recommend(DATA.validation.histories, 5) == lists).all()
        assert again.details()["carried_seconds"]["recommend"] > 0 and not list(
            tmp_path.glob("*/artefact.json")
        )


class TestRerank:
    """The row that orders candidates."""

    @pytest.fixture
    def preset(self, tmp_path: Path) -> str:
        return preset_file(tmp_path, {"rerank": {"row": "co-visit", "top": 4}})

    def test_what_the_model_names_stands_in_front_in_its_order(self, preset: str, tmp_path: Path) -> None:
        """The server answers "2, 1": the second that it was shown, then the first."""
        shown: list[str] = []

        def second_first(answer: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
            if "comes next" in prompt_of(body):
                shown.append(prompt_of(body))
                answer["choices"][0]["message"]["content"] = "2, 1, 77"
                told = [{"token": token, "logprob": -0.1} for token in ("2", ", 1", ", 77")]
                answer["choices"][0] |= {"logprobs": {"content": told}, "finish_reason": "stop"}
                answer["usage"]["completion_tokens"] = 3
            return answer

        histories = DATA.validation.histories
        with serving(lie=second_first) as server:
            more = ["engine=openai", f"endpoint.base_url={server.url}", "endpoint.model=tiny"]
            model = Reranker(preset, 0, [*more, "endpoint.concurrency=1"], tmp_path / "work")
            model.fit(DATA)
            lists = model.recommend(histories, 6)
            row = model.row_lists(histories, 6)
        texts = list(DATA.catalogue.titles)
        unseen, before = remove_seen(lists, histories), remove_seen(row, histories)
        prompts = {prompt.partition("comes next:\n")[2].partition("\n\n")[0] for prompt in shown}
        for ours, theirs in zip(unseen.tolist(), before.tolist(), strict=True):
            candidates = [item for item in theirs[:4] if item != NO_ITEM]
            first = [texts[item] for item in ours[:2]]
            assert any(f"1. {first[1]}\n2. {first[0]}\n" in f"{prompt}\n" for prompt in prompts)
            assert ours[2 : len(candidates)] == [item for item in candidates if item not in ours[:2]]
            assert ours[len(candidates) :] == theirs[len(candidates) :]
        facts = model.details()["rerank"]
        assert (
            facts["invented_items"]
            == facts["users_with_invented_items"]
            == facts["users_asked"]
            == len(histories)
        )
        assert facts["position_bias"]["order_kept"]["value"] == 0.0

    def test_candidates_are_shuffled_by_the_seed(self, preset: str, tmp_path: Path) -> None:
        orders = []
        with serving() as server:
            more = ["engine=openai", f"endpoint.base_url={server.url}", "endpoint.model=tiny"]
            for seed in (0, 1):
                model = Reranker(preset, seed, more, tmp_path / str(seed))
                model.fit(DATA)
                model.recommend(DATA.validation.histories, 6)
                orders.append(sorted(prompt_of(body) for body in server.runs))
                server.seen.clear()
        assert orders[0] != orders[1]

    def test_the_command_says_what_the_order_makes_of_the_row(self, preset: str, tmp_path: Path) -> None:
        from bench.cli import build_app

        with serving() as server:
            arguments = ["rerank", "co-visit", "--model", preset, "--top", "5", "--users", "12"]
            arguments += ["--work-dir", str(tmp_path / "work"), "--set", "engine=openai", "--set"]
            done = CliRunner().invoke(
                build_app(), [*arguments, f"endpoint.base_url={server.url}", "--set", "endpoint.model=tiny"]
            )
        assert done.exit_code == 0, done.output
        assert "12 validation users" in done.output and "the row" in done.output and "reranked" in done.output
        assert "items invented" in done.output and "--set rerank.top=5" in done.output


class TestContractOfRerank(RecommenderContract):
    """The suite that every model is put through, with weights at hand."""

    where: tuple[str, Path]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def work(cls, tmp_path_factory: pytest.TempPathFactory) -> None:
        folder = tmp_path_factory.mktemp("asked")
        cls.where = preset_file(folder, {"rerank": {"row": "co-visit", "top": 4}}), folder / "work"

    def make_model(self, seed: int) -> Reranker:
        return Reranker(self.where[0], seed, work_dir=self.where[1])


class TestContractOfPrompted(RecommenderContract):
    """The same against a server."""

    settings: list[str]
    folder: Path

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def server(cls, tmp_path_factory: pytest.TempPathFactory) -> Any:
        cls.folder = tmp_path_factory.mktemp("asked")
        with serving() as server:
            cls.settings = [*TestPrompted().served(server.url), "prompted.examples=1"]
            yield

    def make_model(self, seed: int) -> PromptedRecommender:
        return PromptedRecommender("smollm2-135m-prompted", seed, self.settings, self.folder)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("smollm2-135m-prompted", "generate.num_beams=5", "one answer a user"),
        ("smollm2-135m-prompted", "generate.strategy=constrained", "write free text"),
        ("smollm2-135m-prompted", "prompt=compact", "prompt: instruction goes with"),
        ("smollm2-135m-prompted", "retrieve.list_rule=calrec", "no likelihoods of their own"),
        ("smollm2-135m", "chat=true", "chat: true is for models"),
    ],
)
def test_settings_that_do_not_go_together(name: str, change: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_preset(name, [change])


def test_a_preset_without_its_section_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no section 'prompted'"):
        PromptedRecommender("smollm2-135m-rerank", 0)
    with pytest.raises(ConfigError, match="no section 'rerank'"):
        Reranker("smollm2-135m-prompted", 0)


def test_a_model_without_a_chat_template_takes_no_messages(tmp_path: Path) -> None:
    tree = yaml.safe_load(Path(preset_file(tmp_path, {"prompted": {"titles": 3}})).read_text())
    base = Path(tree["base_model"])
    config = json.loads((base / "tokenizer_config.json").read_text())
    del config["chat_template"]
    (base / "tokenizer_config.json").write_text(json.dumps(config))
    model = PromptedRecommender(str(tmp_path / "tiny-asked.yaml"), 0, (), tmp_path)
    model.fit(DATA)
    with pytest.raises(ConfigError, match="no chat template"):
        model.recommend(Histories.from_lists([[1, 2]]), 3)
