// One turn: question, gold, two answers side by side, and what each method kept of the evidence.

const ENDED = {end: "by itself", stop: "at a stop text", length: "cut at its limit"};

function read(record, order) {
  for (const link of byId("samples-list").querySelectorAll("a[aria-current]"))
    link.removeAttribute("aria-current");
  const row = byId("samples-list").querySelector(`a[data-at="${record.at}"]`);
  if (row) {
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({block: "nearest"});
  }
  const session = SAMPLES.sessions[record.session];
  const turn = turnOf(record);
  const here = SAMPLES.records.filter((one) => turnKey(one) === turnKey(record));
  here.sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
  const asked = ROUTE.words.get("vs");
  const other =
    here.find((one) => one.method === asked) ||
    (record.dense !== record && record.dense) ||
    here.find((one) => one !== record) ||
    null;
  fill(
    byId("reader"),
    h(
      "h3",
      {},
      `${DATA.tasks[record.task] || record.task}, session ${record.seed}, turn ${record.turn + 1}`,
    ),
    h(
      "p",
      {class: "soft"},
      `${record.mode}; ${DATA.settings[record.setting].label}` +
        `${record.subtask !== record.task ? `; sub-task ${record.subtask}` : ""}` +
        `${record.depth === null ? "" : `; evidence at ${percent(record.depth, 0)} % of the context`}`,
    ),
    turnLinks(record),
    turn
      ? [labelled("Question", turn.ask), labelled("Gold", turn.gold)]
      : h(
          "p",
          {class: "notice"},
          "This session is not in the run's folder: its question, gold and context are not known.",
        ),
    h("div", {class: "pair"}, side(record, here, "r"), other ? side(other, here, "vs") : null),
    turn ? evidencePart(turn, session) : null,
    h("h4", {}, "Every method on this turn"),
    everyMethod(here, record),
    h(
      "p",
      {class: "ways"},
      button("Previous (k)", () => step(-1), {class: "quiet"}),
      button("Next (j)", () => step(1), {class: "quiet"}),
      jsonButton(record, other, turn, session),
      copier(() => `${location.href}`, "Copy link"),
    ),
  );
  say(`${labelOf(record.method)}, score ${percent(record.strict, 0)}`);
}

function labelled(name, text) {
  return h(
    "div",
    {class: "labelled"},
    h("h4", {}, name),
    h("div", {class: "text"}, text || "(empty)"),
  );
}

/** The session's other turns. */
function turnLinks(record) {
  const turns = SAMPLES.records.filter(
    (one) =>
      one.setting === record.setting &&
      one.session === record.session &&
      one.mode === record.mode &&
      one.method === record.method &&
      one.sample === record.sample,
  );
  turns.sort((a, b) => a.turn - b.turn);
  if (turns.length < 2) return null;
  return h(
    "p",
    {class: "turns"},
    "Turns: ",
    turns.map((one) =>
      h(
        "a",
        {
          href: address("samples", {...Object.fromEntries(ROUTE.words), t: one.id, r: one.method}),
          "aria-current": one === record ? "true" : null,
          class: one.strict === null ? "gap" : one.strict >= RIGHT ? "right" : "wrong",
          onclick: (event) => {
            event.preventDefault();
            choose(one);
          },
        },
        `${one.turn + 1}${one.strict === null ? "" : one.strict >= RIGHT ? "✓" : "✗"}`,
      ),
    ),
  );
}

/** One method's answer, with all that is known of it. */
function side(record, here, word) {
  const pick = choice(
    word === "r" ? "Method" : "Beside it",
    here.map((one) => [one.method, labelOf(one.method)]),
    record.method,
    (value) => {
      settle({[word]: value, t: record.id});
      const now =
        here.find((one) => one.method === (ROUTE.words.get("r") || record.method)) || record;
      read(
        now,
        ofChosen(DATA.headlines).points.map((one) => one.method),
      );
    },
    `reader-${word}`,
  );
  const facts = [
    ["Extracted", record.read],
    ["Extracted, official", record.official_read === record.read ? null : record.official_read],
    ["Scores", `strict ${percent(record.strict)}, official ${percent(record.official)}`],
    ["Why", record.why],
    ["Taken off", record.removed],
    ["Format", record.format_failure === 1 ? "failure: an accepted answer stands in it" : null],
    [
      "Agreement",
      record.kl === null
        ? null
        : `KL ${number(record.kl)} nats a token, ${percent(record.top1, 0)} % of gold tokens ` +
          `alike, gold NLL ${number(record.nll)}`,
    ],
    [
      "Ended",
      record.finish === null
        ? null
        : `${ENDED[record.finish] || record.finish}, ${record.tokens} tokens`,
    ],
    ["Notes", record.notes],
    [
      "Cost",
      [
        `${count(record.prompt_tokens)} prompt tokens`,
        record.read_tokens === null ? "" : `${count(record.read_tokens)} read now`,
        record.held_bytes === null ? "" : `${bytes(record.held_bytes)} held`,
        record.loaded_bytes === null ? "" : `${bytes(record.loaded_bytes)} loaded a step`,
      ]
        .filter(Boolean)
        .join(", "),
    ],
    [
      "Cut from the context",
      record.cut_tokens
        ? `${count(record.cut_tokens)} tokens${record.survives === false ? ", evidence among them" : ""}`
        : null,
    ],
  ].filter(([, text]) => text);
  return h(
    "section",
    {class: "side", "aria-label": labelOf(record.method)},
    h("div", {class: "choices"}, pick, scoreChip(record)),
    record.thought ? details("Thought", h("div", {class: "text"}, record.thought)) : null,
    h("div", {class: "text answer"}, record.text === null ? "no answer" : record.text || "(empty)"),
    h(
      "dl",
      {class: "facts"},
      facts.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]),
    ),
    strips(record),
  );
}

