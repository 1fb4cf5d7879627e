"""The same work in DuckDB: with_duckdb.py LANDING OUT AS_OF SEGMENTS.JSON"""

import json
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb  # type: ignore[import-not-found]

landing, out, as_of = Path(sys.argv[1]), Path(sys.argv[2]), date.fromisoformat(sys.argv[3])
segments = json.loads(Path(sys.argv[4]).read_text())
now, then = as_of, as_of - timedelta(days=30)
db = duckdb.connect()
db.execute(f"SET temp_directory = '{out}/tmp'")

db.execute(f"""
COPY (
  WITH text AS (
    SELECT filename AS file, InvoiceNo AS invoice_no, StockCode AS stock_code, Description AS description,
      try_cast(Quantity AS INTEGER) AS quantity, try_cast(InvoiceDate AS TIMESTAMP) AS invoice_date,
      try_cast(UnitPrice AS DECIMAL(18, 4)) AS unit_price,
      nullif(regexp_replace(trim(coalesce(CustomerID, '')), '\\.0+$', ''), '') AS customer_id,
      Country AS country,
      CASE WHEN regexp_full_match(InvoiceNo, '[0-9]+') THEN 'purchase'
           WHEN upper(InvoiceNo[1]) = 'C' THEN 'cancellation' END AS line_type
    FROM read_csv('{landing}/*.csv', header = true, all_varchar = true, filename = true)
  ), judged AS (
    SELECT *, CAST(CAST(quantity AS DECIMAL(10, 0)) * unit_price AS DECIMAL(38, 4)) AS amount,
      CASE WHEN quantity IS NULL THEN 'quantity_unreadable'
           WHEN unit_price IS NULL THEN 'unit_price_unreadable'
           WHEN invoice_date IS NULL THEN 'invoice_date_unreadable'
           WHEN line_type IS NULL THEN 'unknown_invoice_type'
           WHEN customer_id IS NULL THEN 'missing_customer'
           WHEN line_type = 'purchase' AND quantity <= 0 THEN 'quantity_not_positive'
           WHEN line_type = 'purchase' AND unit_price <= 0 THEN 'price_not_positive' END AS reason
    FROM text)
  SELECT *, CASE WHEN reason IS NULL THEN 'kept' ELSE 'rejected' END AS outcome FROM judged
) TO '{out}/lines' (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (outcome))""")

db.execute(f"""
CREATE TABLE orders AS
SELECT customer_id, invoice_no, CAST(invoice_date AS DATE) AS day, line_type, country, sum(amount) AS amount
FROM read_parquet('{out}/lines/outcome=kept/*.parquet') GROUP BY ALL""")


def customers(day: date) -> str:
    return f"""
    WITH counted AS (SELECT *, line_type = 'purchase' AS bought FROM orders WHERE day < DATE '{day}'),
    added AS (
      SELECT customer_id, min(day) FILTER (bought) AS first_purchase_date,
        max(day) FILTER (bought) AS last_purchase_date,
        count(DISTINCT invoice_no) FILTER (bought) AS frequency,
        coalesce(sum(amount) FILTER (bought), 0) AS gross,
        coalesce(sum(amount) FILTER (NOT bought), 0) AS cancelled
      FROM counted GROUP BY customer_id HAVING frequency > 0),
    home AS (
      SELECT a.customer_id, min(c.country) AS country
      FROM added a JOIN counted c ON c.customer_id = a.customer_id AND c.bought
        AND c.day = a.last_purchase_date GROUP BY ALL)
    SELECT DATE '{day}' AS as_of, customer_id, country, first_purchase_date, last_purchase_date,
      CAST(DATE '{day}' - last_purchase_date AS INTEGER) AS recency_days, frequency,
      CAST(round(gross + cancelled, 2) AS DECIMAL(18, 2)) AS monetary,
      CAST(round(gross, 2) AS DECIMAL(18, 2)) AS gross,
      CAST(round(-cancelled, 2) AS DECIMAL(18, 2)) AS returned
    FROM added JOIN home USING (customer_id)"""


