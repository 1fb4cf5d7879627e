"""fetch_online_retail: download the public Online Retail data set as one CSV file per trading day.

    python -m include.commands.fetch_online_retail OUT_DIR [--url URL] [--sha256 SUM]

The data set is UCI Machine Learning Repository, id 352 (Chen 2015, CC BY 4.0): a zip with one xlsx in it.
OUT_DIR appears complete or not at all. OUT_DIR/_SOURCE.txt records the source of the files; a second fetch
compares the download with it.
"""

import argparse
import csv
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
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from include.commands.sample import HEADER
from include.commands.terminal import download_progress, say, say_error, track
from include.errors import InputError, UserError
from include.landing.files import sha256

PUBLIC_URL = "https://archive.ics.uci.edu/static/public/352/online+retail.zip"
PUBLIC_LINES = 541_909  # the public file no longer changes
SOURCE = "_SOURCE.txt"  # `_`: no landed file
ATTEMPTS = 5
FIRST_DELAY_SECONDS = 1.0  # doubled with each attempt
# The errors of reading a damaged zip or xlsx.
DAMAGE_ERRORS = (BadZipFile, zlib.error, ParseError, EOFError, RuntimeError, LookupError, ValueError)


# -- download -----------------------------------------------------------------------------------


def download(url: str, target: Path) -> None:
    """Stream the URL into a file. Tries again where that can help; raises UserError when it did not."""

    def announce(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        count, wait = f"{state.attempt_number} of {ATTEMPTS}", f"{state.upcoming_sleep:.0f} s"
        say(f"attempt {count} failed ({error}), next in {wait}")

    attempts = Retrying(
        retry=retry_if_exception(is_transient),
        wait=wait_exponential(multiplier=FIRST_DELAY_SECONDS, max=30),
        stop=stop_after_attempt(ATTEMPTS),
        before_sleep=announce,
        reraise=True,
    )
    try:
        attempts(download_once, url, target)
    except httpx.HTTPStatusError as error:
        answer = f"{error.response.status_code} {error.response.reason_phrase}"
        raise UserError(f"{url} answered {answer}; check the address, or try again later") from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UserError(
            f"cannot download {url}: {error or type(error).__name__}; check the network and the"
            " address, or pass --url with one you can reach"
        ) from error


def is_transient(error: BaseException) -> bool:
    """Whether another attempt may succeed: a lost connection or a server in trouble."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code >= 500
    wrong_address = isinstance(error, httpx.UnsupportedProtocol)
    return isinstance(error, httpx.TransportError) and not wrong_address


def download_once(url: str, target: Path) -> None:
    with httpx.stream("GET", url, follow_redirects=True, timeout=30) as response:
        response.raise_for_status()
        length = response.headers.get("Content-Length")
        with target.open("wb") as file, download_progress() as bar:
            task = bar.add_task("Downloading", total=int(length) if length else None)
            for chunk in response.iter_bytes():
                file.write(chunk)
                bar.update(task, completed=response.num_bytes_downloaded)


# -- from the zip to lines ----------------------------------------------------------------------


def unpack_xlsx(archive: Path, target: Path, url: str) -> None:
    """Unpack the one xlsx of the zip. Raises InputError for a wrong checksum, and for none or several."""
    try:
        with ZipFile(archive) as opened:
            damaged = opened.testzip()
            if damaged:
                raise InputError(f"{url}: {damaged} in the zip is damaged; download it again")
            names = [name for name in opened.namelist() if name.lower().endswith(".xlsx")]
            if len(names) != 1:
                raise InputError(f"{url}: expected one .xlsx in the zip, found {opened.namelist()}")
            with opened.open(names[0]) as inside, target.open("wb") as file:
                shutil.copyfileobj(inside, file)
    except DAMAGE_ERRORS as error:
        raise InputError(
            f"{url} is not a whole zip file ({error}); download it again or check the address"
        ) from error


def split_by_day(xlsx: Path, folder: Path) -> int:
    """Write one CSV per day, with lines in the order of the sheet; returns the number of lines.

    The sheet may have any order: when a day comes again, its lines are appended.
    """
    count = 0
    try:
        with closing(openpyxl.load_workbook(xlsx, read_only=True)) as book:
            sheet = book.worksheets[0]
            total = sheet.max_row
            sheet.reset_dimensions()  # a sheet's own statement of its size may be wrong
            cells = sheet.iter_rows(values_only=True)
            rows = track(cells, "Writing CSVs", total)
            for day, lines in groupby(dated_lines(iter(rows)), key=itemgetter(0)):
                path = folder / f"{day}.csv"
                head = [] if path.exists() else [HEADER]
                with path.open("a", encoding="utf-8", newline="") as file:
                    writer = csv.writer(file, lineterminator="\n")
                    writer.writerows(head)
                    for _, line in lines:
                        writer.writerow(line)
                        count += 1
    except DAMAGE_ERRORS as error:
        raise InputError(f"the xlsx cannot be read: {error}") from error
    return count


def dated_lines(rows: Iterator[Any]) -> Iterator[tuple[date, list[str]]]:
    """The day and the CSV fields of each row below the header. Raises InputError with the row's number."""
    header = list(next(rows, ()))
    if header != HEADER:
        raise InputError(f"the sheet's header is {header}, expected {HEADER}")
    for number, cells in enumerate(rows, start=2):
        if all(cell is None for cell in cells):
            continue
        row = [*cells, *[None] * (len(HEADER) - len(cells))]
        try:
            yield row[4].date(), csv_fields(row)
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"row {number} of the sheet cannot be read: {row} ({error})") from error


