"""
### Daily RFM segmentation

Sorts every customer into a segment by how recently, how often and for how much they bought.
One run publishes the snapshot **as of** one date: it counts what was bought before that day.

| task | does | when it fails |
|---|---|---|
| `ingest` | converts landed CSV files that are new or changed | the message names the file, line and column |
| `clean` | applies the business rules; every line is kept or rejected with a reason | |
| `rfm` | recency, frequency, monetary of each customer | |
| `segment` | scores, segments, and the segment of `compare_days` before | |
| `publish` | checks that the counts add up, then swaps the snapshot in | the snapshot before stays visible |

**Which date?** A scheduled or backfilled run for day X covers X completely and is as of X + 1.
A run triggered by hand is as of today (before 02:00 still of yesterday), or of its `as_of` param.
Any run may be repeated, cleared, or run beside others, in any order: the result depends on the
landed files, the date and the configuration only.

**Results** are in `$RFM_LAKE/published/as_of=<date>/`, and `published/latest`. Params other than as
configured publish to `published/variants/<label>/` and change nothing else.

**It failed?** The last line of the task's log says what is wrong and where. Bad data and bad
configuration fail at once; everything else is tried again.
"""

from datetime import datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from include.orchestration.notifications import tell_why
from include.orchestration.spark_submit import RfmSparkSubmitOperator, as_of
from include.settings import Params, config_folder, load_config

TIME_ZONE = load_config(config_folder(), Params()).settings.time_zone

PARAMS = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date",
        title="As-of date",
        description="Count what was bought before this day. Empty: the day the run's data interval ends. "
        "Not for backfills.",
    ),
    "lookback_days": Param(
        None,
        type=["null", "integer"],
        minimum=1,
        maximum=36_500,
        title="Look-back in days",
        description="Count only this many days before the as-of date. Empty: as configured.",
    ),
    "cancellations": Param(
        None,
        type=["null", "string"],
        enum=[None, "net", "drop"],
        title="Cancellations",
        description="net: subtract them from what was spent; drop: leave them out. Empty: as configured.",
    ),
    "duplicates": Param(
        None,
        type=["null", "string"],
        enum=[None, "keep", "drop"],
        title="Duplicate lines",
        description="keep or drop exact repeats of a line. Empty: as configured.",
    ),
    "segment_map": Param(
        None,
        type=["null", "string"],
        pattern="^[A-Za-z0-9_-]+$",
        examples=["rfm11", "rf10"],
        title="Segment map",
        description="A file of include/config/segment_maps. Empty: as configured.",
    ),
    "export_cleaned_data": Param(
        False,
        type="boolean",
        title="Export the cleaned data",
        description="Also publish cleaned_data.csv, which holds every kept line of the whole history.",
    ),
}

with DAG(
    dag_id="rfm_segmentation",
    description="Customer segments by recency, frequency and monetary value, as of the day after",
    schedule=CronDataIntervalTimetable("0 2 * * *", timezone=TIME_ZONE),
    start_date=datetime(2024, 1, 1),  # noqa: DTZ001 - the timetable has the zone
    catchup=False,
    params=PARAMS,
    user_defined_macros={"as_of": as_of},
    default_args={
        "owner": "data",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),  # each clearing adds a try, and so doubles the delay
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": tell_why,
        "on_retry_callback": tell_why,
    },
    tags=["rfm", "customers", "spark"],
    doc_md=__doc__,
):
    ingest, clean, rfm, segment, publish = (
        RfmSparkSubmitOperator(task_id=task, conn_id="spark_default")
        for task in ("ingest", "clean", "rfm", "segment", "publish")
    )
    ingest >> clean >> rfm >> segment >> publish
