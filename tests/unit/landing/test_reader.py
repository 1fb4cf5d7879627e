"""The rules of reading: what a line is typed as, or why it is rejected."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from include.landing.complete_pass import complete_pass
from include.landing.fast_pass import fast_pass
from include.landing.line_values import TYPED, ReadingRules
from include.landing.part_lines import added_up, parts_of_lines
from include.landing.reader import records_of_alike_files, typed_lines
from include.settings import RunConfig
from tests.tables import HEADER, LinesByFile, csv_bytes, formatted_file, land, line, read, whole

# The fields of a line that are not the usual ones, and why it is rejected.
REASONS: list[tuple[dict[str, str], str | None]] = [
    ({}, None),
    ({"quantity": "6.0"}, None),
    ({"quantity": "1e2"}, None),
    ({"quantity": "0.350"}, None),
    ({"quantity": "0.3505"}, "quantity_unreadable"),
    ({"quantity": "six"}, "quantity_unreadable"),
    ({"quantity": ""}, "quantity_unreadable"),
    ({"quantity": "2147483648"}, "quantity_unreadable"),
    ({"quantity": "9" * 30}, "quantity_unreadable"),
    ({"price": "0.001"}, None),
    ({"price": "0.00001"}, "unit_price_unreadable"),
    ({"price": "2.5500000"}, None),
    ({"price": "GBP 2"}, None),
    ({"price": "two"}, "unit_price_unreadable"),
    ({"price": "2;55"}, "unit_price_unreadable"),
    ({"price": "nan"}, "unit_price_unreadable"),
    ({"quantity": "2400", "price": "5012345678900"}, "amount_out_of_range"),
    ({"quantity": "-2147483648", "price": "99999999999999.9999"}, "amount_out_of_range"),
    ({"quantity": "1", "price": "999999999999.9999"}, None),
    ({"quantity": "1", "price": "1000000000000"}, "amount_out_of_range"),
    ({"date": "12/1/2010 8:26"}, None),
    ({"date": "2010-12-01T08:26:00"}, None),
    ({"date": "2010-02-30 08:26:00"}, "invoice_date_unreadable"),
    ({"date": ""}, "invoice_date_unreadable"),
    ({"date": "12/13/2010 8:26"}, None),
    ({"date": "13/12/2010 8:26"}, "invoice_date_unreadable"),
    ({"customer": "1.785E+04"}, "customer_id_damaged"),
    ({"country": "UK,more"}, "wrong_number_of_fields"),
    ({"text": '"half a quote'}, "wrong_number_of_fields"),
    ({"text": '"A ""T"" LIGHT, RED"'}, None),
]

# The fields of a line that are not the usual ones, and its type.
TYPES: list[tuple[dict[str, str], str]] = [
    ({}, "purchase"),
    ({"invoice": "C536365"}, "cancellation"),
    ({"invoice": "c536365", "quantity": "-1", "price": "0"}, "cancellation"),
    ({"customer": "n/a", "quantity": "-1"}, "missing_customer"),
    ({"invoice": "A536365"}, "unknown_invoice_type"),
    ({"invoice": "A536365", "customer": ""}, "unknown_invoice_type"),
    ({"invoice": "CA-2024-1"}, "unknown_invoice_type"),
    ({"quantity": "-6"}, "cancellation"),
    ({"invoice": '"536365\n"'}, "unknown_invoice_type"),
    ({"invoice": "536365\u0085"}, "unknown_invoice_type"),
    ({"customer": "\t"}, "missing_customer"),
    ({"quantity": "0"}, "quantity_not_positive"),
    ({"price": "0"}, "price_not_positive"),
    ({"price": "0", "quantity": "-1"}, "price_not_positive"),
    ({"date": "2010-12-01T08:26:00"}, "purchase"),
    ({"date": "2010-12-01T08:26:00", "customer": ""}, "missing_customer"),
    ({"date": "soon"}, "other"),
]

CASES = [fields for fields, _ in [*REASONS, *TYPES]]


def key(fields: Mapping[str, str]) -> str:
    return str(dict(fields))


@pytest.fixture(scope="module")
def rows(config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The typed line of each case, in a file of its own."""
    folder = tmp_path_factory.mktemp("landing")
    names = {f"{number:03}.csv": fields for number, fields in enumerate(CASES)}
    for name, fields in names.items():
        land(folder, name, csv_bytes(line(**fields)))
    found = read(config, folder)
    assert {len(lines) for lines in found.values()} == {1}
    return {key(names[name]): lines[0] for name, lines in found.items()}


