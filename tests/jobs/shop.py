"""A shop small enough to work out by hand, with the snapshot that its three deliveries make."""

import gzip
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from tests import tables
from tests.tables import HEADER, csv_bytes

AS_OF = "2011-02-10"
# Lines that do not count have their reason at the end. The numbers are worked out below.
SHOP = {
    "2011-01-03.csv": [
        '100,A,"LAMP, RED",2,2011-01-03 08:00:00,5.00,101.0,United Kingdom',
        "101,B,MUG,1,2011-01-03 09:00:00,3.50,102.0,France",
        '102,C,"3"" NAIL",10,2011-01-03 10:00:00,0.001,103.0,United Kingdom',
        "103,A,LAMP,1,2011-01-03 10:00:00,9.00,,United Kingdom",  # missing_customer
        "104,A,LAMP,one,2011-01-03 10:00:00,9.00,101.0,United Kingdom",  # quantity_unreadable
    ],
    "2011-01-20.csv": [
        "105,A,LAMP,4,2011-01-20 08:00:00,5.00,104.0,United Kingdom",
        "106,B,MUG,2,2011-01-20 09:00:00,3.50,102.0,Spain",
        "C107,A,LAMP,-1,2011-01-20 10:00:00,5.00,101.0,United Kingdom",
        "A108,B,Adjust bad debt,1,2011-01-20 10:00:00,5.00,101.0,United Kingdom",  # unknown_invoice_type
        "109,B,MUG,1,2011-01-20 10:00:00,0,102.0,United Kingdom",  # price_not_positive
        "C110,B,MUG,-1,2011-01-20 10:00:00,3.50,106.0,United Kingdom",  # its customer never bought
    ],
    "2011-02-08.csv": [
        "111,A,LAMP,1,2011-02-08 08:00:00,5.00,C-0042,United Kingdom",
        "112,B,MUG,1,2011-02-08 09:00:00,3.50,101,United Kingdom",
        "113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom",
        "113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom",  # a repeat, which counts
        "114,B,MUG,1,2011-02-10 00:00:00,3.50,101,United Kingdom",  # on the as-of day: not before it
    ],
}

