"""sample: a made-up shop, in the format of the Online Retail files and with the same dirt.

    python -m include.commands.sample OUT_DIR [--seed N]

One CSV per trading day from SAMPLE_START to the day before SAMPLE_AS_OF, and a README.txt that
says it is a sample. Closed on Saturdays, over Christmas and on New Year's Day; busiest in autumn.
The same seed gives the same bytes on every machine: of `random` only `random()` is used, whose
sequence Python guarantees, and of arithmetic only what is exact everywhere. Money is in pence.
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

from rich.console import Console
from rich.progress import track

from include.errors import UserError

SAMPLE_START = date(2024, 12, 1)
SAMPLE_AS_OF = date(2026, 1, 1)
GENERATOR_VERSION = 1  # raise it with every change of what is generated
DEFAULT_SEED = 7
README = "README.txt"

HEADER = ["InvoiceNo", "StockCode", "Description", "Quantity"]
HEADER += ["InvoiceDate", "UnitPrice", "CustomerID", "Country"]

T = TypeVar("T")
Span = tuple[int, int]


@dataclass(frozen=True)
class Buyers:
    """So many customers of one kind, each with values drawn evenly from these ranges."""

    customers: int
    joins: Span  # the month in which they come, up to 13; below 0: before the sample starts
    stays: Span  # the months after which they are gone
    orders: Span
    lines: Span  # of an order
    packs: int  # how many times what a private buyer takes of an article


BUYERS = [
    Buyers(500, (-1, 13), (13, 13), (1, 1), (1, 8), 1),  # one-off
    Buyers(100, (0, 13), (13, 13), (1, 1), (6, 16), 3),  # one-off, large
    Buyers(150, (11, 13), (13, 13), (1, 3), (2, 7), 1),  # newcomer
    Buyers(450, (-4, 10), (6, 13), (2, 4), (2, 9), 1),  # occasional
    Buyers(370, (-4, 9), (10, 24), (4, 8), (3, 9), 1),  # regular
    Buyers(150, (-9, 4), (23, 23), (9, 20), (3, 8), 1),  # loyal
    Buyers(40, (-9, 6), (23, 23), (6, 18), (4, 11), 5),  # wholesale
    Buyers(200, (-3, 4), (2, 5), (2, 7), (2, 8), 1),  # lapsed
    Buyers(40, (-2, 4), (1, 4), (2, 5), (4, 11), 4),  # lapsed wholesale
]
MONTH_WEIGHTS = [8, 7, 8, 8, 9, 8, 8, 8, 12, 15, 18, 13]  # January to December
WEEKDAY_WEIGHTS = [10, 11, 11, 12, 10, 0, 6]  # Monday to Sunday

HOME = "United Kingdom"
ABROAD = ["Germany", "France", "EIRE", "Spain", "Netherlands", "Belgium", "Norway", "Australia"]
MATERIALS = ["TIN", "WILLOW", "FELT", "LINEN", "OAK", "GLASS", "CERAMIC", "PAPER", "BRASS", "CORK"]
THINGS = ["LANTERN", "MUG", "CAKE STAND", "BUNTING", "DOORMAT", "BREAD BIN", "EGG CUP", "TEA TOWEL"]
THINGS += ['12" CANDLE', '7" PICTURE FRAME', "TRAY, FOLDING", "CUSHION, LARGE", "JEWELLERY BOX"]
THINGS += ["HEART GARLAND", "SET OF 6 COASTERS", "WALL CLOCK", "LUNCH BAG", "PLANT POT"]
COLOURS = ["RED", "IVORY", "SAGE", "NAVY", "ROSE", "MUSTARD", "TEAL", "PLUM", "SKY BLUE", "PEACH"]
PRICES = [42, 65, 85, 85, 125, 125, 165, 165, 195, 210, 295, 295, 375, 425, 495, 595, 850, 1275]
PACKS = [1, 1, 2, 2, 3, 4, 6, 6, 12]
STOCK_NOTES = ["", "", "", "damaged", "wet?", "broken, thrown away", "check"]


class Dice:
    """Draws of a seed, the same for every Python version."""

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
    country: str = HOME
    prefix: str = ""  # C for a cancellation, A for bad debt


def open_days() -> list[date]:
    days = ((SAMPLE_START + timedelta(n)) for n in range((SAMPLE_AS_OF - SAMPLE_START).days))
    closed = {(12, day) for day in range(24, 31)} | {(1, 1)}
    return [x for x in days if WEEKDAY_WEIGHTS[x.weekday()] and (x.month, x.day) not in closed]


class Shop:
    """Articles, opening days and what was sold; `invoices` in the order of their making."""

    def __init__(self, seed: int) -> None:
        self.dice = Dice(seed)
        self.days = open_days()
        weights = (MONTH_WEIGHTS[x.month - 1] * WEEKDAY_WEIGHTS[x.weekday()] for x in self.days)
        self.trade = [0, *accumulate(weights)]
        self.articles = self.make_articles()
        self.invoices: list[Invoice] = []
        for buyers, number in self.shuffled_customers():
            self.buy(buyers, f"{number}.0")
        self.sell_to_guests()
        self.keep_the_books()

    def make_articles(self) -> list[Item]:
        """600 of them; every third family has one number and a letter per colour."""
        families = sorted((self.dice.random(), x, m) for x in THINGS for m in MATERIALS)[:150]
        articles = []
        for family, (_, thing, material) in enumerate(families):
            price, first_colour = self.dice.pick(PRICES), self.dice.between(0, len(COLOURS) - 1)
            for n, letter in enumerate("ABCD"):
                lettered = family % 3 == 0
                code = f"{61000 + family}{letter}" if lettered else f"{71000 + 4 * family + n}"
                colour = COLOURS[(first_colour + n) % len(COLOURS)]
                end = " " if self.dice.chance(50) else ""
                articles.append(Item(code, f"{colour} {material} {thing}{end}", 1, price))
        return articles

    def shuffled_customers(self) -> list[tuple[Buyers, int]]:
        buyers = [kind for kind in BUYERS for _ in range(kind.customers)]
        shuffled = sorted((self.dice.random(), n) for n in range(len(buyers)))
        return [(buyers[n], number) for number, (_, n) in enumerate(shuffled, start=20001)]

    def moment(self, first: int, last: int) -> datetime:
        """An opening minute from the first to the last of some opening days, by the season."""
        weight = self.dice.between(self.trade[first], self.trade[last + 1] - 1)
        day = self.days[bisect_right(self.trade, weight) - 1]
        return datetime.combine(day, time(self.dice.between(8, 17), self.dice.between(0, 59)))

    def basket(self, size: int, packs: int) -> list[Item]:
        items: list[Item] = []
        for _ in range(size):
            popular = self.dice.random() * self.dice.random()
            article = self.articles[int(popular * len(self.articles))]
            quantity = self.dice.pick(PACKS) * packs
            pence = article.pence * 85 // 100 if quantity >= 48 else article.pence
            code = article.stock_code.lower() if self.dice.chance(40) else article.stock_code
            item = article._replace(stock_code=code, quantity=quantity, pence=pence)
            items.append(item._replace(pence=0) if self.dice.chance(1) else item)
            if self.dice.chance(7):
                items.append(item)  # scanned twice: an exact repeat, as in the real data
        return items

    def buy(self, buyers: Buyers, customer: str) -> None:
        """All orders of one customer, and what is sent back of them."""
        dice, month, end = self.dice, len(self.days) // 13, len(self.days) - 1
        first = dice.between(*(joins * month for joins in buyers.joins))
        last = min(end, first + dice.between(*buyers.stays) * month)
        first = max(0, first)
        country = dice.pick(ABROAD) if dice.chance(90) else HOME
        packs = buyers.packs * min(5, int(1 / (1 - dice.random())))  # some buy much more than most
        for _ in range(dice.between(*buyers.orders)):
            items = self.basket(dice.between(*buyers.lines), packs)
            order = Invoice(self.moment(first, last), items, customer, country)
            self.invoices.append(order)
            if dice.chance(90):
                self.send_back(order)
            if country != HOME:
                order.items.append(Item("POST", "POSTAGE", 1, dice.pick([1500, 1800, 2800])))
            if dice.chance(8):
                order.items.append(Item("M", "Manual", 1, dice.between(100, 6000)))

    def send_back(self, order: Invoice) -> None:
        """Cancel some lines of an order within four weeks, if the shop still opens by then."""
        day = bisect_right(self.days, order.when.date())
        if day + 20 < len(self.days):
            start = self.dice.between(0, len(order.items) - 1)
            lines = order.items[start : start + self.dice.between(1, 3)]
            back = [x._replace(quantity=-self.dice.between(1, x.quantity)) for x in lines]
            when = self.moment(day, day + 20)
            self.invoices.append(Invoice(when, back, order.customer, order.country, "C"))

    def sell_to_guests(self) -> None:
        for _ in range(1100):
            basket = self.basket(self.dice.between(3, 18), 1)
            dearer = [item._replace(pence=item.pence * 6 // 5) for item in basket]
            self.invoices.append(Invoice(self.moment(0, len(self.days) - 1), dearer))

    def keep_the_books(self) -> None:
        """Stock corrections, bad debt, and a huge order typed in by mistake and cancelled."""
        dice, last_day = self.dice, len(self.days) - 1
        for _ in range(150):
            quantity = dice.between(1, 90) * (1 if dice.chance(200) else -1)
            code, note = dice.pick(self.articles).stock_code, dice.pick(STOCK_NOTES)
            when = self.moment(0, last_day)
            self.invoices.append(Invoice(when, [Item(code, note, quantity, 0)]))
        when = self.moment(last_day // 2, last_day)
        for minute, pence in enumerate([-1106206, 1106206]):
            debt = Item("B", "Adjust bad debt", 1, pence)
            self.invoices.append(Invoice(when + timedelta(minutes=minute), [debt], prefix="A"))
        when, slip = self.moment(0, last_day), dice.pick(self.articles)._replace(quantity=74215)
        undo = slip._replace(quantity=-slip.quantity)
        self.invoices.append(Invoice(when, [slip], "20000.0"))
        self.invoices.append(Invoice(when + timedelta(minutes=16), [undo], "20000.0", prefix="C"))


def price(pence: int) -> str:
    """As the real files write it: 2.55, 2.1, 18.0."""
    pounds, rest = divmod(abs(pence), 100)
    return f"{'-' if pence < 0 else ''}{pounds}.{rest // 10}{rest % 10 or ''}"


def write_days(shop: Shop, folder: Path, console: Console) -> int:
    """Write a file per opening day; returns the number of lines."""
    lines = 0
    per_day: dict[date, list[list[str]]] = {day: [] for day in shop.days}
    invoices = sorted((x for x in shop.invoices if x.items), key=lambda invoice: invoice.when)
    for number, x in enumerate(invoices, start=600001):
        for code, description, quantity, pence in x.items:
            what = [f"{x.prefix}{number}", code, description, str(quantity)]
            rest = [str(x.when), price(pence), x.customer, x.country]
            per_day[x.when.date()].append(what + rest)
    quiet = not console.is_terminal
    days = track(per_day.items(), "Sample", console=console, transient=True, disable=quiet)
    for day, rows in days:
        with (folder / f"{day}.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([HEADER, *rows])
        lines += len(rows)
    return lines


def readme(files: Iterable[Path], seed: int) -> str:
    """What README.txt says of these files; a change of any byte of them changes it."""
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file.name}\n".encode() + file.read_bytes())
    return (
        f"SAMPLE data, generated, seed {seed}, generator version {GENERATOR_VERSION}.\n"
        "Shop, customers, articles and sales are invented (python -m include.commands.sample).\n"
        f"{SAMPLE_START} to {SAMPLE_AS_OF - timedelta(1)}; segment it as of {SAMPLE_AS_OF}.\n"
        f"sha256 of the CSV files: {digest.hexdigest()}\n"
    )


def is_sample(folder: Path, seed: int) -> bool:
    """Whether the folder holds the whole sample of this seed and version, untouched."""
    note = folder / README
    files = [file for file in folder.iterdir() if file != note]
    return note.is_file() and note.read_text(encoding="utf-8") == readme(files, seed)


def make_sample(out_dir: Path, seed: int, console: Console) -> str:
    """Write the sample unless it is there already; returns what happened, in a sentence."""
    if out_dir.exists() and any(out_dir.iterdir()):
        if is_sample(out_dir, seed):
            return f"{out_dir}: the sample of seed {seed} is already there, nothing to do"
        raise UserError(
            f"{out_dir} holds something else than the sample of seed {seed}, generator version"
            f" {GENERATOR_VERSION}; nothing was changed: name another folder or empty this one"
        )
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out_dir.name}-", dir=out_dir.parent) as work:
        folder = Path(work, "sample")
        folder.mkdir()
        lines = write_days(Shop(seed), folder, console)
        files = list(folder.iterdir())
        (folder / README).write_text(readme(files, seed), encoding="utf-8")
        folder.rename(out_dir)
    return f"{out_dir}: SAMPLE data of seed {seed}, {lines:,} lines in {len(files)} files"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m include.commands.sample", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="a folder that is empty or does not exist yet")
    parser.add_argument("--seed", type=int, default=DEFAULT_SEED)
    args = parser.parse_args(argv)
    console = Console()
    try:
        told = make_sample(args.out_dir.resolve(), args.seed, console)
    except (UserError, OSError) as error:
        refusal = f"sample: {error}"
        Console(stderr=True).print(refusal, markup=False, highlight=False, soft_wrap=True)
        return 2
    console.print(told, markup=False, highlight=False, soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
