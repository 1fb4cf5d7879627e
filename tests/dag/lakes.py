"""Lakes whose landed files are converted and cleaned: by the plans and commits of the jobs, without Spark."""

from include.lake.commit import attempt, commit_batch, commit_manifest, next_number
from include.lake.manifest import BatchedFiles, CleanedFile, IngestedFile
from include.lake.paths import Lake
from include.lake.plan import plan_clean, plan_ingest
from include.lake.state import Execution
from include.settings import Segmentation

UNREADABLE = {"quantity_unreadable": 1}


def convert(lake: Lake, settings: Segmentation) -> None:
    """Commit every new file as one with a kept and a rejected line, in a batch without any."""
    plan = plan_ingest(lake, settings, next_number(lake), settle_seconds=0)
    batch = commit_empty_batch(lake, "ingest", settings)
    files = {
        file.name: IngestedFile(
            batch=batch, size=file.size, modified=file.modified, rows=2, kept=1, rejects=UNREADABLE
        )
        for file in plan.new
    }
    conversion = BatchedFiles[IngestedFile](files=files, files_in_batch={batch: len(files)})
    commit_manifest(lake, plan.stage, plan.manifest(conversion, Execution("ingest", "earlier run")))


def clean(lake: Lake, settings: Segmentation) -> None:
    """Commit every ingested file as one whose line is kept."""
    plan = plan_clean(lake, settings)
    batch, orders = (commit_empty_batch(lake, what, settings) for what in ("clean", "orders"))
    cleaned = {
        name: CleanedFile(
            batch=batch,
            ingested_batch=plan.ingested.files[name].batch,
            kept=1,
            rejects={},
            countries=["United Kingdom"],
            needs_decimal=False,
        )
        for name in plan.new
    }
    all_orders = plan.orders_with(dict.fromkeys(plan.new, orders))
    manifest = plan.manifest(cleaned, all_orders, {}, Execution("clean", "earlier run"))
    commit_manifest(lake, plan.stage, manifest)


def commit_empty_batch(lake: Lake, what: str, settings: Segmentation) -> str:
    stages = {
        "ingest": lake.ingested(settings.ingest_fingerprint),
        "clean": lake.cleaned(settings.clean_fingerprint),
        "orders": lake.orders(settings.clean_fingerprint),
    }
    with attempt(lake, what) as folder:
        (folder / "batch").mkdir()
        return commit_batch(folder / "batch", stages[what])
