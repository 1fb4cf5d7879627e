"""ingest: every landed CSV file becomes typed lines, once.

A file is known by its path, size and modification time. A converted file is not read again. The next run
converts a new, changed or late file, and leaves out a deleted one. Of files with the same content the
first by path counts. A file that is still being written, or may not be read, waits for the next run.

How a file is read, and why a line is rejected, is in include/landing/reader.py.
"""

import logging
from collections.abc import Sequence

from include.lake.commit import commit_manifest, next_number
from include.lake.plan import plan_ingest
from include.spark.conversion import convert_files
from include.spark.job import job

log = logging.getLogger("rfm")


def main(argv: Sequence[str] | None = None) -> None:
    with job("ingest", __doc__, argv) as run:
        settings = run.config.settings
        plan = plan_ingest(run.lake, settings, next_number(run.lake), settings.landing.settle_seconds)
        for warning in plan.warnings:
            log.warning(warning)
        conversion = convert_files(run, plan.new, plan.converted)
        manifest = plan.manifest(conversion, run.execution)
        run.report(manifest.stages["ingest"])
        commit_manifest(run.lake, plan.stage, manifest)


if __name__ == "__main__":
    main()
