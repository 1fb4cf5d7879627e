// Draws each chart of the page live, in the place of its picture. Under the pointer a mark says what it stands for.
// A click on it follows the page's link for the same: data-segment="Lost" is for marks whose segment is Lost.

const OPTIONS = {
  actions: false,
  ast: true, // Vega's interpreter, because the policy of the pages forbids eval
  logLevel: 1, // errors alone: a chart without data is no reason for a warning
  defaultStyle: false, // style.css has the styles, because the policy forbids those in the page
  renderer: "svg",
  tooltip: { disableDefaultStyle: true },
};

const links = [...document.querySelectorAll("a.of-mark")];

function linkOf(item) {
  const datum = item?.datum ?? {};
  return links.find((link) => Object.entries(link.dataset).every(([name, value]) => datum[name] === value));
}

async function draw(chart) {
  const specification = JSON.parse(chart.querySelector("script").textContent);
  const live = document.createElement("div");
  const { view } = await window.vegaEmbed(live, specification, OPTIONS);
  view.addEventListener("pointerover", (event, item) => {
    view.signal("cursor", linkOf(item) ? "pointer" : "default").run();
  });
  view.addEventListener("click", (event, item) => {
    linkOf(item)?.dispatchEvent(new MouseEvent("click", event)); // with Ctrl in a new tab, as the link itself
  });
  // A screen reader says the description and not each mark, as of the picture.
  live.setAttribute("role", "img");
  live.removeAttribute("aria-roledescription");
  live.querySelector("svg").setAttribute("aria-hidden", "true");
  chart.querySelector("svg").replaceWith(live);
  chart.classList.add("live");
}

for (const chart of document.querySelectorAll(".chart")) {
  await draw(chart);
}
