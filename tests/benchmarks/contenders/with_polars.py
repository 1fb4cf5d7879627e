"""The same work in Polars: with_polars.py LANDING OUT AS_OF SEGMENTS.JSON

Money is counted in ten thousandths, as whole numbers.
"""

import json
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

landing, out, as_of = Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
segments = json.loads(Path(sys.argv[4]).read_text())

bought = pl.col("line_type") == "purchase"
text = pl.scan_csv(landing / "*.csv", infer_schema=False, include_file_paths="file")
lines = (
    text.select(
        "file",
        pl.col("InvoiceNo").alias("invoice_no"),
        pl.col("StockCode").alias("stock_code"),
        pl.col("Description").alias("description"),
        pl.col("Quantity").cast(pl.Int32, strict=False).alias("quantity"),
        pl.col("InvoiceDate").str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False).alias("invoice_date"),
        (pl.col("UnitPrice").cast(pl.Float64, strict=False) * 10_000)
        .round()
        .cast(pl.Int64)
        .alias("unit_price"),
        pl.col("CustomerID").str.strip_chars().str.replace(r"\.0+$", "").alias("customer_id"),
        pl.col("Country").alias("country"),
        pl.when(pl.col("InvoiceNo").str.contains("^[0-9]+$"))
        .then(pl.lit("purchase"))
        .when(pl.col("InvoiceNo").str.slice(0, 1).str.to_uppercase() == "C")
        .then(pl.lit("cancellation"))
        .alias("line_type"),
    )
    .with_columns(amount=pl.col("quantity").cast(pl.Int64) * pl.col("unit_price"))
    .with_columns(
        reason=pl.when(pl.col("quantity").is_null())
        .then(pl.lit("quantity_unreadable"))
        .when(pl.col("unit_price").is_null())
        .then(pl.lit("unit_price_unreadable"))
        .when(pl.col("invoice_date").is_null())
        .then(pl.lit("invoice_date_unreadable"))
        .when(pl.col("line_type").is_null())
        .then(pl.lit("unknown_invoice_type"))
        .when(pl.col("customer_id").is_null() | (pl.col("customer_id") == ""))
        .then(pl.lit("missing_customer"))
        .when(bought & (pl.col("quantity") <= 0))
        .then(pl.lit("quantity_not_positive"))
        .when(bought & (pl.col("unit_price") <= 0))
        .then(pl.lit("price_not_positive"))
    )
)
sinks = []
for outcome, part in (("kept", pl.col("reason").is_null()), ("rejected", pl.col("reason").is_not_null())):
    folder = out / "lines" / f"outcome={outcome}"
    folder.mkdir(parents=True)
    sinks.append(lines.filter(part).sink_parquet(folder / "part.parquet", compression="zstd", lazy=True))
pl.collect_all(sinks, engine="streaming")
keys = ["customer_id", "invoice_no", pl.col("invoice_date").dt.date().alias("day"), "line_type", "country"]
kept = pl.scan_parquet(out / "lines" / "outcome=kept" / "part.parquet")
orders = kept.group_by(keys).agg(pl.col("amount").sum()).collect(engine="streaming")


def hundredths(exact: pl.Expr) -> pl.Expr:
    return exact.sign() * ((exact.abs() + 50) // 100)


def customers(of: date) -> pl.DataFrame:
    counted = orders.lazy().filter(pl.col("day") < of)
    purchases, cancelled = counted.filter(bought), counted.filter(~bought)
    table = purchases.group_by("customer_id").agg(
        first_purchase_date=pl.col("day").min(),
        last_purchase_date=pl.col("day").max(),
        country=pl.col("country").filter(pl.col("day") == pl.col("day").max()).min(),
        frequency=pl.col("invoice_no").n_unique().cast(pl.Int64),
        exact=pl.col("amount").sum(),
    )
    table = table.join(
        cancelled.group_by("customer_id").agg(back=pl.col("amount").sum()), "customer_id", "left"
    )
    table = table.with_columns(back=pl.col("back").fill_null(0)).with_columns(
        recency_days=(pl.lit(of) - pl.col("last_purchase_date")).dt.total_days(),
        monetary=hundredths(pl.col("exact") + pl.col("back")),
        gross=hundredths(pl.col("exact")),
        returned=hundredths(-pl.col("back")),
    )
    value, orders_of = pl.col("monetary"), pl.col("frequency")
    average = value.sign() * ((2 * value.abs() + orders_of) // (2 * orders_of))
    return table.with_columns(avg_order_value=average).collect()


METRICS = {"R": "recency_days", "F": "frequency", "M": "monetary"}


def cuts_of(table: pl.DataFrame) -> dict[str, list[int]]:
    ranks = [-(-j * len(table) // 5) - 1 for j in range(1, 5)]
    return {m: table[name].sort()[ranks].to_list() for m, name in METRICS.items()}


def scored(table: pl.DataFrame, cuts: dict[str, list[int]]) -> pl.DataFrame:
    below = {m: sum((pl.col(METRICS[m]) > cut).cast(pl.Int64) for cut in cuts[m]) for m in METRICS}
    return (
        table.with_columns(r_score=5 - below["R"], f_score=1 + below["F"], m_score=1 + below["M"])
        .with_columns(rfm_score=pl.concat_str("r_score", "f_score", "m_score"))
        .with_columns(segment=pl.col("rfm_score").replace_strict(segments["by_code"]))
    )


now, then = customers(as_of), customers(as_of - timedelta(days=30))
cuts = cuts_of(now)
now, then = scored(now, cuts), scored(then, cuts_of(then))
previous = then.select("customer_id", previous_segment="segment")
snapshot = now.join(previous, "customer_id", "left").sort("customer_id").with_columns(as_of=pl.lit(as_of))
COLUMNS = [
    *["as_of", "customer_id", "country", "first_purchase_date", "last_purchase_date", "recency_days"],
    *["frequency", "monetary", "gross", "returned", "avg_order_value", "r_score", "f_score", "m_score"],
    *["rfm_score", "segment", "previous_segment"],
]
table = snapshot.select(COLUMNS).to_arrow()
for name in ("monetary", "gross", "returned", "avg_order_value"):
    money = pc.multiply(table[name].cast(pa.decimal128(19, 0)), Decimal("0.01")).cast(pa.decimal128(18, 2))
    table = table.set_column(COLUMNS.index(name), name, money)
pq.write_table(table, out / "customer_segments.parquet", compression="zstd")
pa_csv.write_csv(table, out / "rfm_df.csv")
snapshot.group_by("segment").agg(
    customers=pl.len(),
    orders=pl.col("frequency").sum(),
    revenue=pl.col("monetary").sum() / 100,
    median_monetary=pl.col("monetary").median() / 100,
).write_csv(out / "segment_summary.csv")
now.select("customer_id", "segment").join(previous, "customer_id", "full", coalesce=True).group_by(
    pl.col("previous_segment").fill_null("Not yet a customer"),
    pl.col("segment").fill_null("No longer counted"),
).agg(customers=pl.len()).write_csv(out / "segment_movement.csv")
in_money = {"M": [str(Decimal(cut).scaleb(-2)) for cut in cuts["M"]]}
(out / "cut_points.json").write_text(json.dumps(cuts | in_money))
