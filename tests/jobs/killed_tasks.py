"""Converts a landing folder by Spark tasks whose first two attempts are killed, half way and at the end.

Called as: killed_tasks.py LANDING FOLDER. Prints the counts as JSON.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pyspark import TaskContext

from include.landing import blocks
from include.landing.blocks import Block
from include.landing.line_files import WrittenLines, write_blocks
from include.landing.line_values import ReadingRules
from include.settings import Params, config_folder, load_config
from include.spark import conversion
from include.spark.session import spark_session
from tests.tables import formatted


def write_and_die(parts: Sequence[Block], rules: ReadingRules, folder: Path, name: str) -> WrittenLines:
    task = TaskContext.get()
    assert task is not None, "read by the driver"
    if (attempt := task.attemptNumber()) < 2:
        write_blocks(parts[: len(parts) // (2 - attempt)], rules, folder, name)
        os.kill(os.getpid(), signal.SIGKILL)
    return write_blocks(parts, rules, folder, name)


def main(landing: Path, folder: Path) -> None:
    conversion.write_blocks = write_and_die  # type: ignore[assignment, attr-defined]
    conversion.SMALL_DELIVERY = 0
    conversion.SMALLEST_TASK = conversion.LARGEST_TASK = 60_000
    blocks.SMALLEST_BLOCK = blocks.LARGEST_BLOCK = 20_000
    config = load_config(config_folder(), Params())
    files = formatted(config, landing)
    spark = spark_session("killed tasks", date(2011, 1, 1))
    parts = conversion.write_typed_lines(spark, files, config.settings, folder)
    print(json.dumps({part.file: part.counts for part in parts}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
