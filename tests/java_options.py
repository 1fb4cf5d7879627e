"""The Java options of jobs, read from the files where the project has them."""

from pathlib import Path

from include.pipeline import PROJECT

SHORT_JOB = PROJECT / "include" / "spark" / "short_job.options"
LONG_JOB = PROJECT / "include" / "spark" / "long_job.options"
FOR_EVERY_JVM = "-XX:-UsePerfData"  # else each leaves a file below /tmp when it is killed


def read_options(file: Path) -> str:
    """The options of a file in one line, after FOR_EVERY_JVM. The file has one option a line, and comments
    that start with #."""
    lines = [line.strip() for line in file.read_text().splitlines()]
    return " ".join([FOR_EVERY_JVM, *[line for line in lines if line and not line.startswith("#")]])
