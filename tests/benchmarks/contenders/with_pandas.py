"""The same work in pandas: with_pandas.py LANDING OUT AS_OF SEGMENTS.JSON

Money is counted in ten thousandths, as whole numbers.
"""

import json
import sys
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

landing, out, as_of = Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
segments = json.loads(Path(sys.argv[4]).read_text())

files = [
    pd.read_csv(file, dtype="string[pyarrow]", engine="pyarrow").assign(file=file.name)
    for file in sorted(landing.glob("*.csv"))
]
lines = pd.concat(files, ignore_index=True).astype({"file": "category"})
del files
lines.columns = [
    *["invoice_no", "stock_code", "description", "quantity", "invoice_date", "unit_price", "customer_id"],
    *["country", "file"],
]
lines["quantity"] = pd.to_numeric(lines["quantity"], errors="coerce")
lines["unit_price"] = (pd.to_numeric(lines["unit_price"], errors="coerce") * 10_000).round()
lines["invoice_date"] = pd.to_datetime(lines["invoice_date"], errors="coerce", format="%Y-%m-%d %H:%M:%S")
lines["customer_id"] = lines["customer_id"].str.replace(r"\.0+$", "", regex=True)
bought = lines["invoice_no"].str.isdigit().to_numpy(bool)
returned = lines["invoice_no"].str[:1].str.upper().eq("C").to_numpy(bool)
lines["line_type"] = pd.Categorical.from_codes(
    np.select([bought, returned], [0, 1], -1), ["purchase", "cancellation"]
)
lines["amount"] = (lines["quantity"] * lines["unit_price"]).astype("Int64")
reasons = {
    "quantity_unreadable": lines["quantity"].isna(),
    "unit_price_unreadable": lines["unit_price"].isna(),
    "invoice_date_unreadable": lines["invoice_date"].isna(),
    "unknown_invoice_type": lines["line_type"].isna(),
    "missing_customer": lines["customer_id"].isna() | lines["customer_id"].eq(""),
    "quantity_not_positive": bought & (lines["quantity"] <= 0),
    "price_not_positive": bought & (lines["unit_price"] <= 0),
}
found = np.select([np.asarray(r.fillna(False), bool) for r in reasons.values()], range(len(reasons)), -1)
lines["reason"] = pd.Categorical.from_codes(found, list(reasons))
for outcome, part in (("kept", found < 0), ("rejected", found >= 0)):
    folder = out / "lines" / f"outcome={outcome}"
    folder.mkdir(parents=True)
    lines[part].to_parquet(folder / "part.parquet", compression="zstd", index=False)
kept = lines[found < 0]
del lines
kept = kept.assign(day=kept["invoice_date"].dt.normalize(), amount=kept["amount"].astype("int64"))
keys = ["customer_id", "invoice_no", "day", "line_type", "country"]
orders = kept.groupby(keys, observed=True, sort=False)["amount"].sum().reset_index()
del kept


def hundredths(exact: pd.Series) -> pd.Series:
    return np.sign(exact) * ((abs(exact) + 50) // 100)


def customers(of: date) -> pd.DataFrame:
    counted = orders[orders["day"] < pd.Timestamp(of)]
    purchases = counted[counted["line_type"] == "purchase"]
    table = purchases.groupby("customer_id").agg(
        first_purchase_date=("day", "min"),
        last_purchase_date=("day", "max"),
        frequency=("invoice_no", "nunique"),
        gross=("amount", "sum"),
    )
    last = purchases["day"] == purchases["customer_id"].map(table["last_purchase_date"])
    table["country"] = purchases[last].groupby("customer_id")["country"].min()
    cancelled = counted[counted["line_type"] == "cancellation"].groupby("customer_id")["amount"].sum()
    cancelled = cancelled.reindex(table.index, fill_value=0)
    table["monetary"] = hundredths(table["gross"] + cancelled)
    table["returned"] = hundredths(-cancelled)
    table["gross"] = hundredths(table["gross"])
    table["recency_days"] = (pd.Timestamp(of) - table["last_purchase_date"]).dt.days
    twice = 2 * table["frequency"]
    table["avg_order_value"] = np.sign(table["monetary"]) * (
        (2 * abs(table["monetary"]) + table["frequency"]) // twice
    )
    return table.reset_index()


METRICS = {"R": "recency_days", "F": "frequency", "M": "monetary"}


def cuts_of(table: pd.DataFrame) -> dict[str, list[int]]:
    ranks = [-(-j * len(table) // 5) - 1 for j in range(1, 5)]
    return {m: [int(np.sort(table[name].to_numpy())[rank]) for rank in ranks] for m, name in METRICS.items()}


def scored(table: pd.DataFrame, cuts: dict[str, list[int]]) -> pd.DataFrame:
    below = {m: sum((table[METRICS[m]] > cut).astype(int) for cut in cuts[m]) for m in METRICS}
    table["r_score"], table["f_score"], table["m_score"] = 5 - below["R"], 1 + below["F"], 1 + below["M"]
    score = table["r_score"] * 100 + table["f_score"] * 10 + table["m_score"]
    table["rfm_score"] = score.astype("string")
    table["segment"] = table["rfm_score"].map(segments["by_code"])
    return table


now, then = customers(as_of), customers(as_of - timedelta(days=30))
cuts = cuts_of(now)
now, then = scored(now, cuts), scored(then, cuts_of(then))
previous = then[["customer_id", "segment"]].rename(columns={"segment": "previous_segment"})
snapshot = (
    now.merge(previous, "left", "customer_id").sort_values("customer_id").assign(as_of=pd.Timestamp(as_of))
)
COLUMNS = [
    *["as_of", "customer_id", "country", "first_purchase_date", "last_purchase_date", "recency_days"],
    *["frequency", "monetary", "gross", "returned", "avg_order_value", "r_score", "f_score", "m_score"],
    *["rfm_score", "segment", "previous_segment"],
]
table = pa.Table.from_pandas(snapshot[COLUMNS], preserve_index=False)
for name in ("monetary", "gross", "returned", "avg_order_value"):
    money = pc.multiply(table[name].cast(pa.decimal128(19, 0)), Decimal("0.01")).cast(pa.decimal128(18, 2))
    table = table.set_column(COLUMNS.index(name), name, money)
for name in ("as_of", "first_purchase_date", "last_purchase_date"):
    table = table.set_column(COLUMNS.index(name), name, table[name].cast(pa.date32()))
pq.write_table(table, out / "customer_segments.parquet", compression="zstd")
pa_csv.write_csv(table, out / "rfm_df.csv")
summary = snapshot.groupby("segment").agg(
    customers=("customer_id", "size"),
    orders=("frequency", "sum"),
    revenue=("monetary", "sum"),
    median_monetary=("monetary", "median"),
)
summary[["revenue", "median_monetary"]] /= 100
summary.to_csv(out / "segment_summary.csv")
both = now[["customer_id", "segment"]].merge(previous, "outer", "customer_id")
both = both.fillna({"previous_segment": "Not yet a customer", "segment": "No longer counted"})
moved = both.groupby(["previous_segment", "segment"]).size().rename("customers")
moved.to_csv(out / "segment_movement.csv")
in_money = {"M": [str(Decimal(cut).scaleb(-2)) for cut in cuts["M"]]}
(out / "cut_points.json").write_text(json.dumps(cuts | in_money))
