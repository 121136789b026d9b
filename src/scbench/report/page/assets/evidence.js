// Evidence: was what the answer stands on still held, or read, where it was right and where not?

const RIGHT = 0.5;

async function showEvidence(body) {
  const here = chosen();
  if (!DATA.has_samples) {
    fill(
      body,
      h(
        "p",
        {},
        "This page was made from numbers alone: make it from a run's folder (scbench report RUN).",
      ),
    );
    return;
  }
  const {records} = await loadSamples();
  const mine = records.filter(
    (one) =>
      one.setting === here.setting &&
      one.mode === here.mode &&
      one.strict !== null &&
      one.held !== null,
  );
  if (!mine.length) {
    fill(
      body,
      h(
        "p",
        {},
        "No turn of this mode says where its evidence stands, so nothing can be told here.",
      ),
    );
    return;
  }
  const order = ofChosen(DATA.headlines).points.map((one) => one.method);
  const methods = order.filter((name) => mine.some((one) => one.method === name));
  const asked = ROUTE.words.get("m");
  const method = methods.includes(asked) ? asked : worstOf(mine, methods);
  const own = mine.filter((one) => one.method === method);
  fill(
    body,
    h(
      "p",
      {},
      "Kept: of the attention that dense pays the evidence when it gives the answer, " +
        "the share on tokens that the method holds. " +
        "Held and read: the plain share of the evidence's tokens, over layers and heads.",
    ),
    evidenceTable(mine, methods),
    h("h3", {}, "One method"),
    h(
      "div",
      {class: "choices"},
      choice(
        "Method",
        methods.map((one) => [one, labelOf(one)]),
        method,
        (value) => {
          settle({m: value});
          showEvidence(body);
        },
        "evidence-method",
      ),
    ),
    headsPart(method, here.setting, body),
    placesPart(own, method, body),
  );
}

/** The method whose right and wrong answers differ most in what was kept. */
function worstOf(mine, methods) {
  const gap = (name) => {
    const own = mine.filter((one) => one.method === name && one.kept !== null);
    const [right, wrong] = [
      own.filter((one) => one.strict >= RIGHT),
      own.filter((one) => one.strict < RIGHT),
    ];
    return right.length && wrong.length ? meanOf(right, "kept") - meanOf(wrong, "kept") : -1;
  };
  return [...methods].sort((a, b) => gap(b) - gap(a))[0];
}

function meanOf(rows, name) {
  const known = rows.map((one) => one[name]).filter((one) => one !== null);
  return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
}

/** A mean in per cent; where it is known of some turns only, of how many. */
function shareOf(rows, name) {
  const known = rows.filter((one) => one[name] !== null).length;
  const part = known && known < rows.length ? ` (of ${known})` : "";
  return `${percent(meanOf(rows, name), 0)}${part}`;
}

function evidenceTable(mine, methods) {
  const rows = methods.map((method) => {
    const own = mine.filter((one) => one.method === method);
    const right = own.filter((one) => one.strict >= RIGHT);
    const wrong = own.filter((one) => one.strict < RIGHT);
    const both = (name) => `${shareOf(right, name)} / ${shareOf(wrong, name)}`;
    return [
      labelOf(method),
      right.length,
      wrong.length,
      both("kept"),
      both("held"),
      both("loaded"),
      h("a", {href: address("samples", {m: method, f: "wrong"})}, "wrong ones"),
    ];
  });
  return table(
    [
      "method",
      "right turns",
      "wrong turns",
      "kept, % (right / wrong)",
      "held, % (right / wrong)",
      "read, % (right / wrong)",
      "answers",
    ],
    rows,
    {label: "Evidence by method"},
  );
}

