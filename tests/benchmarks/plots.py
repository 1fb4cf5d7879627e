"""The plots of performance.md: plots.py RESULTS FOLDER"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl  # type: ignore[import-not-found]
import matplotlib.pyplot as plt  # type: ignore[import-not-found]

OURS = "this pipeline"
COLOURS = {
    OURS: "#0f766e",
    "Spark in a notebook": "#b45309",
    "one Spark session": "#d97706",
    "pandas": "#7c3aed",
    "Polars": "#2563eb",
    "DuckDB": "#ca8a04",
}
mpl.rcParams |= {
    "svg.hashsalt": "rfm",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def bars(
    what: str, title: str, rows: list[dict[str, Any]], bars_of: list[tuple[str, str, str]], file: Path
) -> None:
    """Horizontal bars for each size: (label, what, who)."""
    sizes = sorted({row["size"] for row in rows if row["what"] == what})
    figure, axes = plt.subplots(
        1, len(sizes), figsize=(4.2 * len(sizes), 0.42 * len(bars_of) + 1.3), squeeze=False
    )
    for place, (size, axis) in enumerate(zip(sizes, axes[0], strict=True)):
        for height, (_, of, who) in enumerate(reversed(bars_of)):
            row = next((r for r in rows if (r["what"], r["size"], r["who"]) == (of, size, who)), None)
            if not row or (not row["seconds"] and not row["failed"]):
                continue
            if row["failed"]:
                axis.text(
                    0, height, f" {row['failed'].split(',')[0]}", va="center", color="#b91c1c", fontsize=9
                )
                continue
            middle = median(row["seconds"])
            reach = [[middle - min(row["seconds"])], [max(row["seconds"]) - middle]]
            axis.barh(height, middle, xerr=reach, color=COLOURS[who], ecolor="#334155", height=0.65)
            axis.text(max(row["seconds"]), height, f"  {middle:.1f} s", va="center", fontsize=9)
        axis.set_yticks(
            range(len(bars_of)), [label for label, _, _ in reversed(bars_of)] if not place else []
        )
        axis.set_title(f"{size}x", fontsize=10)
        axis.margins(x=0.25)
        axis.set_xlabel("seconds", fontsize=9)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main(results: Path, folder: Path) -> None:
    rows = json.loads(results.read_text())["rows"]
    everybody = [(who, "full load", who) for who in COLOURS]
    bars(
        "full load",
        "From CSV files to the published snapshot",
        rows,
        everybody,
        folder / "performance-full-load.svg",
    )
    others = [(f"{who}, all days again", "full load", who) for who in COLOURS if who != OURS]
    day = [(f"{OURS}, one new day", "daily increment", OURS), *others]
    bars("daily increment", "One new day, all history there", rows, day, folder / "performance-increment.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
