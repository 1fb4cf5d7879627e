"""Jobs that are killed, stopped and run at the same time, with a reader who looks all the time.

RFM_KILLS says how often each job is killed in each way, RFM_KILL_SEED when.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import psutil
import pytest

from include.pipeline import TASKS
from tests.jobs.conftest import RunJob, Snapshot, arguments, script
from tests.jobs.shop import AS_OF, FILES, content, copy_of, open_shop, same_landing
from tests.tables import csv_bytes, land

KILLS = int(os.environ.get("RFM_KILLS", "1"))
SEED = int(os.environ.get("RFM_KILL_SEED", "20110210"))
# The second line is a reject. A snapshot without its batch would lack it in rejects.csv only.
NEWS = "115,A,LAMP,7,2011-02-09 08:00:00,5.00,103,Malta\n115,A,LAMP,some,2011-02-09 08:00:00,5.00,103,Malta"
LATE, LATE_NEWS = "2011-02-09 late.csv", NEWS.replace("115", "116")
KILLED = ("driver", "group")

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def start(environment: dict[str, str]) -> Start:
    """Submit a job in a process group of its own, without waiting for it."""

    def started(task: str, lake: Path, as_of: str = AS_OF, **more: str) -> "subprocess.Popen[bytes]":
        command = ["spark-submit", "--master", "local[2]", script(task), *arguments(lake, as_of, None, None)]
        with (lake.parent / f"{task}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                env=environment | more,
                cwd=lake.parent,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    return started


@pytest.fixture(scope="module")
def before(snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with a snapshot, for copying."""
    lake = open_shop(tmp_path_factory.mktemp("before") / "lake")
    snapshot(lake)
    return lake


@pytest.fixture
def lake(before: Path, tmp_path: Path) -> Path:
    """A lake with a snapshot, and a new delivery that is not in it."""
    lake = copy_of(before, tmp_path / "lake")
    land(lake / "landing", "2011-02-09.csv", csv_bytes(NEWS))
    return lake


@dataclass
class Known:
    """The published files of undisturbed runs: before the new delivery, with it, and with a later one."""

    old: dict[str, bytes]
    new: dict[str, bytes]
    newest: dict[str, bytes]


@pytest.fixture(scope="module")
def known(snapshot: Snapshot, before: Path, tmp_path_factory: pytest.TempPathFactory) -> Known:
    scratch = same_landing(before, tmp_path_factory.mktemp("new") / "lake")
    land(scratch / "landing", "2011-02-09.csv", csv_bytes(NEWS))
    new = content(snapshot(scratch))
    scratch = same_landing(scratch, tmp_path_factory.mktemp("newest") / "lake")
    land(scratch / "landing", LATE, csv_bytes(LATE_NEWS))
    return Known(content(before / "published" / "latest"), new, content(snapshot(scratch)))


def published(lake: Path) -> dict[str, bytes]:
    """The published files, which are also the latest."""
    found = content(lake / "published" / f"as_of={AS_OF}")
    assert content(lake / "published" / "latest") == found
    return found


def log_of(task: str, lake: Path) -> str:
    """The output of all jobs of the task."""
    return (lake.parent / f"{task}.log").read_text()


def finish(job: "subprocess.Popen[bytes]", lake: Path, task: str) -> None:
    assert job.wait(120) == 0, log_of(task, lake)[-5000:]


def driver_of(job: "subprocess.Popen[bytes]") -> psutil.Process | None:
    """The Python process below spark-submit."""
    try:
        below = psutil.Process(job.pid).children(recursive=True)
        drivers = [process for process in below if "spark_jobs" in " ".join(process.cmdline())]
    except psutil.NoSuchProcess:
        return None
    return next((p for p in drivers if "python" in p.name()), None)


def kill(job: "subprocess.Popen[bytes]", what: str) -> None:
    """Kill the driver alone, where it has started, or the whole job."""
    driver = driver_of(job)
    with suppress(ProcessLookupError, psutil.NoSuchProcess):
        if what == "driver" and driver:
            driver.kill()
        else:
            os.killpg(job.pid, signal.SIGKILL)


