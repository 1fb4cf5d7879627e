"""Which delivery is newer, and which folder may be a shop's."""

import pytest

from include.lake.deliveries import deliveries, shop_folder
from include.lake.manifest import IngestedFile, ReadPart


def ingested(modified: int, *parts: ReadPart) -> IngestedFile:
    return IngestedFile(batch="i", size=1, modified=modified, rows=1, kept=1, rejects={}, parts=list(parts))


def part(shop_format: str | None, name: str | None = None) -> ReadPart:
    return ReadPart(name=name, shop_format=shop_format, read_as="")


def test_deliveries_are_in_the_order_of_time_then_name_then_place_in_the_file() -> None:
    sheets = [part("shop", sheet) for sheet in ("2010", "2009")]
    files = {"b.csv": ingested(1, part("shop")), "c.csv": ingested(0, part("shop"))}
    files["a.xlsx"] = ingested(1, *sheets, part(None, "notes"))
    assert [(delivery.file, delivery.part) for delivery in deliveries(files)] == [
        ("c.csv", None),
        ("a.xlsx", "2010"),
        ("a.xlsx", "2009"),
        ("b.csv", None),
    ]


@pytest.mark.parametrize(
    ("file", "folder"),
    [("a.csv", ""), ("north/a.csv", "north"), ("north/2024/a.csv", "north"), ("2024-03/a.csv", "")],
)
def test_the_first_folder_may_be_a_shop_unless_it_is_a_date(file: str, folder: str) -> None:
    assert shop_folder(file) == folder
