"""Many small landed files become few Parquet files: later jobs would spend their time on opening more."""

from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from include.landing.line_files import ROWS_AT_ONCE
from include.landing.line_types import LINE_TYPE_FOLDER
from include.settings import RunConfig
from include.spark import conversion
from include.spark.conversion import write_typed_lines
from tests.tables import csv_bytes, formatted, land, line

FILES = 1_000
LINES = {  # of each file, by the folder of its outcome and line type
    f"outcome=kept/{LINE_TYPE_FOLDER}=purchase": [line()] * 130,
    f"outcome=kept/{LINE_TYPE_FOLDER}=missing_customer": [line(customer="")] * 2,
    f"outcome=rejected/{LINE_TYPE_FOLDER}=other": [line(price="x")],
}


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    data = csv_bytes(*[text for some in LINES.values() for text in some])
    for number in range(FILES):
        land(folder, f"{number:04}.csv", data)
    return folder


@pytest.mark.parametrize(
    ("small_delivery", "tasks"), [(1 << 30, 1), (0, 3)], ids=["by the driver", "by executors"]
)
def test_small_files_share_a_parquet_file_for_each_task_outcome_and_line_type(
    spark: SparkSession,
    config: RunConfig,
    landing: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    small_delivery: int,
    tasks: int,
) -> None:
    monkeypatch.setattr(conversion, "SMALL_DELIVERY", small_delivery)
    monkeypatch.setattr(conversion, "SMALLEST_TASK", 4 << 20)  # of 10.8 MB
    parts = write_typed_lines(spark, formatted(config, landing), config.settings, tmp_path / "ingested")
    assert len(parts) == FILES

    written = {
        path: pq.ParquetFile(path).metadata for path in sorted((tmp_path / "ingested").rglob("*.parquet"))
    }
    folders = Counter(str(path.parent.relative_to(tmp_path / "ingested")) for path in written)
    assert folders == dict.fromkeys(LINES, tasks)
    assert sum(metadata.num_rows for metadata in written.values()) == FILES * sum(map(len, LINES.values()))
    for metadata in written.values():
        rows = [metadata.row_group(number).num_rows for number in range(metadata.num_row_groups)]
        assert all(count >= ROWS_AT_ONCE for count in rows[:-1]), "only the last row group may be small"
