"""The jobs on the real data, through their mains, against the independent computation.

Every customer and every published column is compared, for dates in no order, on one lake.
"""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from include.lake.paths import Lake
from include.pipeline import PROJECT, TASKS
from include.settings import Params, config_folder, load_config
from tests import reference

pytestmark = pytest.mark.real_data

# as_of, params of the run, how the reference is asked for the same
RUNS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("2011-07-01", {}, {}),
    ("2011-12-10", {"export_cleaned_data": True}, {}),
    ("2011-03-15", {}, {}),
    ("2010-12-02", {}, {}),
    ("2011-11-01", {}, {}),
    ("2011-12-10", {"segment_map": "rf10"}, {"segment_map": reference.RF10}),
    ("2011-12-10", {"cancellations": "drop"}, {"cancellations": "drop"}),
    ("2011-12-10", {"lookback_days": 90}, {"lookback_days": 90}),
    ("2011-08-21", {"duplicates": "drop", "segment_map": "rf10"}, {"segment_map": reference.RF10}),
]
IDS = [f"{day} {json.dumps(params)}" for day, params, _ in RUNS]

SCRIPT = """
import json, sys
from importlib import import_module
runs, lake = json.loads(sys.argv[1]), sys.argv[2]
for day, params, tasks in runs:
    for task in tasks:
        arguments = ["--as-of", day, "--params", json.dumps(params), "--lake", lake]
        import_module(f"spark_jobs.{task}").main(arguments)
"""


