"""The addresses of the pages."""

from datetime import date

import pytest

from include.pages.addresses import Addresses
from include.published.catalog import SnapshotName

HERE = Addresses("/base/rfm")
DAY = SnapshotName(date(2011, 12, 10))
VARIANT = SnapshotName(date(2011, 12, 10), "lookback_days=90,segment_map=rf10")


def test_a_page_keeps_the_snapshot_and_leaves_out_what_is_not_asked_for() -> None:
    assert HERE.page("") == "/base/rfm/"
    assert HERE.page("movement", DAY, before=None, page=2) == "/base/rfm/movement?snapshot=2011-12-10&page=2"


def test_a_variant_has_a_folder_of_its_own() -> None:
    assert HERE.snapshot(DAY) == "/base/rfm/snapshots/2011-12-10/"
    folder = "/base/rfm/snapshots/variants/lookback_days=90,segment_map=rf10/2011-12-10/"
    assert HERE.snapshot(VARIANT) == folder


@pytest.mark.parametrize(
    ("segment", "quoted"),
    [
        ("Can't Lose Them", "Can%27t%20Lose%20Them"),
        ("A/B", "A%2FB"),
        ("100%?#&", "100%25%3F%23%26"),
        ('"><script>', "%22%3E%3Cscript%3E"),
    ],
)
def test_the_name_of_a_segment_is_quoted(segment: str, quoted: str) -> None:
    assert HERE.segment(DAY, segment, page=2) == f"/base/rfm/snapshots/2011-12-10/segments/{quoted}?page=2"
    assert HERE.segment_csv(DAY, segment) == f"/base/rfm/snapshots/2011-12-10/campaigns/{quoted}"


def test_an_id_is_quoted() -> None:
    assert HERE.page("customer", id="=a&b") == "/base/rfm/customer?id=%3Da%26b"
