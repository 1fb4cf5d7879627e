"""The routes of the pages. The application adds the authorization to each of them."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, StreamingResponse

from include.lake.record import read_run_record
from include.pages import layout
from include.pages.addresses import Addresses
from include.pages.chosen import Chosen, chosen_snapshot, snapshot_at
from include.pages.customer import LAST, read_customer_page
from include.pages.movement import (
    LEFT,
    Asked,
    Pair,
    earlier_snapshots,
    movement_csv,
    pair_of,
    read_movement_page,
)
from include.pages.overview import read_overview
from include.pages.quality import (
    SHOWN,
    files_csv,
    read_files_page,
    read_quality,
    runs_csv,
)
from include.pages.segment import asked, find_segment, read_segment_page, segments_of
from include.pages.trends import read_trends, trends_csv
from include.published.catalog import VARIANT, SnapshotName
from include.published.customers import segment_csv

router = APIRouter()
Variant = Annotated[str, PathParameter(pattern=f"^{VARIANT}$")]
PageNumber = Annotated[int, Query(ge=1)]
CustomerId = Annotated[str | None, Query(alias="id", max_length=200)]


def addresses_of(request: Request) -> Addresses:
    return Addresses(request.scope.get("root_path", ""))


def chosen_by_query(snapshot: str | None = None) -> Chosen:
    return chosen_snapshot(snapshot)


def chosen_by_path(as_of: date) -> Chosen:
    return snapshot_at(SnapshotName(as_of))


def chosen_variant_by_path(variant: Variant, as_of: date) -> Chosen:
    return snapshot_at(SnapshotName(as_of, variant))


Here = Annotated[Addresses, Depends(addresses_of)]
ByQuery = Annotated[Chosen, Depends(chosen_by_query)]
ByPath = Annotated[Chosen, Depends(chosen_by_path)]
VariantByPath = Annotated[Chosen, Depends(chosen_variant_by_path)]


@router.get("/")
def overview(here: Here, chosen: ByQuery) -> HTMLResponse:
    content = read_overview(chosen.folder)
    return HTMLResponse(layout.page("overview", here, "", chosen=chosen, overview=content))


# -- movement -----------------------------------------------------------------------------------


def pair_by_query(chosen: ByQuery, before: str | None = None) -> Pair | None:
    return pair_of(chosen, before)


def asked_by_query(group: str = LEFT, was: str | None = None, now: str | None = None) -> Asked:
    return Asked(group, was, now)


PairByQuery = Annotated[Pair | None, Depends(pair_by_query)]
AskedByQuery = Annotated[Asked, Depends(asked_by_query)]


@router.get("/movement")
def movement(
    here: Here, chosen: ByQuery, pair: PairByQuery, wanted: AskedByQuery, page: PageNumber = 1
) -> HTMLResponse:
    content = read_movement_page(pair, wanted, page) if pair else None
    html = layout.page(
        "movement",
        here,
        "movement",
        chosen=chosen,
        pair=pair,
        earlier=earlier_snapshots(chosen),
        movement=content,
        asked=wanted,
    )
    return HTMLResponse(html)


@router.get("/movement.csv")
def movement_file(chosen: ByQuery, pair: PairByQuery, wanted: AskedByQuery) -> StreamingResponse:
    if pair is None:
        raise HTTPException(404, f"There is no earlier snapshot to compare {chosen.name} with.")
    title = f"{' to '.join(wanted.query.values())} {pair.before.name.as_of} {chosen.name}"
    return download(movement_csv(pair, wanted), title)


# -- trends and quality -------------------------------------------------------------------------


@router.get("/trends")
def trends(here: Here, chosen: ByQuery) -> HTMLResponse:
    return HTMLResponse(layout.page("trends", here, "trends", chosen=chosen, trends=read_trends(chosen)))


@router.get("/trends.csv")
def trends_file(chosen: ByQuery) -> StreamingResponse:
    return download(trends_csv(chosen), f"trends {chosen.name.variant or ''}".strip())


@router.get("/quality")
def quality(here: Here, chosen: ByQuery, sort: str = "-modified", page: PageNumber = 1) -> HTMLResponse:
    content = read_quality(chosen)
    files = read_files_page(content.record, sort, page)
    html = layout.page("quality", here, "quality", chosen=chosen, quality=content, files=files, most=SHOWN)
    return HTMLResponse(html)


@router.get("/quality/files.csv")
def quality_files(chosen: ByQuery) -> StreamingResponse:
    return download(files_csv(read_run_record(chosen.folder)), f"files {chosen.name}")


@router.get("/quality/runs.csv")
def quality_runs(chosen: ByQuery) -> StreamingResponse:
    return download(runs_csv(chosen), f"runs {chosen.name.variant or ''}".strip())


# -- customers of a segment ---------------------------------------------------------------------


@router.get("/snapshots/{as_of}/segments/{segment:path}")
def segment(
    here: Here, chosen: ByPath, segment: str, sort: str = "-monetary", page: PageNumber = 1
) -> HTMLResponse:
    return segment_page(here, chosen, segment, sort, page)


@router.get("/snapshots/variants/{variant}/{as_of}/segments/{segment:path}")
def variant_segment(
    here: Here, chosen: VariantByPath, segment: str, sort: str = "-monetary", page: PageNumber = 1
) -> HTMLResponse:
    return segment_page(here, chosen, segment, sort, page)


def segment_page(here: Addresses, chosen: Chosen, segment: str, sort: str, page: int) -> HTMLResponse:
    content = read_segment_page(chosen, segment, asked(sort, page))
    return HTMLResponse(layout.page("segment", here, chosen=chosen, content=content))


@router.get("/snapshots/{as_of}/campaigns/{segment:path}")
def campaign(chosen: ByPath, segment: str) -> StreamingResponse:
    return campaign_file(chosen, segment)


@router.get("/snapshots/variants/{variant}/{as_of}/campaigns/{segment:path}")
def variant_campaign(chosen: VariantByPath, segment: str) -> StreamingResponse:
    return campaign_file(chosen, segment)


def campaign_file(chosen: Chosen, segment: str) -> StreamingResponse:
    found = find_segment(segments_of(chosen), segment)
    return download(segment_csv(chosen.folder, found.name), f"{found.name} {chosen.name}")


def download(lines: Iterator[bytes], title: str) -> StreamingResponse:
    """A CSV file, as it is made. Its first lines are made before the answer starts, so that an error is
    still a page."""
    first = [next(lines), next(lines, b"")]
    name = re.sub(r"[^A-Za-z0-9=-]+", "-", title)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(chained(first, lines), headers=headers, media_type="text/csv; charset=utf-8")


def chained(first: list[bytes], rest: Iterator[bytes]) -> Iterator[bytes]:
    yield from first
    yield from rest


# -- one customer -------------------------------------------------------------------------------


@router.get("/customer")
def customer(
    here: Here, chosen: ByQuery, customer_id: CustomerId = None, every_date: bool = False
) -> HTMLResponse:
    wanted = (customer_id or "").strip()
    content = read_customer_page(chosen, wanted, every_date=every_date) if wanted else None
    html = layout.page(
        "customer",
        here,
        "customer",
        chosen=chosen,
        wanted=wanted,
        content=content,
        every_date=every_date,
        most=LAST,
    )
    return HTMLResponse(html, 404 if wanted and content is None else 200)
