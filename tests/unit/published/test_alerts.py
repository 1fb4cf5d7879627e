"""Each alert on figures made by hand, and all of them on each day of the real data."""

import csv
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from include.lake.record import FileCounts, InputFile
from include.published.alerts import alerts
from include.published.figures import Figures
from include.settings import Alerts, CutPointChange, RunConfig
from tests import reference

DAY = date(2011, 4, 23)  # a Saturday
LIMITS = Alerts(
    segment_change=0.03,
    cut_point_change=CutPointChange(recency_days=0.2, frequency=0.3, monetary=0.05),
    fewest_customers=1000,
    reject_rise=0.1,
    late_file_days=1,
    sales_weeks=2,
    old_data_days=60,
)
SIZES = {"Champions": 400, "Promising": 600, "Lost": 1000}
Cuts = Mapping[str, Sequence[int | str]]
CUTS: Cuts = {
    "recency_days": [13, 33, 72, 180],
    "frequency": [1, 1, 2, 4],
    "monetary": ["243.22", "475.28", "914.93", "2018.91"],
}


@pytest.fixture
def find(config: RunConfig) -> "Find":
    return Find(config)


class Find:
    """The alerts with the limits above, for a day that had sales unless it is said."""

    def __init__(self, config: RunConfig) -> None:
        self.settings = config.settings.model_copy(update={"alerts": LIMITS})

    def __call__(
        self, now: Figures, earlier: Figures | None = None, with_sales: Collection[date] | None = None
    ) -> list[str]:
        if with_sales is None:
            with_sales = [now.as_of - timedelta(days=1)]
        return alerts(now, earlier, with_sales, self.settings)


def figures(
    as_of: date = DAY,
    sizes: Mapping[str, int] = SIZES,
    cuts: Cuts | None = None,
    files: Mapping[str, InputFile] | None = None,
) -> Figures:
    changed = {**CUTS, **(cuts or {})}
    cut_points = {metric: [Decimal(value) for value in values] for metric, values in changed.items()}
    return Figures(as_of, sizes, cut_points, files or {})


def days_before(days: int) -> date:
    return DAY - timedelta(days=days)


def landed(day: date, rows: int = 1000, **rejects: int) -> InputFile:
    """A file that was landed on a day at 03:00, with the lines that `clean` rejected."""
    kept = rows - sum(rejects.values())
    return InputFile(
        batch="b",
        size=rows,
        modified=int(datetime.combine(day, time(3), UTC).timestamp()) * 10**9,
        rows=rows,
        kept=rows,
        rejects={},
        clean=FileCounts(kept=kept, rejects=rejects),
    )


def test_a_snapshot_like_the_one_before_has_no_alert(find: Find) -> None:
    assert find(figures(), figures(days_before(1))) == []


# -- no new file --------------------------------------------------------------------------------


def deliveries(*days: int) -> dict[str, InputFile]:
    """Files landed so many days before the as-of date."""
    return {f"{day}.csv": landed(days_before(day)) for day in days}


def test_a_file_that_is_two_days_later_than_ever_is_missed(find: Find) -> None:
    """Gaps of 1, 1, 3, 1 and 1 day: 4 days may pass without a file, 5 may not."""
    assert find(figures(files=deliveries(11, 10, 9, 6, 5, 4))) == []
    [alert] = find(figures(files=deliveries(12, 11, 10, 7, 6, 5)))
    assert alert.startswith(
        "no new file for 5 days, since 2011-04-18; the last 5 gaps between files were of 3 days at most"
    )


@pytest.mark.parametrize(
    "days",
    [[-1, *range(30, 40)], [300] * 10, [30, 31, 32, 33, 34]],
    ids=["files came after the date", "all came at once", "too few to know"],
)
def test_no_file_is_missed_when(find: Find, days: list[int]) -> None:
    assert find(figures(files=deliveries(*days))) == []


def test_a_pause_long_ago_does_not_count_as_usual(find: Find) -> None:
    """A gap of 30 days, and ten of one day since."""
    assert (
        "the last 10 gaps between files were of 1 days at most"
        in find(figures(files=deliveries(43, *range(13, 2, -1))))[0]
    )


