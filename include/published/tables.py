"""The published tables: columns with type and description, and what holds for every row.

README's column lists and the comments of the warehouse are tested against these.
"""

from dataclasses import dataclass

import pyarrow as pa

DATE, TEXT, TIMESTAMP = pa.date32(), pa.string(), pa.timestamp("us")
COUNT, SMALL = pa.int64(), pa.int32()
QUANTITY = pa.decimal128(13, 3)
MONEY, EXACT = pa.decimal128(18, 2), pa.decimal128(38, 7)
SHARE, AVERAGE = pa.decimal128(5, 4), pa.decimal128(38, 2)
NOT_YET, NO_LONGER = "Not yet a customer", "No longer counted"  # for no segment, in segment_movement
REVENUE_SHARE = pa.decimal128(38, 4)  # beyond 1 where other segments are negative


@dataclass(frozen=True)
class Column:
    name: str
    type: pa.DataType
    description: str
    may_be_null: bool = False


@dataclass(frozen=True)
class Table:
    name: str
    description: str
    columns: tuple[Column, ...]
    invariants: tuple[str, ...] = ()  # SQL conditions that hold for every row

    @property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def arrow_schema(self) -> pa.Schema:
        return pa.schema([(column.name, column.type) for column in self.columns])


CUSTOMER_SEGMENTS = Table(
    "customer_segments",
    "One row for each customer and snapshot. For one snapshot, filter by as_of",
    (
        Column("as_of", DATE, "The snapshot counts what was bought before this day"),
        Column("customer_id", TEXT, "As the shop writes it, without blanks around it and without a final .0"),
        Column(
            "country",
            TEXT,
            "Country of the last purchase, the first by name where that day has several",
            True,
        ),
        Column("first_purchase_date", DATE, "Date of the first purchase that counts"),
        Column("last_purchase_date", DATE, "Date of the last purchase that counts"),
        Column("recency_days", SMALL, "Days from the last purchase to as_of, at least 1"),
        Column("frequency", COUNT, "Number of purchase invoices"),
        Column(
            "monetary",
            MONEY,
            "What was bought minus what was cancelled (all of what was bought where cancellations is drop), "
            "in the currency of the shop",
        ),
        Column("gross", MONEY, "What was bought"),
        Column("returned", MONEY, "What was cancelled, as a positive number"),
        Column("avg_order_value", MONEY, "monetary / frequency"),
        Column("r_score", SMALL, "Fifth of the customers by recency, 5 the most recent"),
        Column("f_score", SMALL, "Fifth of the customers by frequency, 5 the most frequent"),
        Column("m_score", SMALL, "Fifth of the customers by monetary, 5 the highest"),
        Column("rfm_score", TEXT, "The three scores, such as 555"),
        Column("segment", TEXT, "See segment_definitions"),
        Column(
            "previous_segment",
            TEXT,
            "Segment compare_days (30) earlier; null for who did not count then",
            True,
        ),
    ),
    (
        "recency_days = as_of - last_purchase_date",
        "frequency >= 1",
        "rfm_score = concat(r_score, f_score, m_score)",
        "first_purchase_date <= last_purchase_date and last_purchase_date < as_of",
    ),
)

SEGMENT_SUMMARY = Table(
    "segment_summary",
    "Customers, orders and revenue of each segment and snapshot",
    (
        Column("segment", TEXT, "See segment_definitions"),
        Column("customers", COUNT, "Number of customers"),
        Column("customer_share", SHARE, "Share of all customers; 0.25 is a quarter"),
        Column("orders", COUNT, "Purchase invoices of these customers"),
        Column("revenue", AVERAGE, "Sum of monetary"),
        Column(
            "revenue_share", REVENUE_SHARE, "Share of all revenue; null where that is not above zero", True
        ),
        Column("avg_recency_days", AVERAGE, "Average recency_days; null without customers", True),
        Column("avg_frequency", AVERAGE, "Average frequency; null without customers", True),
        Column("avg_monetary", AVERAGE, "Average monetary; null without customers", True),
        Column("median_monetary", AVERAGE, "Median of monetary; null without customers", True),
    ),
    ("customers >= 0",),
)

SEGMENT_MOVEMENT = Table(
    "segment_movement",
    "Customers by segment compare_days (30) earlier and segment as of the snapshot",
    (
        Column(
            "previous_segment",
            TEXT,
            f"Segment then; {NOT_YET}: had bought nothing that counted as of the earlier date",
        ),
        Column("segment", TEXT, f"Segment now; {NO_LONGER}: has dropped out of the look-back"),
        Column("customers", COUNT, "Number of customers"),
    ),
    ("customers >= 1",),
)

CLEANED_DATA = Table(
    "cleaned_data",
    "Every kept line, of all history",
    (
        Column("invoice_no", TEXT, "Invoice number"),
        Column("stock_code", TEXT, "Code of the article", True),
        Column("description", TEXT, "Name of the article", True),
        Column(
            "quantity", QUANTITY, "Pieces, or a weight; negative where a cancellation takes them back", True
        ),
        Column("invoice_date", TIMESTAMP, "Wall-clock time of the invoice in the pipeline's time zone"),
        Column("unit_price", pa.decimal128(18, 4), "Price of one piece, in the currency of the shop", True),
        Column("customer_id", TEXT, "As in customer_segments"),
        Column("country", TEXT, "Country of the customer", True),
        Column("line_type", TEXT, "purchase or cancellation"),
        Column("amount", EXACT, "quantity x unit_price less refunds, or the landed amount, exact"),
    ),
)

REJECTS = Table(
    "rejects",
    "Every line that was left out, with the reason",
    (
        Column("stage", TEXT, "ingest, where the line could not be read; clean, where a rule rejected it"),
        Column("file", TEXT, "The landed file"),
        Column(
            "part", TEXT, "The sheet of a workbook, or the file in an archive; empty for other files", True
        ),
        Column("line", COUNT, "Number of the line, or of the row of a sheet, from 1"),
        Column("reason", TEXT, "The first reason that applies"),
        Column("raw", TEXT, "The text of the line; empty for one that `ingest` kept as an order's"),
    ),
)

PUBLISHED_TABLES = (CUSTOMER_SEGMENTS, SEGMENT_SUMMARY, SEGMENT_MOVEMENT, CLEANED_DATA, REJECTS)