# As of 2011-02-10, n = 5. Recency 2 2 2 21 38: fewer than 0, 3, 4 are less, so bins 0, 3, 4.
# Frequency 1 1 2 2 2: bins 0 and 2. Monetary 0.01 5.00 8.50 10.50 220.00: bins 0 to 4.
# As of 2011-01-11, n = 3: all of 8 days and one order; monetary 0.01 3.50 10.00: bins 0, 1, 3.
RFM_DF = """\
as_of,customer_id,country,first_purchase_date,last_purchase_date,recency_days,frequency,monetary,gross,returned,avg_order_value,r_score,f_score,m_score,rfm_score,segment,previous_segment
2011-02-10,101,United Kingdom,2011-01-03,2011-02-08,2,2,8.50,13.50,5.00,4.25,5,3,3,533,Potential Loyalists,Promising
2011-02-10,102,Spain,2011-01-03,2011-01-20,21,2,10.50,10.50,0.00,5.25,2,3,4,234,At Risk,New Customers
2011-02-10,103,United Kingdom,2011-01-03,2011-01-03,38,1,0.01,0.01,0.00,0.01,1,1,1,111,Lost,New Customers
2011-02-10,104,United Kingdom,2011-01-20,2011-02-08,2,2,220.00,220.00,0.00,110.00,5,3,5,535,Need Attention,
2011-02-10,C-0042,United Kingdom,2011-02-08,2011-02-08,2,1,5.00,5.00,0.00,5.00,5,1,2,512,New Customers,
"""  # noqa: E501 - as published
SUMMARY = """\
segment,customers,customer_share,orders,revenue,revenue_share,avg_recency_days,avg_frequency,avg_monetary,median_monetary
Champions,0,0.0000,0,0.00,0.0000,,,,
Loyal Customers,0,0.0000,0,0.00,0.0000,,,,
Potential Loyalists,1,0.2000,2,8.50,0.0348,2.00,2.00,8.50,8.50
New Customers,1,0.2000,1,5.00,0.0205,2.00,1.00,5.00,5.00
Promising,0,0.0000,0,0.00,0.0000,,,,
Need Attention,1,0.2000,2,220.00,0.9016,2.00,2.00,220.00,220.00
About To Sleep,0,0.0000,0,0.00,0.0000,,,,
At Risk,1,0.2000,2,10.50,0.0430,21.00,2.00,10.50,10.50
Can't Lose Them,0,0.0000,0,0.00,0.0000,,,,
Hibernating,0,0.0000,0,0.00,0.0000,,,,
Lost,1,0.2000,1,0.01,0.0000,38.00,1.00,0.01,0.01
"""
MOVEMENT = """\
previous_segment,segment,customers
New Customers,At Risk,1
New Customers,Lost,1
Promising,Potential Loyalists,1
Not yet a customer,New Customers,1
Not yet a customer,Need Attention,1
"""
REJECTS = """\
stage,file,part,line,reason,raw
clean,2011-01-03.csv,,5,missing_customer,"103,A,LAMP,1,2011-01-03 10:00:00,9.00,,United Kingdom"
clean,2011-01-20.csv,,5,unknown_invoice_type,"A108,B,Adjust bad debt,1,2011-01-20 10:00:00,5.00,101.0,United Kingdom"
clean,2011-01-20.csv,,6,price_not_positive,"109,B,MUG,1,2011-01-20 10:00:00,0,102.0,United Kingdom"
ingest,2011-01-03.csv,,6,quantity_unreadable,"104,A,LAMP,one,2011-01-03 10:00:00,9.00,101.0,United Kingdom"
"""  # noqa: E501 - as published
CLEANED_DATA = """\
invoice_no,stock_code,description,quantity,invoice_date,unit_price,customer_id,country,line_type,amount
100,A,"LAMP, RED",2,2011-01-03 08:00:00,5.00,101,United Kingdom,purchase,10.00
101,B,MUG,1,2011-01-03 09:00:00,3.50,102,France,purchase,3.50
102,C,"3"" NAIL",10,2011-01-03 10:00:00,0.001,103,United Kingdom,purchase,0.01
105,A,LAMP,4,2011-01-20 08:00:00,5.00,104,United Kingdom,purchase,20.00
106,B,MUG,2,2011-01-20 09:00:00,3.50,102,Spain,purchase,7.00
C107,A,LAMP,-1,2011-01-20 10:00:00,5.00,101,United Kingdom,cancellation,-5.00
C110,B,MUG,-1,2011-01-20 10:00:00,3.50,106,United Kingdom,cancellation,-3.50
111,A,LAMP,1,2011-02-08 08:00:00,5.00,C-0042,United Kingdom,purchase,5.00
112,B,MUG,1,2011-02-08 09:00:00,3.50,101,United Kingdom,purchase,3.50
113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom,purchase,100.00
113,A,LAMP,20,2011-02-08 09:30:00,5.00,104,United Kingdom,purchase,100.00
114,B,MUG,1,2011-02-10 00:00:00,3.50,101,United Kingdom,purchase,3.50
"""
CUT_POINTS = {
    "recency_days": [2, 2, 2, 21],
    "frequency": [1, 1, 2, 2],
    "monetary": ["0.01", "5.00", "8.50", "10.50"],
}
TEXTS = {
    "rfm_df.csv": RFM_DF,
    "segment_summary.csv": SUMMARY,
    "segment_movement.csv": MOVEMENT,
    "rejects.csv": REJECTS,
    "cleaned_data.csv": CLEANED_DATA,
}
FILES = {"customer_segments.parquet", "cut_points.json", "report.html", "run.json", *TEXTS}

EXPORT = {"export_cleaned_data": True}  # the params with which a run publishes all of FILES


# -- its lake -----------------------------------------------------------------------------------


def land(lake: Path, name: str, lines: list[str], header: str = HEADER) -> Path:
    data = csv_bytes(*lines, header=header)
    return tables.land(lake / "landing", name, gzip.compress(data) if name.endswith(".gz") else data)


def open_shop(lake: Path) -> Path:
    """Land the three deliveries."""
    for name, lines in SHOP.items():
        land(lake, name, lines)
    return lake


def copy_of(lake: Path, new: Path) -> Path:
    """A copy of the whole lake, for tests that change it."""
    return Path(shutil.copytree(lake, new, symlinks=True))


def same_landing(lake: Path, new: Path) -> Path:
    """A lake in which the same files have landed, and nothing was run yet."""
    shutil.copytree(lake / "landing", new / "landing")
    return new


# -- its snapshots ------------------------------------------------------------------------------


def content(folder: Path) -> dict[str, bytes]:
    """The bytes of all published files but run.json, which has times and application ids, and the report,
    which names landed files and those that are gone since the run before."""
    others = {"run.json", "report.html"}
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name not in others}


def rows_of(folder: Path) -> list[dict[str, object]]:
    """The customers of a published folder."""
    rows: list[dict[str, object]] = pq.read_table(
        folder / "customer_segments.parquet", partitioning=None
    ).to_pylist()
    return rows


def customers_of(folder: Path) -> dict[object, dict[str, object]]:
    """The customers of a published folder by id."""
    return {row["customer_id"]: row for row in rows_of(folder)}