# -- old data -----------------------------------------------------------------------------------


def test_a_newest_purchase_more_than_60_days_ago_is_named_with_the_date_to_run_instead(find: Find) -> None:
    assert find(figures(), with_sales=[days_before(60)]) == []
    [alert] = find(figures(), with_sales=[days_before(61), days_before(90)])
    assert alert == (
        "the newest purchase is from 2011-02-21, 61 days before the as-of date (alerts.old_data_days: 60); "
        "for data of the past run it as of 2011-02-22"
    )


# -- a weekday without sales --------------------------------------------------------------------


def test_a_weekday_without_sales_is_named_when_the_weeks_before_had_some(find: Find) -> None:
    [alert] = find(figures(), with_sales=[days_before(8), days_before(15)])
    assert alert.startswith("no sales on Friday 2011-04-22; the same weekday had some in each week")


@pytest.mark.parametrize(
    "days", [[1, 8, 15], [1], [8], [15]], ids=["sales", "the first", "once before", "long ago"]
)
def test_a_weekday_is_not_missed_when_it_had_sales_or_usually_has_none(find: Find, days: list[int]) -> None:
    assert find(figures(), with_sales=[days_before(day) for day in days]) == []


# -- rejects ------------------------------------------------------------------------------------

# Between 10 % and 20 % of the lines of five files
BEFORE = {f"{day}.csv": landed(days_before(day), missing_customer=20 * day) for day in range(6, 11)}


def with_new(**files: InputFile) -> tuple[Figures, Figures]:
    """A snapshot with the files above and these, and the one before it without these."""
    return figures(files={**BEFORE, **files}), figures(days_before(1), files=BEFORE)


def test_more_rejects_than_any_file_had_are_shown_with_the_file_that_has_most(find: Find) -> None:
    """400 + 230 of 2,000 lines are 31.5 %, and at most 20 % + 10 % are usual."""
    a, b = (landed(days_before(0), missing_customer=rejects) for rejects in (230, 400))
    [alert] = find(*with_new(a=a, b=b))
    assert alert.startswith(
        "630 of 2,000 lines (31.5%) of new files rejected as missing_customer, most in b; at most 20.0% in "
        "each of 5 files before"
    )


def test_a_reason_that_never_was_counts_from_nothing(find: Find) -> None:
    [alert] = find(*with_new(a=landed(days_before(0), invoice_date_unreadable=101)))
    assert "as invoice_date_unreadable, most in a; at most 0.0%" in alert


@pytest.mark.parametrize(
    "file",
    [landed(days_before(0), missing_customer=300), landed(days_before(0), rows=99, missing_customer=99)],
    ids=["at the limit", "a few lines"],
)
def test_rejects_of_new_files_are_usual(find: Find, file: InputFile) -> None:
    assert find(*with_new(a=file)) == []


def test_a_file_that_was_replaced_is_new(find: Find) -> None:
    replaced = {"6.csv": landed(days_before(0), missing_customer=500)}
    assert len(find(*with_new(**replaced))) == 1


def test_rejects_of_files_that_are_not_new_are_not_told_again(find: Find) -> None:
    files = {**BEFORE, "a.csv": landed(days_before(2), missing_customer=999)}
    assert find(figures(files=files), figures(days_before(1), files=files)) == []


def test_four_files_before_do_not_show_what_is_usual(find: Find) -> None:
    four = dict(list(BEFORE.items())[:4])
    new = {"a.csv": landed(days_before(0), missing_customer=999)}
    assert find(figures(files={**four, **new}), figures(days_before(1), files=four)) == []


# -- segment sizes ------------------------------------------------------------------------------

# 3.5 % of 2,000 customers went from Promising to Champions
JUMPED = {"Champions": 470, "Promising": 530, "Lost": 1000}


