"""The gates of `publish`: whether a snapshot may be published, or why not (checks.py), with a line of the
data that shows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from include.errors import InputError
from include.lake.paths import Lake
from include.lake.record import InputFile, VersionRecord
from include.published.checks import (
    amount_refusals,
    currency_refusals,
    date_refusals,
    nobody_counts,
    nothing_kept,
    reject_refusals,
)
from include.published.examples import Example, Refusal, read_example
from include.published.figures import CustomerFigures, files_judged_before
from include.published.orders import purchase_days
from include.published.refusals import message
from include.settings import Segmentation


@dataclass(frozen=True)
class Candidate:
    """A snapshot that is to be published, and what it was made from."""

    lake: Lake
    as_of: date
    settings: Segmentation
    made_by: VersionRecord
    files: Mapping[str, InputFile]


def check_somebody_counts(candidate: Candidate) -> None:
    """Raises InputError for an empty snapshot, which no param lets through."""
    settings, made_by = candidate.settings, candidate.made_by
    if not made_by.stages["clean"].rows_out:
        refusal = nothing_kept(candidate.files)
        raise InputError(message([refusal], example_of(refusal, candidate), settings, anyway=False))
    if not made_by.stages["segment"].rows_out:
        orders = candidate.lake.orders(settings.clean_fingerprint)
        days = purchase_days(orders, made_by.cleaned.orders)
        raise nobody_counts(candidate.as_of, settings.lookback_days, days)


def pass_gates(candidate: Candidate, customers: CustomerFigures, *, anyway: bool) -> list[str]:
    """The refusals that this run lets through, or an earlier one has: a warning each. Raises InputError where
    there is a new one, unless the run publishes `anyway`."""
    settings, files = candidate.settings, candidate.files
    others = [
        *currency_refusals(files),
        *date_refusals(files, ZoneInfo(settings.time_zone)),
        *amount_refusals(customers.less_than_nothing),
    ]
    # As if all files were new, so that the words do not depend on the runs before.
    found = [*reject_refusals(files, {}, settings), *others]
    if found and not anyway:
        before = files_judged_before(candidate.lake)
        if new := [*reject_refusals(files, before, settings), *others]:
            raise InputError(message(new, example_of(new[0], candidate), settings))
    return [f"published anyway: {refusal.problem}" for refusal in found]


def example_of(refusal: Refusal, candidate: Candidate) -> Example | None:
    lake, settings = candidate.lake, candidate.settings
    stages = lake.ingested(settings.ingest_fingerprint), lake.cleaned(settings.clean_fingerprint)
    return read_example(refusal, candidate.made_by.cleaned, stages, lake.landing)
