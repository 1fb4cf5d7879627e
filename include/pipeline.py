"""What the DAG, the operator, the jobs and the commands agree on. Each fact has its only home here."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

DAG_ID = "rfm_segmentation"
TASKS = ("ingest", "clean", "rfm", "segment", "publish")
CONVERSIONS = ("ingest", "clean")  # for all dates at once; the other tasks are for one date

# What each task makes, as an Airflow asset: the lineage, and what other DAGs can schedule on.
ASSET_URIS = {
    "ingest": "rfm://ingested",
    "clean": "rfm://cleaned",
    "rfm": "rfm://measured",
    "segment": "rfm://segmented",
    "publish": "rfm://published",
}

NUMBERS = "numbers"  # the XCom of each task: what it did
REASON = "reason"  # the XCom of a task that failed for good: the last line of its log

# How a job tells the operator why it failed: this exit code for a UserError, and one line with this mark.
EXIT_USER_ERROR = 2
ERROR_MARK = "rfm error: "

# Where the API server has our pages.
PAGES_PREFIX = "/rfm"
REPORT = "report.html"  # in each snapshot

# Environment variables.
LAKE_VARIABLE = "RFM_LAKE"
CONFIG_VARIABLE = "RFM_CONFIG"
WAREHOUSE_URL_VARIABLE = "RFM_WAREHOUSE"
TASK_PROCESS_VARIABLE = "RFM_TASK_PROCESS"
REPORT_VARIABLE = "RFM_REPORT"  # the folder in which a job leaves these two files for the operator
REPORTED_APPLICATION, REPORTED_RECORD = "application", "record.json"
SPARK_HISTORY_VARIABLE = "RFM_SPARK_HISTORY"  # the address of Spark's history server, where there is one
LONG_JOB_OPTIONS_VARIABLE = "RFM_LONG_JOB_OPTS"
NO_DEADLINE_VARIABLE = "RFM_NO_DEADLINE"  # set for `airflow dags test`

# Airflow connections. Without the warehouse's, nothing is loaded; without the last two, nobody is notified.
SPARK_CONNECTION = "spark_default"
WAREHOUSE_CONNECTION = "rfm_warehouse"
CHAT_CONNECTION = "rfm_chat"  # of type apprise
MAIL_CONNECTION = "rfm_mail"  # of type smtp, with the recipients as `to` in its extra