def test_segment_sizes_that_jump_are_shown_before_and_after(find: Find) -> None:
    [alert] = find(figures(sizes=JUMPED), figures(days_before(1)))
    assert alert == (
        "segment sizes differ by 3.5% of the customers from 2011-04-22, usual are 3.0% "
        "(alerts.segment_change: 0.03): Champions 400 to 470, Promising 600 to 530, Lost 1,000 to 1,000"
    )


def test_after_two_days_sizes_may_differ_by_more(find: Find) -> None:
    """0.03 x sqrt(2) = 4.2 %"""
    assert find(figures(sizes=JUMPED), figures(days_before(2))) == []


def test_twice_the_customers_in_the_same_shares_are_no_jump(find: Find) -> None:
    doubled = {name: 2 * size for name, size in SIZES.items()}
    assert find(figures(sizes=doubled), figures(days_before(1))) == []


def test_a_segment_that_only_one_of_the_dates_has_counts_whole(find: Find) -> None:
    """200 of 2,000 customers are 10 %"""
    renamed = {"Champions": 400, "Promising": 400, "New": 200, "Lost": 1000}
    assert "differ by 10.0%" in find(figures(sizes=renamed), figures(days_before(1)))[0]


@pytest.mark.parametrize("sizes", [{"Lost": 999}, {}], ids=["a few", "nobody"])
def test_sizes_and_cut_points_of_few_customers_are_not_compared(find: Find, sizes: dict[str, int]) -> None:
    few = Figures(days_before(1), sizes, {}, {})
    assert find(figures(), few) == []
    assert find(Figures(DAY, sizes, {}, {}), figures(days_before(1))) == []


# -- cut points ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "cuts", "change"),
    [
        ("frequency", [1, 1, 3, 4], "50%"),
        ("frequency", [1, 2, 2, 4], "100%"),
        ("frequency", [1, 1, 1, 4], "50%"),
        ("recency_days", [13, 41, 72, 180], "21%"),  # (8 - 1) / 33
        ("monetary", ["243.22", "475.28", "970.00", "2018.91"], "6%"),  # 55.07 / 914.93
    ],
)
def test_a_cut_point_that_jumps_is_shown_before_and_after(
    find: Find, metric: str, cuts: list[int | str], change: str
) -> None:
    [alert] = find(figures(cuts={metric: cuts}), figures(days_before(1)))
    before, after = (" ".join(map(str, values)) for values in (CUTS[metric], cuts))
    assert alert.startswith(
        f"cut points of {metric} were {before} on 2011-04-22 and are {after}, one by {change} "
    )


@pytest.mark.parametrize(
    ("metric", "cuts", "days"),
    [
        ("frequency", [1, 1, 2, 5], 1),  # 25 %
        ("frequency", [1, 1, 3, 4], 3),  # 50 %, and 0.3 x sqrt(3) = 52 %
        ("recency_days", [16, 36, 75, 183], 3),  # three days without sales
        ("recency_days", [13, 40, 72, 180], 1),  # (7 - 1) / 33 = 18 %
        ("monetary", ["243.22", "475.28", "960.00", "2018.91"], 1),  # 4.9 %
    ],
)
def test_a_cut_point_changes_as_usual(find: Find, metric: str, cuts: list[int | str], days: int) -> None:
    assert find(figures(cuts={metric: cuts}), figures(days_before(days))) == []


def test_cut_points_around_nothing_are_compared_in_whole_units(find: Find) -> None:
    """From 0.00 to 0.04 are 4 % of 1.00."""
    before, after = ({"monetary": [low, "1.00", "2.00", "3.00"]} for low in ("0.00", "0.04"))
    assert find(figures(cuts=after), figures(days_before(1), cuts=before)) == []


# -- all together -------------------------------------------------------------------------------


def test_causes_come_before_their_effects(find: Find) -> None:
    """The note of a run has the first one."""
    files = {**BEFORE, "a.csv": landed(days_before(0), missing_customer=999)}
    now = figures(sizes=JUMPED, cuts={"frequency": [1, 1, 3, 4]}, files=files)
    earlier = figures(days_before(1), files=BEFORE)
    found = find(now, earlier, with_sales=[days_before(8), days_before(15)])
    starts = ("no sales", "999 of 1,000 lines", "segment sizes", "cut points of frequency")
    assert len(found) == len(starts)
    assert all(alert.startswith(start) for alert, start in zip(found, starts, strict=True))


