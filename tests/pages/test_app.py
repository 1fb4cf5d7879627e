"""The web application: who gets an answer, which one, and with which headers."""

import json
import re
from pathlib import Path

import pytest
from fastapi import FastAPI, HTTPException
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from include.lake.paths import Lake
from include.lake.record import RECORD
from include.pages.live_charts import VEGA
from tests.pages.conftest import VARIANT, Publish

PAGE = "/snapshots/2011-12-10/"
VARIANT_PAGE = f"/snapshots/variants/{VARIANT}/2011-12-10/"
HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "private, no-cache",
}


def routes() -> list[str]:
    """An address for each route of the application."""
    from include.pages.app import app

    names = {
        "as_of": "2011-12-10",
        "variant": "segment_map=rf10",
        "name": "rfm_df.csv",
        "segment:path": "Champions",
        "table": "segments",
    }
    # A mount would get past the dependencies of the application.
    assert all(isinstance(route, APIRoute) for route in app.routes)
    paths = [route.path for route in app.routes if isinstance(route, APIRoute)]
    return [re.sub(r"{(.*?)}", lambda found: names[found[1]], path) for path in paths]


# -- who gets an answer -------------------------------------------------------------------------


def test_every_route_asks_for_a_login(stranger: TestClient, publish: Publish) -> None:
    publish()
    publish("segment_map=rf10")
    addresses = routes()
    assert len(addresses) >= 11
    assert {"/", "/static/style.css", "/static/charts.js", f"/static/{VEGA}"} <= set(addresses)
    assert {"/snapshots/2011-12-10/campaigns/Champions"} <= set(addresses)
    for address in addresses:
        answer = stranger.get(address)
        assert answer.status_code == 401, address
        assert "Log in to Airflow" in answer.text
        assert "17850" not in answer.text
        assert "Champions" not in answer.text


@pytest.mark.parametrize("address", ["/docs", "/redoc", "/openapi.json", "/snapshots/", "/static/"])
def test_there_is_nothing_else_to_see_without_a_login(stranger: TestClient, address: str) -> None:
    assert stranger.get(address).status_code == 404


def test_a_login_without_permission_to_read_the_dag_is_not_enough(publish: Publish) -> None:
    from include.pages.app import app, may_read_dag

    def forbid() -> None:
        raise HTTPException(403, "Forbidden")

    publish()
    app.dependency_overrides[may_read_dag] = forbid
    try:
        answers = [TestClient(app).get(address) for address in (PAGE, f"/static/{VEGA}")]
    finally:
        app.dependency_overrides.clear()
    for answer in answers:
        assert answer.status_code == 403
        assert "may read the DAG rfm_segmentation" in answer.text


def test_airflow_decides_for_the_dag_of_this_project(monkeypatch: pytest.MonkeyPatch) -> None:
    from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
    from airflow.api_fastapi.core_api import security
    from airflow.models.dag import DagModel

    from include.pages import app as pages

    asked = []

    class AuthManager:
        def is_authorized_dag(self, *, method: str, details: DagDetails, **_: object) -> bool:
            asked.append((method, details.id))
            return False

    monkeypatch.setattr(security, "get_auth_manager", AuthManager)
    monkeypatch.setattr(DagModel, "get_team_name", lambda dag_id: None)
    for route in pages.app.routes:
        assert isinstance(route, APIRoute)
        assert pages.may_read_dag in [dependency.dependency for dependency in route.dependencies]
    with pytest.raises(HTTPException) as refused:
        pages.may_read_dag(None, None)  # type: ignore[arg-type]
    assert refused.value.status_code == 403
    assert asked == [("GET", "rfm_segmentation")]


# -- which answer -------------------------------------------------------------------------------


def test_a_snapshot_s_page_links_to_all_its_files(reader: TestClient, publish: Publish) -> None:
    publish()
    answer = reader.get(PAGE)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<h1>Customer segments as of 2011-12-10</h1>" in answer.text
    files = answer.text[answer.text.index("<h2>Files</h2>") :]
    assert re.findall(r'<a href="(.*?)" download>', files) == [
        "rfm_df.csv",
        "run.json",
        "segment_summary.csv",
    ]
    for name in ("rfm_df.csv", "run.json", "segment_summary.csv"):
        assert reader.get(f"{PAGE}{name}").status_code == 200


def test_a_file_is_downloaded_as_it_is(reader: TestClient, publish: Publish) -> None:
    folder = publish()
    answer = reader.get(f"{PAGE}rfm_df.csv")
    assert answer.content == (folder / "rfm_df.csv").read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="rfm_df.csv"'


