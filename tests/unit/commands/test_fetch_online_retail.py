"""The public data set is fetched from a real web server, which runs in the test."""

import hashlib
import io
import re
import threading
import zipfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import openpyxl
import pytest

from include.commands import fetch_online_retail
from include.commands.fetch_online_retail import SOURCE, main
from include.commands.sample import HEADER

Row = Sequence[str | float | datetime | None]
Answer = tuple[int, bytes] | tuple[int, bytes, int]  # status, body, and an announced length

at = datetime.fromisoformat
UK = "United Kingdom"
FRAME = 'RECORD FRAME 7" SINGLE SIZE'
ROWS: list[Row] = [  # as the public sheet holds them: numbers, text and nothing in the same column
    (536365, "85123A", "WHITE HEART HOLDER ", 6, at("2010-12-01 08:26"), 2.55, 17850, UK),
    (536365, 71053, "WHITE METAL LANTERN", 6, at("2010-12-01 08:26"), 3, 17850.0, UK),
    (536414, 22139, None, 56, at("2010-12-01 11:52"), 0, None, UK),
    ("C536379", "D", "Discount", -1, at("2010-12-02 09:41"), 27.5, 14527, UK),
    (536477, 22041, FRAME, 48, at("2010-12-02 12:27:30"), 2.1, 16210, UK),
    (536382, "gift_0001_40", "Voucher £40.00", 1, at("2010-12-01 09:45"), 34.04, None, "EIRE"),
    ("A563186", "B", "Adjust bad debt", 1, at("2011-08-12 14:51"), -11062.06, None, UK),
    (536520, 22760, "TRAY, BREAKFAST IN BED", 1, at("2010-12-02 12:43"), 0.001, 14729, UK),
    (536521, 20713, 20713, 80995, at("2010-12-01 12:44"), 1_000.0, 14729, UK),
]
HEAD = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"
DAYS = {
    "2010-12-01.csv": f"""\
536365,85123A,WHITE HEART HOLDER ,6,2010-12-01 08:26:00,2.55,17850.0,{UK}
536365,71053,WHITE METAL LANTERN,6,2010-12-01 08:26:00,3.0,17850.0,{UK}
536414,22139,,56,2010-12-01 11:52:00,0.0,,{UK}
536382,gift_0001_40,Voucher £40.00,1,2010-12-01 09:45:00,34.04,,EIRE
536521,20713,20713,80995,2010-12-01 12:44:00,1000.0,14729.0,{UK}
""",
    "2010-12-02.csv": f"""\
C536379,D,Discount,-1,2010-12-02 09:41:00,27.5,14527.0,{UK}
536477,22041,"RECORD FRAME 7"" SINGLE SIZE",48,2010-12-02 12:27:30,2.1,16210.0,{UK}
536520,22760,"TRAY, BREAKFAST IN BED",1,2010-12-02 12:43:00,0.001,14729.0,{UK}
""",
    "2011-08-12.csv": f"""\
A563186,B,Adjust bad debt,1,2011-08-12 14:51:00,-11062.06,,{UK}
""",
}
FILES = {name: HEAD + lines for name, lines in DAYS.items()}


def xlsx(rows: Iterable[Row] = ROWS, header: Sequence[str] = HEADER) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(header))
    for row in rows:
        sheet.append(list(row))
    book.save(file := io.BytesIO())
    return file.getvalue()


