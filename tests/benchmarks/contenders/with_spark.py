"""The same work in one Spark session: with_spark.py LANDING OUT AS_OF SEGMENTS.JSON [cells]

Written for speed: one pass over the CSV files, read back as Parquet, few shuffle partitions. With `cells` as
in a notebook that is run from top to bottom: each step shows its number of rows, the cleaned lines are
cached, and the kept and the rejected lines are saved one after the other.
"""

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

landing, out, as_of = Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
segments = json.loads(Path(sys.argv[4]).read_text())
cells = sys.argv[5:] == ["cells"]
spark = SparkSession.builder.appName("notebook").getOrCreate()
spark.conf.set("spark.sql.parquet.compression.codec", "zstd")
if not cells:
    spark.conf.set("spark.sql.shuffle.partitions", 8)
METRICS = {"R": "recency_days", "F": "frequency", "M": "monetary"}

text = spark.read.csv(str(landing), header=True, escape='"')
price, quantity = F.expr("try_cast(UnitPrice AS DECIMAL(18, 4))"), F.expr("try_cast(Quantity AS INT)")
customer = F.regexp_replace(F.trim(F.coalesce("CustomerID", F.lit(""))), r"\.0+$", "")
line_type = F.when(F.col("InvoiceNo").rlike("^[0-9]+$"), "purchase").when(
    F.upper(F.substring("InvoiceNo", 1, 1)) == "C", "cancellation"
)
bought = F.col("line_type") == "purchase"
lines = (
    text.select(
        F.col("_metadata.file_name").alias("file"),
        F.col("InvoiceNo").alias("invoice_no"),
        F.col("StockCode").alias("stock_code"),
        F.col("Description").alias("description"),
        quantity.alias("quantity"),
        F.expr("try_cast(InvoiceDate AS TIMESTAMP_NTZ)").alias("invoice_date"),
        price.alias("unit_price"),
        F.when(customer != "", customer).alias("customer_id"),
        F.col("Country").alias("country"),
        line_type.alias("line_type"),
    )
    .withColumn("amount", (F.col("quantity") * F.col("unit_price")).cast("decimal(38,4)"))
    .withColumn(
        "reason",
        F.when(F.col("quantity").isNull(), "quantity_unreadable")
        .when(F.col("unit_price").isNull(), "unit_price_unreadable")
        .when(F.col("invoice_date").isNull(), "invoice_date_unreadable")
        .when(F.col("line_type").isNull(), "unknown_invoice_type")
        .when(F.col("customer_id").isNull(), "missing_customer")
        .when(bought & (F.col("quantity") <= 0), "quantity_not_positive")
        .when(bought & (F.col("unit_price") <= 0), "price_not_positive"),
    )
    .withColumn("outcome", F.when(F.col("reason").isNull(), "kept").otherwise("rejected"))
)
if cells:
    print(text.count())
    kept = lines.where(F.col("reason").isNull()).cache()
    rejected = lines.where(F.col("reason").isNotNull())
    print(kept.count())
    rejected.groupBy("reason").count().show()
    kept.write.parquet(str(out / "lines" / "outcome=kept"))
    rejected.write.parquet(str(out / "lines" / "outcome=rejected"))
else:
    lines.write.partitionBy("outcome").parquet(str(out / "lines"))
    kept = spark.read.parquet(str(out / "lines" / "outcome=kept"))
day = F.col("invoice_date").cast("date").alias("day")
orders = kept.groupBy("customer_id", "invoice_no", day, "line_type", "country").agg(
    F.sum("amount").cast("decimal(38,4)").alias("amount")
)
orders = orders.cache()


