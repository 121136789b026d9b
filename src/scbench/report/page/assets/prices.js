// Seconds: what is paid once, and for each question; from the cost pass, one request alone.

function middle(row, name) {
  return row[name] ? row[name][0] : null;
}

function costsHere() {
  const here = DATA.settings[chosen().setting];
  return DATA.costs.filter(
    (row) =>
      row.model === here.model && row.tokens === here.length_tokens && row.form === here.form,
  );
}

/** Seconds before the first question, and of a question with an answer of so many tokens. */
function prices(row, tokens) {
  const once =
    middle(row, "prefill_s") === null
      ? null
      : middle(row, "prefill_s") + (middle(row, "compress_s") || 0);
  const first = middle(row, "ttft_warm_s");
  const step = middle(row, "tpot_s");
  const each = first === null ? null : first + Math.max(0, tokens - 1) * (step || 0);
  return {once, each};
}

/** After how many questions a method has paid back what it costs before the first one. */
function paysAfter(mine, base) {
  if ([mine.once, mine.each, base.once, base.each].includes(null)) return null;
  const overhead = mine.once - base.once;
  const gain = base.each - mine.each;
  if (overhead <= 0 && gain >= 0) return 0;
  if (gain <= 0) return Infinity;
  return Math.max(0, Math.ceil(overhead / gain));
}

function evenText(after) {
  if (after === null) return "not measured";
  if (after === Infinity) return "never: its questions are not quicker";
  return after === 0 ? "at once" : `after ${count(after)} question${after === 1 ? "" : "s"}`;
}

function answerTokens() {
  return Number(ROUTE.words.get("a")) || Math.max(1, Math.round(DATA.answer_tokens || 16));
}

function breakEven() {
  const rows = costsHere().filter((row) => !row.failure);
  const base = rows.find((row) => row.method === DATA.baseline);
  if (!base)
    return h(
      "p",
      {},
      `There was no cost pass of ${DATA.baseline} here, so nothing can be set against it.`,
    );
  const tokens = answerTokens();
  const theirs = prices(base, tokens);
  return [
    h(
      "p",
      {},
      `Seconds of one request alone on this machine, answers of ${tokens} tokens; ` +
        "memory saved and batches that become larger are not in it.",
    ),
    table(
      ["method", "before the first question", "each question", "pays back"],
      rows.map((row) => {
        const mine = prices(row, tokens);
        return [
          labelOf(row.method),
          seconds(mine.once),
          seconds(mine.each),
          row === base ? "" : evenText(paysAfter(mine, theirs)),
        ];
      }),
      {label: "Break-even"},
    ),
  ];
}
