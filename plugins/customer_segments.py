"""The Airflow plugin of this project. It registers the link from a task to the snapshot that the task's
run publishes, the pages that the link leads to, with their places in Airflow's UI, the note that each run
gets at its end, and the deadline of the day's snapshot."""

import sys
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from include.orchestration import notes
from include.orchestration.deadline import PublishedBy
from include.orchestration.links import ReportLink, SnapshotLink, SparkHistoryLink
from include.orchestration.priority import DailyRunFirst
from include.pipeline import PAGES_PREFIX


def fastapi_apps() -> list[dict[str, Any]]:
    """The pages, in the API server only: task processes load plugins too, and would import FastAPI and
    the pages for nothing."""
    if "airflow.api_fastapi.app" not in sys.modules:
        return []
    from include.pages import app

    return [{"app": app.app, "url_prefix": PAGES_PREFIX, "name": app.app.title}]


def external_views() -> list[dict[str, Any]]:
    """The pages in Airflow's navigation and as a tab of its DAGs, shown in a frame. The address is relative,
    so it holds where Airflow is below a path of its host."""
    view = {"name": "Customer segments", "href": f"{PAGES_PREFIX.removeprefix('/')}/"}
    return [
        view | {"destination": "nav", "url_route": "customer-segments", "nav_top_level": True},
        view | {"destination": "dag", "url_route": "customer-segments-tab"},
    ]


class CustomerSegmentsPlugin(AirflowPlugin):
    name = "customer_segments"
    operator_extra_links = [SnapshotLink(), ReportLink(), SparkHistoryLink()]  # noqa: RUF012 - as Airflow's plugins are written
    fastapi_apps = fastapi_apps()
    external_views = external_views()
    listeners = [notes]  # noqa: RUF012
    deadline_references = [PublishedBy]  # noqa: RUF012
    priority_weight_strategies = [DailyRunFirst]  # noqa: RUF012
