"""The RFM segmentation computed a second time, in plain Python, to check the Spark jobs against.

Written from the definitions alone and kept free of the project's own code: import nothing from
`include` or `spark_jobs` here. It prefers the literal form of a rule over a fast one, so that it can be
compared with the definitions by reading. Everything is exact: int, Decimal and Fraction, no float.

    lines = read_lines(sorted(folder.glob("*.csv")))
    result = snapshot(clean(lines), date(2011, 12, 10))
    result.customers, result.cut_points, result.summary, result.movement
"""

import csv
import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from fractions import Fraction
from itertools import product
from math import floor
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple

SCORES = 5  # from 1 to 5; `k` in the definitions
NOT_YET = "Not yet a customer"
NO_LONGER = "No longer counted"

Row = dict[str, Any]
Duplicates = Literal["keep", "drop"]
Cancellations = Literal["net", "drop"]


# Segment maps: code "RFM" -> segment, the segments in the order in which they are reported.


def expand(patterns: dict[str, str]) -> dict[str, str]:
    """Segment -> code patterns, as code -> segment; each of the 125 codes exactly once."""
    codes = ["".join(digits) for digits in product("12345", repeat=3)]
    pairs = [
        (code, segment)
        for segment, alternatives in patterns.items()
        for pattern in alternatives.split()
        for code in codes
        if fnmatchcase(code, pattern)
    ]
    if sorted(code for code, _ in pairs) != codes:
        raise ValueError("a segment map covers each of the 125 codes exactly once")
    return dict(pairs)


RFM11 = expand(
    {
        "Champions": "555 554 545 544 455 454 445",
        "Loyal Customers": "543 444 435 355 354 345 344 335",
        "Potential Loyalists": "553 552 551 542 541 533 532 531 453 452 451 442 441 433 432 431"
        " 423 353 352 351 342 341 333 323",
        "New Customers": "512 511 422 421 412 411 311",
        "Promising": "525 524 523 522 521 515 514 513 425 424 415 414 413 315 314 313",
        "Need Attention": "535 534 443 434 343 334 325 324",
        "About To Sleep": "331 321 312 251 241 231 221 213",
        "At Risk": "255 254 253 252 245 244 243 242 235 234 225 224 153 152 145 143 142 135 134 133 125 124",
        "Can't Lose Them": "155 154 144 215 214 115 114 113",
        "Hibernating": "332 322 233 232 223 222 212 211 132 123 122",
        "Lost": "151 141 131 121 112 111",
    }
)
RF10 = expand(
    {
        "Champions": "5[45]?",
        "Loyal Customers": "[34][45]?",
        "Potential Loyalists": "[45][23]?",
        "New Customers": "51?",
        "Promising": "41?",
        "Need Attention": "33?",
        "About To Sleep": "3[12]?",
        "At Risk": "[12][34]?",
        "Can't Lose Them": "[12]5?",
        "Hibernating": "[12][12]?",
    }
)


# Lines


class Line(NamedTuple):
    """One CSV line, parsed. Two lines are duplicates when these eight fields are equal."""

    invoice_no: str
    stock_code: str
    description: str
    quantity: int
    invoice_date: datetime
    unit_price: Decimal
    customer_id: str | None
    country: str

    @property
    def is_purchase_invoice(self) -> bool:
        return self.invoice_no.isascii() and self.invoice_no.isdigit()

    @property
    def line_type(self) -> str | None:
        """A negative quantity on a purchase invoice takes back; None for an unknown type of invoice."""
        if self.is_purchase_invoice:
            return "cancellation" if self.quantity < 0 else "purchase"
        return "cancellation" if re.fullmatch("[Cc][0-9]+", self.invoice_no) else None

    @property
    def amount(self) -> Decimal:
        """Cancellations subtract, whatever their sign."""
        amount = self.quantity * self.unit_price
        return -abs(amount) if self.line_type == "cancellation" else amount


def normalise_customer(text: str) -> str | None:
    """'17850.0' -> '17850'; the spellings of nothing -> None; other ids stripped."""
    text = text.strip()
    if text.lower() in {"", "null", "nan", "none", "na"}:
        return None
    number = re.fullmatch(r"([0-9]+)\.0", text)
    return number[1] if number else text