function headsPart(method, setting, body) {
  const found = DATA.heads.find((one) => one.method === method && one.setting === setting);
  if (!found)
    return h(
      "p",
      {},
      "By layer and head nothing is known: the run has no evidence.jsonl, or none of this method.",
    );
  const rows = [];
  for (const [name, words] of [
    ["right", "right"],
    ["wrong", "wrong"],
  ]) {
    const {turns, shares} = found[name];
    let at = 0;
    found.heads.forEach((heads, layer) => {
      for (let head = 0; head < heads; head += 1, at += 1) {
        if (shares.length)
          rows.push({panel: `${words}, ${turns} turns`, layer, head, share: 100 * shares[at]});
      }
    });
  }
  const most = Math.max(...found.heads);
  const panels = [...new Set(rows.map((one) => one.panel))];
  return chart({
    title: `${labelOf(method)}: evidence held or read, by layer and KV head.`,
    caption:
      "Share of the evidence's tokens, mean over right turns and over wrong ones, of all modes.",
    make: () => ({
      data: {values: rows},
      mark: "rect",
      width: Math.max(120, Math.min(260, 26 * most, (body.clientWidth - 160) / 2)),
      height: {step: found.heads.length > 40 ? 8 : 13},
      encoding: {
        column: {field: "panel", type: "nominal", title: null, sort: panels},
        x: {field: "head", type: "ordinal", title: "KV head", axis: {labelAngle: 0}},
        y: {field: "layer", type: "ordinal", title: "layer", axis: {labelOverlap: true}},
        color: {
          field: "share",
          type: "quantitative",
          title: "%",
          scale: {domain: [0, 100], scheme: "cividis"},
        },
        tooltip: [
          {field: "panel"},
          {field: "layer"},
          {field: "head"},
          {field: "share", format: ".1f"},
        ],
      },
    }),
    heads: ["answers", "layer", "head", "share, %"],
    rows: rows.map((one) => [one.panel, one.layer, one.head, fixed(one.share, 1)]),
  });
}

function placesPart(own, method, body) {
  const bins = new Map();
  for (const one of own) {
    const depth = one.depth === null ? null : Math.min(4, Math.floor(5 * one.depth));
    const key = `${one.turn}|${depth}`;
    if (!bins.has(key)) bins.set(key, {turn: one.turn + 1, depth, rows: []});
    bins.get(key).rows.push(one);
  }
  const name = (depth) => (depth === null ? "all over" : `${20 * depth} to ${20 * depth + 20} %`);
  const rows = [...bins.values()]
    .map(({turn, depth, rows: mine}) => ({
      turn,
      depth: name(depth),
      at: depth ?? 9,
      n: mine.length,
      kept: meanOf(mine, "kept"),
      right: (100 * mine.filter((one) => one.strict >= RIGHT).length) / mine.length,
    }))
    .sort((a, b) => a.turn - b.turn || a.at - b.at);
  const flat = rows
    .flatMap((one) => [
      {...one, panel: "evidence kept, %", value: one.kept === null ? null : 100 * one.kept},
      {...one, panel: "right answers, %", value: one.right},
    ])
    .filter((one) => one.value !== null);
  const depths = [...new Set([...rows].sort((a, b) => a.at - b.at).map((one) => one.depth))];
  return chart({
    title: `${labelOf(method)}: by depth of the evidence and turn.`,
    caption: "Depth: how far into the context the evidence stands.",
    make: () => ({
      data: {values: flat},
      mark: "rect",
      width: Math.max(90, Math.min(260, (body.clientWidth - 200) / 2)),
      height: {step: 24},
      encoding: {
        column: {field: "panel", type: "nominal", title: null},
        x: {field: "turn", type: "ordinal", title: "turn", axis: {labelAngle: 0}},
        y: {field: "depth", type: "ordinal", title: "depth", sort: depths},
        color: {
          field: "value",
          type: "quantitative",
          title: "%",
          scale: {domain: [0, 100], scheme: "cividis"},
        },
        tooltip: [
          {field: "panel"},
          {field: "turn"},
          {field: "depth"},
          {field: "value", format: ".0f"},
          {field: "n"},
        ],
      },
    }),
    heads: ["turn", "depth", "turns", "kept, %", "right, %"],
    rows: rows.map((one) => [
      one.turn,
      one.depth,
      one.n,
      percent(one.kept, 0),
      fixed(one.right, 0),
    ]),
  });
}
