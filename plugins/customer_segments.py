"""The Airflow plugin of this project: the link from a task to the snapshot it publishes, and the page
behind it. The page shows a snapshot's segments and hands out its files, to people who may read the
DAG and to nobody else.
"""

import csv
import json
from html import escape
from pathlib import Path
from typing import Any

from airflow.plugins_manager import AirflowPlugin

from include.orchestration.links import SnapshotLink

PREFIX = "/rfm"
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width">
<style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }}
body {{ max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }}
table {{ border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto; }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid #8884; text-align: right; }}
th:first-child, td:first-child {{ text-align: left; }}
</style></head><body><h1>{title}</h1><p>{about}</p>{table}<h2>Files</h2><ul>{files}</ul></body></html>"""


def snapshot_page(folder: Path) -> str:
    """The page of a published snapshot. All text of it is escaped: it comes from data."""
    record = json.loads((folder / "run.json").read_text())
    with (folder / "segment_summary.csv").open(newline="", encoding="utf-8") as stream:
        head, *rows = list(csv.reader(stream))
    table = "".join(
        "<tr>" + "".join(f"<{tag}>{escape(text)}</{tag}>" for text in row) + "</tr>"
        for tag, row in [("th", [name.replace("_", " ") for name in head]), *(("td", row) for row in rows)]
    )
    title = f"Customer segments as of {record['as_of']}"
    about = f"Published {record['published_at']} by {record['dag_run']}"
    if record["variant"]:
        about += f", variant {record['variant']}"
    files = "".join(
        f'<li><a href="{escape(path.name, quote=True)}" download>{escape(path.name)}</a> '
        f"({path.stat().st_size:,} bytes)</li>"
        for path in sorted(folder.iterdir())
    )
    return PAGE.format(title=escape(title), about=escape(about), table=f"<table>{table}</table>", files=files)


def snapshot_app() -> Any:
    """The web application. Airflow decides who may see it: those who may read the DAG."""
    import os
    from datetime import date

    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI, HTTPException
    from fastapi.responses import FileResponse, HTMLResponse

    from include.lake.paths import Lake

    app = FastAPI(
        title="Customer segments",
        dependencies=[Depends(requires_access_dag("GET", param_dag_id="rfm_segmentation"))],
        openapi_url=None,  # FastAPI's own pages, of which this is the source, ask nobody who is looking
    )

    def published(as_of: date, variant: str | None) -> Path:
        lake = Lake(Path(os.environ.get("RFM_LAKE", "/nonexistent")))
        folder = lake.published(as_of, variant).resolve()
        inside = (lake.root / "published").resolve()
        if inside not in folder.parents or not (folder / "run.json").is_file():
            raise HTTPException(404, f"no snapshot as of {as_of} is published here")
        return folder

    def file_of(folder: Path, name: str) -> FileResponse:
        if name not in {path.name for path in folder.iterdir()}:
            raise HTTPException(404, "the snapshot has no such file")
        return FileResponse(folder / name, filename=name, content_disposition_type="attachment")

    @app.get("/snapshots/{as_of}/", response_class=HTMLResponse)
    def page(as_of: date) -> str:
        return snapshot_page(published(as_of, None))

    @app.get("/snapshots/{as_of}/{name}")
    def file(as_of: date, name: str) -> FileResponse:
        return file_of(published(as_of, None), name)

    @app.get("/snapshots/variants/{variant}/{as_of}/", response_class=HTMLResponse)
    def variant_page(variant: str, as_of: date) -> str:
        return snapshot_page(published(as_of, variant))

    @app.get("/snapshots/variants/{variant}/{as_of}/{name}")
    def variant_file(variant: str, as_of: date, name: str) -> FileResponse:
        return file_of(published(as_of, variant), name)

    return app


def fastapi_apps() -> list[dict[str, Any]]:
    """The web application, in the API server. Task processes load plugins too and need none."""
    import sys

    if "airflow.api_fastapi.app" not in sys.modules:
        return []
    return [{"app": snapshot_app(), "url_prefix": PREFIX, "name": "Customer segments"}]


class CustomerSegmentsPlugin(AirflowPlugin):
    name = "customer_segments"
    operator_extra_links = [SnapshotLink()]  # noqa: RUF012 - as Airflow's plugins are written
    fastapi_apps = fastapi_apps()