def customers(of: date) -> DataFrame:
    zero = F.lit(0).cast("decimal(38,4)")
    added = (
        orders.where(F.col("day") < F.lit(of))
        .groupBy("customer_id")
        .agg(
            F.min(F.when(bought, F.struct(-F.unix_date("day"), "country")))["country"].alias("country"),
            F.min(F.when(bought, F.col("day"))).alias("first_purchase_date"),
            F.max(F.when(bought, F.col("day"))).alias("last_purchase_date"),
            F.count_distinct(F.when(bought, F.col("invoice_no"))).alias("frequency"),
            F.sum(F.when(bought, F.col("amount")).otherwise(zero)).alias("gross"),
            F.sum(F.when(bought, zero).otherwise(F.col("amount"))).alias("cancelled"),
        )
        .where("frequency > 0")
    )
    monetary = F.round(F.col("gross") + F.col("cancelled"), 2).cast("decimal(18,2)")
    return added.select(
        F.lit(of).alias("as_of"),
        "customer_id",
        "country",
        "first_purchase_date",
        "last_purchase_date",
        F.date_diff(F.lit(of), "last_purchase_date").alias("recency_days"),
        "frequency",
        monetary.alias("monetary"),
        F.round("gross", 2).cast("decimal(18,2)").alias("gross"),
        F.round(-F.col("cancelled"), 2).cast("decimal(18,2)").alias("returned"),
        F.round(monetary / F.col("frequency"), 2).cast("decimal(18,2)").alias("avg_order_value"),
    )


def cuts_of(table: DataFrame) -> dict[str, list[Any]]:
    found = {}
    n = table.count()
    for metric, name in METRICS.items():
        histogram = table.groupBy(F.col(name).alias("v")).count()
        up_to = histogram.withColumn("up_to", F.sum("count").over(Window.orderBy("v")))
        cuts = [F.min(F.when(5 * F.col("up_to") >= j * n, F.col("v"))) for j in range(1, 5)]
        found[metric] = list(up_to.agg(*cuts).collect()[0])
    return found


def scored(table: DataFrame, cuts: dict[str, list[Any]]) -> DataFrame:
    below = {
        m: sum((F.when(F.col(METRICS[m]) > F.lit(c), 1).otherwise(0) for c in cuts[m]), F.lit(0))
        for m in METRICS
    }
    codes = F.create_map(*[F.lit(text) for pair in segments["by_code"].items() for text in pair])
    return (
        table.withColumn("r_score", F.lit(5) - below["R"])
        .withColumn("f_score", F.lit(1) + below["F"])
        .withColumn("m_score", F.lit(1) + below["M"])
        .withColumn("rfm_score", F.concat("r_score", "f_score", "m_score"))
        .withColumn("segment", codes[F.col("rfm_score")])
    )


rfm_now, rfm_then = customers(as_of).cache(), customers(as_of - timedelta(days=30)).cache()
cuts = cuts_of(rfm_now)
now, then = scored(rfm_now, cuts), scored(rfm_then, cuts_of(rfm_then))
previous = then.select("customer_id", F.col("segment").alias("previous_segment"))
snapshot = (
    now.join(previous, "customer_id", "left").orderBy("customer_id").select(*now.columns, "previous_segment")
)
snapshot.coalesce(1).write.parquet(str(out / "customer_segments.parquet"))
spark.read.parquet(str(out / "customer_segments.parquet")).coalesce(1).write.csv(
    str(out / "rfm_df.csv"), header=True
)
(
    spark.read.parquet(str(out / "customer_segments.parquet"))
    .groupBy("segment")
    .agg(
        F.count("*").alias("customers"),
        F.sum("frequency").alias("orders"),
        F.sum("monetary").alias("revenue"),
        F.median("monetary").alias("median_monetary"),
    )
    .toPandas()
    .to_csv(out / "segment_summary.csv", index=False)  # type: ignore[attr-defined]
)
(
    now.select("customer_id", "segment")
    .join(previous, "customer_id", "full")
    .groupBy(
        F.coalesce("previous_segment", F.lit("Not yet a customer")).alias("previous_segment"),
        F.coalesce("segment", F.lit("No longer counted")).alias("segment"),
    )
    .agg(F.count("*").alias("customers"))
    .toPandas()
    .to_csv(out / "segment_movement.csv", index=False)  # type: ignore[attr-defined]
)
(out / "cut_points.json").write_text(json.dumps(cuts, default=str))