def zipped(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    """A zip of these files. A name has _ for its dot."""
    with zipfile.ZipFile(file := io.BytesIO(), "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("_", "."), content)
    return file.getvalue()


GOOD = zipped(Online_xlsx=xlsx(), padding_bin=bytes(300_000))  # more than one read
GOOD_SHA256 = hashlib.sha256(GOOD).hexdigest()


class Site:
    """The answers of the server: those of a path in turn, and then the last one again."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: defaultdict[str, int] = defaultdict(int)
        self.address = ""

    def answer(self, *answers: Answer, path: str = "/data.zip") -> str:
        """Set the answers of a path; returns its address."""
        self.answers[path] = list(answers)
        return self.address + path


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    started = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answers = started.answers[self.path]
            status, body, *length = answers[min(started.requests[self.path], len(answers) - 1)]
            started.requests[self.path] += 1
            self.send_response(status)
            if status == 302:
                self.send_header("Location", body.decode())
            self.send_header("Content-Length", str(length[0] if length else len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch_online_retail, "FIRST_DELAY_SECONDS", 0.01)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    started.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield started
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def out_dir(tmp_path: Path) -> Path:
    return tmp_path / "there" / "online-retail"


def flipped(content: bytes, position: int, bit: int = 0) -> bytes:
    changed = bytes([content[position] ^ 1 << bit])
    return content[:position] + changed + content[position + 1 :]


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_bytes().decode() for path in folder.iterdir()}


def refused(capsys: pytest.CaptureFixture[str], out_dir: Path, url: str, *args: str) -> str:
    """Run the command, expecting exit code 2, one line of error and no other change; returns the line."""
    before = content(out_dir) if out_dir.is_dir() else None
    assert main([str(out_dir), "--url", url, *args]) == 2
    error = capsys.readouterr().err
    assert error.startswith("fetch_online_retail: ") and error.count("\n") == 1
    assert (content(out_dir) if out_dir.is_dir() else None) == before
    assert [path for path in out_dir.parent.glob("*") if path != out_dir] == []
    return error


# -- success ------------------------------------------------------------------------------------


def test_the_sheet_becomes_one_csv_per_day_letter_by_letter(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, GOOD))
    assert main([str(out_dir), "--url", url]) == 0
    found = content(out_dir)
    source = found.pop(SOURCE)
    assert found == FILES
    for line in [f"url: {url}", f"sha256: {GOOD_SHA256}", "lines: 9", "files: 3"]:
        assert line in source.splitlines()
    assert "CC BY 4.0" in source and "10.24432/C5BW33" in source
    printed = capsys.readouterr()
    assert "9 lines in 3 files" in printed.out and GOOD_SHA256 in printed.out and printed.err == ""
    assert list(out_dir.parent.iterdir()) == [out_dir], "the download is removed"


def test_a_day_may_come_again_anywhere_in_the_sheet(site: Site, out_dir: Path) -> None:
    alternating = ROWS[0], ROWS[3], ROWS[1], ROWS[4]
    url = site.answer((200, zipped(data_xlsx=xlsx(alternating))))
    assert main([str(out_dir), "--url", url]) == 0
    for name in ["2010-12-01.csv", "2010-12-02.csv"]:
        expected = FILES[name].splitlines()[:3]
        assert (out_dir / name).read_text().splitlines() == expected


def test_empty_rows_make_no_difference(site: Site, out_dir: Path) -> None:
    rows: list[Row] = [*ROWS[:2], [], *ROWS[2:], [None] * 8]
    url = site.answer((200, zipped(data_xlsx=xlsx(rows))))
    assert main([str(out_dir), "--url", url]) == 0
    found = content(out_dir)
    assert "lines: 9" in found.pop(SOURCE) and found == FILES


def rewritten(pattern: bytes, replacement: bytes) -> bytes:
    """The workbook as another program might write it: its sheet's XML changed."""
    sheet, fixed = "xl/worksheets/sheet1.xml", io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(xlsx())) as old, zipfile.ZipFile(fixed, "w") as new:
        members = {name: old.read(name) for name in old.namelist()}
        members[sheet], changes = re.subn(pattern, replacement, members[sheet])
        assert changes
        for name, member in members.items():
            new.writestr(name, member)
    return fixed.getvalue()


def test_whole_numbers_kept_as_floats_make_no_difference(site: Site, out_dir: Path) -> None:
    floats = rewritten(rb't="n"><v>(-?\d+)</v>', rb't="n"><v>\1.0</v>')
    assert main([str(out_dir), "--url", site.answer((200, zipped(data_xlsx=floats)))]) == 0
    assert FILES.items() <= content(out_dir).items()


def test_a_sheet_that_understates_its_size_is_read_to_the_end(site: Site, out_dir: Path) -> None:
    smaller = rewritten(b'ref="A1:H10"', b'ref="A1:B2"')
    url = site.answer((200, zipped(data_xlsx=smaller)))
    assert main([str(out_dir), "--url", url]) == 0
    assert "lines: 9" in (out_dir / SOURCE).read_text()


def test_the_right_checksum_is_accepted_in_either_case(site: Site, out_dir: Path) -> None:
    url = site.answer((200, GOOD))
    assert main([str(out_dir), "--url", url, "--sha256", GOOD_SHA256.upper()]) == 0


def test_a_redirect_is_followed(site: Site, out_dir: Path) -> None:
    url = site.answer((302, b"/moved.zip"))
    site.answer((200, GOOD), path="/moved.zip")
    assert main([str(out_dir), "--url", url]) == 0


def test_an_empty_folder_is_filled(site: Site, out_dir: Path) -> None:
    out_dir.mkdir(parents=True)
    assert main([str(out_dir), "--url", site.answer((200, GOOD))]) == 0
    assert (out_dir / SOURCE).is_file()


# -- a second fetch -----------------------------------------------------------------------------


def test_the_same_download_again_is_unchanged(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, GOOD))
    assert main([str(out_dir), "--url", url]) == 0
    before = {path: path.stat().st_mtime_ns for path in out_dir.iterdir()}
    assert main([str(out_dir), "--url", url]) == 0
    assert "unchanged" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in out_dir.iterdir()} == before
    assert list(out_dir.parent.iterdir()) == [out_dir]


