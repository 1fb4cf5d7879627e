"""How fast `publish` loads customers into Postgres, and in how much memory.

`python -m tests.benchmarks.warehouse [CUSTOMERS]` makes a snapshot of CUSTOMERS customers (5 million) and
loads it twice into a server that ends with it: the second load replaces the first.
"""

import json
import resource
import sys
import tempfile
import time
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.lake.record import RECORD, PublishedConfig, RunRecord
from include.lake.state import Execution, state_text
from include.pipeline import TASKS
from include.published import warehouse
from include.published.files import ROWS_PER_GROUP, header
from include.published.tables import CUSTOMER_SEGMENTS, SEGMENT_MOVEMENT, SEGMENT_SUMMARY
from include.settings import Params, config_folder, load_config
from tests.postgres import postgres, postgres_programs

AS_OF = date(2026, 1, 1)
SCHEMA = CUSTOMER_SEGMENTS.arrow_schema
NAMES = ["Champions", "Loyal Customers", "New Customers", "At Risk", "Hibernating"]
COUNTRIES = ["United Kingdom", "Germany", "France", "EIRE", "Spain"]
Integers = npt.NDArray[np.int64]


def money(hundredths: Integers) -> pa.Array:
    return pc.multiply(pa.array(hundredths).cast(pa.decimal128(19, 0)), Decimal("0.01")).cast(
        pa.decimal128(18, 2)
    )


def customers(start: int, stop: int, random: np.random.Generator) -> pa.Table:
    """Rows of customer_segments.parquet that the warehouse accepts."""
    n = stop - start
    recency = random.integers(1, 730, n)
    frequency = random.integers(1, 40, n)
    gross = random.integers(100, 500_000, n)
    returned = gross // random.integers(2, 50, n)
    scores = random.integers(1, 6, (3, n))
    last = np.datetime64(AS_OF) - recency.astype("timedelta64[D]")
    columns = {
        "as_of": np.full(n, np.datetime64(AS_OF)),
        "customer_id": np.arange(10_000_000 + start, 10_000_000 + stop).astype(str),
        "country": np.take(COUNTRIES, random.integers(0, 5, n)),
        "first_purchase_date": last - random.integers(0, 900, n).astype("timedelta64[D]"),
        "last_purchase_date": last,
        "recency_days": recency,
        "frequency": frequency,
        "monetary": money(gross - returned),
        "gross": money(gross),
        "returned": money(returned),
        "avg_order_value": money((gross - returned) // frequency),
        **dict(zip(("r_score", "f_score", "m_score"), scores, strict=True)),
        "rfm_score": (scores[0] * 100 + scores[1] * 10 + scores[2]).astype(str),
        "segment": np.take(NAMES, random.integers(0, 5, n)),
        "previous_segment": np.take(NAMES, random.integers(0, 5, n)),
    }
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in SCHEMA]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def write_snapshot(folder: Path, rows: int) -> None:
    """Write a published folder with this number of customers."""
    random = np.random.default_rng(0)
    with pq.ParquetWriter(folder / "customer_segments.parquet", SCHEMA, compression="zstd") as writer:
        for start in range(0, rows, ROWS_PER_GROUP):
            writer.write_table(customers(start, min(start + ROWS_PER_GROUP, rows), random))
    for table in (SEGMENT_SUMMARY, SEGMENT_MOVEMENT):
        (folder / f"{table.name}.csv").write_bytes(header(table.names))
    config = load_config(config_folder(), Params())
    record = RunRecord(
        landing_version=1,
        attempt=1,
        stages={task: Execution(task, "benchmark").record(rows, rows, {}) for task in TASKS},
        as_of=AS_OF,
        variant=None,
        dag_run="benchmark",
        published_at=f"{AS_OF + timedelta(days=1)}T00:00:00+00:00",
        config_hash=config.hash,
        config=PublishedConfig.model_validate(config.model_dump(mode="json")),
        input_files={},
    )
    (folder / RECORD).write_text(state_text(record))


def measure(rows: int) -> dict[str, int]:
    """Customers a second of a first load and of one that replaces it; and the peak memory of this process,
    which made the rows as well."""
    programs = postgres_programs()
    assert programs, "no Postgres server here: apt-get install postgresql"
    with tempfile.TemporaryDirectory() as folder, postgres(programs) as server:
        write_snapshot(Path(folder), rows)
        rates = {}
        for load in ("first", "again"):
            start = time.monotonic()
            warehouse.load(Path(folder), server.url)
            rates[f"{load}_rows_per_second"] = round(rows / (time.monotonic() - start))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"rows": rows} | rates | {"peak_rss_mib": peak}


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]) if sys.argv[1:] else 5_000_000)))
