"""`make land`, and the first step of `make run`: mirror a data folder to its place in a lake.

    python -m include.commands.land DATA LAKE

The folder DATA becomes landing/<its name>/. A file that changes or disappears there changes the result.
Other folders of landing/ are left alone.
"""

import argparse
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from include.commands.terminal import say_error, track
from include.errors import ConfigError, InputError, UserError
from include.lake.paths import Lake
from include.landing.files import (
    LandedFile,
    identity,
    is_hidden,
    is_read,
    nothing_to_read,
    still_written,
    why_not_by_name,
)


def land(data: Path, lake: Lake, settle_seconds: float) -> str:
    """Mirror the data folder; returns a summary. A file that is still being written is not copied.

    Files that are not read are copied, too, so that every run names them. Raises InputError without a file
    that is read, and ConfigError when the data folder contains the lake.
    """
    data = data.resolve()
    place = (lake.landing / data.name).resolve()
    wanted = {path.relative_to(data): path for path in data_files(data)}
    if place == data:
        return f"{len(wanted)} files are already in {place}"
    if data in place.parents:
        raise ConfigError(
            f"DATA: {data} holds the lake's own {place}, and would land in itself; give another LAKE"
        )
    landed = {path.relative_to(place): identity(path) for path in files_below(place)}
    changed = {name: path for name, path in wanted.items() if landed.get(name) != identity(path)}
    waiting = still_written(sources(changed), settle_seconds)
    fresh = {name: path for name, path in changed.items() if str(name) not in waiting}
    copy_files(fresh, place)
    gone = landed.keys() - wanted.keys()
    for name in gone:
        (place / name).unlink()
    changes = f"{len(fresh)} new or changed" + (f", {len(gone)} removed" if gone else "")
    later = "".join(f"\nwaits   {name} {reason}; run it again" for name, reason in waiting.items())
    return f"{len(wanted)} files in {place} ({changes}){later}"


def data_files(data: Path) -> list[Path]:
    """The files of a data folder. Raises InputError when none is read."""
    if not data.is_dir():
        problem = "is a file" if data.exists() else "is missing"
        raise InputError(f"DATA: {data} {problem}; give a folder of files with orders")
    found = files_below(data)
    if not any(is_read(path.name) for path in found):
        others = {str(path.relative_to(data)): why_not_by_name(path.name) or "" for path in found}
        raise nothing_to_read(f"DATA: folder {data}", others)
    return found


def files_below(folder: Path) -> list[Path]:
    """The files that are not hidden."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(is_hidden(part) for part in path.relative_to(folder).parts)
    ]


def sources(files: Mapping[Path, Path]) -> Iterable[LandedFile]:
    return [LandedFile(path, str(name), *identity(path)) for name, path in files.items()]


def copy_files(files: Mapping[Path, Path], place: Path) -> None:
    """Copy each file under its name, with its modification time. A name appears with the whole file."""
    names = track(files, "landing") if len(files) > 1 else files
    for name in names:
        target = place / name
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{target.name}.part")
        shutil.copy2(files[name], part)
        part.replace(target)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make land", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of files with orders")
    parser.add_argument("lake", type=Path)
    args = parser.parse_args(argv)
    try:
        print(land(args.data, Lake(args.lake), settle_seconds=0))
    except (UserError, OSError) as error:
        say_error("make land", error)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
