// Life cycle: what each stage of a cache's life costs, and what a user would pay.

const STAGES = [
  ["read", "read the context"],
  ["compress", "compress"],
  ["first", "first tokens"],
  ["decode", "decode"],
];

function showLife(body) {
  const rows = costsHere();
  const measured = rows.filter((row) => !row.failure);
  if (!rows.length) {
    fill(
      body,
      h(
        "p",
        {},
        "There was no cost pass for this model and length (",
        h("code", {}, "--cost-sessions 0"),
        " leaves it out), so nobody measured seconds and bytes of a method alone.",
      ),
    );
    return;
  }
  const questions = Math.max(1, Number(ROUTE.words.get("n")) || 32);
  const tokens = answerTokens();
  const again = (words) => {
    settle(words);
    showLife(body);
  };
  const field = (label, id, value, name) =>
    h(
      "label",
      {class: "choice"},
      h("span", {}, label),
      h("input", {
        id,
        type: "number",
        min: 1,
        max: 100000,
        value,
        onchange: (event) => again({[name]: event.target.value}),
      }),
    );
  const paid = measured
    .map((row) => ({row, ...bill(row, questions, tokens)}))
    .sort((a, b) => a.total - b.total);
  const base = paid.find(({row}) => row.method === DATA.baseline);
  fill(
    body,
    h("p", {}, "Each method ran alone and warm on this machine; medians of the cost pass."),
    h(
      "div",
      {class: "choices"},
      field("Questions to one context", "life-questions", questions, "n"),
      field("Tokens of an answer", "life-tokens", tokens, "a"),
    ),
    chart({
      title: `Seconds for ${counted(questions, "question")} to one context.`,
      caption: "Read the context and compress it once; first token and decoding for each question.",
      make: () =>
        stacked(
          paid.flatMap(({row, parts}) =>
            STAGES.map(([name, words], at) => ({
              method: labelOf(row.method),
              part: words,
              at,
              value: parts[name],
              told: seconds(parts[name]),
            })),
          ),
          paid.map(({row}) => labelOf(row.method)),
          "seconds",
          STAGES.map(([, words]) => words),
          body.clientWidth,
        ),
    }),
    table(
      [
        "method",
        ...STAGES.map(([, words]) => words),
        "all",
        `against ${DATA.baseline}`,
        "pays back",
      ],
      paid.map(({row, parts, total}) => [
        labelOf(row.method),
        ...STAGES.map(([name]) => seconds(parts[name])),
        seconds(total),
        base && base.total ? `× ${(total / base.total).toFixed(2)}` : GAP,
        base && row !== base.row
          ? evenText(paysAfter(prices(row, tokens), prices(base.row, tokens)))
          : "",
      ]),
      {label: "Seconds by stage"},
    ),
    bytesPart(measured, body),
    failed(rows),
  );
}

/** Seconds by stage for so many questions. */
function bill(row, questions, tokens) {
  const parts = {
    read: middle(row, "prefill_s") || 0,
    compress: middle(row, "compress_s") || 0,
    first: questions * (middle(row, "ttft_warm_s") || 0),
    decode: questions * Math.max(0, tokens - 1) * (middle(row, "tpot_s") || 0),
  };
  return {parts, total: Object.values(parts).reduce((a, b) => a + b, 0)};
}

function bytesPart(rows, body) {
  const sizes = rows
    .map((row) => {
      const held = middle(row, "held_accounted_bytes") ?? middle(row, "held_bytes");
      const end = middle(row, "end_accounted_bytes");
      return {
        row,
        held,
        grown: end === null || held === null ? 0 : Math.max(0, end - held),
        loaded: middle(row, "loaded_accounted_bytes") ?? middle(row, "loaded_bytes"),
        moved: middle(row, "moved_bytes"),
      };
    })
    .filter((one) => one.held !== null)
    .sort((a, b) => a.held - b.held);
  if (!sizes.length) return null;
  const parts = ["held after the context", "added by the session's end"];
  return [
    h("h3", {}, "Bytes"),
    chart({
      title: "Bytes held by one session.",
      caption: "Counted in one dtype: right after the context, and what questions and answers add.",
      make: () =>
        stacked(
          sizes.flatMap(({row, held, grown}) =>
            [held, grown].map((value, at) => ({
              method: labelOf(row.method),
              part: parts[at],
              at,
              value: value / 2 ** 20,
              told: bytes(value),
            })),
          ),
          sizes.map(({row}) => labelOf(row.method)),
          "MiB",
          parts,
          body.clientWidth,
        ),
    }),
    table(
      [
        "method",
        "held after the context",
        "at the session's end",
        "peak while made",
        "loaded in a decode step",
        "moved in a step",
      ],
      sizes.map(({row, held, grown, loaded, moved}) => [
        labelOf(row.method),
        bytes(held),
        bytes(held + grown),
        bytes(middle(row, "peak_bytes")),
        bytes(loaded),
        bytes(moved),
      ]),
      {label: "Bytes"},
    ),
  ];
}

function failed(rows) {
  const lost = rows.filter((row) => row.failure);
  return lost.length
    ? [
        h("h3", {}, "Not measured"),
        table(
          ["method", "why"],
          lost.map((row) => [row.method, row.failure]),
          {label: "Not measured", class: "plain words"},
        ),
      ]
    : null;
}

function stacked(rows, order, unit, parts, width) {
  const palette = COLOURS[theme()];
  const names = Math.max(...order.map((name) => name.length)) * 6.4;
  return {
    data: {values: rows},
    width: Math.max(160, Math.min(900, width - Math.min(240, names) - 40)),
    height: {step: 20},
    mark: {type: "bar", height: 14},
    encoding: {
      y: {field: "method", type: "nominal", sort: order, title: null, axis: {labelLimit: 230}},
      x: {field: "value", type: "quantitative", title: unit, stack: "zero", axis: {tickCount: 8}},
      order: {field: "at"},
      color: {
        field: "part",
        type: "nominal",
        title: null,
        sort: parts,
        legend: {orient: "top", columns: width < 600 ? 1 : 4},
        scale: {
          domain: parts,
          range: [palette[0], palette[1], palette[2], palette[4]].slice(0, parts.length),
        },
      },
      tooltip: [{field: "method"}, {field: "part"}, {field: "told", title: unit}],
    },
  };
}
