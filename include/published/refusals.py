"""Why a snapshot is not published: the sentence that a person reads, with a line of the data, how it was
read, and the configuration that would fit."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import date

from include.published.examples import Example, Refusal
from include.settings import Segmentation

LONGEST = 200  # characters of a line
ANYWAY = """To publish once all the same, run it with the param publish_anyway: \
make run PARAMS='{"publish_anyway": true}', or the form of Trigger in Airflow"""
REPLACE = "correct the file, or set it aside by an underscore before its name"


def message(
    refusals: Sequence[Refusal], example: Example | None, settings: Segmentation, *, anyway: bool = True
) -> str:
    """What the person reads whose run is refused, in one line: the log's last one. `anyway`: a param lets the
    run go on."""
    first, *others = refusals
    more = f" Also: {'; '.join(refusal.problem for refusal in others)}." if others else ""
    text = f"{first.problem}.{more} Nothing was published.{shown(example)}"
    fits = f"What would fit: {cure(first, example)}"
    if not anyway:
        return f"{text} {fits}"
    if first.share:
        fits += f"; or, if so many are right, {baseline(first, settings)}"
    return f"{text} {fits}. {ANYWAY}"


def shown(example: Example | None) -> str:
    if example is None:
        return ""
    text = in_one_line(example.raw.rstrip("\r\n"), LONGEST)
    place = f"{example.file} ({example.part})" if example.part else example.file
    how = f", read as {example.read_as}" if example.read_as else ""
    return f' For example {place} line {example.line:,}{how}: "{text}".'


def in_one_line(text: str, longest: int) -> str:
    """A landed text as a terminal and a log can show it."""
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return printable if len(printable) <= longest else f"{printable[:longest]}..."


def cure(refusal: Refusal, example: Example | None) -> str:
    """What would fit, with the configuration to paste."""
    if refusal.about == "date" and example and example.modified:
        return date_cure(example.modified)
    if refusal.about == "amount":
        return (
            "cancellations are subtracted, so invoices that take back must match cancellation_invoices "
            "of the file's format, and others must not"
        )
    if refusal.only:
        return f"{only_line(refusal.only.column, [refusal.only.value])}, and another lake for the others"
    if refusal.about == "unknown_invoice_type":
        return invoice_cure(example)
    return CURES.get(refusal.about, REPLACE)


def only_line(column: str, values: Sequence[str]) -> str:
    """The line of a format by which only some values of a column count."""
    listed = json.dumps(list(values), ensure_ascii=False)
    return f"`only: {{column: {json.dumps(column)}, values: {listed}}}` in the file's format"


def baseline(refusal: Refusal, settings: Segmentation) -> str:
    """The line of segmentation.yaml that lets this share of rejects pass."""
    shares = settings.usual_rejects | {refusal.about: math.ceil(refusal.share * 100) / 100}
    return f"`reject_baseline: {flow(shares)}` in segmentation.yaml"


def flow(values: Mapping[str, float]) -> str:
    """A mapping as YAML in one line."""
    return f"{{{', '.join(f'{name}: {value:g}' for name, value in values.items())}}}"


def invoice_cure(example: Example | None) -> str:
    pattern = invoice_pattern(example.invoice_no) if example and example.invoice_no else None
    if pattern is None:
        return "give the file's format a pattern for these invoice numbers, `purchase_invoices`"
    return f"if these are purchases, `purchase_invoices: '{pattern}'` in the file's format"


def invoice_pattern(invoice_no: str) -> str:
    """A pattern of numbers like this one: other digits where it has digits, all else as it is. An apostrophe
    is doubled, as YAML wants it in quotes."""
    parts = re.findall(r"[0-9A-Za-z]+|[^0-9A-Za-z]+", invoice_no)
    return "".join(pattern_of(part) for part in parts).replace("'", "''")


def pattern_of(part: str) -> str:
    if found := re.fullmatch(r"([A-Za-z]*)[0-9]+", part):
        return f"{found[1]}[0-9]+"
    if part.isalpha() or not part.isalnum():
        return re.sub(r"([.^$*+?{}\[\]|()\\])", r"\\\1", part)
    return "[0-9A-Za-z]+"  # such as hexadecimal numbers


def date_cure(modified: date) -> str:
    return (
        "the dates are read the wrong way round, then `date_order: day_first` (or month_first) in the file's "
        "format; or they are "
        f"typing errors, then `latest_date: {modified}` under landing: in segmentation.yaml rejects them; or "
        "the file is newer than its modification time, then touch it"
    )


NUMBERS = "the numbers are written in another way, then `decimals: comma` (or point) in the file's format"
CURES = {
    "missing_customer": "the customer is in another column, then name it under `customer_id:` in the file's "
    "format",
    "customer_id_damaged": "export the file again with the customer ids as text",
    "invoice_date_unreadable": "the dates are written in another order, then `date_order: day_first` (or "
    "month_first) in the file's format; or in another way, then `date_patterns:` there",
    "unit_price_unreadable": NUMBERS,
    "quantity_unreadable": NUMBERS,
    "amount_unreadable": NUMBERS,
    "excluded_stock_code": "take the codes off `excluded_stock_codes:` in segmentation.yaml",
    "order_not_counted": "other orders count, too, then name their values under `only:` in the file's format",
    "quantity_not_positive": "these are returns, then `negative_quantity: return` in the file's format",
}
