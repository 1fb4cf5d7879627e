"""What a task has read and written, for Airflow's OpenLineage provider. Loaded only when that provider asks.

The datasets are the folders of the lake, so the graph is the same for all dates: landing, ingested, cleaned,
rfm, segments, published. Folders that have a version for each date name the as-of date as the version. The
landed files are one dataset: there may be thousands, and run.json lists them.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import attr
from airflow.providers.openlineage.extractors import OperatorLineage
from openlineage.client.event_v2 import Dataset, InputDataset, OutputDataset
from openlineage.client.facet_v2 import (
    DatasetFacet,
    RunFacet,
    dataset_version_dataset,
    input_statistics_input_dataset,
    output_statistics_output_dataset,
)

from include.lake.paths import Lake
from include.lake.state import StageRecord
from include.pipeline import TASKS

NAMESPACE = "file"
REJECTS = "rfm_rejects"  # the key of the facet


@attr.define
class RejectsRunFacet(RunFacet):
    """The rejected rows of a task, by reason."""

    rows: Mapping[str, int]


def lineage(
    task: str, day: date, variant: str | None, lake: Lake, record: StageRecord | None
) -> OperatorLineage[Dataset, RunFacet]:
    """The datasets of a task, with the counts of its record. A task that has failed has none."""
    chain = datasets(day, variant, lake)
    (read, read_version), (made, made_version) = chain[TASKS.index(task) :][:2]
    source = InputDataset(NAMESPACE, str(read), facets=version(read_version))
    result = OutputDataset(NAMESPACE, str(made), facets=version(made_version))
    if record is None:
        return OperatorLineage(inputs=[source], outputs=[result])
    source.inputFacets = {
        "inputStatistics": input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
            rowCount=record.rows_in, fileCount=record.files_landed
        )
    }
    result.outputFacets = {
        "outputStatistics": output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
            rowCount=record.rows_out
        )
    }
    facets: dict[str, RunFacet] = {REJECTS: RejectsRunFacet(record.rejects)}
    return OperatorLineage(inputs=[source], outputs=[result], run_facets=facets)


def datasets(day: date, variant: str | None, lake: Lake) -> list[tuple[Path, date | None]]:
    """What each task reads, and the next one makes of it: folders, and their date where they have one."""
    for_all_dates = [lake.landing, lake.root / "ingested", lake.root / "cleaned"]
    dated = [area(day, variant).parent for area in (lake.rfm, lake.segments, lake.published)]
    return [*((folder, None) for folder in for_all_dates), *((folder, day) for folder in dated)]


def version(day: date | None) -> dict[str, DatasetFacet]:
    if day is None:
        return {}
    return {"version": dataset_version_dataset.DatasetVersionDatasetFacet(day.isoformat())}
