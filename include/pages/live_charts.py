"""Charts that a browser draws itself, from the specification of the picture that the page has of each."""

import subprocess
import sys
from functools import lru_cache
from importlib.metadata import version

import altair as alt
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from include.published import charts

VEGA = (
    f"vega-{version('vl-convert-python')}.js"  # another version has another address, so browsers may keep it
)
BUNDLE_VEGA = "import sys, vl_convert; sys.stdout.write(vl_convert.javascript_bundle())"


def figure(chart: alt.TopLevelMixin) -> Markup:
    """The chart as a picture, with the specification that charts.js draws in its place. Data
    are text in the one, and in the other what would end the script element is escaped: both are markup."""
    specification = charts.specification_of(chart)
    picture = Markup(charts.svg_of(specification))
    data = htmlsafe_json_dumps(specification)
    return Markup('<div class="chart">{}<script type="application/json">{}</script></div>').format(
        picture, data
    )


# Bundling takes some seconds, in which no other thread would get on: hence the process of its own.
@lru_cache(maxsize=1)
def vega() -> str:
    """Altair's JavaScript: Vega, Vega-Lite and the function vegaEmbed."""
    command = [sys.executable, "-c", BUNDLE_VEGA]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, encoding="utf-8").stdout