def read_lines(files: Iterable[Path]) -> list[Line]:
    """All lines of the files, in their order; a line that does not parse raises ValueError."""
    lines = []
    for path in files:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                line = Line(
                    invoice_no=row["InvoiceNo"],
                    stock_code=row["StockCode"],
                    description=row["Description"],
                    quantity=int(row["Quantity"]),
                    invoice_date=datetime.fromisoformat(row["InvoiceDate"]),
                    unit_price=Decimal(row["UnitPrice"]),
                    customer_id=normalise_customer(row["CustomerID"]),
                    country=row["Country"],
                )
                lines.append(line)
    return lines


class Cleaned(NamedTuple):
    kept: list[Line]
    rejects: Counter[str]


def clean(
    lines: Iterable[Line],
    *,
    duplicates: Duplicates = "keep",
    excluded_stock_codes: Iterable[str] = (),
) -> Cleaned:
    """Every line is either kept or rejected for the first reason that holds."""
    excluded = {code.strip().lower() for code in excluded_stock_codes}
    kept: list[Line] = []
    seen: set[Line] = set()
    rejects: Counter[str] = Counter()

    def reason(line: Line) -> str | None:
        if line.line_type is None:
            return "unknown_invoice_type"
        if line.customer_id is None:
            return "missing_customer"
        if line.stock_code.strip().lower() in excluded:
            return "excluded_stock_code"
        if line.is_purchase_invoice and line.unit_price <= 0:
            return "price_not_positive"
        if line.is_purchase_invoice and line.quantity == 0:
            return "quantity_not_positive"
        if duplicates == "drop" and line in seen:
            return "duplicate_line"
        return None

    for line in lines:
        if rejected := reason(line):
            rejects[rejected] += 1
        else:
            kept.append(line)
            seen.add(line)
    return Cleaned(kept, rejects)


# Scores


def bin_of(value: Any, ordered: Sequence[Any]) -> int:
    """floor(k * #{strictly smaller} / n), counted on the sorted values of all customers."""
    return SCORES * bisect_left(ordered, value) // len(ordered)


def cut_points(values: Collection[Any]) -> list[Any]:
    """cut_j = the smallest observed v with k * count(<= v) >= j * n; None without customers."""
    ordered = sorted(values)
    return [
        next((v for v in ordered if SCORES * bisect_right(ordered, v) >= j * len(ordered)), None)
        for j in range(1, SCORES)
    ]


def half_up(value: Decimal | Fraction | int, places: int = 2) -> Decimal:
    """Rounded to `places` decimals, ties away from zero; there is no negative zero."""
    magnitude = floor(abs(Fraction(value)) * 10**places + Fraction(1, 2))
    return Decimal(magnitude if value >= 0 else -magnitude).scaleb(-places)


# The snapshot


class Snapshot(NamedTuple):
    customers: list[Row]
    cut_points: dict[str, list[Any]]
    summary: list[Row]
    movement: list[Row]


def snapshot(
    cleaned: Cleaned,
    as_of: date,
    *,
    lookback_days: int | None = None,
    compare_days: int = 30,
    cancellations: Cancellations = "net",
    segment_map: dict[str, str] = RFM11,
) -> Snapshot:
    """The segmentation as of the start of a day, and what moved since `compare_days` before."""

    def customers_on(day: date) -> list[Row]:
        first_day = date.min if lookback_days is None else day - timedelta(days=lookback_days)
        window = [line for line in cleaned.kept if first_day <= line.invoice_date.date() < day]
        return scored(customer_rfm(window, day, cancellations), segment_map)

    customers = customers_on(as_of)
    previous = customers_on(as_of - timedelta(days=compare_days))
    now = {row["customer_id"]: row["segment"] for row in customers}
    then = {row["customer_id"]: row["segment"] for row in previous}
    segments = list(dict.fromkeys(segment_map.values()))
    return Snapshot(
        customers=[row | {"previous_segment": then.get(row["customer_id"])} for row in customers],
        cut_points={
            "R": cut_points([row["recency_days"] for row in customers]),
            "F": cut_points([row["frequency"] for row in customers]),
            "M": cut_points([row["monetary"] for row in customers]),
        },
        summary=[summary_row(segment, customers) for segment in segments],
        movement=movement(then, now, segments),
    )