def wait_until(holds: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def nothing_is_left(lake: Path) -> None:
    """No attempt, no batch that no manifest names, no version that was never current."""
    attempts = lake / ".attempts"
    assert not attempts.exists() or not list(attempts.iterdir())
    for stage in [*lake.glob("ingested/*"), *lake.glob("cleaned/*")]:
        manifest = json.loads((stage / "view.json").read_text())
        named = {f"batch={file['batch']}" for file in manifest["files"].values()}
        assert {batch.name for batch in stage.glob("batch=*")} == named
    for versions in lake.glob("*/.versions"):
        for version in versions.glob("as_of=*"):
            linked = (versions.parent / version.name.rsplit(".", 1)[0]).resolve() == version.resolve()
            replaced = version.with_name(f"{version.name}.superseded").exists()
            assert linked or replaced or version.is_symlink() or version.suffix == ".superseded", version


class Reader:
    """A reader who polls `published/` and remembers everything that was wrong there."""

    def __init__(self, lake: Path, known: list[dict[str, bytes]]) -> None:
        self.published, self.known = lake / "published", known
        self.looks, self.wrong = 0, list[str]()

    def look(self, link: str) -> None:
        folder = (self.published / link).resolve()
        try:
            names, seen = {file.name for file in folder.iterdir()}, content(folder)
            record = json.loads((folder / "run.json").read_text())
        except OSError as error:
            self.wrong.append(f"missing: {error}")
            return
        if names != FILES - {"cleaned_data.csv"}:
            self.wrong.append(f"partial: {sorted(names)}")
        if seen not in self.known:
            self.wrong.append(f"mixed: {folder}")
        if record["stages"]["publish"]["rows_out"] != seen["rfm_df.csv"].count(b"\r\n") - 1:
            self.wrong.append(f"the record of another snapshot: {folder}")
        self.looks += 1


@contextmanager
def reading(lake: Path, *known: dict[str, bytes]) -> Iterator[Reader]:
    reader, done = Reader(lake, list(known)), threading.Event()

    def poll() -> None:
        while not done.wait(0.002):
            for link in (f"as_of={AS_OF}", "latest"):
                reader.look(link)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield reader
    finally:
        done.set()
        thread.join()
    assert not reader.wrong, reader.wrong[:3]
    assert reader.looks > 100


# -- killed, stopped, and two at once ---------------------------------------------------------------


@pytest.fixture(scope="module")
def job_seconds(start: Start, before: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """About how long a job takes. Of late kills some come after its end."""
    lake = same_landing(before, tmp_path_factory.mktemp("timed") / "lake")
    began = time.monotonic()
    finish(start("ingest", lake), lake, "ingest")
    return time.monotonic() - began


@pytest.fixture(scope="module")
def struck() -> dict[str, Counter[str]]:
    """By task and by what was killed: how many kills have ended a job."""
    return {}


def strike(job: "subprocess.Popen[bytes]", what: str, after: float) -> bool:
    """Kill a job after some seconds. Returns whether that has ended it."""
    try:
        assert job.wait(after) == 0
        return False
    except subprocess.TimeoutExpired:
        kill(job, what)
        return job.wait(60) != 0


@pytest.mark.parametrize("task", TASKS)
def test_a_job_killed_anywhere_and_tried_again_gives_the_undisturbed_result(
    start: Start, run: RunJob, known: Known, lake: Path, request: pytest.FixtureRequest, task: str
) -> None:
    seconds: float = request.getfixturevalue("job_seconds")
    random, ended = Random(f"{SEED} {task}"), Counter[str]()
    for earlier in TASKS[: TASKS.index(task)]:
        assert run(earlier, lake).code == 0
    with reading(lake, known.old, known.new):
        for tries, what in enumerate(KILLED * KILLS, 1):
            ended[what] += strike(start(task, lake), what, random.uniform(0.1, seconds))
            # A job that is struck in its last moments may end well, but only when it has done its work.
            assert log_of(task, lake).count(" done in ") >= tries - ended.total()
        finish(start(task, lake), lake, task)
        for later in TASKS[TASKS.index(task) + 1 :]:
            assert run(later, lake).code == 0
    request.getfixturevalue("struck")[task] = ended
    assert published(lake) == known.new
    nothing_is_left(lake)


def test_kills_of_both_kinds_have_struck(struck: dict[str, Counter[str]]) -> None:
    if struck.keys() != set(TASKS):
        pytest.skip("not every job was killed in this session")
    together = sum(struck.values(), Counter[str]())
    assert min(together[what] for what in KILLED) > 0, together


@pytest.mark.parametrize("task", TASKS if KILLS > 1 else ["ingest", "clean", "publish"])
def test_an_orphan_that_finishes_after_its_retry_changes_nothing(
    start: Start, run: RunJob, snapshot: Snapshot, known: Known, lake: Path, task: str
) -> None:
    """The orphan works on one new delivery; its retry, while it is stopped, on one more."""
    for earlier in TASKS[: TASKS.index(task)]:
        assert run(earlier, lake).code == 0
    with reading(lake, known.old, known.newest):
        orphan = start(task, lake)
        wait_until(lambda: list(lake.glob(f".attempts/{task}-*/*")) or orphan.poll() is not None)
        os.killpg(orphan.pid, signal.SIGSTOP)  # it has read, and is writing
        try:
            land(lake / "landing", LATE, csv_bytes(LATE_NEWS))
            snapshot(lake)
            assert published(lake) == known.newest
        finally:
            os.killpg(orphan.pid, signal.SIGCONT)
        finish(orphan, lake, task)
        for later in TASKS[TASKS.index(task) + 1 :]:  # the orphan's run goes on
            assert run(later, lake).code == 0
    assert published(lake) == known.newest
    nothing_is_left(lake)


def test_two_backfill_runs_of_neighbouring_dates_at_once(
    start: Start, lake: Path, known: Known, snapshot: Snapshot, tmp_path: Path
) -> None:
    days = ["2011-02-09", AS_OF]
    one_by_one = same_landing(lake, tmp_path / "one by one")
    wanted = {day: content(snapshot(one_by_one, day)) for day in days}

    def backfill(day: str) -> None:
        for task in TASKS:
            finish(start(task, lake, day), lake, task)

    with reading(lake, known.old, wanted[AS_OF]), ThreadPoolExecutor(2) as both:
        list(both.map(backfill, days))
    for day in days:
        assert content(lake / "published" / f"as_of={day}") == wanted[day]
    assert (lake / "published" / "latest").resolve() == (lake / "published" / f"as_of={AS_OF}").resolve()
    nothing_is_left(lake)


# -- trouble with the machine -----------------------------------------------------------------------


def mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"may not mount here: {done.stderr.strip()}")


@pytest.fixture
def small_disk(lake: Path, tmp_path: Path) -> Iterator[Path]:
    """The lake on a disk of its own, of 16 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk))
    try:
        yield copy_of(lake, disk / "lake")
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize("task", TASKS)
def test_a_full_disk_fails_the_job_and_spares_the_snapshot(
    run: RunJob, small_disk: Path, known: Known, task: str
) -> None:
    random, fill = Random(f"{SEED} {task}"), small_disk.parent / "fill"
    for earlier in TASKS[: TASKS.index(task)]:
        assert run(earlier, small_disk).code == 0
    with reading(small_disk, known.old, known.new):
        free = shutil.disk_usage(small_disk).free
        fill.write_bytes(bytes(free - random.choice([0, 4096, 8192])))
        ended = run(task, small_disk)
        assert ended.code == 1, ended.log[-3000:]
        assert "No space left on device" in ended.last_line, ended.log[-3000:]
        fill.unlink()
        assert published(small_disk) == known.old
        for again in TASKS[TASKS.index(task) :]:
            ended = run(again, small_disk)
            assert ended.code == 0, (again, ended.log[-3000:])
    assert published(small_disk) == known.new
    nothing_is_left(small_disk)


def test_a_published_folder_that_is_read_only_keeps_its_snapshot(
    run: RunJob, lake: Path, known: Known
) -> None:
    folder = str(lake / "published")
    mount("--bind", folder, folder)
    try:
        mount("-o", "remount,bind,ro", folder)
        for task in TASKS[:-1]:
            assert run(task, lake).code == 0
        with reading(lake, known.old):
            ended = run("publish", lake)
        assert ended.code == 1
        assert folder in ended.last_line, ended.log[-3000:]
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    assert run("publish", lake).code == 0
    assert published(lake) == known.new
    nothing_is_left(lake)


def test_a_clock_that_jumps_changes_nothing(
    start: Start, environment: dict[str, str], lake: Path, known: Known
) -> None:
    """Each job's driver runs in another year than the one before."""
    libraries = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
    if not libraries:
        pytest.skip("no libfaketime here; apt-get install libfaketime")
    python = lake.parent / "python-elsewhen"  # the JVM keeps the real clock: with a false one it hangs
    python.write_text(f'#!/bin/sh\nLD_PRELOAD={libraries[0]} exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    java = f'{environment["SPARK_SUBMIT_OPTS"]} "-Dspark.pyspark.driver.python={python}"'
    with reading(lake, known.old, known.new):
        for jump, task in zip(["+400d", "-400d", "+2d", "-30d", "+4000d"], TASKS, strict=True):
            elsewhen = {"FAKETIME": jump, "DONT_FAKE_MONOTONIC": "1", "SPARK_SUBMIT_OPTS": java}
            finish(start(task, lake, **elsewhen), lake, task)
    record = json.loads((lake / "published" / "latest" / "run.json").read_text())
    assert int(record["published_at"][:4]) > 2036, "the clock did jump"
    assert published(lake) == known.new
    nothing_is_left(lake)
