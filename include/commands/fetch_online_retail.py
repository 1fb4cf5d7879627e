"""fetch_online_retail: bring the public Online Retail data set here as one CSV per trading day.

    python -m include.commands.fetch_online_retail OUT_DIR [--url URL] [--sha256 SUM]

UCI Machine Learning Repository, id 352 (Chen 2015, CC BY 4.0): a zip that holds one xlsx. It is
downloaded, checked, and written out line by line; OUT_DIR appears whole or not at all.
OUT_DIR/SOURCE.txt says where the files come from; a second fetch compares with it.
"""

import argparse
import csv
import hashlib
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

import httpx
import openpyxl
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, track
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    wait_exponential,
)

from include.commands.sample import HEADER
from include.errors import UserError

URL = "https://archive.ics.uci.edu/static/public/352/online+retail.zip"
LINES = 541_909  # of the public file; it does not change any more
SOURCE = "SOURCE.txt"
ATTEMPTS = 5
FIRST_DELAY_SECONDS = 1.0  # doubled with each attempt
# All that a damaged zip or xlsx raises while it is read.
DAMAGE = (BadZipFile, zlib.error, ParseError, EOFError, RuntimeError, LookupError, ValueError)


# Download


def download(url: str, target: Path, console: Console) -> None:
    """Stream the URL into a file; tries again where that can help, UserError where it did not."""

    def announce(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        count, wait = f"{state.attempt_number} of {ATTEMPTS}", f"{state.upcoming_sleep:.0f} s"
        say(console, f"attempt {count} failed ({error}), next in {wait}")

    attempts = Retrying(
        retry=retry_if_exception(is_passing),
        wait=wait_exponential(multiplier=FIRST_DELAY_SECONDS, max=30),
        stop=stop_after_attempt(ATTEMPTS),
        before_sleep=announce,
        reraise=True,
    )
    try:
        attempts(download_once, url, target, console)
    except httpx.HTTPStatusError as error:
        answer = f"{error.response.status_code} {error.response.reason_phrase}"
        raise UserError(f"{url} answered {answer}; check the address, or try again later") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UserError(
            f"cannot download {url}: {error or type(error).__name__}; check the network and the"
            " address, or pass --url with one you can reach"
        ) from error


def is_passing(error: BaseException) -> bool:
    """Whether another attempt may succeed: a lost connection or a server in trouble."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500
    wrong_address = isinstance(error, httpx.UnsupportedProtocol)
    return isinstance(error, httpx.TransportError) and not wrong_address


def download_once(url: str, target: Path, console: Console) -> None:
    with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response:
        response.raise_for_status()
        length = response.headers.get("Content-Length")
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn()
        with target.open("wb") as file, Progress(*columns, **shown_on(console)) as bar:
            task = bar.add_task("Downloading", total=int(length) if length else None)
            for chunk in response.iter_bytes():
                file.write(chunk)
                bar.update(task, completed=response.num_bytes_downloaded)


def file_sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# From the zip to lines


def unpack_xlsx(archive: Path, target: Path, url: str) -> None:
    """The one xlsx of the zip, its checksum verified."""
    try:
        with ZipFile(archive) as opened:
            damaged = opened.testzip()
            if damaged:
                raise UserError(f"{url}: {damaged} in the zip is damaged; download it again")
            names = [name for name in opened.namelist() if name.lower().endswith(".xlsx")]
            if len(names) != 1:
                raise UserError(f"{url}: expected one .xlsx in the zip, found {opened.namelist()}")
            with opened.open(names[0]) as inside, target.open("wb") as file:
                shutil.copyfileobj(inside, file)
    except DAMAGE as error:
        raise UserError(
            f"{url} is not a whole zip file ({error}); download it again or check the address"
        ) from error


def write_days(xlsx: Path, folder: Path, console: Console) -> int:
    """One CSV per day, lines in the order of the sheet; returns the number of lines.

    One file is open at a time, appended to when its day comes again, so any order will do.
    """
    count = 0
    try:
        with closing(openpyxl.load_workbook(xlsx, read_only=True)) as book:
            sheet = book.worksheets[0]
            total = sheet.max_row
            sheet.reset_dimensions()  # what a sheet says of its own size may be wrong
            cells = sheet.iter_rows(values_only=True)
            rows = track(cells, "Writing CSVs", total=total, **shown_on(console))
            for day, lines in groupby(typed_lines(iter(rows)), key=itemgetter(0)):
                path = folder / f"{day}.csv"
                head = [] if path.exists() else [HEADER]
                with path.open("a", encoding="utf-8", newline="") as file:
                    writer = csv.writer(file, lineterminator="\n")
                    writer.writerows(head)
                    for _, line in lines:
                        writer.writerow(line)
                        count += 1
    except DAMAGE as error:
        raise UserError(f"the xlsx cannot be read: {error}") from error
    return count


def typed_lines(rows: Iterator[Any]) -> Iterator[tuple[date, list[str]]]:
    """Day and CSV fields of each row below the header; UserError with the row's number."""
    header = list(next(rows, ()))
    if header != HEADER:
        raise UserError(f"the sheet's header is {header}, expected {HEADER}")
    for number, cells in enumerate(rows, start=2):
        if all(cell is None for cell in cells):
            continue
        row = [*cells, *[None] * (len(HEADER) - len(cells))]
        try:
            yield row[4].date(), as_csv(row)
        except (AttributeError, TypeError, ValueError) as error:
            raise UserError(f"row {number} of the sheet cannot be read: {row} ({error})") from error


def as_csv(row: list[Any]) -> list[str]:
    """Spelled as pandas does, and with it most copies of this data set: 2.1, 18.0, 17850.0."""
    invoice, stock, description, quantity, when, price, customer, country = row
    return [
        *map(text, [invoice, stock, description, quantity]),
        when.strftime("%Y-%m-%d %H:%M:%S"),
        repr(float(price)),
        "" if customer is None else repr(float(customer)),
        text(country),
    ]


def text(cell: Any) -> str:
    """A code, name or count; a spreadsheet keeps some of them as numbers."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


# The folder


def fetch(out_dir: Path, url: str, sha256: str | None, console: Console) -> str:
    """Fill OUT_DIR unless it already holds this very data; returns what happened, in a sentence."""
    known = known_sha256(out_dir)
    if known and known == sha256:
        return f"{out_dir}: unchanged, sha256 {known}"
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out_dir.name}-", dir=out_dir.parent) as work:
        archive, xlsx, folder = Path(work, "zip"), Path(work, "data.xlsx"), Path(work, "csv")
        download(url, archive, console)
        found = file_sha256(archive)
        if sha256 and found != sha256:
            raise UserError(f"{url} has sha256 {found}, expected {sha256}; do not use it")
        if known and known != found:
            raise UserError(
                f"{url} has sha256 {found}, but {out_dir} was made from {known}; nothing was"
                " changed: remove the folder to replace it, or name another"
            )
        if known:
            return f"{out_dir}: unchanged, sha256 {known}"
        unpack_xlsx(archive, xlsx, url)
        folder.mkdir()
        lines = write_days(xlsx, folder, console)
        if url == URL and lines != LINES:
            raise UserError(f"{url} has {lines:,} lines, not the {LINES:,} known; do not use it")
        files = len(list(folder.iterdir()))
        (folder / SOURCE).write_text(
            "Online Retail (Chen 2015), UCI Machine Learning Repository, id 352\n"
            "doi: 10.24432/C5BW33\nlicence: CC BY 4.0\n"
            f"url: {url}\nsha256: {found}\nlines: {lines}\nfiles: {files}\n",
            encoding="utf-8",
        )
        folder.rename(out_dir)
    return f"{out_dir}: {lines:,} lines in {files} files, sha256 {found}"


def known_sha256(out_dir: Path) -> str | None:
    """What OUT_DIR was made from, None if it is empty or absent; UserError if it is not whole."""
    if not out_dir.exists() or not any(out_dir.iterdir()):
        return None
    source = out_dir / SOURCE
    if not source.is_file():
        raise UserError(f"{out_dir} is not empty and has no {SOURCE}; name another folder")
    text = source.read_text(encoding="utf-8")
    said = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)
    if said.get("files") != str(len(list(out_dir.glob("*.csv")))) or "sha256" not in said:
        raise UserError(f"{out_dir} is not what its {SOURCE} says; remove it and fetch it again")
    return said["sha256"]


def shown_on(console: Console) -> dict[str, Any]:
    """Progress bars are for a person who watches, and leave nothing behind."""
    return {"console": console, "transient": True, "disable": not console.is_terminal}


def say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fetch_online_retail", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="a folder that is empty or does not exist yet")
    parser.add_argument("--url", default=URL)
    parser.add_argument("--sha256", type=str.lower, help="refuse a download with another checksum")
    args = parser.parse_args(argv)
    console = Console()
    try:
        told = fetch(args.out_dir.resolve(), args.url, args.sha256, console)
    except (UserError, OSError) as error:
        say(Console(stderr=True), f"fetch_online_retail: {error}")
        return 2
    say(console, told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
