"""`genrec-bench compare` and the module behind it: what is compared, what is refused, what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from record_factory import START, make_rankings, write_cost_only, write_record
from typer.testing import CliRunner

from bench.cli import build_app
from bench.comparison.compared_models import find_compared
from bench.comparison.paired import (
    ComparedModel,
    Comparison,
    compare,
    compare_groups,
    compare_metrics,
    largest_differences,
    list_overlap,
)
from bench.comparison.paired_text import as_json, as_latex, as_markdown, as_text
from bench.datasets.splits import load_split
from bench.errors import BenchError, ConfigError, RecordError
from bench.metrics.ranking import target_ranks, user_outcomes, view_of
from bench.metrics.slices import user_groups
from bench.record import ModelInfo
from bench.records import store
from bench.schema import NO_ITEM, Split
from bench.statistics.paired_tests import PairedDifference

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory, sample_split: Split) -> Path:
    """Two strong models that are nearly one, a weak one, an older run, seeds, other ties, cost only."""
    folder = tmp_path_factory.mktemp("results")
    write_record(folder, sample_split, "strong", skill=0.33, seed=7)
    write_record(folder, sample_split, "strong-twin", skill=0.335, seed=7)
    write_record(folder, sample_split, "weak", skill=0.1, seed=1)
    write_record(folder, sample_split, "weak", skill=0.5, seed=2, created=START - 50 * HOUR)
    for seed, skill in ((1, 0.05), (2, 0.2), (3, 0.35)):
        write_record(folder, sample_split, "seeded", skill=skill, seed=seed, created=START + seed * HOUR)
    write_cost_only(folder, sample_split, "costly")
    write_record(folder, load_split("sample", ties="shuffled:0"), "weak", created=START + HOUR)
    withdrawn = write_record(folder, sample_split, "withdrawn", skill=0.9)
    store.invalidate(store.load_record(withdrawn), "trained on the test set")
    return folder


@pytest.fixture(scope="module")
def found(results: Path) -> Comparison:
    return compare(
        find_compared(["weak", "strong-twin", "strong"], results), metric="ndcg@5", view="seen_removed"
    )


class TestVerdicts:
    def test_rows_are_the_records_own_numbers(self, found: Comparison, results: Path) -> None:
        records = {
            stored.record.model.name: stored.record for stored in store.load_records(results).records[::-1]
        }
        assert [row.label for row in found.rows] == ["strong-twin", "strong", "weak"]
        for row in found.rows[:2]:
            recorded = records[row.label].metrics.seen_removed["ndcg@5"]
            assert row.mean.value == pytest.approx(recorded.value, abs=1e-12)
            assert row.mean.low == pytest.approx(recorded.low, abs=0.01)

    def test_twins_share_a_rank_and_the_weak_model_is_third(self, found: Comparison) -> None:
        assert [(row.rank, row.letters) for row in found.rows] == [("1-2", "a"), ("1-2", "a"), ("3", "b")]
        verdicts = {(pair.first, pair.second): pair.significant for pair in found.pairs}
        assert verdicts == {
            ("strong-twin", "strong"): False,
            ("strong-twin", "weak"): True,
            ("strong", "weak"): True,
        }

    def test_users_are_counted_from_their_lists(self, found: Comparison, sample_split: Split) -> None:
        ndcg = []
        for skill, seed in ((0.33, 7), (0.1, 1)):
            lists = make_rankings(sample_split, skill=skill, seed=seed)
            kept = view_of(lists, sample_split.test.histories, "seen_removed")
            ndcg.append(user_outcomes(target_ranks(kept, sample_split.test.targets), "ndcg@5"))
        pair = next(pair for pair in found.pairs if (pair.first, pair.second) == ("strong", "weak"))
        expected = [
            int((ndcg[0] > ndcg[1]).sum()),
            int((ndcg[0] < ndcg[1]).sum()),
            int((ndcg[0] == ndcg[1]).sum()),
        ]
        assert [pair.paired.won, pair.paired.lost, pair.paired.tied] == expected
        assert pair.paired.difference.value == pytest.approx((ndcg[0] - ndcg[1]).mean())

    def test_the_order_asked_for_does_not_matter(self, found: Comparison, results: Path) -> None:
        again = compare(
            find_compared(["strong", "weak", "strong-twin"], results), metric="ndcg@5", view="seen_removed"
        )
        assert [(row.label, row.rank, row.letters) for row in again.rows] == [
            (row.label, row.rank, row.letters) for row in found.rows
        ]
        assert again == compare(
            find_compared(["strong", "weak", "strong-twin"], results), metric="ndcg@5", view="seen_removed"
        )

    def test_views_and_metrics_differ(self, results: Path, found: Comparison) -> None:
        kept = compare(find_compared(["weak", "strong"], results), metric="recall@20", view="seen_kept")
        assert kept.rows[0].mean.value > found.rows[1].mean.value


class TestWhatIsCompared:
    def test_a_name_is_its_newest_valid_record(self, results: Path) -> None:
        weak = find_compared(["weak", "strong"], results)[0]
        assert [record.created for record in weak.records] == [START]

    def test_by_id_by_stem_and_by_file(self, results: Path) -> None:
        older = next(
            stored
            for stored in store.load_records(results).records
            if stored.record.created == START - 50 * HOUR
        )
        for reference in (older.id, older.path.stem[:20], str(older.path)):
            labels = [one.label for one in find_compared([reference, "weak"], results)]
            assert labels[0] == older.id, "two records of one model go by their ids"
            assert labels[1].startswith("sample/weak/2026")

    def test_all_seeds(self, results: Path) -> None:
        one, other = find_compared(["seeded", "strong"], results, all_seeds=True)
        assert [record.seed for record in one.records] == [1, 2, 3]
        assert one.outcomes("recall@5", "seen_kept").shape == (3, 1000)
        assert other.outcomes("recall@5", "seen_kept").shape == (1000,)
        found = compare([one, other], metric="recall@5", view="seen_kept", resamples=2000)
        assert found.rows[1].seeds == (1, 2, 3)
        assert "seeds" in as_text(found) and "two-level bootstrap" in as_text(found)
        newest = find_compared(["seeded", "strong"], results)[0]
        assert [record.seed for record in newest.records] == [3]

    def test_seeds_of_other_settings_are_left_out(self, tmp_path: Path, sample_split: Split) -> None:
        for seed, rank in ((1, 8), (2, 16), (3, 16)):
            model = ModelInfo(name="tuned", kind="generative", display_name="Tuned", parameters={"r": rank})
            write_record(tmp_path, sample_split, "tuned", seed=seed, created=START + seed * HOUR, model=model)
        write_record(tmp_path, sample_split, "other")
        tuned = find_compared(["tuned", "other"], tmp_path, all_seeds=True)[0]
        assert [record.seed for record in tuned.records] == [2, 3]

    def test_the_data_is_chosen_when_there_are_several(
        self, tmp_path: Path, sample_split: Split, toy_split: Split
    ) -> None:
        for name in ("one", "two"):
            for split in (sample_split, toy_split):
                write_record(tmp_path, split, name, skill=0.3, seed=len(name))
        with pytest.raises(ConfigError, match="sample, toy.*--dataset"):
            find_compared(["one", "two"], tmp_path)
        chosen = find_compared(["one", "two"], tmp_path, dataset="toy")
        assert {record.dataset.name for one in chosen for record in one.records} == {"toy"}

    def test_ties(self, results: Path, sample_split: Split) -> None:
        with pytest.raises(
            RecordError, match="strong on sample \\(leave-one-out, ties file, [0-9a-f]{12}\\)"
        ):
            find_compared(["weak", "strong"], results, ties="shuffled:0")


class TestRefused:
    def ask(self, results: Path, *references: str, metric: str = "ndcg@5", **options: Any) -> Comparison:
        return compare(find_compared(references, results, **options), metric=metric, view="seen_kept")

    def test_different_data(self, results: Path) -> None:
        shuffled = next(
            stored.id
            for stored in store.load_records(results).records
            if stored.record.dataset.ties == "shuffled:0"
        )
        strong = next(
            stored.id
            for stored in store.load_records(results).records
            if stored.record.model.name == "strong"
        )
        with pytest.raises(
            RecordError,
            match="never compared: sample, .*, ties file, .*; sample, .*, ties shuffled:0",
        ):
            self.ask(results, strong, shuffled)
        with pytest.raises(ConfigError, match="ties shuffled:0, not on what was asked"):
            self.ask(results, "strong", shuffled, ties="file")

    def test_unknown_model(self, results: Path) -> None:
        with pytest.raises(ConfigError, match="did you mean 'strong'"):
            self.ask(results, "weak", "stronk")

    def test_unknown_record(self, results: Path) -> None:
        with pytest.raises(RecordError, match="names no record"):
            self.ask(results, "weak", "sample/weak/20200101T000000000000Z-00000000")

    def test_cost_only_and_withdrawn(self, results: Path) -> None:
        ids = {stored.record.model.name: stored.id for stored in store.load_records(results).records}
        with pytest.raises(RecordError, match="cost-only"):
            self.ask(results, "weak", "costly")
        with pytest.raises(RecordError, match="cost-only"):
            self.ask(results, "weak", ids["costly"])
        with pytest.raises(RecordError, match="withdrawn"):
            self.ask(results, "weak", "withdrawn")
        with pytest.raises(RecordError, match="withdrawn on .*: trained on the test set"):
            self.ask(results, "weak", ids["withdrawn"])

    def test_one_model_or_the_same_twice(self, results: Path) -> None:
        with pytest.raises(ConfigError, match="two or more different models"):
            self.ask(results, "weak")
        with pytest.raises(ConfigError, match="two or more different models"):
            self.ask(results, "weak", "weak")

    def test_metric(self, results: Path) -> None:
        with pytest.raises(ConfigError, match="did you mean 'ndcg'"):
            self.ask(results, "weak", "strong", metric="ndgc@5")
        with pytest.raises(ConfigError, match="recall@60 looks deeper than the lists of weak, of depth 50"):
            self.ask(results, "weak", "strong", metric="recall@60")

    def test_view(self, results: Path) -> None:
        models = find_compared(["weak", "strong"], results)
        with pytest.raises(ConfigError, match="did you mean 'seen_kept'"):
            compare(models, metric="ndcg@5", view="seen-kept")  # type: ignore[arg-type]

    def test_damaged_ranks(self, tmp_path: Path, sample_split: Split) -> None:
        path = write_record(tmp_path, sample_split, "one")
        write_record(tmp_path, sample_split, "two")
        path.with_suffix(".ranks.parquet").write_bytes(b"PAR1")
        with pytest.raises(RecordError, match="not readable"):
            self.ask(tmp_path, "one", "two")


@pytest.fixture(scope="module")
def two(results: Path) -> list[ComparedModel]:
    return find_compared(["strong", "weak"], results)


class TestMoreViewsOfTwoModels:
    def test_several_metrics_are_one_family(self, two: list[ComparedModel]) -> None:
        metrics = ["recall@5", "ndcg@5", "mrr@10"]
        found = compare_metrics(*two, metrics=metrics, view="seen_kept", resamples=2000)
        assert list(found) == metrics
        alone = compare_metrics(*two, metrics=metrics[:1], view="seen_kept", resamples=2000)
        assert found["recall@5"].difference.value == alone["recall@5"].difference.value
        assert found["recall@5"].adjusted_p == pytest.approx(3 * found["recall@5"].p_value)

    def test_groups(self, two: list[ComparedModel], sample_split: Split) -> None:
        groups = user_groups(sample_split)
        found = compare_groups(*two, groups, metric="recall@5", view="seen_kept", resamples=1000)
        assert [(g.kind, g.label) for g in found] == [(k, g.label) for k, row in groups.items() for g in row]
        whole = compare_metrics(*two, metrics=["recall@5"], view="seen_kept", resamples=100)["recall@5"]
        for kind in groups:
            parts = [g for g in found if g.kind == kind]
            known = [(g.users, g.paired) for g in parts if isinstance(g.paired, PairedDifference)]
            total = sum(users * paired.difference.value for users, paired in known)
            assert total / 1000 == pytest.approx(whole.difference.value)
            assert sum(paired.won for _, paired in known) == whole.won
            assert all((g.users == 0) == (g.first is g.second is g.paired is None) for g in parts)
        tested = [g.paired for g in found if g.paired is not None]
        smallest = min(paired.p_value for paired in tested)
        assert min(paired.adjusted_p for paired in tested) == pytest.approx(min(1.0, smallest * len(tested)))

    def test_groups_of_several_seeds(self, results: Path, sample_split: Split) -> None:
        two = find_compared(["seeded", "weak"], results, all_seeds=True)
        found = compare_groups(
            *two, user_groups(sample_split), metric="recall@5", view="seen_kept", resamples=200
        )
        assert all(g.paired is not None for g in found if g.users)

    def test_largest_differences(self, two: list[ComparedModel]) -> None:
        order = largest_differences(*two, metric="ndcg@5", view="seen_kept")
        differences = np.abs(two[0].outcomes("ndcg@5", "seen_kept") - two[1].outcomes("ndcg@5", "seen_kept"))
        assert sorted(order.tolist()) == list(range(1000))
        assert (np.diff(differences[order]) <= 0).all()

    def test_list_overlap(self) -> None:
        first = np.array([[1, 2, 3], [1, 2, NO_ITEM], [NO_ITEM] * 3, [4, NO_ITEM, NO_ITEM]], dtype=np.int32)
        second = np.array([[3, 2, 9], [2, 1, NO_ITEM], [NO_ITEM] * 3, [NO_ITEM] * 3], dtype=np.int32)
        assert list_overlap(first, second, 3)[:2].tolist() == [2 / 4, 1.0]
        assert np.isnan(list_overlap(first, second, 3)[2])
        assert list_overlap(first, second, 3)[3] == 0.0
        assert list_overlap(first, second, 2)[0] == 1 / 3


class TestPrinted:
    def test_text_shows_every_number(self, found: Comparison) -> None:
        text = as_text(found)
        assert text.startswith("nDCG@5, seen items removed: sample, ties file, 1,000 users, fingerprint ")
        for pair in found.pairs:
            line = next(
                line for line in text.splitlines() if line.startswith(f"{pair.first} - {pair.second} ")
            )
            assert f"{pair.paired.difference.value:+.4f}" in line
            p = pair.paired.adjusted_p
            assert ("< 0.001" if p < 0.001 else f"{p:.3f}") in line
            assert line.endswith(f"{pair.first} is better" if pair.significant else "cannot tell")
        assert "Holm-corrected over 3 pair(s)" in text

    def test_markdown_tables_are_well_formed(self, found: Comparison) -> None:
        tables = [part.splitlines() for part in as_markdown(found).split("\n\n") if part.startswith("|")]
        assert [len(table) for table in tables] == [2 + 3, 2 + 3]
        for table in tables:
            assert len({line.count("|") for line in table}) == 1

    def test_latex_is_escaped(self, results: Path) -> None:
        models = find_compared(["weak", "strong"], results)
        odd = ComparedModel(label=r"a_b & 100% \cmd{x}", records=models[0].records, ranks=models[0].ranks)
        latex = as_latex(compare([odd, models[1]], metric="mrr@5", view="seen_kept", resamples=200))
        assert r"a\_b \& 100\% \textbackslash{}cmd\{x\}" in latex
        assert "& $<$ 0.001 &" in latex
        assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 2
        rows = [line for line in latex.splitlines() if line.endswith(r"\\")]
        assert len(rows) == 1 + 2 + 1 + 1
        assert all(line.startswith("%") for line in latex.splitlines() if "randomisation" in line)

    def test_json_is_whole_and_strict(self, found: Comparison) -> None:
        content = json.loads(as_json(found), parse_constant=lambda text: pytest.fail(text))
        assert content["dataset"]["name"] == "sample"
        assert content["rows"][0]["mean"]["value"] == found.rows[0].mean.value
        assert content["pairs"][1]["paired"]["adjusted_p"] == found.pairs[1].paired.adjusted_p


class TestCommand:
    @pytest.mark.parametrize("option", ["", "--markdown", "--latex", "--json"])
    def test_formats(self, results: Path, option: str) -> None:
        renders: dict[str, Callable[[Comparison], str]] = {
            "": as_text,
            "--markdown": as_markdown,
            "--latex": as_latex,
            "--json": as_json,
        }
        options = ["--metric", "recall@10", "--view", "seen_kept", "--resamples", "500", *option.split()]
        done = CliRunner().invoke(
            build_app(), ["compare", "weak", "strong", "--results", str(results), *options]
        )
        assert done.exit_code == 0, done.output
        expected = compare(
            find_compared(["weak", "strong"], results), metric="recall@10", view="seen_kept", resamples=500
        )
        assert done.output == renders[option](expected) + "\n"

    def test_seeds_dataset_and_ties_reach_the_search(self, results: Path) -> None:
        options = ["--seeds", "--dataset", "sample", "--ties", "file", "--json", "--results", str(results)]
        done = CliRunner().invoke(build_app(), ["compare", "seeded", "strong", *options])
        assert json.loads(done.output)["rows"][1]["seeds"] == [1, 2, 3]

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["weak", "strong", "--view", "seen"], "unknown view 'seen'"),
            (["weak", "strong", "--markdown", "--json"], "choose one of"),
            (["weak", "strong", "--results", "nowhere"], "no results folder 'nowhere'"),
        ],
    )
    def test_bad_options(self, results: Path, arguments: list[str], message: str) -> None:
        place = [] if "--results" in arguments else ["--results", str(results)]
        done = CliRunner().invoke(build_app(), ["compare", *arguments, *place])
        assert isinstance(done.exception, BenchError)
        assert message in str(done.exception)
