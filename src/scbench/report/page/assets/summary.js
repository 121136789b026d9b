// Summary: the verdicts, the figure that says it, the heat map.

const MEASURES = [
  ["held", "bytes held"],
  ["loaded", "bytes loaded"],
  ["tpot", "time per token"],
  ["ttft", "time to first token"],
];
const QUALITIES = [
  ["loss", "points lost"],
  ["top1", "agreement with dense"],
];

function showSummary() {
  const head = ofChosen(DATA.headlines);
  const setting = DATA.settings[head.setting];
  fill(
    byId("verdicts"),
    h(
      "p",
      {class: "where"},
      setting.modes.length > 1 ? `${setting.label}; ${head.mode}` : setting.label,
    ),
    h(
      "dl",
      {},
      head.verdicts.map((one) => [h("dt", {}, one.asks), h("dd", {}, one.says)]),
    ),
    pickers(head),
    elsewhere(head),
  );
  showHeadline(head);
  showHeat(byId("scores"));
}

/** What the other models, lengths and modes come to, each with its own sentence. */
function elsewhere(head) {
  const others = DATA.headlines.filter((one) => one !== head && one.verdicts.length);
  if (!others.length) return null;
  return lazily(`Other models, lengths and modes: ${count(others.length)}`, () =>
    h(
      "ul",
      {},
      others.map((one) =>
        h(
          "li",
          {},
          h(
            "a",
            {href: address("summary", {s: one.setting, mode: one.mode})},
            `${DATA.settings[one.setting].label}; ${one.mode}`,
          ),
          `: ${one.verdicts[0].says}`,
        ),
      ),
    ),
  );
}

/** One-click ways to the questions that the verdicts raise. */
function pickers(head) {
  const lost = head.points
    .filter((one) => !one.is_baseline && !one.is_reference && one.loss !== null)
    .sort((a, b) => a.loss - b.loss)[0];
  return h(
    "p",
    {class: "ways"},
    h("a", {href: address("turns", {mode: DATA.talks[0] || null})}, "Turn by turn"),
    lost && DATA.has_samples
      ? h(
          "a",
          {href: address("samples", {m: lost.method, f: "lost"})},
          `Answers that ${lost.name} lost`,
        )
      : null,
    DATA.costs.length ? h("a", {href: address("life", {n: 32})}, "Cost of 32 questions") : null,
  );
}

function showHeadline(head) {
  const across = MEASURES.filter(([name]) => head.points.some((one) => one[name] !== null));
  const up = QUALITIES.filter(([name]) => head.points.some((one) => one[name] !== null));
  const figure = byId("headline");
  const still = byId("still-headline");
  if (!across.length || !up.length) return;
  const pick = (name, options) =>
    options.some(([one]) => one === ROUTE.words.get(name)) ? ROUTE.words.get(name) : options[0][0];
  const x = pick("x", across);
  const y = pick("y", up);
  let row = byId("figure-choices");
  if (!row) {
    row = h("div", {id: "figure-choices", class: "choices"});
    figure.insertBefore(row, byId("live-headline"));
  }
  const again = (words) => {
    settle(words);
    showHeadline(head);
  };
  fill(
    row,
    choice("Against", across, x, (value) => again({x: value}), "figure-x"),
    choice(
      "Quality",
      up.map(([name, text]) => [name, text.replace("dense", DATA.baseline)]),
      y,
      (value) => again({y: value}),
      "figure-y",
    ),
  );
  const place = byId("live-headline");
  const size = figure.clientWidth < 520 ? "narrow" : "wide";
  const layout = head.layouts[`${x}/${y}/${size}`];
  if (!layout) {
    fill(place, h("p", {}, "No method has both of these."));
    return;
  }
  const told = head.points.map(toldOf).join("; ");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `${head.titles[y]} against ${head.titles[x]}: ${told}`);
  draw(place, () => headlineSpec(head, layout, x, y, size)).then(() => {
    const svg = place.querySelector("svg");
    if (!svg) return;
    if (!svg.getAttribute("viewBox")) {
      svg.setAttribute("viewBox", `0 0 ${svg.getAttribute("width")} ${svg.getAttribute("height")}`);
    }
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    still.classList.add("print-only");
  });
}

function toldOf(one) {
  const parts = [one.name];
  if (one.loss !== null && !one.is_baseline) {
    parts.push(`${signed(one.loss / 100)} points ${one.reach} ${one.verdict}`.trim());
  }
  for (const [name, words, unit] of [
    ["held", "holds", "%"],
    ["loaded", "loads", "%"],
    ["tpot", "a token takes", "ms"],
    ["ttft", "the first token takes", "ms"],
  ]) {
    if (one[name] !== null) parts.push(`${words} ${fixed(one[name], 1)} ${unit}`);
  }
  if (one.top1 !== null) parts.push(`agrees on ${fixed(one.top1, 1)} % of gold tokens`);
  return parts.join(", ");
}

/** The specification of the file's own drawing with these points, in the page's theme. */
function headlineSpec(head, layout, x, y, size) {
  const spec = structuredClone(DATA.figure.specs[size]);
  const given = {
    ...inks(),
    xDomain: layout.x.domain,
    yDomain: layout.y.domain,
    xTicks: layout.x.ticks,
    yTicks: layout.y.ticks,
    xTitle: head.titles[x],
    yTitle: head.titles[y],
  };
  spec.signals = Object.entries(given).map(([name, value]) => ({name, value}));
  spec.data[0].values = head.points.flatMap((one, at) => {
    if (one[x] === null || one[y] === null) return [];
    const name = layout.names[at];
    const isFront = layout.front.includes(at);
    return [
      {
        name: one.label,
        x: one[x],
        y: one[y],
        low: one[`${y}_low`],
        high: one[`${y}_high`],
        kind: one.is_baseline
          ? "baseline"
          : isFront
            ? "front"
            : one.is_reference
              ? "reference"
              : "other",
        is_front: isFront,
        is_decided: (one.is_decided || y !== "loss") && !one.has_gaps,
        lx: name ? name[0] : null,
        ly: name ? name[1] : null,
        align: name ? name[2] : "left",
        told: toldOf(one),
      },
    ];
  });
  return spec;
}