def test_a_report_is_shown_without_an_origin_and_with_its_own_style(
    reader: TestClient, publish: Publish
) -> None:
    (publish() / "report.html").write_text("<!DOCTYPE html><title>a report</title>")
    answer = reader.get(f"{PAGE}report.html")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "content-disposition" not in answer.headers
    policy = answer.headers["content-security-policy"].split("; ")
    assert policy == ["default-src 'none'", "style-src 'unsafe-inline'", "frame-ancestors 'self'", "sandbox"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert '<a href="report.html">report.html</a>' in reader.get(PAGE).text


def test_a_variant_has_a_page_and_files_of_its_own(reader: TestClient, publish: Publish) -> None:
    publish()
    (publish(VARIANT) / "rfm_df.csv").write_text("of the variant")
    assert f"variant {VARIANT}" in reader.get(VARIANT_PAGE).text
    assert "variant" not in reader.get(PAGE).text
    assert reader.get(f"{VARIANT_PAGE}rfm_df.csv").text == "of the variant"
    assert reader.get(f"{PAGE}rfm_df.csv").text != "of the variant"


def test_the_stylesheet_is_found_where_the_pages_are_mounted(reader: TestClient, publish: Publish) -> None:
    from include.pages.app import app
    from include.pipeline import PAGES_PREFIX

    publish()
    publish(VARIANT)
    airflow = FastAPI(root_path="/base")  # as Airflow does it below a path of its host
    airflow.mount(PAGES_PREFIX, app)
    browser = TestClient(airflow)
    for address in (PAGE, VARIANT_PAGE, "/snapshots/2000-01-01/"):
        (url,) = re.findall(
            r'<link rel="stylesheet" href="(.*?)">', browser.get(f"{PAGES_PREFIX}{address}").text
        )
        assert url == "/base/rfm/static/style.css"
        answer = browser.get(url)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")


@pytest.mark.parametrize(
    "address",
    [
        "/snapshots/2011-12-09/",
        "/snapshots/variants/segment_map=rf10/2011-12-10/",
        "/snapshots/2011-12-10/no-such-file.csv",
        "/snapshots/yesterday/",
        "/snapshots/latest/run.json",
    ],
)
def test_what_is_not_published_is_a_404_in_words(reader: TestClient, publish: Publish, address: str) -> None:
    publish()
    answer = reader.get(address)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert re.search(r"<p>(No|The) snapshot .*</p>", answer.text), answer.text


@pytest.mark.parametrize(
    "address",
    [
        "/snapshots/2011-12-10/..",
        "/snapshots/2011-12-10/%2e%2e",
        "/snapshots/2011-12-10/%2e%2e%2f%2e%2e%2fsecret.csv",
        "/snapshots/2011-12-10/..%5csecret.csv",
        "/snapshots/2011-12-10/secret.csv%00",
        "/snapshots/2011-12-10/.versions",
        "/snapshots/2011-12-10/folder",
        "/snapshots/%2e%2e/secret.csv",
        "/snapshots/variants/%2e%2e/2011-12-10/",
        "/snapshots/variants/%2e%2e/2011-12-10/run.json",
        "/snapshots/variants/..%2f../2011-12-10/run.json",
        "/snapshots/variants/a%00b/2011-12-10/run.json",
        "/snapshots/variants/linked/2011-12-10/",
        "/snapshots/variants/linked/2011-12-10/secret.csv",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
    ],
)
def test_no_name_leads_out_of_a_snapshot(
    reader: TestClient, publish: Publish, lake: Lake, tmp_path: Path, address: str
) -> None:
    folder = publish()
    (folder / "folder").mkdir()
    outside = tmp_path / "outside" / "as_of=2011-12-10"
    outside.mkdir(parents=True)
    for place in (outside, lake.root, lake.root / "published"):
        (place / "secret.csv").write_text("secret")
    (outside / RECORD).write_bytes((folder / RECORD).read_bytes())
    (lake.root / "published" / "variants").mkdir()
    (lake.root / "published" / "variants" / "linked").symlink_to(outside.parent)
    answer = reader.get(address)
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace("secret.csv", "")


def test_without_a_lake_the_answer_names_the_variable(
    reader: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RFM_LAKE", raising=False)
    answer = reader.get(PAGE)
    assert answer.status_code == 404
    assert "RFM_LAKE is not set" in answer.text


@pytest.mark.parametrize("damage", ["{", "[]", "{}", '{"format": 99}', b"\xff"])
def test_the_page_of_a_damaged_record_says_what_to_clear(
    reader: TestClient, publish: Publish, damage: str | bytes
) -> None:
    file = publish() / RECORD
    file.write_bytes(damage if isinstance(damage, bytes) else damage.encode())
    answer = reader.get(PAGE)
    assert answer.status_code == 409
    assert "clear the run from `ingest` onwards" in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("damage", [None, b"", b"segment\r\n\xff\r\n"])
def test_the_page_without_a_summary_says_what_to_clear(
    reader: TestClient, publish: Publish, damage: bytes | None
) -> None:
    file = publish() / "segment_summary.csv"
    file.unlink()
    if damage is not None:
        file.write_bytes(damage)
    answer = reader.get(PAGE)
    assert answer.status_code == 409
    assert "clear the run from `publish` onwards" in answer.text


@pytest.mark.parametrize("address", [PAGE, f"{PAGE}rfm_df.csv"])
def test_a_lake_that_may_not_be_read_is_named(
    reader: TestClient, publish: Publish, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    publish()

    def refuse(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    answer = reader.get(address)
    assert answer.status_code == 409
    assert "(Permission denied)" in answer.text


def test_a_bug_shows_no_traceback(
    reader: TestClient, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path) -> None:
        raise RuntimeError("a secret of the code")

    publish()
    monkeypatch.setattr("include.pages.app.read_snapshot", fail)
    answer = reader.get(PAGE)
    assert answer.status_code == 500
    assert "The log of the API server has the reason" in answer.text
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert HEADERS.items() <= dict(answer.headers).items()


# -- headers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "status"),
    [
        (PAGE, 200),
        (f"{PAGE}rfm_df.csv", 200),
        (VARIANT_PAGE, 200),
        (f"{VARIANT_PAGE}run.json", 200),
        ("/static/style.css", 200),
        ("/snapshots/2011-12-10", 307),
        ("/snapshots/2011-12-09/", 404),
        ("/snapshots/x/", 404),
        ("/nowhere", 404),
    ],
)
def test_every_answer_has_the_security_headers(
    reader: TestClient, publish: Publish, address: str, status: int
) -> None:
    publish()
    publish(VARIANT)
    answer = reader.get(address, follow_redirects=False)
    assert answer.status_code == status
    assert HEADERS.items() <= dict(answer.headers).items()


def test_an_answer_to_a_stranger_has_the_security_headers(stranger: TestClient) -> None:
    assert HEADERS.items() <= dict(stranger.get(PAGE).headers).items()
    answer = stranger.post(PAGE)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert HEADERS.items() <= dict(answer.headers).items()


def test_the_page_has_nothing_that_its_policy_forbids(reader: TestClient, publish: Publish) -> None:
    publish()
    text = reader.get(PAGE).text
    assert not re.search(r"<script|<style|\bstyle=|\bon\w+=|<base|<iframe|https?://", text)


# -- hostile text -------------------------------------------------------------------------------


def test_text_of_a_snapshot_s_page_is_escaped(reader: TestClient, publish: Publish) -> None:
    publish(dag_run="<script>1</script>", summary=[["segment", "customers"], ["<b>Champions</b>", "3"]])
    page = reader.get(PAGE).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "<td>&lt;b&gt;Champions&lt;/b&gt;</td><td>3</td>" in page


@pytest.mark.parametrize(
    ("name", "href", "shown"),
    [
        (
            '"><script>1<.csv',
            "%22%3E%3Cscript%3E1%3C.csv",
            "&#34;&gt;&lt;script&gt;1&lt;.csv",
        ),
        ('it\'s "quoted".csv', "it%27s%20%22quoted%22.csv", "it&#39;s &#34;quoted&#34;.csv"),
        ("javascript:alert(1)", "javascript%3Aalert%281%29", "javascript:alert(1)"),
        ("a?b#c 5%&d.csv", "a%3Fb%23c%205%25%26d.csv", "a?b#c 5%&amp;d.csv"),
    ],
)
def test_a_file_s_name_stays_text_and_can_be_downloaded(
    reader: TestClient, publish: Publish, name: str, href: str, shown: str
) -> None:
    (publish() / name).write_text("its content")
    page = reader.get(PAGE).text
    assert f'<a href="{href}" download>{shown}</a> (11 bytes)' in page
    assert "<script>" not in page
    answer = reader.get(f"{PAGE}{href}")
    assert answer.text == "its content"
    assert answer.headers["content-disposition"].startswith("attachment; ")


def test_an_address_in_an_error_stays_text(reader: TestClient, lake: Lake) -> None:
    answer = reader.get("/snapshots/variants/<script>1<%2fscript>/2011-12-10/")
    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_a_damaged_value_in_an_error_stays_text(reader: TestClient, publish: Publish) -> None:
    (publish() / RECORD).write_text(json.dumps({"format": "<script>1</script>"}))
    answer = reader.get(PAGE)
    assert answer.status_code == 409
    assert "&lt;script&gt;" in answer.text
    assert "<script>" not in answer.text
