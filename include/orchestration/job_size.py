"""How much a job has to do, which decides the Java options of its driver.

C2 and the parallel collector cost a short job more than they save; a long job gains nothing from a fast
start. Where LONG_JOB_OPTIONS_VARIABLE is set, a job with much to read gets those options instead of
SPARK_SUBMIT_OPTS. No result depends on it.
"""

from collections.abc import Mapping

from include.errors import InputError
from include.lake.manifest import IngestedManifest, read_cleaned, read_ingested
from include.lake.paths import Lake
from include.lake.plan import files_to_clean
from include.landing.files import landed_files
from include.pipeline import LONG_JOB_OPTIONS_VARIABLE
from include.settings import Segmentation

LONG_JOB_BYTES = 200 << 20
LINES_PER_ROW = {"rfm": 20, "segment": 100, "publish": 100}  # landed lines for one order or customer


def java_options(
    task: str, lake: Lake, settings: Segmentation, environment: Mapping[str, str]
) -> dict[str, str]:
    """What to set for a job's spark-submit: SPARK_SUBMIT_OPTS, or nothing."""
    options = environment.get(LONG_JOB_OPTIONS_VARIABLE)
    if options and bytes_to_read(task, lake, settings) > LONG_JOB_BYTES:
        return {"SPARK_SUBMIT_OPTS": options}
    return {}


def bytes_to_read(task: str, lake: Lake, settings: Segmentation) -> int:
    """About how many bytes of landed files a job works on: `ingest` and `clean` on the new ones, the other
    jobs on orders and customers, which stand for many lines each."""
    ingested = read_ingested(lake.ingested(settings.ingest_fingerprint))
    if task == "ingest":
        return new_bytes(lake, ingested)
    cleaned = read_cleaned(lake.cleaned(settings.clean_fingerprint))
    if task == "clean":
        names = files_to_clean(ingested, cleaned, across_files=settings.compares_files)
        return sum(ingested.files[name].size for name in names)
    return (
        sum(ingested.files[name].size for name in cleaned.files if name in ingested.files)
        // LINES_PER_ROW[task]
    )


def new_bytes(lake: Lake, ingested: IngestedManifest) -> int:
    """The size of the landed files that are new or changed; 0 without any file, as the job will say."""
    try:
        landed, _ = landed_files(lake.landing)
    except InputError:
        return 0
    known = {name: entry.identity for name, entry in ingested.files.items()}
    return sum(file.size for file in landed if known.get(file.name) != file.identity)
