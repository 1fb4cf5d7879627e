"""`make vacuum`: remove old snapshots and caches of other settings from a lake, after asking.

    python -m include.commands.vacuum LAKE [--before DATE] [--yes]

Landed files and the newest snapshot stay. So does what the warehouse holds.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

from rich.filesize import decimal
from rich.prompt import Confirm

from include.commands.terminal import console, say, say_error, track
from include.errors import ConfigError, UserError
from include.lake.commit import alone
from include.lake.paths import Lake
from include.lake.removal import Removable, caches_of_other_settings, remove, room, snapshots_before
from include.settings import Params, config_folder, load_config


def removables(lake: Lake, before: date | None) -> list[Removable]:
    """What there is to remove."""
    settings = load_config(config_folder(), Params()).settings
    old = snapshots_before(lake, before) if before else []
    return [*old, *caches_of_other_settings(lake, settings)]


def show(found: Sequence[Removable]) -> None:
    for removable in found:
        say(f"  {removable.what:<60} {decimal(room([removable])):>12}")
    say(f"  {'all of it together':<60} {decimal(room(found)):>12}")


def confirmed() -> bool:
    try:
        return Confirm.ask("Remove all of it?", console=console, default=False)
    except EOFError:  # nobody is there to answer
        return False


def vacuum(lake: Lake, before: date | None, *, ask: bool) -> str:
    """Remove what there is to remove; returns what was done. Raises ConfigError without a lake, and while a
    job is at work in it."""
    if not lake.landing.is_dir():
        raise ConfigError(f"LAKE: {lake.root} is no lake, it has no folder landing/")
    with alone(lake):
        found = removables(lake, before)
        if not found:
            return "nothing to remove" if before else "nothing to remove; give BEFORE=date for old snapshots"
        show(found)
        if ask and not confirmed():
            return "nothing was removed"
        free = room(found)
        for removable in track(found, "removing"):
            remove(removable.paths)
        return f"removed, {decimal(free)} are free"


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lake", type=Path)
    parser.add_argument("--before", default="", help="also the snapshots of earlier as-of dates: 2026-01-01")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    args = parser.parse_args(argv)
    try:
        say(vacuum(Lake(args.lake.resolve()), first_kept(args.before), ask=not args.yes))
    except UserError as error:
        say_error("vacuum", error)
        return 2
    return 0


def first_kept(text: str) -> date | None:
    """The date before which snapshots go. Raises ConfigError for what is no date."""
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise ConfigError(f"BEFORE: {text!r} is not a date like 2026-01-01") from None


if __name__ == "__main__":
    sys.exit(main())
