"""The sample shop: the same bytes everywhere, believable figures, all the dirt, no accidents."""

import csv
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

from include.commands import sample
from include.commands.sample import DEFAULT_SEED, HEADER, README, SAMPLE_AS_OF, SAMPLE_START, main
from tests.reference import clean, read_lines, snapshot

PROJECT = Path(__file__).resolve().parents[2]


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
    """As a person runs it, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "include.commands.sample", str(folder)],
        cwd=PROJECT,
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "made" / "shop"
    generate(folder, hash_seed="1")
    return folder


@pytest.fixture(scope="session")
def lines(shop):
    rows = []
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
def segmented(shop):
    return snapshot(clean(read_lines(sorted(shop.glob("*.csv")))), SAMPLE_AS_OF)


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


# The same bytes everywhere


def test_the_same_seed_gives_the_same_bytes_in_another_process(shop, tmp_path):
    told = generate(tmp_path / "again", hash_seed="2")
    assert content(tmp_path / "again") == content(shop)
    assert "SAMPLE" in told.stdout and told.stderr == ""


def test_the_bytes_are_those_of_this_generator_version(shop):
    """Changed what is generated? Raise GENERATOR_VERSION, then write the new digest here."""
    digest = (shop / README).read_text().split()[-1]
    assert (sample.GENERATOR_VERSION, digest[:16]) == (1, "d7fb379b82a1f840")


def test_another_seed_gives_another_shop(shop, tmp_path):
    assert main([str(tmp_path / "other"), "--seed", str(DEFAULT_SEED + 1)]) == 0
    mine, other = content(shop), content(tmp_path / "other")
    assert mine.keys() == other.keys()
    assert [name for name in mine if mine[name] == other[name]] == []


# A believable shop


def test_a_file_for_every_day_but_saturdays_christmas_week_and_new_year(shop):
    every = {SAMPLE_START + timedelta(n) for n in range((SAMPLE_AS_OF - SAMPLE_START).days)}
    found = {date.fromisoformat(path.stem) for path in shop.glob("*.csv")}
    christmas = {date(year, 12, day) for year in (2024, 2025) for day in range(24, 31)}
    saturdays = {day for day in every if day.isoweekday() == 6}
    assert found == every - saturdays - christmas - {date(2025, 1, 1)}
    assert {min(found), max(found)} == {SAMPLE_START, SAMPLE_AS_OF - timedelta(1)}


def test_so_many_lines_and_customers(lines):
    assert 55_000 <= len(lines) <= 65_000
    assert 1_950 <= len({line.customer for line in lines if line.customer}) <= 2_050
    assert 550 <= len({line.stock.upper() for line in lines if line.stock[0].isdigit()}) <= 600


def test_autumn_is_busiest_and_newcomers_arrive_all_year(lines):
    per_month = Counter(f"{line.when:%Y-%m}" for line in lines)
    assert [month for month, _ in per_month.most_common(2)] == ["2025-11", "2025-10"]
    first_seen: dict[str, str] = {}
    for line in lines:
        first_seen.setdefault(line.customer, f"{line.when:%Y-%m}")
    arrivals = Counter(first_seen.values())
    assert len(arrivals) == 13 and min(arrivals.values()) >= 40


def test_a_fifth_of_the_customers_makes_most_of_the_revenue(segmented):
    revenue = sorted((row["monetary"] for row in segmented.customers), reverse=True)
    share = sum(revenue[: len(revenue) // 5]) / sum(revenue)
    assert Decimal("0.60") <= share <= Decimal("0.75")


def test_every_segment_is_populated_and_customers_move(segmented):
    shares = {row["segment"]: row["customer_share"] for row in segmented.summary}
    assert len(shares) == 11 and Decimal("0.02") <= min(shares.values())
    assert max(shares.values()) <= Decimal("0.20")
    previous = [(row["previous_segment"], row["segment"]) for row in segmented.customers]
    stayed = sum(before == now for before, now in previous)
    assert sum(before is None for before, _ in previous) >= 100
    assert 0.5 <= stayed / len(previous) <= 0.9
    assert {before for before, now in previous if before not in (None, now)} == set(shares)


def test_one_off_loyal_lapsed_and_wholesale_buyers(segmented):
    customers = segmented.customers
    assert 0.2 <= sum(row["frequency"] == 1 for row in customers) / len(customers) <= 0.4
    assert sum(row["frequency"] >= 10 and row["recency_days"] <= 60 for row in customers) >= 100
    assert sum(row["frequency"] >= 3 and row["recency_days"] >= 180 for row in customers) >= 100
    assert sum(row["avg_order_value"] >= 800 for row in customers) >= 10


def test_mostly_at_home_but_not_only(lines):
    countries = Counter(line.country for line in lines)
    assert countries.most_common(1)[0][0] == "United Kingdom" and len(countries) >= 5
    assert 0.85 <= countries["United Kingdom"] / len(lines) <= 0.97


# The dirt


def test_cancellations_refer_to_earlier_purchases_of_the_same_customer(lines):
    bought: Counter[tuple[str, str, Decimal]] = Counter()
    cancelled = 0
    for line in sorted(lines, key=lambda line: line.when):
        what = (line.customer, line.stock, line.price)
        if line.invoice.startswith("C"):
            assert line.customer and line.quantity < 0
            cancelled += 1
        bought[what] += line.quantity if line.customer else 0
        assert bought[what] >= 0, f"more sent back than bought: {line}"
    assert 0.01 <= cancelled / len(lines) <= 0.03


def test_customers_are_missing_on_whole_invoices(lines):
    guests = {line.invoice for line in lines if not line.customer}
    assert guests.isdisjoint(line.invoice for line in lines if line.customer)
    assert 0.15 <= sum(not line.customer for line in lines) / len(lines) <= 0.25


def test_one_customer_one_country_and_one_time_per_invoice(lines):
    heads = {(line.invoice, line.customer, line.country, line.when) for line in lines}
    assert len(heads) == len({line.invoice for line in lines})


def test_invoice_numbers_rise_with_time(lines):
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
def test_each_kind_of_dirt_is_there(lines, dirt, at_least):
    assert sum(bool(dirt(line)) for line in lines) >= at_least


def test_quotes_in_descriptions_are_doubled(shop):
    text = "".join(path.read_text() for path in shop.glob("*.csv"))
    assert text.count('12"" CANDLE') >= 100 and '12" CANDLE' not in text.replace('""', "")


def test_some_lines_are_repeated_within_an_invoice(lines):
    repeats = len(lines) - len(set(lines))
    assert 0.002 <= repeats / len(lines) <= 0.02


def test_ids_and_prices_are_spelled_as_in_the_real_files(shop):
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
def test_a_price_is_written_from_pence(pence, text):
    assert sample.price(pence) == text


# No accidents


def test_the_readme_says_that_it_is_a_sample(shop):
    text = (shop / README).read_text()
    assert text.startswith(f"SAMPLE data, generated, seed {DEFAULT_SEED}, generator version 1.")
    assert {path.suffix for path in shop.iterdir()} == {".csv", ".txt"}


def test_a_second_run_changes_nothing_and_says_so(shop, capsys):
    before = {path: path.stat().st_mtime_ns for path in shop.iterdir()}
    assert main([str(shop)]) == 0
    assert "already there" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in shop.iterdir()} == before


def test_an_empty_folder_is_filled(tmp_path, shop):
    (tmp_path / "empty").mkdir()
    assert main([str(tmp_path / "empty")]) == 0
    assert content(tmp_path / "empty") == content(shop)


def copy_of(shop, folder):
    folder.mkdir()
    for name, text in content(shop).items():
        (folder / name).write_bytes(text)
    return folder


def own_file(folder):
    (folder / "mine.csv").write_text("keep me")


def changed_byte(folder):
    path = folder / "2025-06-10.csv"
    path.write_bytes(path.read_bytes().replace(b"2025", b"2024", 1))


def lost_day(folder):
    (folder / "2025-06-10.csv").unlink()


def lost_readme(folder):
    (folder / README).unlink()


@pytest.mark.parametrize("damage", [own_file, changed_byte, lost_day, lost_readme])
def test_a_folder_with_something_else_is_refused_untouched(damage, shop, tmp_path, capsys):
    folder = copy_of(shop, tmp_path / "other")
    damage(folder)
    before = content(folder)
    assert main([str(folder)]) == 2
    told = capsys.readouterr()
    assert str(folder) in told.err and "another folder" in told.err and told.out == ""
    assert content(folder) == before and list(tmp_path.iterdir()) == [folder]


def test_the_sample_of_another_seed_is_refused(shop, capsys):
    before = content(shop)
    assert main([str(shop), "--seed", "99"]) == 2
    assert "seed 99" in capsys.readouterr().err
    assert content(shop) == before


def test_a_file_in_the_way_is_an_error_without_a_traceback(tmp_path, capsys):
    (tmp_path / "file").write_text("keep me")
    assert main([str(tmp_path / "file")]) == 2
    assert "file" in capsys.readouterr().err and (tmp_path / "file").read_text() == "keep me"


def test_the_folder_is_whole_when_it_appears(tmp_path):
    out_dir = tmp_path / "shop"
    run = threading.Thread(target=main, args=[[str(out_dir)]])
    run.start()
    while run.is_alive() and not out_dir.exists():
        time.sleep(0.0005)
    seen = len(list(out_dir.iterdir()))
    run.join()
    assert seen == len(sample.open_days()) + 1


def test_a_run_that_dies_halfway_leaves_nothing(monkeypatch, tmp_path):
    """Neither under the final name nor beside it; and until the end the name does not exist."""
    out_dir = tmp_path / "shop"

    def dies(files, seed):
        assert len(list(files)) > 300 and not out_dir.exists()
        raise KeyboardInterrupt

    monkeypatch.setattr(sample, "readme", dies)
    with pytest.raises(KeyboardInterrupt):
        main([str(out_dir)])
    assert list(tmp_path.iterdir()) == []
