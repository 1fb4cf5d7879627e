"""Charts that the browser draws. A page has each as a picture, and as the specification that redraws it."""

import subprocess
import sys
from functools import lru_cache
from importlib.metadata import version

import altair as alt
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from include.published import charts

# Another version has another address, so a browser may keep it.
VEGA = f"vega-{version('vl-convert-python')}.js"
BUNDLE_VEGA = "import sys, vl_convert; sys.stdout.write(vl_convert.javascript_bundle())"


def figure(chart: alt.TopLevelMixin) -> Markup:
    """The chart as a picture, with the specification that charts.js draws in its place.

    Text from data cannot become markup. The picture escapes it, and in the specification nothing can end the
    script element.
    """
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
