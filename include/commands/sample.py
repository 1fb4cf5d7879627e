"""sample: an invented shop, in the format of the Online Retail files and with the same dirt.

    python -m include.commands.sample OUT_DIR [--seed N]

It writes one CSV file per trading day from SAMPLE_START to the day before SAMPLE_AS_OF, and a _README.txt
that calls them a sample. The shop is closed on Saturdays, over Christmas and on New Year's Day, and busiest
in autumn. The same seed gives the same bytes on every machine: the code uses only `random()` of the module
`random`, whose sequence Python guarantees, and arithmetic that is exact everywhere. Money is in pence.
"""

import argparse
import csv
import hashlib
import random
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeVar

from include.commands.terminal import say, say_error, track
from include.errors import InputError, UserError

SAMPLE_START = date(2024, 12, 1)
SAMPLE_AS_OF = date(2026, 1, 1)
GENERATOR_VERSION = 1  # to be raised when the generated lines change
DEFAULT_SEED = 7
README = "_README.txt"  # `_`: no landed file

HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity"]
HEADER += ["InvoiceDate", "UnitPrice", "CustomerID", "Country"]

T = TypeVar("T")
Span = tuple[int, int]


@dataclass(frozen=True)
class CustomerGroup:
    """Customers of one kind. The values of each are drawn evenly from these ranges."""

    customers: int
    joins: Span  # the month of the first order, up to 13; below 0: before the sample starts
    stays: Span  # months until the last order
    orders: Span
    lines: Span  # of an order
    packs: int  # the quantity of an article, as a multiple of a private customer's


CUSTOMER_GROUPS = [
    CustomerGroup(500, (-1, 13), (13, 13), (1, 1), (1, 8), 1),  # one-off
    CustomerGroup(100, (0, 13), (13, 13), (1, 1), (6, 16), 3),  # one-off, large
    CustomerGroup(150, (11, 13), (13, 13), (1, 3), (2, 7), 1),  # newcomer
    CustomerGroup(450, (-4, 10), (6, 13), (2, 4), (2, 9), 1),  # occasional
    CustomerGroup(370, (-4, 9), (10, 24), (4, 8), (3, 9), 1),  # regular
    CustomerGroup(150, (-9, 4), (23, 23), (9, 20), (3, 8), 1),  # loyal
    CustomerGroup(40, (-9, 6), (23, 23), (6, 18), (4, 11), 5),  # wholesale
    CustomerGroup(200, (-3, 4), (2, 5), (2, 7), (2, 8), 1),  # lapsed
    CustomerGroup(40, (-2, 4), (1, 4), (2, 5), (4, 11), 4),  # lapsed wholesale
]
MONTH_WEIGHTS = [8, 7, 8, 8, 9, 8, 8, 8, 12, 15, 18, 13]  # January to December
WEEKDAY_WEIGHTS = [10, 11, 11, 12, 10, 0, 6]  # Monday to Sunday

HOME_COUNTRY = "United Kingdom"
OTHER_COUNTRIES = ["Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium", "Norway", "Australia"]
MATERIALS = ["TIN", "WILLOW", "FELT", "LINEN", "OAK", "GLASS", "CERAMIC", "PAPER", "BRASS", "CORK"]
THINGS = ["LANTERN", "MUG", "CAKE STAND", "BUNTING", "DOORMAT", "BREAD BIN", "EGG CUP", "TEA TOWEL"]
THINGS += ['12" CANDLE', '7" PICTURE FRAME', "TRAY, FOLDING", "CUSHION, LARGE", "JEWELLERY BOX"]
THINGS += ["HEART GARLAND", "SET OF 6 COASTERS", "WALL CLOCK", "LUNCH BAG", "PLANT POT"]
COLOURS = ["RED", "IVORY", "SAGE", "NAVY", "ROSE", "MUSTARD", "TEAL", "PLUM", "SKY BLUE", "PEACH"]
PRICES = [42, 65, 85, 85, 125, 125, 165, 165, 195, 210, 295, 295, 375, 425, 495, 595, 850, 1275]
PACKS = [1, 1, 2, 2, 3, 4, 6, 6, 12]
STOCK_NOTES = ["", "", "", "damaged", "wet?", "broken, thrown away", "check"]


class SeededRandom:
    """Random draws that a seed decides, the same in every Python version."""

    def __init__(self, seed: int) -> None:
        self.random: Callable[[], float] = random.Random(seed).random

    def chance(self, per_mille: int) -> bool:
        return self.between(1, 1000) <= per_mille

    def between(self, low: int, high: int) -> int:
        """An integer, both ends included."""
        return low + int(self.random() * (high - low + 1))

    def pick(self, items: Sequence[T]) -> T:
        return items[self.between(0, len(items) - 1)]


