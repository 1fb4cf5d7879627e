"""The notebooks, run on the sample from top to bottom; their figures are counted again from the files.

With RFM_NOTEBOOKS=include/docs/notebooks these tests also write the rendered notebooks there.
"""

import csv
import json
import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from include.commands.notebook import NOTEBOOKS
from include.pipeline import PROJECT
from tests.notebooks.executed import Executed, render

NAMES = ("customer_segment", "analysis_notebook")
RENDERED = PROJECT / "include" / "docs" / "notebooks"
COMPARED = ["cleaned_data.csv", "rfm_df.csv", "segment_summary.csv", "segment_movement.csv"]


@pytest.fixture
def published(lake: Path) -> Path:
    return lake / "published" / "as_of=2026-01-01"


@pytest.fixture
def customers(published: Path) -> list[dict[str, str]]:
    with (published / "rfm_df.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def code_of(name: str) -> list[dict[str, object]]:
    cells = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def count(text: str) -> float:
    return float(text.replace(",", ""))


# -- in git ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_no_outputs_in_git(name: str) -> None:
    assert [cell["outputs"] for cell in code_of(name)] == [[]] * len(code_of(name))
    assert {cell["execution_count"] for cell in code_of(name)} == {None}


@pytest.mark.parametrize("name", NAMES)
def test_the_rendered_notebook_has_the_code_of_today(name: str) -> None:
    text = (RENDERED / f"{name}.md").read_text()
    for cell in code_of(name):
        assert "".join(cell["source"]) in text  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NAMES)
def test_a_rendered_notebook_is_small_and_names_no_folder_of_a_machine(name: str) -> None:
    files = [RENDERED / f"{name}.md", *(RENDERED / f"{name}_files").iterdir()]
    assert sum(file.stat().st_size for file in files) < 500_000
    assert str(PROJECT) not in files[0].read_text() and "/tmp/" not in files[0].read_text()


def test_the_analysis_needs_no_spark() -> None:
    for cell in code_of("analysis_notebook"):
        assert "spark" not in "".join(cell["source"])  # type: ignore[arg-type]


# -- customer_segment -----------------------------------------------------------------------------


def test_the_walkthrough_ends_in_the_files_that_the_jobs_published(
    walkthrough: Executed, published: Path
) -> None:
    output = walkthrough.file.parent / "customer_segment_output"
    for name in COMPARED:
        assert (output / name).read_bytes() == (published / name).read_bytes(), name
    assert [(row["file"], row["compared"]) for row in walkthrough.table("compared")] == [
        (name, "identical") for name in COMPARED
    ]


def test_the_walkthrough_counts_each_line_once(walkthrough: Executed, published: Path) -> None:
    stages = json.loads((published / "run.json").read_text())["stages"]
    shown = {row["reason"]: int(row["lines"]) for row in walkthrough.table("reason", "lines", "share")[:1]}
    assert shown == {"(kept)": stages["ingest"]["rows_out"]}
    assert f"{stages['clean']['rows_out']:,} lines kept" in walkthrough.printed


@pytest.mark.parametrize("name", ["walkthrough", "analysis"])
def test_each_picture_says_what_it_shows(name: str, request: pytest.FixtureRequest) -> None:
    pictures = request.getfixturevalue(name).pictures
    assert len(pictures) >= 6
    for picture in pictures:
        assert 'role="img" aria-label="' in picture and 'aria-label=""' not in picture


# -- analysis_notebook ----------------------------------------------------------------------------


def test_those_worth_winning_back_are_the_lapsed_ones_who_spent_well(
    analysis: Executed, customers: list[dict[str, str]]
) -> None:
    lapsed = [c for c in customers if int(c["r_score"]) <= 2 and int(c["m_score"]) >= 4]
    shown = {row["segment"]: row for row in by_index(analysis, "median_days_away", "segment")}
    assert {name: int(row["customers"]) for name, row in shown.items()} == Counter(
        c["segment"] for c in lapsed
    )
    for name, row in shown.items():
        spent = sum(float(c["monetary"]) for c in lapsed if c["segment"] == name)
        assert count(row["spent_so_far"]) == pytest.approx(spent, abs=0.01)


def by_index(executed: Executed, column: str, name: str) -> list[dict[str, str]]:
    """A table's rows with its index under a name."""
    return [row | {name: next(iter(row.values()))} for row in executed.table(column)]


def test_who_came_back_by_himself_is_counted_from_his_last_purchase(
    analysis: Executed, customers: list[dict[str, str]]
) -> None:
    then = [c for c in customers if c["previous_segment"] == "At Risk"]
    since = sum(int(c["recency_days"]) <= 30 for c in then) / len(then)
    shown = {row["segment"]: row for row in by_index(analysis, "bought since", "segment")}
    assert shown["At Risk"]["bought since"] == f"{since:.1%}"
    assert count(shown["At Risk"]["customers then"]) == len(then)


def test_changes_from_day_to_day_are_those_of_the_published_segments(
    analysis: Executed, lake: Path, customers: list[dict[str, str]]
) -> None:
    with (lake / "published" / "as_of=2025-12-31" / "rfm_df.csv").open(newline="") as stream:
        before = {row["customer_id"]: row for row in csv.DictReader(stream)}
    both = [(before[c["customer_id"]], c) for c in customers if c["customer_id"] in before]
    changed = [(a, b) for a, b in both if a["segment"] != b["segment"]]
    moved = [(a, b) for a, b in changed if a["gross"] == b["gross"] and a["returned"] == b["returned"]]
    last = analysis.table("from", "to", "moved")[-1]
    assert (last["from"], last["to"], last["customers"]) == ("2025-12-31", "2026-01-01", str(len(both)))
    assert last["moved"] == f"{len(moved) / len(both):.1%}"
    assert last["bought"] == f"{(len(changed) - len(moved)) / len(both):.1%}"


def test_clusters_hold_all_customers_and_explain_more_than_rules(
    analysis: Executed, customers: list[dict[str, str]]
) -> None:
    clusters = analysis.table("median_days", "mostly")
    assert sum(int(row["customers"]) for row in clusters) == len(customers)
    explained = analysis.table("segment map", "k-means")[0]
    assert 0.5 < float(explained["segment map"]) < float(explained["k-means"]) < 1


def test_cohorts_are_by_the_month_of_the_first_purchase(analysis: Executed, published: Path) -> None:
    months = defaultdict[str, set[str]](set)
    with (published / "cleaned_data.csv").open(newline="") as stream:
        for line in csv.DictReader(stream):
            if line["line_type"] == "purchase":
                months[line["customer_id"]].add(line["invoice_date"][:7])
    october = [bought for bought in months.values() if min(bought) == "2025-10"]
    again = sum("2025-11" in bought for bought in october) / len(october)
    picture = next(picture for picture in analysis.pictures if "Share of each cohort" in picture)
    assert f"2025-10 ({len(october)})" in picture and f">{again:.0%}<" in picture


# -- rendered -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["walkthrough", "analysis"])
def test_a_notebook_can_be_read_without_jupyter(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    executed: Executed = request.getfixturevalue(name)
    file = render(executed, Path(os.environ.get("RFM_NOTEBOOKS", tmp_path)).absolute())
    text = file.read_text()
    assert "<style" not in text and "<svg" not in text and "![svg]" not in text
    pictures = [*file.with_name(f"{file.stem}_files").iterdir()]
    assert len(pictures) == len(executed.pictures)
    assert all(picture.name in text for picture in pictures)
