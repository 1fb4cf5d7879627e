"""How much a job has to do, which decides how its JVM is started.

Java's thorough compiler and a collector with several threads cost a short job more than they give,
and a long one has no use of a quick start. Where RFM_LONG_JOB_OPTS is set, a job with much to do
gets those options in the place of SPARK_SUBMIT_OPTS. No result depends on it.
"""

from collections.abc import Mapping

from include.errors import Refused
from include.lake.commit import NOTHING, Files, Lake, files_to_clean, read_view
from include.landing.records import landed_files
from include.settings import Segmentation

LONG_JOB_OPTS = "RFM_LONG_JOB_OPTS"
LONG_JOB_BYTES = 200 << 20
LINES_PER_ROW = {"rfm": 20, "segment": 100, "publish": 100}  # orders and customers


def java_options(
    task: str, lake: Lake, settings: Segmentation, environment: Mapping[str, str]
) -> dict[str, str]:
    """What to set for a job's spark-submit: SPARK_SUBMIT_OPTS, or nothing."""
    options = environment.get(LONG_JOB_OPTS)
    if options and bytes_to_read(task, lake, settings) > LONG_JOB_BYTES:
        return {"SPARK_SUBMIT_OPTS": options}
    return {}


def bytes_to_read(task: str, lake: Lake, settings: Segmentation) -> int:
    """About how many bytes of landed files a job works on: `ingest` and `clean` on the new ones (`clean` on
    all when it drops repeats and any file has changed), the others on orders and customers, of which
    there is one for many lines."""
    ingested: Files = (read_view(lake.ingested(settings.ingest_rules)) or NOTHING)["files"]
    if task == "ingest":
        try:
            landed, _ = landed_files(lake.landing)
        except Refused:
            return 0  # the job will say why
        return sum(file.size for file in landed if not file.is_of(ingested.get(file.name)))
    cleaned: Files = (read_view(lake.cleaned(settings.clean_rules)) or NOTHING)["files"]
    if task == "clean":
        new = files_to_clean(ingested, cleaned, drop_repeats=settings.duplicates == "drop")
        return sum(int(ingested[name]["size"]) for name in new)
    return sum(int(ingested[name]["size"]) for name in cleaned if name in ingested) // LINES_PER_ROW[task]
