"""Java's options have one home each, and every script reads them there."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from include.pipeline import PROJECT

ROOM = PROJECT / "include" / "spark"
JAVA_OPTIONS = ROOM / "java_options"
CODE = ("dags", "include", "plugins", "spark_jobs", "tests", ".ci")
# Each in two parts, so that this file does not contain them.
C1_ONLY, C2_THRESHOLDS = "-XX:" + "TieredStopAtLevel", "-XX:" + "Tier4"
ARCHIVE, ARCHIVE_LOG = "-XX:" + "SharedArchiveFile", "-Xlog:" + "cds"


def java_options(*arguments: str) -> str:
    command = [str(JAVA_OPTIONS), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.removesuffix("\n")


# -- the options --------------------------------------------------------------------------------


def test_a_short_job_has_c1_only_and_one_thread_for_the_collector() -> None:
    assert java_options("short_job") == f"{C1_ONLY}=1 -XX:+UseSerialGC"


def test_a_long_job_has_the_parallel_collector_and_c2_for_the_hottest_methods_of_any_size() -> None:
    assert java_options("long_job").split(" ") == [
        "-XX:+UseParallelGC",
        f"{C2_THRESHOLDS}InvocationThreshold=50000",
        f"{C2_THRESHOLDS}MinInvocationThreshold=6000",
        f"{C2_THRESHOLDS}CompileThreshold=150000",
        "-XX:-DontCompileHugeMethods",
    ]


def test_the_path_of_the_class_archive_is_quoted() -> None:
    printed = java_options("class_archive", "/a place/spark.jsa")
    assert printed == f'"{ARCHIVE}=/a place/spark.jsa" {ARCHIVE_LOG}=off {ARCHIVE_LOG}+dynamic=off'


@pytest.mark.parametrize("name", ["short_job", "long_job"])
def test_java_accepts_the_options(name: str) -> None:
    subprocess.run(["java", *java_options(name).split(), "-version"], capture_output=True, check=True)


# -- one home -----------------------------------------------------------------------------------


def files_with(*flags: str) -> set[str]:
    """The names of the files with one of these flags, except for documentation."""
    return {path.name for path in files() if any(flag in path.read_text(errors="ignore") for flag in flags)}


def files() -> Iterator[Path]:
    yield from (path for path in PROJECT.iterdir() if path.is_file() and path.suffix != ".md")
    for folder in CODE:
        for path in (PROJECT / folder).rglob("*"):
            if path.is_file() and path.suffix not in (".md", ".svg", ".pyc"):
                yield path


def test_only_the_two_files_have_the_compiler_s_options() -> None:
    assert files_with(C1_ONLY, C2_THRESHOLDS) == {"short_job.options", "long_job.options"}


def test_only_the_script_and_the_maker_of_the_archive_have_the_archive_s_options() -> None:
    assert files_with(ARCHIVE, ARCHIVE_LOG) == {"java_options", "class_archive.py"}


# -- the Makefile -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a make target, in a folder whose path has a space."""
    folder = tmp_path_factory.mktemp("a project")
    (folder / "include").symlink_to(PROJECT / "include")
    (folder / "original.mk").symlink_to(PROJECT / "Makefile")
    (folder / "Makefile").write_text("include original.mk\nprint-environment:\n\t@env -0\n")
    outside = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = ["make", "print-environment"]
    printed = subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, check=True)
    variables = printed.stdout.replace(str(folder), "FOLDER").rstrip("\0").split("\0")
    return dict(variable.split("=", 1) for variable in variables)


def test_the_launcher_and_short_jobs_have_the_short_options(environment: dict[str, str]) -> None:
    assert environment["SPARK_LAUNCHER_OPTS"] == f"-XX:-UsePerfData {java_options('short_job')}"
    assert environment["SPARK_SUBMIT_OPTS"].endswith(f" {java_options('short_job')}")


def test_long_jobs_have_the_long_options_and_otherwise_those_of_short_jobs(
    environment: dict[str, str],
) -> None:
    others = environment["SPARK_SUBMIT_OPTS"].removesuffix(java_options("short_job"))
    assert environment["RFM_LONG_JOB_OPTS"] == f"{others}{java_options('long_job')}"


def test_all_jobs_start_with_the_class_archive(environment: dict[str, str]) -> None:
    assert java_options("class_archive", "FOLDER/.cache/spark.jsa") in environment["SPARK_SUBMIT_OPTS"]
