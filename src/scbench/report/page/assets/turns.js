// Turns: does a method lose what is asked later? A panel a method, the others grey behind it.

function showTurns(body) {
  turnToTalks();
  const {mode} = chosen();
  const curves = rowsOf(DATA.curves)
    .filter(isChosen)
    .filter((one) => one.value !== null);
  const trends = rowsOf(DATA.trends).filter(isChosen);
  const all = [...new Set(curves.map((one) => one.what))];
  if (!all.length || Math.max(...curves.map((one) => one.turn)) < 1) {
    fill(body, h("p", {}, "Each session of this mode has one turn: there is nothing to compare."));
    return;
  }
  const what = all.includes(ROUTE.words.get("what"))
    ? ROUTE.words.get("what")
    : steepest(trends, all);
  const rows = curves
    .filter((one) => one.what === what)
    .map((one) => ({
      ...one,
      turn: one.turn + 1,
      score: 100 * one.value,
      low: one.low === null ? null : 100 * one.low,
      high: one.high === null ? null : 100 * one.high,
    }));
  const order = ofChosen(DATA.headlines).points.map((one) => one.method);
  const methods = order.filter((name) => rows.some((one) => one.method === name));
  const mine = trends.filter((one) => one.what === what);
  fill(
    body,
    h(
      "p",
      {},
      mode === "multi-request"
        ? "In multi-request mode the order of turns means nothing: changes here show noise."
        : "First turn against later ones: a method that chose by the first question " +
            "keeps that answer and loses the next.",
    ),
    h(
      "div",
      {class: "choices"},
      choice(
        "Task or ability",
        all.map((one) => [one, one]),
        what,
        (value) => {
          settle({what: value});
          showTurns(body);
        },
        "turns-what",
      ),
    ),
    chart({
      title: `${what}: score over turns.`,
      caption:
        "Bold: the method, with its 95 % band; grey: all others. Hollow: fewer turns than planned.",
      make: () => panels(rows, methods, body.clientWidth),
      heads: ["method", "turn", "score, %", "low", "high", "n", "gaps"],
      rows: rows.map((one) => [
        labelOf(one.method),
        one.turn,
        fixed(one.score, 1),
        one.low === null ? GAP : fixed(one.low, 1),
        one.high === null ? GAP : fixed(one.high, 1),
        one.n,
        one.gaps,
      ]),
    }),
    h("h3", {}, `${what}: first turn and later turns`),
    mine.length
      ? trendTable(mine, order)
      : h(
          "p",
          {class: "soft"},
          "Of an ability there are points, and no pooled change: choose a task.",
        ),
  );
}

/** Unless a mode was asked for, one in which the order of turns means something. */
function turnToTalks() {
  const {setting, mode} = chosen();
  const talks = DATA.settings[setting].modes.filter((one) => DATA.talks.includes(one));
  if (ROUTE.words.has("mode") || talks.includes(mode) || !talks.length) return;
  settle({mode: talks[0]});
  showChoices();
}

/** The task that falls most for any method: it is what one has come to see. */
function steepest(trends, all) {
  const falls = trends.filter((one) => one.change_value !== null && all.includes(one.what));
  falls.sort((a, b) => a.change_value - b.change_value);
  return falls.length ? falls[0].what : all[0];
}

function trendTable(mine, order) {
  const sorted = [...mine].sort(
    (a, b) =>
      (a.method !== DATA.baseline) - (b.method !== DATA.baseline) ||
      (a.change_value ?? 9) - (b.change_value ?? 9) ||
      order.indexOf(a.method) - order.indexOf(b.method),
  );
  const reach = (one, name) =>
    one[`${name}_low`] === null || one[`${name}_value`] === null
      ? ""
      : ` [${signed(one[`${name}_low`])}, ${signed(one[`${name}_high`])}]`;
  return table(
    ["method", "first turn", "later turns", "change, points", "slope, points a turn", "answers"],
    sorted.map((one) => [
      labelOf(one.method),
      `${percent(one.first_value)} (n ${one.first_n})`,
      `${percent(one.later_value)} (n ${one.later_n}) ${one.beside}`.trim(),
      h(
        "span",
        {class: one.change_high !== null && one.change_high < 0 ? "worse-text" : ""},
        `${signed(one.change_value)}${reach(one, "change")}`,
      ),
      `${signed(one.slope_value)}${reach(one, "slope")}`,
      DATA.has_samples
        ? h("a", {href: address("samples", {m: one.method, f: "lost"})}, "lost ones")
        : "",
    ]),
    {label: "First turn and later turns"},
  );
}

/** Small multiples: as many a row as there is room for. */
function panels(rows, methods, width) {
  const ink = inks();
  const each = width < 500 ? 118 : 150;
  const columns = Math.max(1, Math.floor((width - 40) / (each + 24)));
  const grey = rows.map(({method, turn, score}) => ({other: method, turn, score}));
  const turn = {
    field: "turn",
    type: "quantitative",
    title: "turn",
    axis: {tickMinStep: 1, format: "d", grid: false},
    scale: {nice: false, padding: 6},
  };
  const score = {field: "score", type: "quantitative", title: null, scale: {domain: [0, 100]}};
  return {
    data: {values: rows.map((one) => ({...one, panel: labelOf(one.method)}))},
    facet: {field: "panel", type: "nominal", title: null, sort: methods.map(labelOf)},
    columns,
    spacing: 18,
    spec: {
      width: each,
      height: 96,
      layer: [
        {
          data: {values: grey},
          mark: {type: "line", color: ink.line, strokeWidth: 1},
          encoding: {x: turn, y: score, detail: {field: "other"}},
        },
        {
          mark: {type: "area", color: ink.front, opacity: 0.18},
          encoding: {x: turn, y: {...score, field: "low"}, y2: {field: "high"}},
        },
        {mark: {type: "line", color: ink.front, strokeWidth: 2.5}, encoding: {x: turn, y: score}},
        {
          mark: {type: "point", size: 40, color: ink.front, opacity: 1},
          encoding: {
            x: turn,
            y: score,
            fill: {condition: {test: "datum.gaps > 0", value: ink.paper}, value: ink.front},
            tooltip: [
              {field: "method"},
              {field: "turn"},
              {field: "score", format: ".1f"},
              {field: "low", format: ".1f"},
              {field: "high", format: ".1f"},
              {field: "n"},
              {field: "gaps"},
            ],
          },
        },
        {
          mark: {type: "text", dy: -9, fontSize: 10, color: ink.soft},
          encoding: {x: turn, y: score, text: {field: "beside"}},
        },
      ],
    },
    resolve: {axis: {x: "shared", y: "shared"}},
  };
}