METRICS = {"R": "recency_days", "F": "frequency", "M": "monetary"}


def cuts_of(table: str) -> dict[str, list[Any]]:
    found = {}
    for metric, name in METRICS.items():
        histogram = f"""SELECT v, sum(c) OVER (ORDER BY v) AS up_to, sum(c) OVER () AS n
                        FROM (SELECT {name} AS v, count(*) AS c FROM {table} GROUP BY v)"""
        cuts = [f"min(v) FILTER (5 * up_to >= {j} * n)" for j in range(1, 5)]
        found[metric] = list(db.execute(f"SELECT {', '.join(cuts)} FROM ({histogram})").fetchone())
    return found


def scored(table: str, cuts: dict[str, list[Any]]) -> str:
    below = {m: " + ".join(f"CAST({METRICS[m]} > {c} AS INTEGER)" for c in cuts[m]) for m in METRICS}
    return f"""SELECT s.*, m.segment FROM (
      SELECT *, 5 - ({below["R"]}) AS r_score, 1 + {below["F"]} AS f_score, 1 + {below["M"]} AS m_score,
        concat(r_score, f_score, m_score) AS rfm_score FROM {table}) s JOIN codes m USING (rfm_score)"""


db.execute("CREATE TABLE codes (rfm_score VARCHAR, segment VARCHAR)")
db.executemany("INSERT INTO codes VALUES (?, ?)", list(segments["by_code"].items()))
all_cuts = {}
for name, day in (("now", now), ("then", then)):
    db.execute(f"CREATE TABLE rfm_{name} AS {customers(day)}")
    all_cuts[name] = cuts_of(f"rfm_{name}")
    db.execute(f"CREATE TABLE as_of_{name} AS {scored(f'rfm_{name}', all_cuts[name])}")

db.execute("""
CREATE TABLE snapshot AS
SELECT n.as_of, n.customer_id, n.country, n.first_purchase_date, n.last_purchase_date, n.recency_days,
  n.frequency, n.monetary, n.gross, n.returned,
  (2 * CAST(abs(n.monetary) * 100 AS BIGINT) + n.frequency) // (2 * n.frequency) AS pence,
  n.r_score, n.f_score, n.m_score, n.rfm_score, n.segment, t.segment AS previous_segment
FROM as_of_now n LEFT JOIN as_of_then t USING (customer_id) ORDER BY n.customer_id""")
COLUMNS = """as_of, customer_id, country, first_purchase_date, last_purchase_date, recency_days, frequency,
  monetary, gross, returned, CAST(sign(monetary) * pence * 0.01 AS DECIMAL(18, 2)) AS avg_order_value,
  r_score, f_score, m_score, rfm_score, segment, previous_segment"""
table = f"(SELECT {COLUMNS} FROM snapshot ORDER BY customer_id)"
db.execute(f"COPY {table} TO '{out}/customer_segments.parquet' (FORMAT parquet, COMPRESSION zstd)")
db.execute(f"COPY {table} TO '{out}/rfm_df.csv' (HEADER)")
db.execute(f"""COPY (SELECT segment, count(*) AS customers, sum(frequency) AS orders,
  sum(monetary) AS revenue,
  quantile_cont(CAST(monetary AS DOUBLE), 0.5) AS median_monetary FROM snapshot GROUP BY ALL)
  TO '{out}/segment_summary.csv' (HEADER)""")
db.execute(f"""COPY (SELECT coalesce(t.segment, 'Not yet a customer') AS previous_segment,
  coalesce(n.segment, 'No longer counted') AS segment, count(*) AS customers
  FROM as_of_now n FULL JOIN as_of_then t USING (customer_id) GROUP BY ALL)
  TO '{out}/segment_movement.csv' (HEADER)""")
(out / "cut_points.json").write_text(json.dumps(all_cuts["now"], default=str))
