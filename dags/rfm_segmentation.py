"""
### Daily RFM segmentation

Sorts every customer into a segment by how recently, how often and for how much they bought.
One run publishes the snapshot **as of** one date: it counts what was bought before that day.

| task | does | when it fails |
|---|---|---|
| `ingest` | converts landed CSV files that are new or changed | the message names the file, line and column |
| `clean` | applies the rules; every line is kept or rejected with a reason | `ingest` has to run first |
| `rfm` | recency, frequency, monetary of each customer | |
| `segment` | scores, segments, and the segment of `compare_days` before | |
| `publish` | checks that the counts add up, then swaps the snapshot in | the earlier snapshot stays visible |

**Which date?** A scheduled or backfilled run for day X covers X completely and is as of X + 1.
A run triggered by hand is as of today (before the hour of the schedule still of yesterday), or of its
`as_of` param.
Runs may be repeated and cleared at any time, in any order and in parallel: the result depends only on
the landed files, the date and the configuration.

**Backfill?** *Trigger*, *Backfill*, and a range of days. Airflow passes the run parameters of that form
on only where *Override parameters on existing runs* is ticked. `as_of` is refused: the range has the dates.
The daily run goes first: it waits for one task of a backfill at most. *Max Active Runs* is the
backfill's own.

**What did a run do?** Its note has the outcome in one line. Each task has its numbers as the XCom
`numbers`, and on the event of its asset.

**Results** are in `$RFM_LAKE/published/as_of=<date>/`, and `published/latest`. Params other than as
configured make the run a variant: it publishes to `published/variants/<label>/` and changes nothing else.

**Nothing starts?** While the DAG is paused its runs stay queued, those of a backfill too.

**It failed?** The last line of the task's log says what is wrong and where. Bad data and bad
configuration fail at once; everything else is tried again.
"""

import os
from datetime import datetime, timedelta

from airflow.sdk import DAG, CronDataIntervalTimetable, chain
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert

from include.as_of import as_of
from include.orchestration.deadline import PublishedBy, has_deadline
from include.orchestration.notifications import (
    keep_reason,
    log_reason,
    notify_of_failure,
    notify_of_retry,
    notify_of_success,
    notify_when_late,
)
from include.orchestration.params import trigger_form
from include.orchestration.priority import DailyRunFirst
from include.orchestration.spark_submit import RfmSparkSubmitOperator
from include.pipeline import CONVERSIONS, DAG_ID, SPARK_CONNECTION, TASKS
from include.settings import Params, config_folder, load_config

CONFIGURED = load_config(config_folder(), Params()).settings
LATE = DeadlineAlert(reference=PublishedBy(), interval=timedelta(0), callback=AsyncCallback(notify_when_late))

with DAG(
    dag_id=DAG_ID,
    description="Customer segments by recency, frequency and monetary value, as of the day after",
    schedule=CronDataIntervalTimetable(CONFIGURED.cron, timezone=CONFIGURED.time_zone),
    start_date=datetime(2024, 1, 1),  # noqa: DTZ001 - the timetable has the zone
    catchup=False,
    params=trigger_form(config_folder(), CONFIGURED),
    user_defined_macros={"as_of": as_of},
    default_args={
        "owner": "data",
        "retries": 2,
        "retry_delay": timedelta(minutes=1),
        "retry_exponential_backoff": 2,
        "max_retry_delay": timedelta(minutes=10),  # each clearing adds a try, and so doubles the delay
        "execution_timeout": timedelta(hours=2),
        "on_failure_callback": [keep_reason, log_reason],
        "on_retry_callback": [notify_of_retry, log_reason],
    },
    on_failure_callback=notify_of_failure,
    on_success_callback=notify_of_success,
    deadline=LATE if has_deadline(CONFIGURED, os.environ) else None,
    tags=["rfm", "customers", "spark"],
    doc_md=__doc__,
):
    chain(
        *[
            RfmSparkSubmitOperator(
                task_id=task,
                conn_id=SPARK_CONNECTION,
                loads_warehouse=task == "publish",
                weight_rule=DailyRunFirst(),
                # Of two runs that find the same new files one converts them; the other one waits, and has
                # nothing left to convert.
                max_active_tis_per_dag=1 if task in CONVERSIONS else None,
            )
            for task in TASKS
        ]
    )