def customer_rfm(window: Iterable[Line], as_of: date, cancellations: Cancellations) -> list[Row]:
    """One row per customer with at least one purchase in the window, by customer_id."""
    purchases: defaultdict[str | None, list[Line]] = defaultdict(list)
    returns: defaultdict[str | None, list[Line]] = defaultdict(list)
    for line in window:
        (purchases if line.line_type == "purchase" else returns)[line.customer_id].append(line)

    rows = []
    for customer_id, bought in sorted(purchases.items()):
        dates = [line.invoice_date.date() for line in bought]
        last = max(dates)
        frequency = len({line.invoice_no for line in bought})
        gross = sum((line.amount for line in bought), Decimal(0))
        returned = sum((-line.amount for line in returns[customer_id]), Decimal(0))
        monetary = half_up(gross - returned if cancellations == "net" else gross)
        row = {
            "as_of": as_of,
            "customer_id": customer_id,
            "country": min(x.country for x in bought if x.invoice_date.date() == last),
            "first_purchase_date": min(dates),
            "last_purchase_date": last,
            "recency_days": (as_of - last).days,
            "frequency": frequency,
            "monetary": monetary,
            "gross": half_up(gross),
            "returned": half_up(returned),
            "avg_order_value": half_up(Fraction(monetary) / frequency),
        }
        rows.append(row)
    return rows


def scored(rows: list[Row], segment_map: dict[str, str]) -> list[Row]:
    """The rows with scores and segment; recent is good, often and much are good."""
    recency = sorted(row["recency_days"] for row in rows)
    frequency = sorted(row["frequency"] for row in rows)
    monetary = sorted(row["monetary"] for row in rows)
    result = []
    for row in rows:
        r = SCORES - bin_of(row["recency_days"], recency)
        f = 1 + bin_of(row["frequency"], frequency)
        m = 1 + bin_of(row["monetary"], monetary)
        code = f"{r}{f}{m}"
        scores = {"r_score": r, "f_score": f, "m_score": m, "rfm_score": code}
        result.append(row | scores | {"segment": segment_map[code]})
    return result


def summary_row(segment: str, customers: list[Row]) -> Row:
    """One segment's totals, shares (of 1) and averages; an average without customers is None."""
    members = [row for row in customers if row["segment"] == segment]
    monetary = [row["monetary"] for row in members]
    orders = sum(row["frequency"] for row in members)
    revenue = sum(monetary, Decimal("0.00"))
    total = sum((row["monetary"] for row in customers), Decimal(0))

    def mean(total: Decimal | int) -> Decimal | None:
        return half_up(Fraction(total) / len(members)) if members else None

    return {
        "segment": segment,
        "customers": len(members),
        "customer_share": half_up(Fraction(len(members), len(customers) or 1), 4),
        "orders": orders,
        "revenue": revenue,
        "revenue_share": half_up(Fraction(revenue) / Fraction(total), 4) if total > 0 else None,
        "avg_recency_days": mean(sum(row["recency_days"] for row in members)),
        "avg_frequency": mean(orders),
        "avg_monetary": mean(revenue),
        "median_monetary": half_up(median(map(Fraction, monetary))) if members else None,
    }


def movement(then: dict[str, str], now: dict[str, str], segments: list[str]) -> list[Row]:
    """Customers of either date by (segment then, segment now), in the map's order."""
    pairs = Counter((then.get(customer, NOT_YET), now.get(customer, NO_LONGER)) for customer in then | now)
    place = [*segments, NOT_YET, NO_LONGER].index
    return [
        {"previous_segment": before, "segment": after, "customers": pairs[before, after]}
        for before, after in sorted(pairs, key=lambda pair: (place(pair[0]), place(pair[1])))
    ]
