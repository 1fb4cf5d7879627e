"""The pipeline's own gauges, sent with Airflow's metrics where those are switched on.

They describe the newest snapshot: a variant, or a date before the newest published one, sends nothing. The
names are below `rfm.`; include/monitoring/statsd-mapping.yml gives them labels for Prometheus.
"""

import csv
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from airflow.sdk.configuration import conf
from airflow.sdk.observability import stats

from include.lake.manifest import read_ingested
from include.lake.paths import Lake
from include.lake.state import StageRecord
from include.settings import RunConfig

SWITCHES = ("statsd_on", "otel_on", "statsd_datadog_enabled")
Gauges = dict[str, float]


def send_gauges(task: str, record: StageRecord, day: date, lake: Lake, config: RunConfig) -> None:
    """Send what a task did, with Airflow's own client."""
    if not any(conf.getboolean("metrics", switch) for switch in SWITCHES):
        return
    if config.variant or not is_newest(day, lake):
        return
    gauges = task_gauges(task, record)
    if task == "ingest":
        files = read_ingested(lake.ingested(config.settings.ingest_fingerprint)).files.values()
        gauges["bytes.landed"] = sum(file.size for file in files)
    if task == "publish":
        gauges |= snapshot_gauges(lake.published(day).resolve(), day, config.settings.time_zone)
    for name, value in gauges.items():
        stats.gauge(f"rfm.{name}", value)


def is_newest(day: date, lake: Lake) -> bool:
    """Whether no later date is published."""
    return not lake.latest.is_symlink() or lake.latest.readlink().name <= lake.published(day).name


def task_gauges(task: str, record: StageRecord) -> Gauges:
    return {
        f"rows_in.{task}": record.rows_in,
        f"rows_out.{task}": record.rows_out,
        f"seconds.{task}": record.seconds,
        f"warnings.{task}": len(record.warnings or ()),
        **{f"rejects.{task}.{reason}": count for reason, count in record.rejects.items()},
    }


def snapshot_gauges(folder: Path, day: date, time_zone: str) -> Gauges:
    """The date, size and segments of a published snapshot. Its age grows without a run, so the date is sent,
    as a Unix time, and not the age."""
    with (folder / "segment_summary.csv").open(newline="", encoding="utf-8") as stream:
        customers = {row["segment"]: int(row["customers"]) for row in csv.DictReader(stream)}
    return {
        "snapshot.as_of": int(datetime.combine(day, time(), ZoneInfo(time_zone)).timestamp()),
        "bytes.published": sum(file.stat().st_size for file in folder.iterdir()),
        **{f"customers.{segment_name(name)}": count for name, count in customers.items()},
    }


def segment_name(segment: str) -> str:
    """The name of a segment as a part of a metric's name: Can_t_Lose_Them."""
    return stats.normalize_name_for_stats(segment, log_warning=False).replace(".", "_")
