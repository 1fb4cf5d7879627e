"""What the DAG, the operator, the jobs and the commands agree on. Each fact has its only home here."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

DAG_ID = "rfm_segmentation"
TASKS = ("ingest", "clean", "rfm", "segment", "publish")

# What each task makes, as an Airflow asset: the lineage, and what other DAGs can schedule on.
ASSET_URIS = {
    "ingest": "rfm://ingested",
    "clean": "rfm://cleaned",
    "rfm": "rfm://measured",
    "segment": "rfm://segmented",
    "publish": "rfm://published",
}

NUMBERS = "numbers"  # the XCom of each task: what it did

# How a job tells the operator why it failed: this exit code for a UserError, and one line with this mark.
EXIT_USER_ERROR = 2
ERROR_MARK = "rfm error: "

# Where the API server has our pages.
PAGES_PREFIX = "/rfm"

# Environment variables.
LAKE_VARIABLE = "RFM_LAKE"
CONFIG_VARIABLE = "RFM_CONFIG"
WAREHOUSE_URL_VARIABLE = "RFM_WAREHOUSE"
TASK_PROCESS_VARIABLE = "RFM_TASK_PROCESS"
REPORT_VARIABLE = "RFM_REPORT"  # the file to which a job writes its record, for the operator
LONG_JOB_OPTIONS_VARIABLE = "RFM_LONG_JOB_OPTS"

# Airflow connections. Without the warehouse's, nothing is loaded.
SPARK_CONNECTION = "spark_default"
WAREHOUSE_CONNECTION = "rfm_warehouse"