@pytest.fixture
def landed(config: RunConfig, tmp_path: Path) -> LinesByFile:
    """The lines of a few files, by file."""
    columns = ["Country", "Note", *HEADER.split(",")[:-1]]
    land(
        tmp_path,
        "semicolons.csv",
        (";".join(columns) + "\nEIRE;x;536365;A;B;6;2010-12-01 08:26:00;2.55;17850\n").encode(),
    )
    texts = ['"A ""T"" LIGHT, RED"', "", '""']
    land(tmp_path, "quotes.csv", csv_bytes(*[line(text=text) for text in texts]))
    ids = ["17850.0", "17850", " 17850 ", "17850.5", "C-0042", "0042"]
    land(tmp_path, "ids.csv", csv_bytes(*[line(customer=given) for given in ids]))
    return read(config, tmp_path)


# -- the rules ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("fields", "reason"), REASONS, ids=str)
def test_a_line_is_typed_or_rejected_with_the_first_reason_that_applies(
    rows: dict[str, dict[str, Any]], fields: dict[str, str], reason: str | None
) -> None:
    row = rows[key(fields)]
    assert (row["reason"], row["outcome"]) == (reason, "rejected" if reason else "kept")


@pytest.mark.parametrize(("fields", "reason"), REASONS, ids=str)
def test_a_reject_keeps_its_text_and_of_a_kept_line_file_and_line_tell_where_it_is(
    rows: dict[str, dict[str, Any]], fields: dict[str, str], reason: str | None
) -> None:
    assert rows[key(fields)]["raw"] == (line(**fields) if reason else None)


@pytest.mark.parametrize(("fields", "line_type"), TYPES, ids=str)
def test_a_line_has_one_type(rows: dict[str, dict[str, Any]], fields: dict[str, str], line_type: str) -> None:
    assert rows[key(fields)]["line_type"] == line_type


@pytest.mark.parametrize(("fields", "line_type"), TYPES, ids=str)
def test_a_line_that_clean_rejects_by_its_type_keeps_its_text(
    rows: dict[str, dict[str, Any]], fields: dict[str, str], line_type: str
) -> None:
    decided = line_type in ("purchase", "cancellation")
    assert rows[key(fields)]["raw"] == (None if decided else line(**fields))


def test_columns_are_found_by_name_in_any_order_and_with_another_delimiter(landed: LinesByFile) -> None:
    (row,) = landed["semicolons.csv"]
    assert (row["country"], row["invoice_no"], row["unit_price"]) == ("EIRE", "536365", Decimal("2.5500"))


def test_quoted_text_is_read_by_rfc_4180(landed: LinesByFile) -> None:
    rows = landed["quotes.csv"]
    assert [row["description"] for row in rows] == ['A "T" LIGHT, RED', "", ""]
    assert [row["outcome"] for row in rows] == ["kept"] * 3


def test_customer_ids_are_normalised(landed: LinesByFile) -> None:
    ids = [row["customer_id"] for row in landed["ids.csv"]]
    assert ids == ["17850", "17850", "17850", "17850.5", "C-0042", "0042"]


def test_the_first_folder_is_the_shop_where_it_is_configured(config: RunConfig, tmp_path: Path) -> None:
    from_folder = config.settings.landing.model_copy(update={"shop_from": "folder"})
    settings = config.settings.model_copy(update={"landing": from_folder})
    for name in ("a.csv", "north/a.csv", "south/2024/a.csv"):
        land(tmp_path, name, csv_bytes(line(invoice="1001"), line(invoice="C1", customer="")))
    found = read(config.model_copy(update={"settings": settings}), tmp_path)
    assert {
        name: [(row["invoice_no"], row["customer_id"], row["line_type"]) for row in rows]
        for name, rows in found.items()
    } == {
        "a.csv": [("1001", "17850", "purchase"), ("C1", None, "missing_customer")],
        "north/a.csv": [("north/1001", "north/17850", "purchase"), ("north/C1", None, "missing_customer")],
        "south/2024/a.csv": [
            ("south/1001", "south/17850", "purchase"),
            ("south/C1", None, "missing_customer"),
        ],
    }


INVOICES = [
    ("5001", "5001", "purchase"),
    ("5001.0", "5001", "purchase"),
    ('"=""5001"""', "5001", "purchase"),
    ("CA-2024-1", "CA-2024-1", "purchase"),
    ("2.0240301E+13", "2.0240301E+13", "unknown_invoice_type"),
    ("nan", "nan", "unknown_invoice_type"),
    ("", "", "unknown_invoice_type"),
]


def test_where_any_invoice_number_buys_one_without_its_digits_is_none(
    config: RunConfig, tmp_path: Path
) -> None:
    rows = [f"{written},2,2.50,2024-03-01,C-1" for written, _, _ in INVOICES]
    land(tmp_path, "a.csv", csv_bytes(*rows, header="Order ID,Qty,Unit Price,Order Date,Client ID"))
    found = [(row["invoice_no"], row["line_type"]) for row in read(config, tmp_path)["a.csv"]]
    assert found == [(number, line_type) for _, number, line_type in INVOICES]