def test_with_the_checksum_known_an_unchanged_folder_needs_no_network(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, GOOD))
    assert main([str(out_dir), "--url", url]) == 0
    assert main([str(out_dir), "--url", url, "--sha256", GOOD_SHA256]) == 0
    assert "unchanged" in capsys.readouterr().out and site.requests["/data.zip"] == 1


def test_another_version_does_not_replace_the_folder(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, GOOD), (200, zipped(data_xlsx=xlsx(ROWS[:2]))))
    assert main([str(out_dir), "--url", url]) == 0
    assert GOOD_SHA256 in refused(capsys, out_dir, url)


def test_a_folder_with_something_else_is_refused_without_a_download(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, GOOD))
    out_dir.mkdir(parents=True)
    (out_dir / "mine.csv").write_text("keep me")
    assert "another folder" in refused(capsys, out_dir, url)
    assert site.requests["/data.zip"] == 0


def test_a_folder_that_lost_a_day_is_refused(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, GOOD))
    assert main([str(out_dir), "--url", url]) == 0
    (out_dir / "2010-12-02.csv").unlink()
    assert SOURCE in refused(capsys, out_dir, url)


# -- a bad download -----------------------------------------------------------------------------


def test_another_checksum_is_refused(site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    error = refused(capsys, out_dir, site.answer((200, GOOD)), "--sha256", "0" * 64)
    assert GOOD_SHA256 in error and "0" * 64 in error


def test_something_that_is_not_a_zip_is_refused(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, b"<html>please log in</html>"))
    assert f"{url} is not a whole zip" in refused(capsys, out_dir, url)