class Item(NamedTuple):
    stock_code: str
    description: str
    quantity: int
    pence: int


@dataclass
class Invoice:
    when: datetime
    items: list[Item]
    customer: str = ""
    country: str = HOME_COUNTRY
    prefix: str = ""  # C for a cancellation, A for bad debt


def open_days() -> list[date]:
    days = ((SAMPLE_START + timedelta(n)) for n in range((SAMPLE_AS_OF - SAMPLE_START).days))
    closed = {(12, day) for day in range(24, 31)} | {(1, 1)}
    return [x for x in days if WEEKDAY_WEIGHTS[x.weekday()] and (x.month, x.day) not in closed]


class Shop:
    """Articles, opening days, and the invoices in the order in which they are made."""

    def __init__(self, seed: int) -> None:
        self.draw = SeededRandom(seed)
        self.days = open_days()
        weights = (MONTH_WEIGHTS[x.month - 1] * WEEKDAY_WEIGHTS[x.weekday()] for x in self.days)
        self.trade = [0, *accumulate(weights)]
        self.articles = self.make_articles()
        self.invoices: list[Invoice] = []
        for group, number in self.shuffled_customers():
            self.buy(group, f"{number}.0")
        self.sell_to_guests()
        self.correct_stock_and_books()

    def make_articles(self) -> list[Item]:
        """600 articles. Every third family has one number, and a letter for each colour."""
        families = sorted((self.draw.random(), x, m) for x in THINGS for m in MATERIALS)[:150]
        articles = []
        for family, (_, thing, material) in enumerate(families):
            price, first_colour = self.draw.pick(PRICES), self.draw.between(0, len(COLOURS) - 1)
            for n, letter in enumerate("ABCD"):
                lettered = family % 3 == 0
                code = f"{61000 + family}{letter}" if lettered else f"{71000 + 4 * family + n}"
                colour = COLOURS[(first_colour + n) % len(COLOURS)]
                end = " " if self.draw.chance(50) else ""
                articles.append(Item(code, f"{colour} {material} {thing}{end}", 1, price))
        return articles

    def shuffled_customers(self) -> list[tuple[CustomerGroup, int]]:
        """The group and number of each customer."""
        groups = [group for group in CUSTOMER_GROUPS for _ in range(group.customers)]
        shuffled = sorted((self.draw.random(), n) for n in range(len(groups)))
        return [(groups[n], number) for number, (_, n) in enumerate(shuffled, start=20001)]

    def moment(self, first: int, last: int) -> datetime:
        """A minute in which the shop is open, from the first to the last of these days, by season."""
        weight = self.draw.between(self.trade[first], self.trade[last + 1] - 1)
        day = self.days[bisect_right(self.trade, weight) - 1]
        return datetime.combine(day, time(self.draw.between(8, 17), self.draw.between(0, 59)))

    def basket(self, size: int, packs: int) -> list[Item]:
        items: list[Item] = []
        for _ in range(size):
            popular = self.draw.random() * self.draw.random()
            article = self.articles[int(popular * len(self.articles))]
            quantity = self.draw.pick(PACKS) * packs
            pence = article.pence * 85 // 100 if quantity >= 48 else article.pence
            code = article.stock_code.lower() if self.draw.chance(40) else article.stock_code
            item = article._replace(stock_code=code, quantity=quantity, pence=pence)
            items.append(item._replace(pence=0) if self.draw.chance(1) else item)
            if self.draw.chance(7):
                items.append(item)  # scanned twice: an exact repeat, as the real data have
        return items

    def buy(self, group: CustomerGroup, customer: str) -> None:
        """Add all orders of one customer, and the cancellations of their lines."""
        draw, month, end = self.draw, len(self.days) // 13, len(self.days) - 1
        first = draw.between(*(joins * month for joins in group.joins))
        last = min(end, first + draw.between(*group.stays) * month)
        first = max(0, first)
        country = draw.pick(OTHER_COUNTRIES) if draw.chance(90) else HOME_COUNTRY
        packs = group.packs * min(5, int(1 / (1 - draw.random())))  # a few buy much more
        for _ in range(draw.between(*group.orders)):
            items = self.basket(draw.between(*group.lines), packs)
            order = Invoice(self.moment(first, last), items, customer, country)
            self.invoices.append(order)
            if draw.chance(90):
                self.send_back(order)
            if country != HOME_COUNTRY:
                order.items.append(Item("POST", "POSTAGE", 1, draw.pick([1500, 1800, 2800])))
            if draw.chance(8):
                order.items.append(Item("M", "Manual", 1, draw.between(100, 6000)))

    def send_back(self, order: Invoice) -> None:
        """Cancel some lines of an order within four weeks, if the sample lasts that long."""
        day = bisect_right(self.days, order.when.date())
        if day + 20 < len(self.days):
            start = self.draw.between(0, len(order.items) - 1)
            lines = order.items[start : start + self.draw.between(1, 3)]
            back = [x._replace(quantity=-self.draw.between(1, x.quantity)) for x in lines]
            when = self.moment(day, day + 20)
            self.invoices.append(Invoice(when, back, order.customer, order.country, "C"))

    def sell_to_guests(self) -> None:
        for _ in range(1100):
            basket = self.basket(self.draw.between(3, 18), 1)
            dearer = [item._replace(pence=item.pence * 6 // 5) for item in basket]
            self.invoices.append(Invoice(self.moment(0, len(self.days) - 1), dearer))

    def correct_stock_and_books(self) -> None:
        """Add stock corrections, bad debt, and a huge order that was a mistake and is cancelled."""
        draw, last_day = self.draw, len(self.days) - 1
        for _ in range(150):
            quantity = draw.between(1, 90) * (1 if draw.chance(200) else -1)
            code, note = draw.pick(self.articles).stock_code, draw.pick(STOCK_NOTES)
            when = self.moment(0, last_day)
            self.invoices.append(Invoice(when, [Item(code, note, quantity, 0)]))
        when = self.moment(last_day // 2, last_day)
        for minute, pence in enumerate([-1106206, 1106206]):
            debt = Item("B", "Adjust bad debt", 1, pence)
            self.invoices.append(Invoice(when + timedelta(minutes=minute), [debt], prefix="A"))
        when, slip = self.moment(0, last_day), draw.pick(self.articles)._replace(quantity=74215)
        undo = slip._replace(quantity=-slip.quantity)
        self.invoices.append(Invoice(when, [slip], "20000.0"))
        self.invoices.append(Invoice(when + timedelta(minutes=16), [undo], "20000.0", prefix="C"))


def price(pence: int) -> str:
    """Spelled as in the real files: 2.55, 2.1, 18.0."""
    pounds, rest = divmod(abs(pence), 100)
    return f"{'-' if pence < 0 else ''}{pounds}.{rest // 10}{rest % 10 or ''}"


def write_daily_files(shop: Shop, folder: Path) -> int:
    """Write a file per opening day; returns the number of lines."""
    count = 0
    per_day: dict[date, list[list[str]]] = {day: [] for day in shop.days}
    invoices = sorted((x for x in shop.invoices if x.items), key=lambda invoice: invoice.when)
    for number, x in enumerate(invoices, start=600001):
        for code, description, quantity, pence in x.items:
            article = [f"{x.prefix}{number}", code, description, str(quantity)]
            order = [str(x.when), price(pence), x.customer, x.country]
            per_day[x.when.date()].append(article + order)
    for day, rows in track(per_day.items(), "Sample"):
        with (folder / f"{day}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
        count += len(rows)
    return count


def readme(files: Iterable[Path], seed: int) -> str:
    """The text of the README. It contains a digest of these files."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return (
        f"SAMPLE data, generated, seed {seed}, generator version {GENERATOR_VERSION}.\n"
        "Shop, customers, articles and sales are invented (python -m include.commands.sample).\n"
        f"{SAMPLE_START} to {SAMPLE_AS_OF - timedelta(1)}; segment it as of {SAMPLE_AS_OF}.\n"
        f"sha256 of the CSV files: {digest.hexdigest()}\n"
    )


def has_sample(folder: Path, seed: int) -> bool:
    """Whether the folder holds exactly the sample of this seed and version."""
    note = folder / README
    files = [file for file in folder.iterdir() if file != note]
    return note.is_file() and note.read_text(encoding="utf-8") == readme(files, seed)


def make_sample(out_dir: Path, seed: int) -> str:
    """Write the sample unless it is there already; returns a sentence about it. Raises InputError when the
    folder holds anything else."""
    if out_dir.exists() and any(out_dir.iterdir()):
        if has_sample(out_dir, seed):
            return f"{out_dir}: the sample of seed {seed} is already there, nothing to do"
        raise InputError(
            f"{out_dir} holds something other than the sample of seed {seed}, generator version"
            f" {GENERATOR_VERSION}; nothing was changed: name another folder or empty this one"
        )
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out_dir.name}-", dir=out_dir.parent) as work:
        folder = Path(work, "sample")
        folder.mkdir()
        lines = write_daily_files(Shop(seed), folder)
        files = list(folder.iterdir())
        (folder / README).write_text(readme(files, seed), encoding="utf-8")
        folder.rename(out_dir)
    return f"{out_dir}: SAMPLE data of seed {seed}, {lines:,} lines in {len(files)} files"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m include.commands.sample", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="a folder that is empty or does not exist yet")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    args = parser.parse_args(argv)
    try:
        say(make_sample(args.out_dir.resolve(), args.seed))
    except (UserError, OSError) as error:
        say_error("sample", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