def test_a_row_without_order_and_product_belongs_to_no_order(config: RunConfig, tmp_path: Path) -> None:
    header = "Name,Email,Financial Status,Created at,Lineitem quantity,Lineitem name,Lineitem price"
    rows = ["#1,a@b.c,paid,2026-03-01,2,Soap,6.00", ",,,,1,Towel,14.00", ",,,,3,,20.00"]
    land(tmp_path, "a.csv", csv_bytes(*rows, header=header))
    assert [row["invoice_no"] for row in read(config, tmp_path)["a.csv"]] == ["#1", "#1", None]


# -- the fast pass ------------------------------------------------------------------------------

QUANTITIES = [
    "6",
    "+6",
    "-6",
    " 6 ",
    "6\t",
    "06",
    "6.0",
    "6e0",
    "6,0",
    "",
    "-0",
    "2147483647",
    "2147483648",
    "100000",
    "-100001",
    "0.350",
    "1-",
    "(3)",
    "1,000",
    "٣",
]
PRICES = ["2.55", "2.55555", "2.5500000", ".5", "5.", "1e2", "1E2", "1,234.5", "-0", "+2.5", "\t2.5", "2.5 5",
          "0000000000001.5", "10000000", "10000000.1", "£2.55", "2,55", "1.250", "2.55-", "-10000001",
          "12345678901234.5678", "99999999999999.9999", "1.", ".", "", "-", "NaN",
          "2.5.5"]  # fmt: skip
TIMES = ["2010-12-01 08:26:00", "2010-12-01T08:26:00", "2010-12-01 08:26:0Z", "2010-12-01 08:26:.5",
         "+010-12-01 08:26:00", "2010-13-01 08:26:00", "2010-12-01 24:00:00", "2010-12-01 08:60:00",
         "2011-02-29 08:26:00", "2012-02-29 08:26:00", "1979-12-31 23:59:59", "2099-12-31 23:59:59",
         "2100-01-01 00:00:00", "2010-12-01  8:26:00", "2010-12-01 08:26:00Z", "20101201", ""]  # fmt: skip


def test_a_line_that_the_fast_pass_keeps_is_typed_as_by_the_complete_one(
    config: RunConfig, tmp_path: Path
) -> None:
    spelled = [{"quantity": f'"{text}"' if "," in text else text} for text in QUANTITIES]
    spelled += [{"price": f'"{text}"' if "," in text else text} for text in PRICES]
    spelled += [{"date": text} for text in TIMES]
    spelled += [{"quantity": text, "price": "1000000"} for text in ("99999", "100000", "-99999")]
    path = land(tmp_path, "a.csv", csv_bytes(*[line(**one) for one in spelled]))
    file = formatted_file(config, path)
    rules = ReadingRules.of(config.settings)
    ((form, found),) = records_of_alike_files([whole(file)])
    assert form.header
    usual, others = fast_pass(found, form, form.header, rules)
    assert usual.height > 10
    assert usual.height + others.height == len(spelled)
    complete = complete_pass(found, form, rules).filter(pl.col("line").is_in(usual["line"].implode()))
    assert usual.select(TYPED).sort("line").equals(complete.select(TYPED).sort("line"))


@pytest.mark.parametrize("price", ["7.50", "2.5500", "0.350", "1250.125", "7.", "1.250"])
def test_both_passes_find_the_same_proof_of_decimals(config: RunConfig, tmp_path: Path, price: str) -> None:
    prices = ["1.250"] * 5 + [price] + ["1.250"] * 30
    file = formatted_file(config, land(tmp_path, "a.csv", csv_bytes(*[line(price=text) for text in prices])))
    rules = ReadingRules.of(config.settings)
    ((form, found),) = records_of_alike_files([whole(file)])
    assert form.header
    usual, others = fast_pass(found, form, form.header, rules)
    assert others.is_empty()
    complete = complete_pass(found, form, rules)
    assert ("point" in usual["marks"]) == ("point" in complete["marks"])


def test_what_a_file_proves_is_said_by_its_first_line_whichever_pass_reads_that(
    config: RunConfig, tmp_path: Path
) -> None:
    """The passes leave their lines one after the other, each from the first line of the file on."""
    odd = line(text='"JAM, JAR"')
    path = land(
        tmp_path, "a.csv", csv_bytes(odd, line(price="2.5500000"), line(), odd, line(price="1e2"), line())
    )
    lines = typed_lines([whole(formatted_file(config, path))], ReadingRules.of(config.settings))
    (part,) = added_up(part for some in lines for part in parts_of_lines(some))
    assert part.proofs == {"point": 2}
