"""A draft of a format for a header that no format fits."""

import csv
import re
from pathlib import Path

from include.landing.files import LandedFile, identity
from include.landing.formats import DELIMITERS, LINE_END, utf_16_encoding
from include.landing.parts import head_of, parts_of
from include.shop_formats import compared_name

# Words in the names of columns, by what they may be; the first word that fits any column wins.
WORDS = {
    "invoice_no": ["invoice", "order", "receipt", "bill", "transaction", "ticket", "beleg", "rechnung",
                   "bestell", "pedido", "factura", "commande", "facture", "bon"],
    "invoice_date": ["invoicedate", "orderdate", "date", "datum", "fecha", "created", "time", "day"],
    "customer_id": ["customer", "client", "kunde", "cliente", "member", "account", "email", "user", "buyer"],
    "quantity": ["quantity", "qty", "menge", "cantidad", "quantite", "units", "pieces", "anzahl"],
    "unit_price": ["unitprice", "price", "preis", "precio", "prix"],
    "amount": ["amount", "total", "sales", "revenue", "betrag", "summe", "umsatz", "importe", "montant"],
    "stock_code": ["stockcode", "sku", "product", "article", "artikel", "item"],
    "country": ["country", "land", "pais", "pays"],
    "currency": ["currency", "waehrung", "moneda", "devise"],
}  # fmt: skip
ESSENTIAL = {"invoice_no", "invoice_date", "customer_id", "quantity", "unit_price", "amount"}
FEWEST = 3  # of these, to be orders
REQUIRED = ("invoice_no", "invoice_date", "customer_id")


def draft(path: Path) -> str | None:
    """The draft of a format for a file, as YAML; None where no line of it looks like a header."""
    parts = parts_of(LandedFile(path, path.name, *identity(path)))
    head = head_of(parts[0]) if parts else b""
    text = head.decode(utf_16_encoding(head) or "utf-8", errors="replace").removeprefix("\ufeff")
    lines = [line for line in re.split(LINE_END, text) if line.strip()]
    if not lines:
        return None
    header = max(lines[:30], key=lambda line: len(guesses(names_of(line))))
    found = guesses(names_of(header))
    return yaml_of(names_of(header), found) if len(found.keys() & ESSENTIAL) >= FEWEST else None


def names_of(line: str) -> list[str]:
    delimiter = max(DELIMITERS, key=line.count)
    return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]


def guesses(names: list[str]) -> dict[str, str]:
    """For each of our columns the name that it may have."""
    found: dict[str, str] = {}
    for column, words in WORDS.items():
        left = [name for name in names if name and name not in found.values()]
        fitting = (name for word in words for name in left if word in compared_name(name))
        if name := next(fitting, None):
            found[column] = name
    if "unit_price" in found and "quantity" in found:
        found.pop("amount", None)
    return found


def yaml_of(names: list[str], found: dict[str, str]) -> str:
    lines = ["columns:"]
    for column in WORDS:
        if column in found:
            lines.append(f"  {column}: [{quoted(found[column])}]")
        elif column in REQUIRED:
            lines.append(f"  {column}: []  # which one? {', '.join(name for name in names if name)}")
    if "amount" not in found and not {"quantity", "unit_price"} <= found.keys():
        lines.append("  amount: []  # or quantity and unit_price")
    lines += [
        'purchase_invoices: ".+"     # whole invoice numbers that buy, as a regular expression',
        "negative_quantity: return   # or reject",
        "date_order: auto            # or day_first, month_first",
        "decimals: auto              # or point, comma",
    ]
    return "\n".join(lines)


def quoted(name: str) -> str:
    """A name as YAML, in which nothing has a meaning."""
    return "'" + name.replace("'", "''") + "'"
