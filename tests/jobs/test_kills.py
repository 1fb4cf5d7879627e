"""Jobs that are killed, stopped and run beside each other, with a reader who looks all the time.

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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

import psutil
import pytest

from tests.jobs.conftest import TASKS, RunJob, arguments
from tests.jobs.test_jobs import FILES, PROJECT, content, copy_of, open_shop, same_landing
from tests.tables import csv_bytes, land

KILLS = int(os.environ.get("RFM_KILLS", "1"))
SEED = int(os.environ.get("RFM_KILL_SEED", "20110210"))
AS_OF = "2011-02-10"
# The second line is a reject: only rejects.csv would tell that a batch is missing by then.
NEWS = "115,A,LAMP,7,2011-02-09 08:00:00,5.00,103,Malta\n115,A,LAMP,some,2011-02-09 08:00:00,5.00,103,Malta"
LATE, LATE_NEWS = "2011-02-09 late.csv", NEWS.replace("115", "116")

Snapshot = Callable[..., Path]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture(scope="module")
def start(environment: dict[str, str]) -> Start:
    """Submit a job in a process group of its own, without waiting for it."""

    def started(task: str, lake: Path, as_of: str = AS_OF, **more: str) -> "subprocess.Popen[bytes]":
        script = str(PROJECT / "spark_jobs" / f"{task}.py")
        command = ["spark-submit", "--master", "local[2]", script, *arguments(lake, as_of, None, None)]
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


@pytest.fixture(scope="module")
def old(before: Path) -> dict[str, bytes]:
    return content(before / "published" / "latest")


@pytest.fixture(scope="module")
def new(snapshot: Snapshot, before: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The undisturbed result with the new delivery, from a lake made from scratch."""
    scratch = same_landing(before, tmp_path_factory.mktemp("new") / "lake")
    land(scratch / "landing", "2011-02-09.csv", csv_bytes(NEWS))
    return content(snapshot(scratch))


