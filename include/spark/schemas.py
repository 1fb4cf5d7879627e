"""The tables that pass between the jobs: column names and types, each written once.

A quantity has up to three decimals and a unit price up to four. An amount is exact, and money that is
reported for a customer has two decimals. Times are wall-clock times in the pipeline's time zone, without an
offset.
"""

from pyspark.sql.types import (
    DataType,
    DateType,
    DecimalType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampNTZType,
)

from include.landing.line_types import LINE_TYPE_FOLDER

PRICE = DecimalType(18, 4)
QUANTITY = DecimalType(13, 3)
AMOUNT = DecimalType(38, 7)
MONEY = DecimalType(18, 2)


def table(*, on_disk: dict[str, str] | None = None, **columns: DataType) -> StructType:
    """A table's schema. `on_disk` has the names of columns that the lake has under an older name: renaming
    them there would make every lake read its landing files again."""
    old = on_disk or {}
    return StructType(
        [StructField(name, kind, metadata={"on_disk": old.get(name, name)}) for name, kind in columns.items()]
    )


LANDED = table(
    invoice_no=StringType(),
    stock_code=StringType(),
    description=StringType(),
    quantity=QUANTITY,
    invoice_date=TimestampNTZType(),
    unit_price=PRICE,
    amount=PRICE,
    refunded=PRICE,
    customer_id=StringType(),
    country=StringType(),
)

# The lines of ingest and of clean: from which landed file and line, its text, and what became of it.
LINES = table(
    on_disk={"line_type": LINE_TYPE_FOLDER},
    file=StringType(),
    part=StringType(),
    line=LongType(),
    raw=StringType(),
    **{field.name: field.dataType for field in LANDED},
    reason=StringType(),
    outcome=StringType(),
    line_type=StringType(),
)

# The amount is there twice. As a whole number of 1/10,000, `amount_e4`, Spark adds it up several times
# as fast as a decimal of more than 18 digits. It is null where the amount has more decimals, and from
# LARGEST_SCALED_AMOUNT on, either way.
ORDERS = table(
    on_disk={"amount_e4": "units"},
    file=StringType(),
    part=StringType(),
    customer_id=StringType(),
    invoice_no=StringType(),
    order_date=DateType(),
    line_type=StringType(),
    country=StringType(),
    lines=LongType(),
    amount=AMOUNT,
    amount_e4=LongType(),
)
AMOUNT_SCALE: int = 10**4
LARGEST_SCALED_AMOUNT = 10**9

# One row per customer with a purchase before either date. Columns of a date without one are null.
COMPARISON = "compared_"  # prefix of the columns at the comparison date
RFM = table(
    as_of=DateType(),
    customer_id=StringType(),
    country=StringType(),
    first_purchase_date=DateType(),
    last_purchase_date=DateType(),
    recency_days=IntegerType(),
    frequency=LongType(),
    monetary=MONEY,
    gross=MONEY,
    returned=MONEY,
    avg_order_value=MONEY,
    lines=LongType(),
    compared_recency_days=IntegerType(),
    compared_frequency=LongType(),
    compared_monetary=MONEY,
)