def test_a_zip_cut_short_is_refused(site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = site.answer((200, GOOD[:-100]))
    assert f"{url} is not a whole zip" in refused(capsys, out_dir, url)


def test_a_zip_with_a_flipped_byte_is_refused(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, out_dir, site.answer((200, flipped(GOOD, 2000))))
    assert "Online.xlsx in the zip is damaged" in error


def test_a_flipped_bit_anywhere_is_refused_or_harmless(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = zipped(zipfile.ZIP_DEFLATED, data_xlsx=xlsx())
    end, directory = len(small), len(small) - 80
    for position in [*range(0, 60, 2), *range(60, directory, 600), *range(directory, end, 2)]:
        out_dir = tmp_path / str(position) / "out"
        url = site.answer((200, flipped(small, position, position % 7)))
        if main([str(out_dir), "--url", url]) == 0:
            assert FILES.items() <= content(out_dir).items()
        else:
            assert not out_dir.exists() and capsys.readouterr().err.count("\n") == 1


def test_a_zip_without_an_xlsx_or_with_two_is_refused(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for members in [{"notes_txt": b"no"}, {"a_xlsx": xlsx(), "b_xlsx": xlsx()}]:
        url = site.answer((200, zipped(zipfile.ZIP_STORED, **members)))
        assert "expected one .xlsx" in refused(capsys, out_dir, url)


def test_a_damaged_xlsx_is_refused(site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for fake in [b"text", zipped(a_txt=b"text")]:
        url = site.answer((200, zipped(data_xlsx=fake)))
        assert "xlsx cannot be read" in refused(capsys, out_dir, url)


def test_another_header_is_refused(site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for header in [["Invoice", *HEADER[1:]], HEADER[:-1], [*HEADER, "More"]]:
        url = site.answer((200, zipped(data_xlsx=xlsx(header=header))))
        assert "expected ['InvoiceNo'" in refused(capsys, out_dir, url)


UNREADABLE = [(4, "soon"), (4, None), (5, "cheap"), (5, None), (6, "me")]


@pytest.mark.parametrize("column, value", UNREADABLE)
def test_a_row_that_cannot_be_read_is_named(
    column: int, value: str | None, site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [*ROWS[1][:column], value, *ROWS[1][column + 1 :]]
    url = site.answer((200, zipped(data_xlsx=xlsx([ROWS[0], bad, *ROWS[2:]]))))
    assert "row 3 of the sheet" in refused(capsys, out_dir, url)


def test_the_public_file_must_have_its_known_number_of_lines(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url = site.answer((200, GOOD))
    monkeypatch.setattr(fetch_online_retail, "PUBLIC_URL", url)
    assert "9 lines, not the 541,909 known" in refused(capsys, out_dir, url)
    monkeypatch.setattr(fetch_online_retail, "PUBLIC_LINES", 9)
    assert main([str(out_dir), "--url", url]) == 0


# -- a bad connection ---------------------------------------------------------------------------


def test_a_missing_page_is_refused_at_once(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((404, b"no such page"))
    assert f"{url} answered 404" in refused(capsys, out_dir, url)
    assert site.requests["/data.zip"] == 1


def test_a_server_in_trouble_is_tried_again(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((503, b"busy"), (500, b"busy"), (200, GOOD))
    assert main([str(out_dir), "--url", url]) == 0
    assert site.requests["/data.zip"] == 3 and len(content(out_dir)) == 4
    assert "attempt 2 of 5 failed" in capsys.readouterr().out


def test_a_server_that_stays_in_trouble_is_given_up(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((503, b"busy"))
    assert f"{url} answered 503" in refused(capsys, out_dir, url)
    assert site.requests["/data.zip"] == fetch_online_retail.ATTEMPTS


def test_a_connection_lost_halfway_is_tried_again_from_the_start(site: Site, out_dir: Path) -> None:
    url = site.answer((200, GOOD[:500], len(GOOD)), (200, GOOD))
    assert main([str(out_dir), "--url", url]) == 0
    assert GOOD_SHA256 in (out_dir / SOURCE).read_text() and site.requests["/data.zip"] == 2


def test_a_connection_always_lost_halfway_is_given_up(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = site.answer((200, GOOD[:500], len(GOOD)))
    assert f"cannot download {url}" in refused(capsys, out_dir, url)


def test_the_delay_grows_with_each_attempt(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=waited.append))
    monkeypatch.setattr(fetch_online_retail, "FIRST_DELAY_SECONDS", 1.0)
    refused(capsys, out_dir, site.answer((503, b"busy")))
    assert waited == [1, 2, 4, 8]


def test_without_a_server_there_is_one_clear_line(
    site: Site, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        url = f"http://127.0.0.1:{closed.server_port}/data.zip"
    error = refused(capsys, out_dir, url)
    assert url in error and "check the network" in error and "--url" in error


@pytest.mark.parametrize("url", ["online+retail.zip", "ftp://127.0.0.1/x.zip", "http://127.0.0.1:port/x.zip"])
def test_an_invalid_address_is_refused_at_once(
    url: str, out_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(out_dir), "--url", url]) == 2
    printed = capsys.readouterr()
    assert f"cannot download {url}" in printed.err and printed.out == ""