@pytest.fixture(scope="module")
def newest(snapshot: Snapshot, before: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The same with one more delivery, which comes later."""
    scratch = same_landing(before, tmp_path_factory.mktemp("newest") / "lake")
    land(scratch / "landing", "2011-02-09.csv", csv_bytes(NEWS))
    land(scratch / "landing", LATE, csv_bytes(LATE_NEWS))
    return content(snapshot(scratch))


def log_of(task: str, lake: Path) -> str:
    """What all jobs of the task have said."""
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
    """The driver alone, where there is one by now, or all of the job."""
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
    """No attempt, no batch that no view names, no version that was never seen."""
    attempts = lake / ".attempts"
    assert not attempts.exists() or not list(attempts.iterdir())
    for stage in [*lake.glob("ingested/*"), *lake.glob("cleaned/*")]:
        view = json.loads((stage / "view.json").read_text())
        named = {f"batch={file['batch']}" for file in view["files"].values()}
        assert {batch.name for batch in stage.glob("batch=*")} == named
    for versions in lake.glob("*/.versions"):
        for version in versions.glob("as_of=*"):
            linked = (versions.parent / version.name.rsplit(".", 1)[0]).resolve() == version.resolve()
            replaced = version.with_name(f"{version.name}.superseded").exists()
            assert linked or replaced or version.is_symlink() or version.suffix == ".superseded", version


class Reader:
    """Somebody who polls `published/` and remembers what was wrong with what they saw."""

    def __init__(self, lake: Path, known: list[dict[str, bytes]]) -> None:
        self.published, self.known = lake / "published", known
        self.looks, self.wrong = 0, list[str]()

    def look(self, link: str) -> None:
        folder = (self.published / link).resolve()
        try:
            seen = content(folder)
            record = json.loads((folder / "run.json").read_text())
        except OSError as error:
            self.wrong.append(f"missing: {error}")
            return
        if {*seen, "run.json"} != FILES - {"cleaned_data.csv"}:
            self.wrong.append(f"partial: {sorted(seen)}")
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


def test_a_job_killed_anywhere_and_tried_again_gives_the_undisturbed_result(
    start: Start, lake: Path, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    random = Random(SEED)
    seconds = 8.0  # about what a job takes; of late kills some come after its end
    struck = {"driver": 0, "group": 0}
    with reading(lake, old, new):
        for task in TASKS:
            ended_well = 0
            for what in list(struck) * KILLS:
                job = start(task, lake)
                try:
                    ended_well += job.wait(random.uniform(0.1, seconds)) == 0
                except subprocess.TimeoutExpired:
                    kill(job, what)
                    killed = job.wait(60) != 0
                    struck[what] += killed
                    ended_well += not killed
                # One that is struck in its last moments may end well, but only when it has done its work.
                assert log_of(task, lake).count(f"{task}  done in") >= ended_well
            began = time.monotonic()
            finish(start(task, lake), lake, task)
            seconds = time.monotonic() - began
    assert min(struck.values()) > 0, struck
    assert content(lake / "published" / f"as_of={AS_OF}") == new
    nothing_is_left(lake)


@pytest.mark.parametrize("task", TASKS if KILLS > 1 else ["ingest", "clean", "publish"])
def test_an_orphan_that_finishes_after_its_retry_changes_nothing(
    start: Start,
    run: RunJob,
    lake: Path,
    snapshot: Snapshot,
    old: dict[str, bytes],
    newest: dict[str, bytes],
    task: str,
) -> None:
    """The orphan works on one new delivery; its retry, while it is stopped, on one more."""
    for earlier in TASKS[: TASKS.index(task)]:
        assert run(earlier, lake).code == 0
    with reading(lake, old, newest):
        orphan = start(task, lake)
        wait_until(lambda: list(lake.glob(f".attempts/{task}-*/*")) or orphan.poll() is not None)
        os.killpg(orphan.pid, signal.SIGSTOP)  # it has read, and is writing
        try:
            land(lake / "landing", LATE, csv_bytes(LATE_NEWS))
            snapshot(lake)
            assert content(lake / "published" / f"as_of={AS_OF}") == newest
        finally:
            os.killpg(orphan.pid, signal.SIGCONT)
        finish(orphan, lake, task)
        for later in TASKS[TASKS.index(task) + 1 :]:  # the orphan's run goes on
            assert run(later, lake).code == 0
    assert content(lake / "published" / f"as_of={AS_OF}") == newest
    nothing_is_left(lake)


def test_two_backfill_runs_of_neighbouring_dates_at_once(
    start: Start, lake: Path, before: Path, snapshot: Snapshot, tmp_path: Path
) -> None:
    days = ["2011-02-09", AS_OF]
    shutil.copytree(lake / "landing", tmp_path / "one by one" / "landing")
    wanted = {day: content(snapshot(tmp_path / "one by one", day)) for day in days}

    def backfill(day: str) -> None:
        for task in TASKS:
            finish(start(task, lake, day), lake, task)

    known = content(before / "published" / "latest"), wanted[AS_OF]
    with reading(lake, *known), ThreadPoolExecutor(2) as both:
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


def test_a_full_disk_fails_the_job_and_spares_the_snapshot(
    run: RunJob, small_disk: Path, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    random, fill = Random(SEED), small_disk.parent / "fill"
    with reading(small_disk, old, new):
        for task in TASKS:
            free = shutil.disk_usage(small_disk).free
            fill.write_bytes(bytes(free - random.choice([0, 4096, 8192])))
            ended = run(task, small_disk)
            assert ended.code == 1, (task, ended.log[-3000:])
            assert "No space left on device" in ended.last_line, (task, ended.log[-3000:])
            fill.unlink()
            assert content(small_disk / "published" / "latest") == old
            ended = run(task, small_disk)
            assert ended.code == 0, (task, ended.log[-3000:])
    assert content(small_disk / "published" / "latest") == new
    nothing_is_left(small_disk)


def test_a_published_folder_that_is_read_only_keeps_its_snapshot(
    run: RunJob, lake: Path, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    published = str(lake / "published")
    mount("--bind", published, published)
    try:
        mount("-o", "remount,bind,ro", published)
        for task in TASKS[:-1]:
            assert run(task, lake).code == 0
        with reading(lake, old):
            ended = run("publish", lake)
        assert ended.code == 1
        assert published in ended.last_line, ended.log[-3000:]
    finally:
        subprocess.run(["umount", "--lazy", published], check=True)
    assert run("publish", lake).code == 0
    assert content(lake / "published" / "latest") == new
    nothing_is_left(lake)


def test_a_clock_that_jumps_changes_nothing(
    start: Start, environment: dict[str, str], lake: Path, old: dict[str, bytes], new: dict[str, bytes]
) -> None:
    """Each job's driver lives in another year than the one before."""
    libraries = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
    if not libraries:
        pytest.skip("no libfaketime here; apt-get install libfaketime")
    python = lake.parent / "python-elsewhen"  # the JVM keeps its clock, for it would stand still
    python.write_text(f'#!/bin/sh\nLD_PRELOAD={libraries[0]} exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    java = f'{environment["SPARK_SUBMIT_OPTS"]} "-Dspark.pyspark.driver.python={python}"'
    with reading(lake, old, new):
        for jump, task in zip(["+400d", "-400d", "+2d", "-30d", "+4000d"], TASKS, strict=True):
            elsewhen = {"FAKETIME": jump, "DONT_FAKE_MONOTONIC": "1", "SPARK_SUBMIT_OPTS": java}
            finish(start(task, lake, **elsewhen), lake, task)
    record = json.loads((lake / "published" / "latest" / "run.json").read_text())
    assert int(record["published_at"][:4]) > 2036, "the clock did jump"
    assert content(lake / "published" / "latest") == new
    nothing_is_left(lake)
