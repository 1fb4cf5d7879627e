"""The charts of the analysis notebook."""

from datetime import date

from include.published.analysis_charts import Cell, Picture, Point, share_lines, share_map
from include.published.charts import svg

CELLS = [Cell("Champions", "9", 0.75), Cell("Champions", "10", 0.25), Cell("At Risk", "9", 0.0)]


def test_a_map_keeps_the_order_of_its_cells() -> None:
    encoding = share_map(CELLS, ("segment", "cluster"), "").to_dict()["layer"][0]["encoding"]
    assert encoding["y"]["sort"] == ["Champions", "At Risk"]
    assert encoding["x"]["sort"] == ["9", "10"]


def test_a_map_shows_shares_in_percent_and_says_what_it_is() -> None:
    drawn = svg(share_map(CELLS, ("segment", "cluster"), "Segments by cluster."))
    assert "75%" in drawn and "25%" in drawn
    assert 'aria-label="Segments by cluster."' in drawn


def test_lines_are_drawn_with_their_names() -> None:
    points = [Point(date(2026, 1, day), line, 0.1 * day) for day in (1, 2) for line in ("bought", "moved")]
    drawn = svg(share_lines(points, "per day", "Changes."))
    assert "bought" in drawn and "moved" in drawn and "per day" in drawn


def test_nothing_to_draw_is_no_error() -> None:
    assert svg(share_map([], ("", ""), "Nothing.")).startswith("<svg")
    assert svg(share_lines([], "", "Nothing.")).startswith("<svg")


def test_a_picture_follows_the_notebooks_theme_and_is_white_in_an_export() -> None:
    bundle = Picture(share_map(CELLS, ("", ""), "Shares."))._repr_mimebundle_()
    assert "currentColor" in bundle["text/html"] and "background: white" not in bundle["text/html"]
    assert "background: white" in bundle["image/svg+xml"]
