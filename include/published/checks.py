"""What must hold before a snapshot is published. Each check raises InputError with the numbers."""

from collections import Counter
from collections.abc import Mapping

from include.errors import InputError, OutdatedError
from include.lake.record import InputFile
from include.lake.state import Stages, reconcile
from include.settings import Segmentation


def check_stages(stages: Stages) -> None:
    """Every stage reconciles, and with the one before."""
    for task, stage in stages.items():
        reconcile(task, stage.rows_in, stage.rows_out, stage.rejects)
    for before, after in [("ingest", "clean"), ("clean", "rfm")]:
        given, taken = stages[before].rows_out, stages[after].rows_in
        if given != taken:
            raise OutdatedError(f"{before} gave {given} lines and {after} took {taken}", clear_from="ingest")


def check_files(files: Mapping[str, InputFile]) -> None:
    """Every line of each landed file is either kept or rejected."""
    for name, file in files.items():
        reconcile(f"ingest of {name}", file.rows, file.kept, file.rejects)
        reconcile(f"clean of {name}", file.kept, file.clean.kept, file.clean.rejects)


def check_reject_shares(stages: Stages, files: Mapping[str, InputFile], settings: Segmentation) -> None:
    """No reason rejects more of the landed lines than `reject_baseline` and `reject_threshold` allow."""
    landed = stages["ingest"].rows_in
    for task in ("ingest", "clean"):
        for reason, count in stages[task].rejects.items():
            allowed = settings.most_rejects(reason)
            if count > allowed * landed:
                raise InputError(
                    f"{task} rejected {count:,} of {landed:,} lines ({count / landed:.1%}) as {reason}, "
                    f"more than the {allowed:.1%} that reject_baseline and reject_threshold allow. Nothing "
                    f"was published. Most are in {files_with_most(reason, files)}. Correct these, or the "
                    f"configuration"
                )


def files_with_most(reason: str, files: Mapping[str, InputFile]) -> str:
    counts = Counter({name: file.all_rejects[reason] for name, file in files.items()})
    return ", ".join(f"{name} ({lines:,})" for name, lines in counts.most_common(3) if lines)
