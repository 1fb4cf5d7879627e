"""Landed files that were read, as the manifest has them."""

from collections.abc import Sequence

from include.lake.manifest import IngestedFile, ReadPart
from include.landing.formats import FormattedFile
from include.landing.line_types import KEPT
from include.landing.notation import in_words, notation_of
from include.landing.part_lines import PartLines, sum_of


def ingested_files(
    files: Sequence[FormattedFile], lines: Sequence[PartLines], batch: str
) -> dict[str, IngestedFile]:
    """The entries of the files, by name."""
    found = {(part.file, part.part): part for part in lines}
    parts: dict[str, list[tuple[FormattedFile, PartLines]]] = {}
    for file in files:
        parts.setdefault(file.name, []).append((file, found[file.name, file.part.name]))
    return {name: ingested_file(some, batch) for name, some in parts.items()}


def ingested_file(parts: Sequence[tuple[FormattedFile, PartLines]], batch: str) -> IngestedFile:
    landed, whole = parts[0][0].landed, sum_of([lines for _, lines in parts])
    return IngestedFile(
        batch=batch,
        size=landed.size,
        modified=landed.modified,
        rows=sum(whole.counts.values()),
        kept=whole.counts.get(KEPT, 0),
        rejects={reason: lines for reason, lines in sorted(whole.counts.items()) if reason != KEPT},
        read_as="; ".join(dict.fromkeys(in_words(file, lines.proofs) for file, lines in parts)),
        newest=whole.newest,
        cancellations_with_plus=whole.with_plus or None,
        parts=[read_part(file, lines) for file, lines in parts],
        values=whole.values or None,
    )


def read_part(file: FormattedFile, lines: PartLines) -> ReadPart:
    header, notation = file.format.header, notation_of(file, lines.proofs)
    return ReadPart(
        name=file.part.name,
        shop_format=header.shop.name if header else None,
        is_sheet=file.part.kind == "sheet",
        read_as=in_words(file, lines.proofs),
        date_order=notation.date_order,
        decimals=notation.decimals,
        proofs=dict(sorted(lines.proofs.items())),
    )