def csv_fields(row: list[Any]) -> list[str]:
    """The fields as pandas writes them, and so most copies of this data set: 2.1, 18.0, 17850.0."""
    invoice, stock, description, quantity, when, price, customer, country = row
    return [
        *map(cell_text, [invoice, stock, description, quantity]),
        when.strftime("%Y-%m-%d %H:%M:%S"),
        repr(float(price)),
        "" if customer is None else repr(float(customer)),
        cell_text(country),
    ]


def cell_text(cell: Any) -> str:
    """A code, name or count as text. A spreadsheet stores some of them as numbers."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)


# -- the folder ---------------------------------------------------------------------------------


def fetch(out_dir: Path, url: str, expected_sha256: str | None) -> str:
    """Fill OUT_DIR unless it already holds this data; returns a sentence about it."""
    known = known_sha256(out_dir)
    if known and known == expected_sha256:
        return f"{out_dir}: unchanged, sha256 {known}"
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out_dir.name}-", dir=out_dir.parent) as work:
        archive, xlsx, folder = Path(work, "zip"), Path(work, "data.xlsx"), Path(work, "csv")
        download(url, archive)
        found = sha256(archive)
        if expected_sha256 and found != expected_sha256:
            raise InputError(f"{url} has sha256 {found}, expected {expected_sha256}; do not use it")
        if known and known != found:
            raise InputError(
                f"{url} has sha256 {found}, but {out_dir} was made from {known}; nothing was"
                " changed: remove the folder to replace it, or name another"
            )
        if known:
            return f"{out_dir}: unchanged, sha256 {known}"
        unpack_xlsx(archive, xlsx, url)
        folder.mkdir()
        lines = split_by_day(xlsx, folder)
        if url == PUBLIC_URL and lines != PUBLIC_LINES:
            raise InputError(f"{url} has {lines:,} lines, not the {PUBLIC_LINES:,} known; do not use it")
        files = len(list(folder.iterdir()))
        (folder / SOURCE).write_text(source_note(url, found, lines, files), encoding="utf-8")
        folder.rename(out_dir)
    return f"{out_dir}: {lines:,} lines in {files} files, sha256 {found}"


def source_note(url: str, digest: str, lines: int, files: int) -> str:
    return (
        "Online Retail (Chen 2015), UCI Machine Learning Repository, id 352\n"
        "doi: 10.24432/C5BW33\nlicence: CC BY 4.0\n"
        f"url: {url}\nsha256: {digest}\nlines: {lines}\nfiles: {files}\n"
    )


def known_sha256(out_dir: Path) -> str | None:
    """The digest of the zip that OUT_DIR was made from, None if it is empty or absent. Raises InputError if
    it is incomplete or holds anything else."""
    if not out_dir.exists() or not any(out_dir.iterdir()):
        return None
    source = out_dir / SOURCE
    if not source.is_file():
        raise InputError(f"{out_dir} is not empty and has no {SOURCE}; name another folder")
    note = source.read_text(encoding="utf-8")
    facts = dict(line.split(": ", 1) for line in note.splitlines() if ": " in line)
    if facts.get("files") != str(len(list(out_dir.glob("*.csv")))) or "sha256" not in facts:
        raise InputError(f"{out_dir} does not match its {SOURCE}; remove it and fetch it again")
    return facts["sha256"]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="fetch_online_retail", description=__doc__)
    parser.add_argument("out_dir", type=Path, help="a folder that is empty or does not exist yet")
    parser.add_argument("--url", default=PUBLIC_URL)
    parser.add_argument("--sha256", type=str.lower, help="refuse a download with another checksum")
    args = parser.parse_args(argv)
    try:
        say(fetch(args.out_dir.resolve(), args.url, args.sha256))
    except (UserError, OSError) as error:
        say_error("fetch_online_retail", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