/** Evidence kept as a bar, by layer and by token. */
function strips(record) {
  if (record.held === null) return null;
  const bar = (name, share, why) =>
    share === null
      ? null
      : h(
          "div",
          {class: "bar", title: why},
          h("span", {}, name),
          h(
            "span",
            {class: "track"},
            h("span", {class: "fillbar", style: {width: `${100 * share}%`}}),
          ),
          h("span", {}, `${percent(share, 0)} %`),
        );
  return h(
    "div",
    {class: "strips"},
    h("h4", {}, "Evidence"),
    bar("kept", record.kept, "of the attention that dense pays it"),
    bar("held", record.held, "of its tokens, over layers and heads"),
    bar("read", record.loaded, "as kept, of the tokens that the selection read"),
    record.layers ? strip("by layer, first to last", record.layers) : null,
    record.evidence ? strip("by evidence token, in order", record.evidence) : null,
  );
}

function strip(name, signs) {
  const share = (sign) => (sign === "A" ? 10 : Number(sign));
  const gone = [...signs].filter((sign) => sign === "0").length;
  return h(
    "div",
    {class: "strip", role: "img", "aria-label": `${name}: ${gone} of ${signs.length} wholly gone`},
    h("span", {class: "soft"}, name),
    h(
      "span",
      {class: "cells"},
      [...signs].map((sign, at) =>
        h("i", {class: `k${share(sign)}`, title: `${at + 1}: ${10 * share(sign)} %`}),
      ),
    ),
  );
}

/** The context around the evidence: where it stands, marked by role. */
function evidencePart(turn, session) {
  const size = `${count(session.characters)} characters (${count(session.counted)} tokens)`;
  const about = `The context has ${size}.`;
  if (!turn.windows.length) {
    return h(
      "div",
      {class: "windows"},
      h("h4", {}, "Evidence in the context"),
      h("p", {class: "soft"}, `${about} This turn names no evidence in it. It begins:`),
      h("div", {class: "text"}, `${session.head}…`),
    );
  }
  return h(
    "div",
    {class: "windows"},
    h("h4", {}, "Evidence in the context"),
    h(
      "p",
      {class: "soft"},
      `${about} Marked: what the answer stands on.`,
      turn.more ? ` ${turn.more} more places are not shown.` : null,
    ),
    turn.windows.map((one) =>
      h(
        "div",
        {class: "text window"},
        h("span", {class: "soft"}, `character ${count(one.at)}: `),
        one.parts.map(([text, role]) =>
          role ? h("mark", {class: role, title: role}, text) : text,
        ),
      ),
    ),
  );
}

function everyMethod(here, record) {
  return table(
    ["method", "score", "answer", "kept", "held", "read", "as dense"],
    here.map((one) => [
      h(
        "a",
        {
          href: address("samples", {...Object.fromEntries(ROUTE.words), t: one.id, r: one.method}),
          onclick: (event) => {
            event.preventDefault();
            choose(one);
          },
          "aria-current": one === record ? "true" : null,
        },
        labelOf(one.method),
      ),
      scoreChip(one),
      h(
        "span",
        {class: "snippet"},
        one.text === null ? one.why || "no answer" : one.text.slice(0, 60) || "(empty)",
      ),
      percent(one.kept, 0),
      percent(one.held, 0),
      percent(one.loaded, 0),
      percent(one.top1, 0),
    ]),
    {label: "Every method on this turn"},
  );
}

function jsonButton(record, other, turn, session) {
  const plain = ({dense, at, session: place, setting, layers, evidence, ...rest}) => rest;
  const made = copier(
    () =>
      JSON.stringify(
        {
          setting: DATA.settings[record.setting].label,
          session: session.digest,
          question: turn && turn.ask,
          gold: turn && turn.gold,
          answers: [record, other].filter(Boolean).map(plain),
          evidence: turn && turn.windows,
        },
        null,
        1,
      ),
    "Copy as JSON (c)",
  );
  made.id = "copy-json";
  return made;
}
