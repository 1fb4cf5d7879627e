"""What typed lines are, counted by part of a landed file: what becomes of them, what they prove, and values
that people are told."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

import polars as pl
from pydantic import BaseModel, ConfigDict

from include.landing.evidence import (
    DAY_FIRST,
    EITHER_AMOUNT,
    EITHER_ORDER,
    HALF_CONVERTED,
    LINE_AMOUNT,
    MONTH_FIRST,
)
from include.landing.line_types import CANCELLATION, KEPT, PURCHASE
from include.landing.line_values import EVIDENCE
from include.landing.rows import TOLD

LAST_MONTH = 12
FEWEST_DATES = 3  # of each kind, that show how a spreadsheet has read them
MOST_VALUES = 10  # of a column, that people are told

Values = dict[str, list[str]]  # by column


class PartLines(BaseModel):
    """What some lines of a part of a landed file are."""

    model_config = ConfigDict(frozen=True)

    file: str
    part: str | None
    counts: dict[str, int] = {}  # lines by reject reason, those without as `kept`
    proofs: dict[str, int] = {}  # of dates and numbers: by what it is evidence of, the first such line
    newest: datetime | None = None  # the latest invoice date of a kept line
    with_plus: int = 0  # cancellations that are written with a plus
    values: Values = {}  # of the currency, and of other columns that change what a line means


def parts_of_lines(lines: pl.DataFrame) -> list[PartLines]:
    """What typed lines are, for each part of a file; several for some, to be added up."""
    groups = lines.group_by("file", "part", "reason").agg(pl.len(), pl.col("invoice_date").max())
    found = [
        PartLines(file=file, part=part, counts={why or KEPT: count}, newest=None if why else newest)
        for file, part, why, count, newest in groups.iter_rows()
    ]
    return [
        *found,
        *pluses_of_lines(lines),
        *proofs_of_lines(lines),
        *proofs_of_amounts(lines),
        *proofs_of_halves(lines),
        *values_of_lines(lines),
    ]


def pluses_of_lines(lines: pl.DataFrame) -> list[PartLines]:
    cancelled = lines.filter(pl.col("line_type") == CANCELLATION)
    plus = ((pl.col("quantity") > 0) & (pl.col("unit_price") > 0)) | (pl.col("amount") > 0)
    counts = cancelled.filter(plus).group_by("file", "part").len()
    return [PartLines(file=file, part=part, with_plus=count) for file, part, count in counts.iter_rows()]


def proofs_of_lines(lines: pl.DataFrame) -> list[PartLines]:
    # Most lines prove what the line before has proven. Grouping all of them took a twelfth of reading.
    keys = ["file", "part", *EVIDENCE]
    is_new = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in keys)
    is_before = pl.col("line") < pl.col("line").shift()  # of another pass
    lines = lines.select("line", *keys).filter(is_new | is_before.fill_null(value=True))
    order, marks = (pl.col(name).fill_null("") for name in EVIDENCE)
    proving = lines.select("file", "part", "line", order, marks).filter(
        (pl.col("order") != "") | (pl.col("marks") != "")
    )
    first = proving.group_by("file", "part", *EVIDENCE).agg(pl.col("line").min())
    return [
        PartLines(file=file, part=part, proofs=dict.fromkeys([*order.split(), *marks.split()], line))
        for file, part, order, marks, line in first.iter_rows()
    ]


def proofs_of_halves(lines: pl.DataFrame) -> list[PartLines]:
    """Dates that a spreadsheet has read in another order than they were written: it makes dates of the days
    up to 12, with day and month exchanged, and leaves the others as text."""
    orders = [(order, set((order or "").split())) for order in lines.get_column("order").unique()]
    texts = [order for order, words in orders if words & {DAY_FIRST, MONTH_FIRST, EITHER_ORDER}]
    if not texts or len(texts) == len(orders):
        return []
    order, date = pl.col("order"), pl.col("invoice_date")
    is_text = order.is_in(texts).fill_null(value=False)
    is_cell = ~is_text & (date.dt.day() != date.dt.month())
    if lines.filter(~is_text).filter(is_cell).is_empty():
        return []
    days = (
        lines.filter(is_text | is_cell)
        .filter(date.is_not_null())
        .group_by("file", "part")
        .agg(
            texts=date.filter(is_text).dt.date().n_unique(),
            cells=date.filter(~is_text).dt.date().n_unique(),
            earliest=date.filter(is_text).dt.day().min(),
            latest=date.filter(~is_text).dt.day().max(),
            line=pl.col("line").filter(~is_text).min(),
        )
    )
    halves = days.filter(
        pl.min_horizontal("texts", "cells") >= FEWEST_DATES,
        pl.col("earliest") > LAST_MONTH,
        pl.col("latest") <= LAST_MONTH,
    )
    return [
        PartLines(file=file, part=part, proofs={HALF_CONVERTED: line})
        for file, part, line in halves.select("file", "part", "line").iter_rows()
    ]


def proofs_of_amounts(lines: pl.DataFrame) -> list[PartLines]:
    """What orders of several lines are evidence of: whether an amount is that of its line."""
    if lines.get_column("amount").null_count() == lines.height:
        return []
    bought = lines.filter((pl.col("line_type") == PURCHASE) & pl.col("amount").is_not_null())
    by_order = bought.group_by("file", "part", "invoice_no", "customer_id").agg(
        pl.len().alias("lines"), pl.col("amount").n_unique().alias("amounts"), pl.col("line").min()
    )
    is_equal = pl.col("amounts") == 1
    by_part = (
        by_order.filter(pl.col("lines") > 1)
        .group_by("file", "part")
        .agg(
            pl.col("line").filter(~is_equal).min().alias(LINE_AMOUNT),
            pl.col("line").filter(is_equal).min().alias(EITHER_AMOUNT),
        )
    )
    return [
        PartLines(
            file=row["file"],
            part=row["part"],
            proofs={word: row[word] for word in (LINE_AMOUNT, EITHER_AMOUNT) if row[word]},
        )
        for row in by_part.iter_rows(named=True)
    ]


def values_of_lines(lines: pl.DataFrame) -> list[PartLines]:
    """The values of the currency and the telling columns in lines that are orders."""
    columns = ["currency", *(name for name in lines.columns if name.startswith(TOLD))]
    with_values = [name for name in columns if lines.get_column(name).null_count() < lines.height]
    if not with_values:
        return []
    orders = lines.filter(pl.col("line_type").is_in([PURCHASE, CANCELLATION]))
    found = []
    for name in with_values:
        text = pl.col(name).str.strip_chars()
        some = orders.group_by("file", "part").agg(text.filter(text != "").unique().sort().head(MOST_VALUES))
        for file, part, values in some.iter_rows():
            found.append(PartLines(file=file, part=part, values={name.removeprefix(TOLD): values}))
    return found


def added_up(found: Iterable[PartLines]) -> list[PartLines]:
    """The same with each part of a file once."""
    by_part: dict[tuple[str, str | None], list[PartLines]] = {}
    for lines in found:
        by_part.setdefault((lines.file, lines.part), []).append(lines)
    return [sum_of(parts) for parts in by_part.values()]


def sum_of(parts: Sequence[PartLines]) -> PartLines:
    counts, values = Counter[str](), dict[str, set[str]]()
    proofs = dict[str, int]()
    for part in parts:
        counts.update(part.counts)
        for word, line in part.proofs.items():
            proofs[word] = min(line, proofs.get(word, line))
        for name, some in part.values.items():
            values.setdefault(name, set()).update(some)
    return PartLines(
        file=parts[0].file,
        part=parts[0].part,
        counts=dict(counts),
        proofs=proofs,
        newest=max((part.newest for part in parts if part.newest), default=None),
        with_plus=sum(part.with_plus for part in parts),
        values={name: sorted(some)[:MOST_VALUES] for name, some in values.items()},
    )
