"""The links from a task in the Airflow UI: to the snapshot that its run publishes, and to its Spark job."""

import os

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import BaseOperatorLink

from include.as_of import as_of_date
from include.errors import UserError
from include.pipeline import PAGES_PREFIX, REPORT, SPARK_HISTORY_VARIABLE
from include.published.catalog import page_path
from include.settings import config_folder, load_config, load_params


def job_arguments(operator: SparkSubmitOperator) -> dict[str, str]:
    """The rendered arguments of a task's job, by name."""
    arguments = operator.application_args or []
    return dict(zip(arguments[::2], arguments[1::2], strict=True))


class SnapshotLink(BaseOperatorLink):
    """From a task of a run to the page of the snapshot that the run publishes."""

    name = "Published snapshot"

    def get_link(self, operator: SparkSubmitOperator, *, ti_key: object) -> str:  # type: ignore[override]
        arguments = job_arguments(operator)
        try:
            day = as_of_date(arguments["--as-of"])
            variant = load_config(config_folder(), load_params(arguments["--params"])).variant
        except UserError:
            return ""  # the task has failed and says why; there is no snapshot to show
        return snapshot_path(day.isoformat(), variant)


class ReportLink(SnapshotLink):
    """To the report in that snapshot."""

    name = "Report"

    def get_link(self, operator: SparkSubmitOperator, *, ti_key: object) -> str:  # type: ignore[override]
        page = super().get_link(operator, ti_key=ti_key)
        return f"{page}{REPORT}" if page else ""


class SparkHistoryLink(BaseOperatorLink):
    """From a task to the application of its job in Spark's history server, where there is one."""

    name = "Spark history"

    def get_link(self, operator: SparkSubmitOperator, *, ti_key: object) -> str:  # type: ignore[override]
        application = getattr(operator, "application_id", None)
        server = os.environ.get(SPARK_HISTORY_VARIABLE)
        if not application or not server or application.startswith("local-"):
            return ""
        return f"{server.rstrip('/')}/history/{application}/"


def snapshot_path(as_of: str, variant: str | None) -> str:
    """The path of a snapshot's page below the address of Airflow."""
    return f"{PAGES_PREFIX}/{page_path(as_of, variant)}"
