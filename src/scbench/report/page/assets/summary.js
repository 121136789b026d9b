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
    .filter((one) => !one.is_baseline && !one.is_reference && one.loss !== null && one.loss < 0)
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
  const x = asked("x", across);
  const y = asked("y", up);
  const again = (words) => {
    settle(words);
    showHeadline(head);
  };
  const named = up.map(([name, text]) => [name, text.replace("dense", DATA.baseline)]);
  fill(
    byId("figure-choices"),
    choice("Against", across, x, (value) => again({x: value}), "figure-x"),
    choice("Quality", named, y, (value) => again({y: value}), "figure-y"),
  );
  const words = [Object.fromEntries(named)[y], Object.fromEntries(across)[x]];
  const title = words.every(Boolean) ? words.join(" against ") : "Quality against bytes";
  fill(byId("headline-title").querySelector("b"), `${title[0].toUpperCase()}${title.slice(1)}.`);
  drawHeadline(head, x, y, byId("headline").clientWidth < 520 ? "narrow" : "wide");
}

/** What the address asks for, if it is one of the options; else the first of them. */
function asked(word, options) {
  const wanted = ROUTE.words.get(word);
  const found = options.find(([name]) => name === wanted) || options[0];
  return found ? found[0] : null;
}

/** The live figure, and one in light inks that is printed. */
function drawHeadline(head, x, y, size) {
  const place = byId("live-headline");
  const print = byId("print-headline");
  const still = byId("still-headline");
  const isOpening =
    head.setting === DATA.opens.setting &&
    head.mode === DATA.opens.mode &&
    x === "held" &&
    y === "loss";
  if (!isOpening) still.hidden = true;
  if (!head.layouts[`${x}/${y}/${size}`]) {
    drawn.delete(place);
    drawn.delete(print);
    fill(place, h("p", {}, head.why || "No method has both of these."));
    place.dataset.ready = "no";
    fill(print);
    return;
  }
  const told = head.points.map(toldOf).join("; ");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", `${head.titles[y]} against ${head.titles[x]}: ${told}`);
  draw(place, () => headlineSpec(head, x, y, size, inks())).then(() => {
    still.hidden = !isOpening || place.dataset.ready === "yes";
  });
  draw(print, () => headlineSpec(head, x, y, "wide", DATA.figure.themes.light));
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

/** The specification of the file's own drawing with these points, in these inks. */
function headlineSpec(head, x, y, size, ink) {
  const layout = head.layouts[`${x}/${y}/${size}`];
  const spec = structuredClone(DATA.figure.specs[size]);
  const given = {
    ...ink,
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
