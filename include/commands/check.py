"""`make check`: how exports would be read, before they are landed. Neither Java nor Airflow is needed.

Exit code 0: nothing is doubtful. 1: somebody should look at it. 2: `ingest` would refuse it.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from rich import box
from rich.markup import escape
from rich.table import Table

from include.commands.drafts import draft
from include.commands.survey import Survey, customer_figures, groups, surveyed
from include.commands.terminal import console, say, say_error
from include.errors import ConfigError, UserError
from include.lake.record import InputFile
from include.published.checks import currency_refusals, date_refusals, has_no_header, reject_refusals
from include.published.customer_warnings import customer_warnings
from include.published.examples import Example
from include.published.file_warnings import cancellations_with_plus, other_tables, several_values
from include.published.order_warnings import order_warnings
from include.published.refusals import cure, in_one_line
from include.settings import Params, Segmentation, config_folder, load_config

LONGEST = 150  # characters of a line


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="make check", description=__doc__)
    parser.add_argument("data", type=Path, help="folder of exports")
    parser.add_argument("--config", type=Path, default=config_folder(), help="folder of segmentation.yaml")
    args = parser.parse_args(argv)
    try:
        if not args.data.is_dir():
            raise ConfigError(f"DATA: {args.data} is missing; give a folder of files with orders")
        settings = load_config(args.config, Params()).settings
        found = surveyed(args.data.resolve(), settings)
    except (UserError, OSError) as error:
        say_error("make check", error)
        return 2
    return show(found, settings, args.data.resolve())


def show(found: Survey, settings: Segmentation, folder: Path) -> int:
    """Show what was found. Returns the exit code."""
    if found.files:
        console.print(files_table(found.files))
        show_rejects(found)
    for name, why in sorted(found.not_counted.items()):
        say(f"not counted  {name} {why}")
    doubts = doubts_of(found, settings)
    for sentence in doubts:
        console.print(f"\n[yellow]doubt[/]  {escape(sentence)}", soft_wrap=True)
    for problem in found.problems.values():
        console.print(f"\n[red]refused[/]  {escape(problem)}", soft_wrap=True)
    show_drafts(found, folder)
    if found.problems:
        return 2
    if not doubts:
        console.print("\n[green]nothing is doubtful[/]")
    return 1 if doubts else 0


def files_table(files: Mapping[str, InputFile]) -> Table:
    """How each group of like files is read."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=True)
    for name in ("files", "lines", "kept"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("named")
    table.add_column("read as")
    for read_as, names in groups(files):
        some = [files[name] for name in names]
        named = names[0] if len(names) == 1 else f"{names[0]} ... {names[-1]}"
        lines, kept = sum(file.rows for file in some), sum(file.clean.kept for file in some)
        table.add_row(f"{len(names):,}", f"{lines:,}", f"{kept:,}", escape(named), escape(read_as))
    return table


def show_rejects(found: Survey) -> None:
    """Show why lines are rejected, with examples."""
    for reason, lines in sorted(found.rejects.items(), key=lambda reject: -reject[1]):
        console.print(f"\n{lines:,} rejected as [bold]{escape(reason)}[/]")
        for example in found.examples.get(reason, []):
            say(f"  {place(example)}: {in_one_line(example.raw, LONGEST)}")


def show_drafts(found: Survey, folder: Path) -> None:
    """Show the draft of a format for each header that no format fits."""
    unknown = [name for name in found.problems if name]
    unknown += [name for name, file in found.files.items() if has_no_header(file)]
    drafts: dict[str, str] = {}
    for name in unknown:
        if text := draft(folder / name):
            drafts.setdefault(text, name)
    for text, name in drafts.items():
        say(f"\nA draft for {name}: save it as formats/my-shop.yaml, and list it first in landing.formats")
        say(f"\n{text}")


def place(example: Example) -> str:
    file = f"{example.file}, {example.part}" if example.part else example.file
    return f"{file}, line {example.line:,}"


def doubts_of(found: Survey, settings: Segmentation) -> list[str]:
    """What `publish` would refuse, with the configuration to paste, and what it would warn of."""
    refusals = [
        *reject_refusals(found.files, {}, settings),
        *currency_refusals(found.files),
        *date_refusals(found.files, ZoneInfo(settings.time_zone)),
    ]
    doubts = [
        f"publish would refuse it: {refusal.problem}. What would fit: "
        f"{cure(refusal, next(iter(found.examples.get(refusal.about, [])), None))}"
        for refusal in refusals
    ]
    doubts += order_warnings(found.cleaned, settings)
    doubts += [
        *other_tables(found.files),
        *several_values(found.files),
        *cancellations_with_plus(found.files),
    ]
    if figures := customer_figures(found.orders):
        doubts += customer_warnings(figures, settings.warnings)
    elif found.files and not found.problems:
        doubts.append("publish would refuse it: no line is a purchase of a customer")
    return doubts


if __name__ == "__main__":
    sys.exit(main())
