// Charts: Vega, unpacked when the first one is drawn; each is drawn from the data when it is shown.

let library = null;
const drawn = new Map(); // place of a chart -> how it is drawn again

// Okabe and Ito's colours, darkened or lightened to 4.5 : 1 on either paper.
const COLOURS = {
  light: ["#0062a3", "#b34700", "#00704f", "#a1437a", "#7a5c00", "#5b4ab0", "#a3262a", "#3d6b00"],
  dark: ["#6db8f2", "#ff9a57", "#3fd0a0", "#eda3cb", "#f0c03c", "#b3a6ff", "#ff8f8a", "#a8d15c"],
};

function theme() {
  const asked = document.documentElement.dataset.theme;
  if (asked === "light" || asked === "dark") return asked;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

function inks() {
  return DATA.figure.themes[theme()];
}

async function vega() {
  if (library === null) {
    library = (async () => {
      const packed = byId("packed-library").textContent;
      if (!packed) throw new Error("this page was made without its drawing library");
      // Its digest stands in the page's policy, so nothing else could run here.
      const code = await inflated(packed);
      document.body.append(h("script", {}, code));
      return window.vegaEmbed;
    })();
  }
  return library;
}

function config() {
  const ink = inks();
  const font = "system-ui, sans-serif";
  return {
    background: null,
    font,
    view: {stroke: ink.line},
    axis: {
      labelColor: ink.soft,
      titleColor: ink.soft,
      gridColor: ink.line,
      domainColor: ink.line,
      tickColor: ink.line,
      titleFontWeight: "normal",
      labelFontSize: 11,
      titleFontSize: 12,
    },
    legend: {
      labelColor: ink.ink,
      labelFontSize: 12,
      titleColor: ink.soft,
      labelLimit: 260,
      symbolStrokeWidth: 2,
    },
    header: {labelColor: ink.ink, labelFontSize: 12, labelLimit: 170, titleColor: ink.soft},
    title: {color: ink.ink},
    text: {color: ink.ink},
  };
}

/**
 * A chart with its words and its numbers as a table.
 * `make` gives the specification; `rows` and `heads` are the numbers behind it.
 */
function chart({title, caption = "", make, heads = [], rows = []}) {
  const place = h("div", {class: "live", role: "img", "aria-label": `${title}. ${caption}`});
  const figure = h(
    "figure",
    {class: "chart"},
    h("figcaption", {}, h("b", {}, title), caption ? ` ${caption}` : ""),
    place,
    rows.length ? lazily("Numbers as a table", () => table(heads, rows, {label: title})) : null,
  );
  draw(place, make);
  return figure;
}

/** A part that is made when it is opened. */
function lazily(title, make) {
  const made = h("details", {class: "notes"}, h("summary", {}, title));
  made.addEventListener("toggle", () => {
    if (made.open && made.children.length === 1) made.append(make());
  });
  return made;
}

async function draw(place, make) {
  drawn.set(place, make);
  try {
    const embed = await vega();
    const spec = make();
    if (drawn.get(place) !== make) return;
    const options = {actions: false, renderer: "svg", ast: true, tooltip: {theme: theme()}};
    const plain = spec.marks ? spec : {...spec, config: {...config(), ...(spec.config || {})}};
    const held = h("div");
    await embed(held, plain, options);
    if (drawn.get(place) !== make) return;
    for (const picture of held.querySelectorAll("svg")) {
      picture.setAttribute("aria-hidden", "true");
      picture.removeAttribute("role");
    }
    if (spec.marks) scale(held.querySelector("svg"));
    place.replaceChildren(held);
    place.dataset.ready = "yes";
  } catch (error) {
    fill(
      place,
      h("p", {class: "notice"}, `No picture here: ${error.message}. The numbers are in the table.`),
    );
    place.dataset.ready = "no";
  }
}

/** As wide as its place: the headline figure, whose names were placed for one size. */
function scale(svg) {
  if (!svg.getAttribute("viewBox")) {
    svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
  }
  svg.removeAttribute("width");
  svg.removeAttribute("height");
}

/** The other theme has other inks: what is in the page is drawn again, the rest forgotten. */
function redraw() {
  for (const [place, make] of [...drawn]) {
    if (place.isConnected) draw(place, make);
    else drawn.delete(place);
  }
}
