"""The sample shop has the same bytes everywhere, believable figures and all the dirt of real data."""

import csv
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from include.commands import sample
from include.commands.sample import DEFAULT_SEED, HEADER, README, SAMPLE_AS_OF, SAMPLE_START, main
from include.pipeline import PROJECT
from tests.reference import Snapshot, clean, read_lines, snapshot


class Line(NamedTuple):
    invoice: str
    stock: str
    description: str
    quantity: int
    when: datetime
    price: Decimal
    customer: str
    country: str


def generate(folder: Path, hash_seed: str) -> subprocess.CompletedProcess[str]:
    """Run the command in its own process, as a person does."""
    return subprocess.run(
        [sys.executable, "-m", "include.commands.sample", str(folder)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample") / "made" / "shop"
    generate(folder, hash_seed="1")
    return folder


@pytest.fixture(scope="session")
def lines(shop: Path) -> list[Line]:
    rows: list[list[str]] = []
    for path in sorted(shop.glob("*.csv")):
        with path.open(newline="", encoding="utf-8") as file:
            header, *found = csv.reader(file)
        assert header == HEADER
        assert {row[4][:10] for row in found} == {path.stem}, "a file holds its own day"
        rows += found
    when = "%Y-%m-%d %H:%M:%S"
    return [
        Line(i, s, d, int(q), datetime.strptime(w, when), Decimal(p), c, land)  # noqa: DTZ007
        for i, s, d, q, w, p, c, land in rows
    ]


@pytest.fixture(scope="session")
def segmented(shop: Path) -> Snapshot:
    return snapshot(clean(read_lines(sorted(shop.glob("*.csv")))), SAMPLE_AS_OF)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# -- the same bytes everywhere ------------------------------------------------------------------


def test_the_same_seed_gives_the_same_bytes_in_another_process(shop: Path, tmp_path: Path) -> None:
    command = generate(tmp_path / "again", hash_seed="2")
    assert content(tmp_path / "again") == content(shop)
    assert "SAMPLE" in command.stdout and command.stderr == ""


def test_the_bytes_are_those_of_this_generator_version(shop: Path) -> None:
    """After a change of the generated lines, raise GENERATOR_VERSION and write the new digest here."""
    digest = (shop / README).read_text().split()[-1]
    assert (sample.GENERATOR_VERSION, digest[:16]) == (1, "d7fb379b82a1f840")


def test_another_seed_gives_another_shop(shop: Path, tmp_path: Path) -> None:
    assert main([str(tmp_path / "other"), "--seed", str(DEFAULT_SEED + 1)]) == 0
    mine, other = content(shop), content(tmp_path / "other")
    assert mine.keys() == other.keys()
    assert [name for name in mine if mine[name] == other[name]] == []


# -- a believable shop --------------------------------------------------------------------------


def test_every_day_has_a_file_except_saturdays_christmas_week_and_new_year(shop: Path) -> None:
    every = {SAMPLE_START + timedelta(n) for n in range((SAMPLE_AS_OF - SAMPLE_START).days)}
    found = {date.fromisoformat(path.stem) for path in shop.glob("*.csv")}
    christmas = {date(year, 12, day) for year in (2024, 2025) for day in range(24, 31)}
    saturdays = {day for day in every if day.isoweekday() == 6}
    assert found == every - saturdays - christmas - {date(2025, 1, 1)}
    assert {min(found), max(found)} == {SAMPLE_START, SAMPLE_AS_OF - timedelta(1)}


def test_the_shop_has_60_000_lines_2_000_customers_and_600_articles(lines: list[Line]) -> None:
    assert 55_000 <= len(lines) <= 65_000
    assert 1_950 <= len({line.customer for line in lines if line.customer}) <= 2_050
    assert 550 <= len({line.stock.upper() for line in lines if line.stock[0].isdigit()}) <= 600


def test_autumn_is_busiest_and_newcomers_arrive_all_year(lines: list[Line]) -> None:
    per_month = Counter(f"{line.when:%Y-%m}" for line in lines)
    assert [month for month, _ in per_month.most_common(2)] == ["2025-11", "2025-10"]
    first_seen: dict[str, str] = {}
    for line in lines:
        first_seen.setdefault(line.customer, f"{line.when:%Y-%m}")
    arrivals = Counter(first_seen.values())
    assert len(arrivals) == 13 and min(arrivals.values()) >= 40


def test_a_fifth_of_the_customers_makes_most_of_the_revenue(segmented: Snapshot) -> None:
    revenue = sorted((row["monetary"] for row in segmented.customers), reverse=True)
    share = sum(revenue[: len(revenue) // 5]) / sum(revenue)
    assert Decimal("0.60") <= share <= Decimal("0.75")


def test_every_segment_is_populated_and_customers_move(segmented: Snapshot) -> None:
    shares = {row["segment"]: row["customer_share"] for row in segmented.summary}
    assert len(shares) == 11 and Decimal("0.02") <= min(shares.values())
    assert max(shares.values()) <= Decimal("0.20")
    previous = [(row["previous_segment"], row["segment"]) for row in segmented.customers]
    stayed = sum(before == now for before, now in previous)
    assert sum(before is None for before, _ in previous) >= 100
    assert 0.5 <= stayed / len(previous) <= 0.9
    assert {before for before, now in previous if before not in (None, now)} == set(shares)


def test_there_are_one_off_loyal_lapsed_and_wholesale_customers(segmented: Snapshot) -> None:
    customers = segmented.customers
    assert 0.2 <= sum(row["frequency"] == 1 for row in customers) / len(customers) <= 0.4
    assert sum(row["frequency"] >= 10 and row["recency_days"] <= 60 for row in customers) >= 100
    assert sum(row["frequency"] >= 3 and row["recency_days"] >= 180 for row in customers) >= 100
    assert sum(row["avg_order_value"] >= 800 for row in customers) >= 10


def test_most_lines_are_sold_in_the_shop_s_own_country_but_not_all(lines: list[Line]) -> None:
    countries = Counter(line.country for line in lines)
    assert countries.most_common(1)[0][0] == "United Kingdom" and len(countries) >= 5
    assert 0.85 <= countries["United Kingdom"] / len(lines) <= 0.97


# -- the dirt -----------------------------------------------------------------------------------


def test_cancellations_refer_to_earlier_purchases_of_the_same_customer(lines: list[Line]) -> None:
    bought: Counter[tuple[str, str, Decimal]] = Counter()
    cancelled = 0
    for line in sorted(lines, key=lambda line: line.when):
        article = (line.customer, line.stock, line.price)
        if line.invoice.startswith("C"):
            assert line.customer and line.quantity < 0
            cancelled += 1
        bought[article] += line.quantity if line.customer else 0
        assert bought[article] >= 0, f"more sent back than bought: {line}"
    assert 0.01 <= cancelled / len(lines) <= 0.03


def test_customers_are_missing_on_whole_invoices(lines: list[Line]) -> None:
    guests = {line.invoice for line in lines if not line.customer}
    assert guests.isdisjoint(line.invoice for line in lines if line.customer)
    assert 0.15 <= sum(not line.customer for line in lines) / len(lines) <= 0.25


def test_an_invoice_has_one_customer_one_country_and_one_time(lines: list[Line]) -> None:
    heads = {(line.invoice, line.customer, line.country, line.when) for line in lines}
    assert len(heads) == len({line.invoice for line in lines})


def test_invoice_numbers_rise_with_time(lines: list[Line]) -> None:
    heads = sorted({(line.invoice.lstrip("CA"), line.when) for line in lines})
    assert all(earlier[1] <= later[1] for earlier, later in pairwise(heads))


@pytest.mark.parametrize(
    "dirt, at_least",
    [
        (lambda x: x.customer and x.price == 0 and x.quantity > 0, 10),
        (lambda x: not x.customer and x.quantity < 0 and x.invoice.isdigit() and x.price == 0, 50),
        (lambda x: x.invoice.startswith("A") and x.price < 0 and not x.customer, 1),
        (lambda x: x.invoice.startswith("A") and x.price > 0 and not x.customer, 1),
        (lambda x: x.description == "", 10),
        (lambda x: x.description.endswith(" "), 100),
        (lambda x: "," in x.description, 100),
        (lambda x: x.stock[-1].islower(), 100),
        (lambda x: x.stock[-1].isupper() and x.stock[0].isdigit(), 100),
        (lambda x: x.stock == "POST" and x.country != "United Kingdom", 100),
        (lambda x: x.stock == "M", 10),
        (lambda x: x.quantity >= 70_000 and x.customer, 1),
    ],
)
def test_each_kind_of_dirt_is_there(lines: list[Line], dirt: Callable[[Line], object], at_least: int) -> None:
    assert sum(bool(dirt(line)) for line in lines) >= at_least


def test_quotes_in_descriptions_are_doubled(shop: Path) -> None:
    text = "".join(path.read_text() for path in shop.glob("*.csv"))
    assert text.count('12"" CANDLE') >= 100 and '12" CANDLE' not in text.replace('""', "")


def test_some_lines_are_repeated_within_an_invoice(lines: list[Line]) -> None:
    repeats = len(lines) - len(set(lines))
    assert 0.002 <= repeats / len(lines) <= 0.02


def test_ids_and_prices_are_spelled_as_in_the_real_files(shop: Path) -> None:
    for path in shop.glob("*.csv"):
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                assert re.fullmatch(r"(2\d{4}\.0)?", row["CustomerID"])
                assert repr(float(row["UnitPrice"])) == row["UnitPrice"]
        assert b"\r" not in path.read_bytes()


@pytest.mark.parametrize(
    "pence, text",
    [(255, "2.55"), (210, "2.1"), (1800, "18.0"), (5, "0.05"), (0, "0.0"), (-1106206, "-11062.06")],
)
def test_a_price_is_written_from_pence(pence: int, text: str) -> None:
    assert sample.price(pence) == text


# -- no accidents -------------------------------------------------------------------------------


def test_the_readme_says_that_it_is_a_sample(shop: Path) -> None:
    text = (shop / README).read_text()
    assert text.startswith(f"SAMPLE data, generated, seed {DEFAULT_SEED}, generator version 1.")
    assert {path.suffix for path in shop.iterdir()} == {".csv", ".txt"}


def test_a_second_run_changes_nothing_and_says_so(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in shop.iterdir()}
    assert main([str(shop)]) == 0
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in shop.iterdir()} == before


def test_an_empty_folder_is_filled(tmp_path: Path, shop: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 0
    assert content(tmp_path / "empty") == content(shop)


def add_file(folder: Path) -> None:
    (folder / "mine.csv").write_text("keep me")


def change_a_byte(folder: Path) -> None:
    path = folder / "2025-06-10.csv"
    path.write_bytes(path.read_bytes().replace(b"2025", b"2024", 1))


def remove_a_day(folder: Path) -> None:
    (folder / "2025-06-10.csv").unlink()


def remove_the_readme(folder: Path) -> None:
    (folder / README).unlink()


@pytest.mark.parametrize("damage", [add_file, change_a_byte, remove_a_day, remove_the_readme])
def test_a_folder_with_something_else_is_refused_and_stays_as_it_was(
    damage: Callable[[Path], None], shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "other"
    shutil.copytree(shop, folder)
    damage(folder)
    before = content(folder)
    assert main([str(folder)]) == 2
    printed = capsys.readouterr()
    assert str(folder) in printed.err and "another folder" in printed.err and printed.out == ""
    assert content(folder) == before and list(tmp_path.iterdir()) == [folder]


def test_the_sample_of_another_seed_is_refused(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = content(shop)
    assert main([str(shop), "--seed", "99"]) == 2
    assert "seed 99" in capsys.readouterr().err
    assert content(shop) == before


def test_a_file_in_the_way_is_an_error_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("keep me")
    assert main([str(tmp_path / "file")]) == 2
    assert "file" in capsys.readouterr().err and (tmp_path / "file").read_text() == "keep me"


def test_the_folder_is_complete_when_it_appears(tmp_path: Path) -> None:
    out_dir = tmp_path / "shop"
    run = threading.Thread(target=main, args=[[str(out_dir)]])
    run.start()
    while run.is_alive() and not out_dir.exists():
        time.sleep(0.0005)
    seen = len(list(out_dir.iterdir()))
    run.join()
    assert seen == len(sample.open_days()) + 1


def test_a_run_that_dies_halfway_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither the folder nor a temporary one is left. Until the end the folder's name does not exist."""
    out_dir = tmp_path / "shop"

    def die(files: Iterable[Path], seed: int) -> NoReturn:
        assert len(list(files)) > 300 and not out_dir.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "readme", die)
    with pytest.raises(KeyboardInterrupt):
        main([str(out_dir)])
    assert list(tmp_path.iterdir()) == []
