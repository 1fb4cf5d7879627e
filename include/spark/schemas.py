"""The tables that pass between the jobs: column names and types, each written once.

Money is decimal, or a whole number of UNITs: a unit price has up to four decimals, an amount is exact,
what is reported of a customer is in pence. Times are wall-clock times in the pipeline's time zone,
without an offset.
"""

from decimal import Decimal

from pyspark.sql.types import (
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
)

PRICE = DecimalType(18, 4)
AMOUNT = DecimalType(38, 4)
PENCE = DecimalType(18, 2)


def table(**columns: object) -> StructType:
    return StructType([StructField(name, kind) for name, kind in columns.items()])  # type: ignore[arg-type]


LANDED_COLUMNS = [
    "invoice_no",
    "stock_code",
    "description",
    "quantity",
    "invoice_date",
    "unit_price",
    "customer_id",
    "country",
]

# Where a line came from: the landed file, the number of its line there, and its text.
ORIGIN = {"file": StringType(), "line": LongType(), "raw": StringType()}

# What a typed line is, in a folder of its own: `clean` keeps or rejects most lines by it alone.
PURCHASE, CANCELLATION = "purchase", "cancellation"
MISSING_CUSTOMER, OTHER = "missing_customer", "other"
PURCHASE_INVOICE = r"^[0-9]+\z"  # $ would stand before a line break at the end, too

# Of ingest and of clean alike.
LINES = table(
    **ORIGIN,
    invoice_no=StringType(),
    stock_code=StringType(),
    description=StringType(),
    quantity=IntegerType(),
    invoice_date=TimestampNTZType(),
    unit_price=PRICE,
    customer_id=StringType(),
    country=StringType(),
    reason=StringType(),
    outcome=StringType(),
    kind=StringType(),
)

# The amount stands there twice, also as a whole number of UNITs, which Spark adds up several times as fast
# as decimals of more than 18 digits; `units` is null where the amount is a billion or more, either way.
ORDERS = table(
    file=StringType(),
    customer_id=StringType(),
    invoice_no=StringType(),
    order_date=DateType(),
    line_type=StringType(),
    country=StringType(),
    lines=LongType(),
    amount=AMOUNT,
    units=LongType(),
)
UNIT = Decimal(1).scaleb(-AMOUNT.scale)

# Of a customer with a purchase as of the date or the comparison date; null where there is none as of it.
COMPARED = "compared_"  # before the names of what is as of the comparison date
RFM = table(
    as_of=DateType(),
    customer_id=StringType(),
    country=StringType(),
    first_purchase_date=DateType(),
    last_purchase_date=DateType(),
    recency_days=IntegerType(),
    frequency=LongType(),
    monetary=PENCE,
    gross=PENCE,
    returned=PENCE,
    avg_order_value=PENCE,
    lines=LongType(),
    compared_recency_days=IntegerType(),
    compared_frequency=LongType(),
    compared_monetary=PENCE,
)

# Published: customer_segments.parquet and rfm_df.csv.
CUSTOMER_SEGMENTS = [
    "as_of",
    "customer_id",
    "country",
    "first_purchase_date",
    "last_purchase_date",
    "recency_days",
    "frequency",
    "monetary",
    "gross",
    "returned",
    "avg_order_value",
    "r_score",
    "f_score",
    "m_score",
    "rfm_score",
    "segment",
    "previous_segment",
]

# Published: cleaned_data.csv.
CLEANED_DATA = [*LANDED_COLUMNS, "line_type", "amount"]

# Published: segment_summary.csv, segment_movement.csv, rejects.csv.
SEGMENT_SUMMARY = [
    "segment",
    "customers",
    "customer_share",
    "orders",
    "revenue",
    "revenue_share",
    "avg_recency_days",
    "avg_frequency",
    "avg_monetary",
    "median_monetary",
]
SEGMENT_MOVEMENT = ["previous_segment", "segment", "customers"]
REJECTS = ["stage", "file", "line", "reason", "raw"]
