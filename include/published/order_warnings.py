"""Warnings about invoices that several files have, in sentences with the numbers and what to configure.

`clean` has found them (include/spark/invoices.py); its manifest names them by file.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from include.lake.deliveries import shop_folder
from include.lake.manifest import CleanedManifest, InvoiceFinding
from include.settings import Segmentation

Folders = frozenset[str]
BY_DAY = "put `invoice_is: number_and_day` into the format"


def order_warnings(cleaned: CleanedManifest, settings: Segmentation) -> list[str]:
    """What is doubtful about the invoices of all files. Each invoice is in one of the sentences."""
    found = [
        (shop_folder(name), finding)
        for name, file in sorted(cleaned.files.items())
        for finding in file.findings or ()
    ]
    shops = two_shops(found, cleaned)
    others = [
        finding
        for folder, finding in found
        if not (finding.what == "other_folder" and folders(folder, finding) in shops)
    ]
    newest = settings.invoice_in_several_files == "newest"
    return [
        *(shops_with_equal_numbers(pair, found) for pair in sorted(shops, key=sorted)),
        *in_two_formats([finding for finding in others if finding.what == "other_format"]),
        *repeated([finding for finding in others if finding.what == "repeated"], is_cured=newest),
        *far_apart([finding for finding in others if finding.what == "far_apart"], loses_lines=newest),
        *several_customers([f for f in others if f.what in ("several_customers", "other_folder")]),
    ]


def folders(folder: str, finding: InvoiceFinding) -> Folders:
    return frozenset({folder, finding.older_folder or ""})


def two_shops(found: Iterable[tuple[str, InvoiceFinding]], cleaned: CleanedManifest) -> set[Folders]:
    """The pairs of folders of which one has most of its invoice numbers in the other, for other customers."""
    orders, shared = Counter[str](), Counter[Folders]()
    for name, file in cleaned.files.items():
        orders[shop_folder(name)] += file.orders or 0
    for folder, finding in found:
        if finding.what == "other_folder":
            shared[folders(folder, finding)] += finding.invoices
    return {pair for pair, invoices in shared.items() if 2 * invoices > min(orders[name] for name in pair)}


def shops_with_equal_numbers(pair: Folders, found: Iterable[tuple[str, InvoiceFinding]]) -> str:
    shared = [f for folder, f in found if f.what == "other_folder" and folders(folder, f) == pair]
    invoice = shared[0].example
    names = " and ".join(f"{name}/" if name else "landing/ itself" for name in sorted(pair))
    return (
        f"{total(shared)} in both {names}, with other customers, such as {invoice.invoice_no} in "
        f"{invoice.older_file} and {invoice.file}: if they are two shops, configure `landing:` with "
        f"`shop_from: folder`"
    )


def in_two_formats(found: Sequence[InvoiceFinding]) -> list[str]:
    """The same orders as totals and as lines, say. No configuration cures it."""
    if not found:
        return []
    invoice = found[0].example
    return [
        f"{total(found)} in files of two formats, for the same customer and day, and both count: "
        f"{invoice.invoice_no} is in {invoice.older_file} and {invoice.file}. Set the files of one format "
        f"aside, by an underscore before their names"
    ]


def repeated(found: Sequence[InvoiceFinding], *, is_cured: bool) -> list[str]:
    """Orders that count twice. Files without an equal one continue the invoices of others: these add up."""
    twice = [finding for finding in found if finding.alike]
    if not twice or is_cured:
        return []
    invoice, lines = twice[0].example, sum(finding.lines for finding in twice)
    return [
        f"{total(twice)} in more than one file, and all of their lines count, {lines:,} of them again: "
        f"{invoice.invoice_no} is in {invoice.older_file} and {invoice.file}. If the newest file replaces "
        f"what the others have of an invoice, configure `invoice_in_several_files: newest`"
    ]


def far_apart(found: Sequence[InvoiceFinding], *, loses_lines: bool) -> list[str]:
    if not found:
        return []
    invoice = found[0].example
    lost = ", and only the newest file of each counts" if loses_lines else ""
    days = f"from {invoice.days[0]} to {invoice.days[1]}"
    return [
        f"{total(found)} on days more than a month apart{lost}: {invoice.invoice_no} {days} in "
        f"{places(found[0])}. If numbers start again, as those of a till, {BY_DAY}"
    ]


def several_customers(found: Sequence[InvoiceFinding]) -> list[str]:
    if not found:
        return []
    invoice = found[0].example
    customers = " and ".join(invoice.customers)
    return [
        f"{total(found)} of several customers: {invoice.invoice_no} is of {customers} in {places(found[0])}"
        f". Each of them is counted with an order. If numbers start again, {BY_DAY}"
    ]


def total(found: Iterable[InvoiceFinding]) -> str:
    invoices = sum(finding.invoices for finding in found)
    return "1 invoice number is" if invoices == 1 else f"{invoices:,} invoice numbers are"


def places(finding: InvoiceFinding) -> str:
    older, file = finding.example.older_file, finding.example.file
    return file if older in (None, file) else f"{older} and {file}"
