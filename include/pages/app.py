"""The web application: the files of published snapshots, the pages of routes.py, and all errors.

Airflow authorizes every request: only people who may read the DAG get an answer. This is the only module
of the pages that imports Airflow, and only the API server loads it.
"""

from http import HTTPStatus
from pathlib import Path

from airflow.api_fastapi.core_api.security import requires_access_dag
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from include.errors import UserError
from include.pages import layout
from include.pages.chosen import Chosen
from include.pages.live_charts import VEGA, vega
from include.pages.routes import ByPath, VariantByPath, addresses_of, query_of, router
from include.pages.snapshot import find_file, read_snapshot
from include.pages.sorting import View
from include.pipeline import DAG_ID, REPORT

SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "private, no-cache",  # a cache on the way would answer people who are not authorized
}
# A report has its style inside, and nothing else. It was made from the shop's data, so it gets no origin.
REPORT_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'; "
    "sandbox"
}
# A browser that was authorized once need not ask again: another version has another address.
KEPT_HEADERS = {"Cache-Control": "private, max-age=31536000, immutable"}
JAVASCRIPT = "text/javascript"
LOG_IN = f"Log in to Airflow with an account that may read the DAG {DAG_ID}, and open this page again."


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
    return FileResponse(layout.STATIC / "style.css")


@app.get("/static/charts.js")
def script() -> FileResponse:
    return FileResponse(layout.STATIC / "charts.js", media_type=JAVASCRIPT)


@app.get(f"/static/{VEGA}")
def vega_script() -> Response:
    return Response(vega(), headers=KEPT_HEADERS, media_type=JAVASCRIPT)


@app.get("/snapshots/{as_of}/")
def page(request: Request, chosen: ByPath) -> HTMLResponse:
    return snapshot_page(request, chosen)


@app.get("/snapshots/{as_of}/{name}")
def file(chosen: ByPath, name: str) -> FileResponse:
    return download(chosen.folder, name)


@app.get("/snapshots/variants/{variant}/{as_of}/")
def variant_page(request: Request, chosen: VariantByPath) -> HTMLResponse:
    return snapshot_page(request, chosen)


@app.get("/snapshots/variants/{variant}/{as_of}/{name}")
def variant_file(chosen: VariantByPath, name: str) -> FileResponse:
    return download(chosen.folder, name)


app.include_router(router)


def snapshot_page(request: Request, chosen: Chosen) -> HTMLResponse:
    content, here = read_snapshot(chosen.folder), addresses_of(request)
    summary = content.summary.shown(View(here.snapshot(chosen.name), "", query_of(request)))
    return HTMLResponse(layout.page("snapshot", here, chosen=chosen, snapshot=content, summary=summary))


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
    wrong = ", ".join(sorted({str(problem["loc"][-1]) for problem in error.errors()}))
    explanation = f"No snapshot has this address, wrong is: {wrong}. Dates are written as 2011-12-10."
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
    return HTMLResponse(layout.error_page(status, explanation, addresses_of(request)), status)
