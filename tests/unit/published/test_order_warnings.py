"""Warnings about invoices that several files have."""

from datetime import date

import pytest

from include.lake.manifest import CleanedFile, CleanedManifest, InvoiceExample, InvoiceFinding
from include.published.order_warnings import order_warnings
from include.settings import RunConfig, Segmentation

SAME_DAY = (date(2024, 3, 1), date(2024, 3, 1))
FAR_APART = (date(2024, 1, 2), date(2024, 3, 1))


@pytest.fixture
def settings(config: RunConfig) -> Segmentation:
    return config.settings


def finding(what: str, **given: object) -> InvoiceFinding:
    example = InvoiceExample(
        invoice_no="1001", older_file="a.csv", file="b.csv", customers=("ann", "bob"), days=SAME_DAY
    )
    values = {"what": what, "older_folder": "", "invoices": 2, "lines": 5, "alike": 2, "example": example}
    return InvoiceFinding.model_validate(values | given)


def warnings(settings: Segmentation, **files: list[InvoiceFinding]) -> list[str]:
    """The warnings about files, each with four orders. `north_a` is the file north/a."""
    entries = {
        name.replace("_", "/"): CleanedFile(
            batch="c",
            ingested_batch="i",
            kept=9,
            rejects={},
            countries=[],
            needs_decimal=False,
            orders=4,
            findings=found or None,
        )
        for name, found in files.items()
    }
    return order_warnings(CleanedManifest(files=entries), settings)


def test_files_without_doubtful_invoices_have_no_warning(settings: Segmentation) -> None:
    assert warnings(settings, a=[], b=[]) == []


def test_orders_in_two_formats_are_a_warning_with_what_to_do(settings: Segmentation) -> None:
    (sentence,) = warnings(settings, a=[], b=[finding("other_format")])
    assert sentence.startswith("2 invoice numbers are in files of two formats")
    assert "1001 is in a.csv and b.csv" in sentence
    assert "Set the files of one format aside" in sentence


def test_repeated_invoices_of_all_files_are_one_warning(settings: Segmentation) -> None:
    third = finding("repeated", invoices=1, lines=3)
    assert warnings(settings, a=[], b=[finding("repeated")], c=[third]) == [
        "3 invoice numbers are in more than one file, and all of their lines count, 8 of them again: 1001 is "
        "in a.csv and b.csv. If the newest file replaces what the others have of an invoice, configure "
        "`invoice_in_several_files: newest`"
    ]


def test_invoices_that_continue_in_the_next_file_are_no_repetition(settings: Segmentation) -> None:
    assert warnings(settings, b=[finding("repeated", alike=0)]) == []


def test_repeated_invoices_are_no_warning_where_the_newest_file_owns_them(settings: Segmentation) -> None:
    newest = settings.model_copy(update={"invoice_in_several_files": "newest"})
    assert warnings(newest, b=[finding("repeated")]) == []


def test_numbers_that_start_again_are_a_warning(settings: Segmentation) -> None:
    example = finding("far_apart").example.model_copy(update={"days": FAR_APART})
    (sentence,) = warnings(settings, b=[finding("far_apart", example=example)])
    assert sentence == (
        "2 invoice numbers are on days more than a month apart: 1001 from 2024-01-02 to 2024-03-01 in a.csv "
        "and b.csv. If numbers start again, as those of a till, put `invoice_is: number_and_day` into the "
        "format"
    )
    newest = settings.model_copy(update={"invoice_in_several_files": "newest"})
    (sentence,) = warnings(newest, b=[finding("far_apart")])
    assert "a month apart, and only the newest file of each counts: 1001" in sentence


def test_a_number_with_several_customers_is_a_warning(settings: Segmentation) -> None:
    alone = finding("several_customers").example.model_copy(update={"older_file": None})
    found = finding("several_customers", older_folder=None, invoices=1, example=alone)
    assert warnings(settings, b=[found]) == [
        "1 invoice number is of several customers: 1001 is of ann and bob in b.csv. Each of them is counted "
        "with an order. If numbers start again, put `invoice_is: number_and_day` into the format"
    ]


@pytest.mark.parametrize(("invoices", "are_shops"), [(3, True), (2, False)], ids=["most", "half"])
def test_two_folders_with_the_same_numbers_are_two_shops_and_warned_about_once(
    settings: Segmentation, invoices: int, are_shops: bool
) -> None:
    """Each folder has four orders."""
    shared = finding("other_folder", older_folder="north", invoices=invoices)
    (sentence,) = warnings(settings, north_a=[], south_a=[shared])
    assert sentence.startswith(
        "3 invoice numbers are in both north/ and south/, with other customers, such as 1001 in a.csv and "
        "b.csv: if they are two shops, configure `landing:` with `shop_from: folder`"
        if are_shops
        else "2 invoice numbers are of several customers"
    )