# -- the real data ------------------------------------------------------------------------------

FIRST, LAST = date(2010, 12, 2), date(2011, 12, 10)


class DailyShop:
    """The real data as if each day's file had been landed on the next day at 03:00."""

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("*.csv"))
        self.files = {file.name: file_of_a_day(file) for file in files}
        self.lines = reference.clean(reference.read_lines(files)).kept
        self.lines.sort(key=lambda line: line.invoice_date)

    def snapshots(self) -> Iterator[tuple[Figures, set[date]]]:
        """The figures as of each day, and the days of the last purchases."""
        invoices, last, spent = dict[str, set[str]](), dict[str, date](), Counter[str]()
        monetary, place = dict[str, Decimal](), 0
        for as_of in (FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)):
            while place < len(self.lines) and self.lines[place].invoice_date.date() < as_of:
                line, place = self.lines[place], place + 1
                customer = str(line.customer_id)
                spent[customer] += int(line.amount * 1000)
                monetary[customer] = reference.half_up(Decimal(spent[customer]) / 1000)
                if line.line_type == "purchase":
                    invoices.setdefault(customer, set()).add(line.invoice_no)
                    last[customer] = line.invoice_date.date()
            rows = [
                {
                    "recency_days": (as_of - last[c]).days,
                    "frequency": len(invoices[c]),
                    "monetary": monetary[c],
                }
                for c in last
            ]
            cuts = {metric: reference.cut_points([row[metric] for row in rows]) for metric in CUTS}
            sizes = Counter(row["segment"] for row in reference.scored(rows, reference.RFM11))
            files = {name: file for name, file in self.files.items() if name < f"{as_of}"}
            yield Figures(as_of, sizes, cuts, files), set(last.values())


def file_of_a_day(file: Path) -> InputFile:
    with file.open(newline="", encoding="utf-8") as stream:
        customers = [row["CustomerID"] for row in csv.DictReader(stream)]
    day = date.fromisoformat(file.stem) + timedelta(days=1)
    return landed(day, rows=len(customers), missing_customer=customers.count(""))


@pytest.fixture(scope="module")
def found_by_day(real_data: Path, config: RunConfig) -> dict[date, list[str]]:
    """The alerts of each day with the configured limits."""
    found, earlier = {}, None
    for now, with_sales in DailyShop(real_data).snapshots():
        found[now.as_of] = alerts(now, earlier, with_sales, config.settings)
        earlier = now
    return found


@pytest.mark.real_data
def test_nearly_all_days_of_the_real_data_are_silent(found_by_day: dict[date, list[str]]) -> None:
    with_alerts = {day: found for day, found in found_by_day.items() if found}
    for day, found in with_alerts.items():
        print(day, *found, sep="\n   ")
    assert len(found_by_day) == 374
    assert len(with_alerts) <= 30


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("day", "alert"),
    [
        (date(2011, 3, 26), "segment sizes differ by 7.1% of the customers"),  # the worst day
        (date(2011, 3, 26), "cut points of frequency were 1 1 1 3 on 2011-03-25 and are 1 1 2 3"),
        (date(2011, 9, 20), "segment sizes differ by 6.0% of the customers"),
        (date(2011, 8, 31), "2,829 of 3,235 lines (87.4%) of new files rejected as missing_customer"),
        (date(2011, 4, 23), "no sales on Friday 2011-04-22"),  # Good Friday
        (date(2010, 12, 28), "no new file for 4 days"),  # Christmas
    ],
    ids=str,
)
def test_the_worst_days_of_the_real_data_are_found(
    found_by_day: dict[date, list[str]], day: date, alert: str
) -> None:
    assert any(alert in sentence for sentence in found_by_day[day])
