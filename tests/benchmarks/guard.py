"""`make guard`: two ratios within one run, each of which one regression would raise to 1.

- A daily run of a small shop, five spark-submits, compared with the same at Spark's defaults: about two
  fifths. Without the class-data archive and the options of short jobs it would be 1.
- `ingest` and `clean` of one new day, compared with those of all days, at 10x: about a third. If all days
  were converted again it would be 1.
"""

import shutil
import sys
from pathlib import Path

from include.pipeline import PROJECT
from tests.benchmarks.measure import as_of_date_of, copy_of, five_jobs, job, land, landed, say, shop

FOLDER = PROJECT / ".cache" / "bench"
MOST_OF_DEFAULTS = 0.75
MOST_OF_ALL_DAYS = 0.65


def start_up_of_defaults() -> float:
    """Seconds of a daily run, divided by those of the same with Spark's defaults."""
    data = shop(1, FOLDER)
    files, as_of, log = sorted(data.glob("*.csv")), as_of_date_of(data), FOLDER / "guard.log"
    history = landed(FOLDER / "guard-history", files[:-1])
    five_jobs(history, as_of, log)
    seconds = []
    for defaults in (False, True):
        lake = copy_of(history, FOLDER / "guard-lake")
        land(lake, files[-1:])
        stages = five_jobs(lake, as_of, log, defaults=defaults)
        seconds.append(sum(stage.seconds for stage in stages.values()))
    return seconds[0] / seconds[1]


def new_day_of_all_days() -> float:
    """Seconds of `ingest` and `clean` of one new day, divided by those of all days before it."""
    data = shop(10, FOLDER)
    files, as_of, log = sorted(data.glob("*.csv")), as_of_date_of(data), FOLDER / "guard.log"
    lake = landed(FOLDER / "guard-lake", files[:-1])
    seconds = []
    for new in ([], files[-1:]):
        land(lake, new)
        stages = [job(task, lake, as_of, log) for task in ("ingest", "clean")]
        assert not any(stage.failed for stage in stages), stages
        seconds.append(sum(stage.seconds for stage in stages))
    return seconds[1] / seconds[0]


def main() -> int:
    FOLDER.mkdir(parents=True, exist_ok=True)
    ended = 0
    for what, ratio_of, most in (
        ("a daily run, of the same with Spark's defaults", start_up_of_defaults, MOST_OF_DEFAULTS),
        ("ingest and clean of one new day, of all days", new_day_of_all_days, MOST_OF_ALL_DAYS),
    ):
        ratio = ratio_of()
        say(f"{what}: {ratio:.2f}, at most {most} is allowed{'' if ratio <= most else ': TOO MUCH'}")
        ended |= ratio > most
    for name in ("guard-history", "guard-lake"):
        shutil.rmtree(Path(FOLDER, name), ignore_errors=True)
    return ended


if __name__ == "__main__":
    sys.exit(main())
