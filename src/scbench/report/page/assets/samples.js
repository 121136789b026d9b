// Samples: every answer of the run, found by filter and search, read beside another method's.

const FILTERS = [
  ["", "all answers"],
  ["flipped", "flipped against dense"],
  ["lost", "lost: dense is right"],
  ["won", "won: dense is wrong"],
  ["wrong", "wrong"],
  ["format", "format failure"],
  ["cut", "cut at the limit"],
  ["gap", "gap: no score"],
  ["differs", "other words than dense"],
];
const MOST_ROWS = 120;
let LISTED = [];

function passes(record, filter) {
  const dense = record.dense;
  const known = dense && dense.strict !== null && record.strict !== null;
  switch (filter) {
    case "flipped":
      return known && dense.strict >= RIGHT !== record.strict >= RIGHT;
    case "lost":
      return known && dense.strict >= RIGHT && record.strict < RIGHT;
    case "won":
      return known && dense.strict < RIGHT && record.strict >= RIGHT;
    case "wrong":
      return record.strict !== null && record.strict < RIGHT;
    case "format":
      return record.format_failure === 1;
    case "cut":
      return record.finish === "length";
    case "gap":
      return record.strict === null;
    case "differs":
      return Boolean(dense) && record.text !== dense.text;
    default:
      return true;
  }
}

function turnOf(record) {
  return SAMPLES.sessions[record.session].turns[record.turn] || null;
}

function hasWords(record, asked) {
  if (!asked) return true;
  const turn = turnOf(record);
  const all = [
    record.text,
    record.why,
    record.method,
    record.task,
    turn && turn.ask,
    turn && turn.gold,
  ];
  return all.some((one) => one && one.toLowerCase().includes(asked));
}

async function showSamples(body) {
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
  const {records, sessions} = await loadSamples();
  const words = ROUTE.words;
  const here = chosen();
  const mine = records.filter((one) => one.setting === here.setting && one.mode === here.mode);
  const order = ofChosen(DATA.headlines).points.map((one) => one.method);
  const tasks = [...new Set(mine.map((one) => one.task))];
  const again = (more) => {
    settle({t: null, ...more});
    list(body, mine, order);
  };
  const gone = sessions.filter((one) => one.is_gone).length;
  fill(
    body,
    gone
      ? h(
          "p",
          {class: "notice"},
          `The run's folder lacks ${gone} of ${sessions.length} sessions (sessions/*.json.gz): ` +
            "of these there are answers and scores, and neither question, gold nor context.",
        )
      : null,
    h(
      "div",
      {class: "choices"},
      choice(
        "Method",
        [["", "all"], ...order.map((one) => [one, labelOf(one)])],
        words.get("m") || "",
        (value) => again({m: value, r: null}),
        "samples-method",
      ),
      choice(
        "Show",
        FILTERS.map(([name, text]) => [name, text.replace("dense", DATA.baseline)]),
        words.get("f") || "",
        (value) => again({f: value}),
        "samples-filter",
      ),
      choice(
        "Task",
        [["", "all"], ...tasks.map((one) => [one, DATA.tasks[one] || one])],
        words.get("task") || "",
        (value) => again({task: value}),
        "samples-task",
      ),
      h(
        "label",
        {class: "choice"},
        h("span", {}, "Search"),
        h("input", {
          id: "samples-search",
          type: "search",
          value: words.get("q") || "",
          placeholder: "question, gold, answer",
          oninput: (event) => again({q: event.target.value}),
        }),
      ),
      h("span", {class: "soft keys"}, "Keys: j next, k previous, / search, c copy"),
    ),
    h(
      "div",
      {class: "samples"},
      h("div", {class: "list", id: "samples-list"}),
      h("article", {class: "reader", id: "reader"}),
    ),
  );
  list(body, mine, order);
}

/** The rows that the filters leave; the first of them, or that of the address, in the reader. */
function list(body, mine, order) {
  const words = ROUTE.words;
  const [method, filter, task] = [
    words.get("m") || "",
    words.get("f") || "",
    words.get("task") || "",
  ];
  const asked = (words.get("q") || "").toLowerCase();
  LISTED = mine.filter(
    (one) =>
      (!method || one.method === method) &&
      (!task || one.task === task) &&
      passes(one, filter) &&
      hasWords(one, asked),
  );
  LISTED.sort((a, b) => a.at - b.at);
  const target = words.get("t");
  let at = target
    ? LISTED.findIndex(
        (one) => one.id === target && (!words.get("r") || one.method === words.get("r")),
      )
    : 0;
  let record = LISTED[at] || null;
  if (!record && target) {
    record =
      mine.find((one) => one.id === target && (!words.get("r") || one.method === words.get("r"))) ||
      mine.find((one) => one.id === target) ||
      null;
  }
  byId("samples-list").dataset.shown = Math.max(MOST_ROWS, at + 20);
  drawList();
  if (record) read(record, order);
  else fill(byId("reader"), h("p", {}, "No answer is left by these filters."));
}

function drawList() {
  const place = byId("samples-list");
  const most = Number(place.dataset.shown);
  fill(
    place,
    h(
      "p",
      {class: "soft", id: "samples-count"},
      `${count(LISTED.length)} answer${LISTED.length === 1 ? "" : "s"}`,
    ),
    h("ol", {}, LISTED.slice(0, most).map(listRow)),
    LISTED.length > most
      ? button(`Show ${Math.min(500, LISTED.length - most)} more`, () => {
          place.dataset.shown = most + 500;
          drawList();
        })
      : null,
  );
}

function listRow(record) {
  const score = scoreChip(record);
  return h(
    "li",
    {},
    h(
      "a",
      {
        href: address("samples", {
          ...Object.fromEntries(ROUTE.words),
          t: record.id,
          r: record.method,
        }),
        "data-at": record.at,
        onclick: (event) => {
          event.preventDefault();
          choose(record);
        },
      },
      score,
      h("span", {class: "who"}, labelOf(record.method)),
      h(
        "span",
        {class: "soft"},
        `${DATA.tasks[record.task] || record.task} · session ${record.seed} · turn ${record.turn + 1}`,
      ),
      h(
        "span",
        {class: "snippet"},
        record.text === null ? record.why || "no answer" : record.text.slice(0, 80) || "(empty)",
      ),
    ),
  );
}

function scoreChip(record) {
  if (record.strict === null) return h("span", {class: "chip gap"}, "gap");
  const isRight = record.strict >= RIGHT;
  return h(
    "span",
    {class: `chip ${isRight ? "right" : "wrong"}`},
    `${isRight ? "✓" : "✗"} ${percent(record.strict, 0)}`,
  );
}

/** Read this answer, and have it in the address. */
function choose(record) {
  settle({t: record.id, r: record.method});
  read(
    record,
    ofChosen(DATA.headlines).points.map((one) => one.method),
  );
}

function step(by) {
  const now = LISTED.findIndex(
    (one) => one.id === ROUTE.words.get("t") && one.method === ROUTE.words.get("r"),
  );
  const next = LISTED[Math.max(0, Math.min(LISTED.length - 1, now + by))];
  if (next) choose(next);
}

function onKey(event) {
  if (ROUTE.view !== "samples" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    if (event.key === "Escape") document.activeElement.blur();
    return;
  }
  const acts = {
    j: () => step(1),
    k: () => step(-1),
    "/": () => byId("samples-search").focus(),
    c: () => byId("copy-json").click(),
  };
  if (acts[event.key]) {
    event.preventDefault();
    acts[event.key]();
  }
}
