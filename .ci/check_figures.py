"""Compare a published snapshot of the Online Retail data as of 2011-12-10 with the known figures."""

import csv
import json
import sys
from decimal import Decimal
from pathlib import Path

SEGMENTS = {
    "Champions": 803,
    "Loyal Customers": 400,
    "Potential Loyalists": 313,
    "New Customers": 400,
    "Promising": 243,
    "Need Attention": 253,
    "About To Sleep": 233,
    "At Risk": 349,
    "Can't Lose Them": 128,
    "Hibernating": 650,
    "Lost": 566,
}
CUT_POINTS = {
    "recency_days": [13, 33, 72, 180],
    "frequency": [1, 2, 3, 6],
    "monetary": ["243.22", "475.28", "914.93", "2018.91"],
}
STAGES = {"ingest": (541_909, 541_909), "clean": (541_909, 406_789)}


def read_csv(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def main(folder: Path) -> int:
    summary = {row["segment"]: int(row["customers"]) for row in read_csv(folder / "segment_summary.csv")}
    stages = json.loads((folder / "run.json").read_text())["stages"]
    checks = {
        "customers by segment": (summary, SEGMENTS),
        "revenue": (
            sum(Decimal(row["monetary"]) for row in read_csv(folder / "rfm_df.csv")),
            Decimal("8310477.05"),
        ),
        "cut points": (json.loads((folder / "cut_points.json").read_text()), CUT_POINTS),
        "rows in and out": ({s: (stages[s]["rows_in"], stages[s]["rows_out"]) for s in STAGES}, STAGES),
        "cleaned lines": (len(read_csv(folder / "cleaned_data.csv")), 406_789),
    }
    wrong = 0
    for name, (found, expected) in checks.items():
        print(f"{'ok   ' if found == expected else 'WRONG'} {name}")
        if found != expected:
            wrong += 1
            print(f"      expected {expected}\n      found    {found}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
