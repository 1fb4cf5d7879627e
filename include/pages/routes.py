"""The routes of the pages. The application adds the authorization to each of them."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi import Path as PathParameter
from fastapi.responses import HTMLResponse, StreamingResponse

from include.pages import layout
from include.pages.addresses import Addresses
from include.pages.chosen import Chosen, chosen_snapshot, snapshot_at
from include.pages.customer import LAST, AskedCustomer, customer_csv, read_customer_page
from include.pages.movement import (
    LEFT,
    Asked,
    Pair,
    earlier_snapshots,
    movement_csv,
    pair_of,
    read_movement_page,
)
from include.pages.overview import REJECTS, SEGMENTS, overview_csv, read_overview
from include.pages.quality import quality_csv, read_quality
from include.pages.segment import find_segment, read_segment_page, segments_of
from include.pages.sorting import View
from include.pages.trends import read_trends, trends_csv
from include.published.catalog import VARIANT, SnapshotName
from include.published.customers import segment_csv

router = APIRouter()
Variant = Annotated[str, PathParameter(pattern=f"^{VARIANT}$")]
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


def query_of(request: Request) -> dict[str, str]:
    return dict(request.query_params)


QueryOf = Annotated[dict[str, str], Depends(query_of)]


def view_of(page: str, here: Addresses, chosen: Chosen, query: dict[str, str]) -> View:
    """How the tables of a page are wanted. Its links keep the snapshot when there is a newer one."""
    return View(here.page(page), here.page(page or "overview"), query | {"snapshot": str(chosen.name)})


@router.get("/")
def overview(here: Here, chosen: ByQuery, query: QueryOf) -> HTMLResponse:
    content = read_overview(chosen.folder)
    view = view_of("", here, chosen, query)
    html = layout.page(
        "overview",
        here,
        "",
        chosen=chosen,
        overview=content,
        segments=SEGMENTS.shown(view, content.segments),
        rejects=REJECTS.shown(view, content.rejects),
    )
    return HTMLResponse(html)


@router.get("/overview/{table}.csv")
def overview_file(here: Here, chosen: ByQuery, query: QueryOf, table: str) -> StreamingResponse:
    lines = overview_csv(read_overview(chosen.folder), view_of("", here, chosen, query), table)
    return download(lines, f"{table} {chosen.name}")


# -- movement -----------------------------------------------------------------------------------


def pair_by_query(chosen: ByQuery, before: str | None = None) -> Pair | None:
    return pair_of(chosen, before)


def asked_by_query(group: str = LEFT, was: str | None = None, now: str | None = None) -> Asked:
    return Asked(group, was, now)


PairByQuery = Annotated[Pair | None, Depends(pair_by_query)]
AskedByQuery = Annotated[Asked, Depends(asked_by_query)]


@router.get("/movement")
def movement(
    here: Here, chosen: ByQuery, pair: PairByQuery, wanted: AskedByQuery, query: QueryOf
) -> HTMLResponse:
    content = None
    if pair:
        pinned = query | {"before": str(pair.before.name)}
        content = read_movement_page(pair, wanted, view_of("movement", here, chosen, pinned))
    html = layout.page(
        "movement",
        here,
        "movement",
        chosen=chosen,
        pair=pair,
        earlier=earlier_snapshots(chosen),
        movement=content,
    )
    return HTMLResponse(html)


@router.get("/movement/{table}.csv")
def movement_file(
    here: Here, pair: PairByQuery, wanted: AskedByQuery, query: QueryOf, table: str
) -> StreamingResponse:
    if pair is None:
        raise HTTPException(404, "There is no earlier snapshot to compare this one with.")
    of = "movement" if table == "matrix" else " to ".join(wanted.query.values())
    lines = movement_csv(pair, wanted, view_of("movement", here, pair.chosen, query), table)
    return download(lines, f"{of} {pair.before.name.as_of} {pair.chosen.name}")


# -- trends and quality -------------------------------------------------------------------------


@router.get("/trends")
def trends(here: Here, chosen: ByQuery, query: QueryOf) -> HTMLResponse:
    content = read_trends(chosen, view_of("trends", here, chosen, query))
    return HTMLResponse(layout.page("trends", here, "trends", chosen=chosen, trends=content))


@router.get("/trends.csv")
def trends_file(chosen: ByQuery) -> StreamingResponse:
    return download(trends_csv(chosen), f"trends {chosen.name.variant or ''}".strip())


@router.get("/quality")
def quality(here: Here, chosen: ByQuery, query: QueryOf) -> HTMLResponse:
    content = read_quality(chosen, view_of("quality", here, chosen, query))
    return HTMLResponse(layout.page("quality", here, "quality", chosen=chosen, quality=content))


@router.get("/quality/{table}.csv")
def quality_file(here: Here, chosen: ByQuery, query: QueryOf, table: str) -> StreamingResponse:
    lines = quality_csv(chosen, view_of("quality", here, chosen, query), table)
    return download(lines, f"{table} {chosen.name}")


# -- customers of a segment ---------------------------------------------------------------------


@router.get("/snapshots/{as_of}/segments/{segment:path}")
def segment(here: Here, chosen: ByPath, segment: str, query: QueryOf) -> HTMLResponse:
    return segment_page(here, chosen, segment, query)


@router.get("/snapshots/variants/{variant}/{as_of}/segments/{segment:path}")
def variant_segment(here: Here, chosen: VariantByPath, segment: str, query: QueryOf) -> HTMLResponse:
    return segment_page(here, chosen, segment, query)


def segment_page(here: Addresses, chosen: Chosen, segment: str, query: dict[str, str]) -> HTMLResponse:
    view = View(here.segment(chosen.name, segment), "", query)
    content = read_segment_page(chosen, segment, view)
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


def asked_customer(
    customer_id: CustomerId = None, every_date: bool = False, orders: bool = False
) -> AskedCustomer:
    return AskedCustomer((customer_id or "").strip(), every_date, orders)


AskedById = Annotated[AskedCustomer, Depends(asked_customer)]


@router.get("/customer")
def customer(here: Here, chosen: ByQuery, wanted: AskedById, query: QueryOf) -> HTMLResponse:
    view = view_of("customer", here, chosen, query)
    content = read_customer_page(chosen, wanted, view) if wanted.customer_id else None
    html = layout.page("customer", here, "customer", chosen=chosen, wanted=wanted, content=content, most=LAST)
    return HTMLResponse(html, 404 if wanted.customer_id and content is None else 200)


@router.get("/customer/{table}.csv")
def customer_file(
    here: Here, chosen: ByQuery, wanted: AskedById, query: QueryOf, table: str
) -> StreamingResponse:
    lines = customer_csv(chosen, wanted, view_of("customer", here, chosen, query), table)
    if lines is None:
        raise HTTPException(404, f"No customer has this id in the snapshot {chosen.name}.")
    return download(lines, f"{table} of {wanted.customer_id} {chosen.name}")