def run_jobs(runs: Sequence[tuple[str, dict[str, Any], Sequence[str]]], lake: Path) -> None:
    """Run the mains in one process, which saves the start of a JVM for each."""
    env = os.environ | {"PYTHONPATH": str(PROJECT), "SPARK_LOCAL_IP": "127.0.0.1"}
    env["PYSPARK_SUBMIT_ARGS"] = "--master local[2] --conf spark.ui.enabled=false pyspark-shell"
    command = [sys.executable, "-c", SCRIPT, json.dumps(runs), str(lake)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 0, done.stderr[-5000:]


@dataclass
class Results:
    lake: Lake
    lines: list[reference.Line]

    def published(self, day: str, params: dict[str, Any]) -> Path:
        variant = load_config(config_folder(), Params.model_validate(params)).variant
        return self.lake.published(date.fromisoformat(day), variant)


@pytest.fixture(scope="module")
def results(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Results]:
    lake = Lake(tmp_path_factory.mktemp("real data") / "lake")
    lake.landing.mkdir(parents=True)
    for file in sorted(real_data.glob("*.csv")):
        (lake.landing / file.name).symlink_to(file.resolve())
    run_jobs([(day, params, TASKS[1:] if i else TASKS) for i, (day, params, _) in enumerate(RUNS)], lake.root)
    yield Results(lake, reference.read_lines(sorted(real_data.glob("*.csv"))))


def expected(results: Results, day: str, params: dict[str, Any], asked: dict[str, Any]) -> Any:
    cleaned = reference.clean(results.lines, duplicates=params.get("duplicates", "keep"))
    return reference.snapshot(cleaned, date.fromisoformat(day), **asked)


def table(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def as_text(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{key: "" if value is None else str(value) for key, value in row.items()} for row in rows]


@pytest.mark.parametrize(("day", "params", "asked"), RUNS, ids=IDS)
def test_every_customer_and_column_agrees_with_the_independent_computation(
    results: Results, day: str, params: dict[str, Any], asked: dict[str, Any]
) -> None:
    folder, wanted = results.published(day, params), expected(results, day, params, asked)
    assert table(folder / "rfm_df.csv") == as_text(wanted.customers)
    assert (
        pq.read_table(folder / "customer_segments.parquet", partitioning=None).to_pylist() == wanted.customers
    )
    assert table(folder / "segment_summary.csv") == as_text(wanted.summary)
    assert table(folder / "segment_movement.csv") == as_text(wanted.movement)
    cuts = json.loads((folder / "cut_points.json").read_text())
    for metric, name in (("R", "recency_days"), ("F", "frequency"), ("M", "monetary")):
        assert [Decimal(c) for c in cuts[name]] == [c for c in wanted.cut_points[metric] if c is not None]


# -- figures known from elsewhere ---------------------------------------------------------------


@pytest.fixture(scope="module")
def newest(results: Results) -> Path:
    """The snapshot of all data."""
    return results.published("2011-12-10", {})


@pytest.fixture(scope="module")
def customers(newest: Path) -> dict[str, dict[str, str]]:
    return {row["customer_id"]: row for row in table(newest / "rfm_df.csv")}


def test_the_customers_and_their_revenue_are_those_of_the_facts(
    customers: dict[str, dict[str, str]],
) -> None:
    assert len(customers) == 4_338
    assert sum(Decimal(row["monetary"]) for row in customers.values()) == Decimal("8310477.05")


@pytest.mark.parametrize(
    ("customer", "wanted"),
    [
        ("12347", ("3", "7", "4310.00", "555", "Champions")),
        ("12346", ("326", "1", "0.00", "111", "Lost")),
        ("14646", ("2", "73", "279489.02", "555", "Champions")),
        ("16446", ("1", "2", "2.90", "521", "Promising")),
    ],
)
def test_single_customers_are_those_of_the_facts(
    customers: dict[str, dict[str, str]], customer: str, wanted: tuple[str, ...]
) -> None:
    columns = ("recency_days", "frequency", "monetary", "rfm_score", "segment")
    assert tuple(customers[customer][name] for name in columns) == wanted


def test_the_lines_read_kept_and_rejected_are_those_of_the_facts(newest: Path) -> None:
    stages = json.loads((newest / "run.json").read_text())["stages"]
    assert stages["ingest"]["rows_in"] == stages["ingest"]["rows_out"] == 541_909
    assert stages["clean"]["rows_out"] == 397_884 + 8_905
    # Three lines without a customer are adjustments of bad debt, which says more.
    assert stages["clean"]["rejects"] == {
        "missing_customer": 135_077,
        "price_not_positive": 40,
        "unknown_invoice_type": 3,
    }


@pytest.fixture(scope="module")
def cleaned_data(newest: Path) -> list[dict[str, str]]:
    return table(newest / "cleaned_data.csv")


def test_the_cleaned_data_are_the_kept_lines(results: Results, cleaned_data: list[dict[str, str]]) -> None:
    kept = reference.clean(results.lines).kept
    wanted = [(k.invoice_no, k.stock_code, k.description, k.quantity, k.customer_id) for k in kept]
    found = [
        # a description that is a formula to a spreadsheet would have an apostrophe in front
        (r["invoice_no"], r["stock_code"], r["description"], int(r["quantity"]), r["customer_id"])
        for r in cleaned_data
    ]
    assert sorted(found) == sorted(wanted)


def test_the_cleaned_data_add_up_to_the_penny(cleaned_data: list[dict[str, str]]) -> None:
    purchases = [row for row in cleaned_data if row["line_type"] == "purchase"]
    assert (len(cleaned_data), len(purchases)) == (406_789, 397_884)
    assert len({row["invoice_no"] for row in purchases}) == 18_532
    assert sum(Decimal(row["amount"]) for row in purchases) == Decimal("8911407.904")
    assert all(
        Decimal(r["quantity"]) * Decimal(r["unit_price"]) == Decimal(r["amount"]) for r in cleaned_data
    )


def test_latest_is_the_newest_date_whatever_the_order_and_variants_leave_it_alone(
    results: Results, newest: Path
) -> None:
    assert results.lake.latest.resolve() == newest.resolve()


def test_runs_again_in_another_order_give_the_same_bytes(results: Results) -> None:
    days = ["2011-12-10", "2011-03-15", "2011-07-01"]
    folders = [results.published(day, {}) for day in days]
    files = ["customer_segments.parquet", "rfm_df.csv", "segment_summary.csv", "segment_movement.csv",
             "rejects.csv", "cut_points.json"]  # fmt: skip
    before = [(folder / name).read_bytes() for folder in folders for name in files]
    run_jobs([(day, {}, TASKS) for day in reversed(days)], results.lake.root)
    assert [(folder / name).read_bytes() for folder in folders for name in files] == before
