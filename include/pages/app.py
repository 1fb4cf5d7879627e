"""The web application: the pages of published snapshots and their files.

Airflow authorizes every request: only people who may read the DAG get an answer. This is the only module
of the pages that imports Airflow, and only the API server loads it.
"""

import os
from datetime import date
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.errors import UserError
from include.lake.paths import Lake
from include.pages import layout
from include.pages.snapshot import find_file, find_snapshot, read_snapshot
from include.pipeline import DAG_ID, LAKE_VARIABLE, REPORT

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
    "frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
# A report has its style inside, and nothing else. It was made from the shop's data, so it gets no origin.
REPORT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "sandbox"
}
LOG_IN = f"Log in to Airflow with an account that may read the DAG {DAG_ID}, and open this page again."
# The characters of RunConfig.variant: no label can lead out of its folder.
Variant = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9_=,-]+$")]


class SecurityHeaders:
    """Adds SECURITY_HEADERS to every answer, as far as it has none of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, send_with_headers)


may_read_dag = requires_access_dag("GET", param_dag_id=DAG_ID)

app = FastAPI(
    title="Customer segments",
    dependencies=[Depends(may_read_dag)],
    openapi_url=None,  # disables FastAPI's documentation pages, which would be served without authentication
)
app.add_middleware(SecurityHeaders)


# -- routes -------------------------------------------------------------------------------------


# A route and not StaticFiles: FastAPI's dependencies, and so the authorization, do not reach a mount.
@app.get("/static/style.css")
def stylesheet() -> FileResponse:
    return FileResponse(layout.STYLESHEET)


@app.get("/snapshots/{as_of}/")
def page(request: Request, as_of: date) -> HTMLResponse:
    return snapshot_page(request, snapshot_folder(as_of))


@app.get("/snapshots/{as_of}/{name}")
def file(as_of: date, name: str) -> FileResponse:
    return download(snapshot_folder(as_of), name)


@app.get("/snapshots/variants/{variant}/{as_of}/")
def variant_page(request: Request, variant: Variant, as_of: date) -> HTMLResponse:
    return snapshot_page(request, snapshot_folder(as_of, variant))


@app.get("/snapshots/variants/{variant}/{as_of}/{name}")
def variant_file(variant: Variant, as_of: date, name: str) -> FileResponse:
    return download(snapshot_folder(as_of, variant), name)


def snapshot_folder(as_of: date, variant: str | None = None) -> Path:
    root = os.environ.get(LAKE_VARIABLE)
    if not root:
        raise HTTPException(
            404, f"{LAKE_VARIABLE} is not set in the API server. Set it to the lake's folder."
        )
    folder = find_snapshot(Lake(Path(root)), as_of, variant)
    if folder is None:
        of_variant = f" of the variant {variant}" if variant else ""
        raise HTTPException(404, f"No snapshot{of_variant} as of {as_of} is published here.")
    return folder


def snapshot_page(request: Request, folder: Path) -> HTMLResponse:
    return HTMLResponse(layout.snapshot_page(read_snapshot(folder), stylesheet_url(request)))


def download(folder: Path, name: str) -> FileResponse:
    """A file of a snapshot to be saved; the report to be looked at."""
    found = find_file(folder, name)
    if found is None:
        raise HTTPException(404, "The snapshot has no such file.")
    found.open("rb").close()  # a file that may not be read fails here, before the answer has started
    if name == REPORT:
        return FileResponse(found, headers=REPORT_HEADERS)
    return FileResponse(found, filename=name, content_disposition_type="attachment")


# -- errors -------------------------------------------------------------------------------------


@app.exception_handler(AnyHTTPException)
def show_http_error(request: Request, error: AnyHTTPException) -> HTMLResponse:
    explanation = str(error.detail)
    if error.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        explanation = f"{explanation}. {LOG_IN}"
    answer = error_page(request, HTTPStatus(error.status_code), explanation)
    answer.headers.update(error.headers or {})
    return answer


@app.exception_handler(RequestValidationError)
def show_wrong_address(request: Request, error: RequestValidationError) -> HTMLResponse:
    explanation = "No snapshot has this address. Dates are written as 2011-12-10."
    return error_page(request, HTTPStatus.NOT_FOUND, explanation)


@app.exception_handler(UserError)
def show_user_error(request: Request, error: UserError) -> HTMLResponse:
    """The snapshot is there but cannot be shown. The error says what to do."""
    return error_page(request, HTTPStatus.CONFLICT, str(error))


@app.exception_handler(PermissionError)
def show_missing_permission(request: Request, error: PermissionError) -> HTMLResponse:
    explanation = (
        f"{error.filename} cannot be read ({error.strerror}). Let the API server's user read the lake."
    )
    return error_page(request, HTTPStatus.CONFLICT, explanation)


@app.exception_handler(Exception)
def show_bug(request: Request, error: Exception) -> HTMLResponse:
    """Starlette raises the error again after this answer, so the log has the traceback."""
    explanation = "The page could not be made. The log of the API server has the reason."
    answer = error_page(request, HTTPStatus.INTERNAL_SERVER_ERROR, explanation)
    answer.headers.update(SECURITY_HEADERS)  # this handler is outside of the middleware
    return answer


def error_page(request: Request, status: HTTPStatus, explanation: str) -> HTMLResponse:
    return HTMLResponse(layout.error_page(status, explanation, stylesheet_url(request)), status)


def stylesheet_url(request: Request) -> str:
    """A path and not a URL with a host: behind a proxy, Airflow may not know its own host and scheme."""
    return f"{request.scope.get('root_path', '')}{app.url_path_for('stylesheet')}"
