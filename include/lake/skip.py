"""Ends `ingest` and `clean` without Spark where there is nothing to do: same manifest, same record."""

from dataclasses import dataclass

from include.lake.commit import alive, commit_manifest, next_number
from include.lake.manifest import BatchedFiles, IngestedFile
from include.lake.paths import Lake
from include.lake.plan import plan_clean, plan_ingest
from include.lake.state import Execution, StageRecord
from include.settings import Segmentation


@dataclass(frozen=True)
class Skipped:
    """What a task without work reports."""

    record: StageRecord
    warnings: list[str]


def skip(lake: Lake, settings: Segmentation, execution: Execution) -> Skipped | None:
    """Commit the manifest of `ingest` or `clean` if that takes no Spark. Returns None if it does, and for
    the other tasks. Raises InputError where the job would."""
    if execution.task == "ingest" and not plan_ingest(lake, settings, 0, settle_seconds=0).new:
        with alive(lake):
            return skip_ingest(lake, settings, execution)
    if execution.task == "clean":
        with alive(lake):
            return skip_clean(lake, settings, execution)
    return None


def skip_ingest(lake: Lake, settings: Segmentation, execution: Execution) -> Skipped | None:
    plan = plan_ingest(lake, settings, next_number(lake), settle_seconds=0)
    if plan.new:
        return None
    manifest = plan.manifest(BatchedFiles[IngestedFile](), execution)
    commit_manifest(lake, plan.stage, manifest)
    return Skipped(manifest.stages["ingest"], plan.warnings)


def skip_clean(lake: Lake, settings: Segmentation, execution: Execution) -> Skipped | None:
    plan = plan_clean(lake, settings)
    if not plan.is_done:
        return None
    manifest = plan.manifest({}, plan.orders_with({}), {}, execution)
    commit_manifest(lake, plan.stage, manifest)
    return Skipped(manifest.stages["clean"], [])
