// Budgets and lengths: what more bytes buy, how far a method reaches, when it pays.

function showBudgets(body) {
  fill(
    body,
    budgetPart(body),
    lengthPart(body),
    h("h3", {}, "When does a method pay back its own overhead?"),
    breakEven(body),
  );
}

/** A method without its settings: `snapkv[tau=1/4]` and `snapkv[tau=1/8]` are one. */
function familyOf(method) {
  return method.replace(/\[[^\]]*\]/g, "");
}

function budgetPart(body) {
  const head = ofChosen(DATA.headlines);
  const known = head.points.filter(
    (one) => one.loss !== null && one.held !== null && !one.is_baseline,
  );
  const byFamily = new Map();
  for (const one of known) {
    const family = familyOf(one.method);
    byFamily.set(family, [...(byFamily.get(family) || []), one]);
  }
  const curves = [...byFamily].filter(
    ([, points]) => new Set(points.map((one) => one.held)).size > 1,
  );
  const title = h("h3", {}, "Over budgets");
  if (!curves.length) {
    return [
      title,
      h(
        "p",
        {},
        "Every method ran at one budget. For curves name several, such as ",
        h("code", {}, "--methods 'dense,snapkv[tau=1/2],snapkv[tau=1/4],snapkv[tau=1/8]'"),
        ".",
      ),
    ];
  }
  const rows = curves.flatMap(([family, points]) =>
    points.map((one) => ({
      panel: family,
      method: one.method,
      held: one.held,
      loss: one.loss,
      low: one.loss_low,
      high: one.loss_high,
      told: toldOf(one),
    })),
  );
  return [
    title,
    chart({
      title: `${head.titles.loss}, over bytes held.`,
      caption: "A panel a method, the others grey behind it; band: 95 %.",
      make: () => budgetPanels(rows, body.clientWidth),
      heads: ["method", "bytes held, %", "points", "low", "high"],
      rows: rows.map((one) => [
        one.method,
        fixed(one.held, 1),
        fixed(one.loss, 1),
        one.low === null ? GAP : fixed(one.low, 1),
        one.high === null ? GAP : fixed(one.high, 1),
      ]),
    }),
  ];
}

function budgetPanels(rows, width) {
  const ink = inks();
  const columns = Math.max(1, Math.floor((width - 40) / 234));
  const held = {
    field: "held",
    type: "quantitative",
    title: "bytes held, %",
    scale: {type: "log", base: 2, nice: false, padding: 8},
    axis: {format: "~g", tickCount: 4},
  };
  const loss = {field: "loss", type: "quantitative", title: null};
  return {
    data: {values: rows},
    facet: {field: "panel", type: "nominal", title: null},
    columns,
    spec: {
      width: 210,
      height: 120,
      layer: [
        {
          data: {values: rows.map((one) => ({other: one.panel, held: one.held, loss: one.loss}))},
          mark: {type: "line", color: ink.line},
          encoding: {x: held, y: loss, detail: {field: "other"}},
        },
        {
          mark: {type: "area", color: ink.front, opacity: 0.18},
          encoding: {x: held, y: {...loss, field: "low"}, y2: {field: "high"}},
        },
        {
          mark: {
            type: "line",
            color: ink.front,
            strokeWidth: 2.5,
            point: {size: 45, color: ink.front},
          },
          encoding: {x: held, y: loss, tooltip: {field: "told"}},
        },
      ],
    },
  };
}

function lengthPart(body) {
  const {setting, mode} = chosen();
  const here = DATA.settings[setting];
  const mine = DATA.lengths.filter(
    (one) =>
      one.model === here.model &&
      one.protocol === here.protocol &&
      one.form === here.form &&
      one.mode === mode,
  );
  const title = h("h3", {}, "Over lengths");
  if (!mine.length) {
    return [
      title,
      h(
        "p",
        {},
        "All contexts are of one length. For curves name several, such as ",
        h("code", {}, "--length 4k,16k,64k"),
        ".",
      ),
    ];
  }
  const rows = mine
    .flatMap((line) =>
      line.tokens.map((tokens, at) => ({
        method: line.method,
        tokens,
        score: line.value[at] === null ? null : 100 * line.value[at],
        low: line.low[at] === null ? null : 100 * line.low[at],
        high: line.high[at] === null ? null : 100 * line.high[at],
        changed: line.changed[at].join(", "),
      })),
    )
    .filter((one) => one.score !== null);
  const order = ofChosen(DATA.headlines).points.map((one) => one.method);
  return [
    title,
    chart({
      title: "Overall average over context lengths.",
      caption:
        "A panel a method, the others grey; band: 95 %. " +
        "Diamond: a unit (page, block, window) is not that of the length before.",
      make: () => lengthPanels(rows, order, body.clientWidth),
      heads: ["method", "tokens", "score, %", "units that changed"],
      rows: rows.map((one) => [
        labelOf(one.method),
        count(one.tokens),
        fixed(one.score, 1),
        one.changed || "none",
      ]),
    }),
    h(
      "p",
      {},
      "Effective length: the longest up to which a method keeps 85 % of its score at the shortest.",
    ),
    table(
      ["method", "effective length", "played up to"],
      mine.map((line) => [
        labelOf(line.method),
        line.effective === null ? "not told" : `${count(line.effective)} tokens`,
        `${count(Math.max(...line.tokens))} tokens`,
      ]),
      {label: "Effective length"},
    ),
  ];
}

function lengthPanels(rows, order, width) {
  const ink = inks();
  const columns = Math.max(1, Math.floor((width - 40) / 204));
  const tokens = {
    field: "tokens",
    type: "quantitative",
    title: "tokens",
    scale: {type: "log", base: 2, nice: false, padding: 8},
    axis: {
      values: [...new Set(rows.map((one) => one.tokens))],
      labelExpr: "datum.value >= 1024 ? format(datum.value / 1024, '~r') + 'k' : datum.value",
    },
  };
  const score = {field: "score", type: "quantitative", title: null, scale: {domain: [0, 100]}};
  return {
    data: {values: rows.map((one) => ({...one, panel: labelOf(one.method)}))},
    facet: {field: "panel", type: "nominal", title: null, sort: order.map(labelOf)},
    columns,
    spec: {
      width: 180,
      height: 110,
      layer: [
        {
          data: {
            values: rows.map((one) => ({other: one.method, tokens: one.tokens, score: one.score})),
          },
          mark: {type: "line", color: ink.line},
          encoding: {x: tokens, y: score, detail: {field: "other"}},
        },
        {
          mark: {type: "area", color: ink.front, opacity: 0.18},
          encoding: {x: tokens, y: {...score, field: "low"}, y2: {field: "high"}},
        },
        {mark: {type: "line", color: ink.front, strokeWidth: 2.5}, encoding: {x: tokens, y: score}},
        {
          mark: {type: "point", filled: true, opacity: 1, color: ink.front},
          encoding: {
            x: tokens,
            y: score,
            shape: {condition: {test: "datum.changed !== ''", value: "diamond"}, value: "circle"},
            size: {condition: {test: "datum.changed !== ''", value: 170}, value: 50},
            tooltip: [
              {field: "method"},
              {field: "tokens"},
              {field: "score", format: ".1f"},
              {field: "changed"},
            ],
          },
        },
      ],
    },
  };
}
