// The heat map: methods by abilities and tasks, differences to dense, undecided ones undecided.

const FULL = 40; // points at which a cell has its strongest colour

function showHeat(place) {
  const found = ofChosen(DATA.tables);
  const words = ROUTE.words;
  const shows = words.get("show") || "delta";
  const stage = words.get("stage") || "";
  const category = words.get("category") || "";
  const only = (words.get("only") || "").toLowerCase();
  const order = ofChosen(DATA.headlines).points.map((one) => one.method);
  const rows = found.methods.map((method, at) => ({method, cells: found.rows[at].map(cellOf)}));
  rows.sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method));
  const sort = words.get("sort");
  if (sort) sortRows(rows, found.columns, sort, shows);
  const stages = [...new Set(found.methods.map((name) => methodOf(name).stage))].filter(Boolean);
  const categories = [
    ...new Set(
      found.methods
        .map(methodOf)
        .filter((one) => !stage || one.stage === stage)
        .map((one) => one.category),
    ),
  ].filter(Boolean);
  const again = (more) => {
    settle(more);
    showHeat(place);
  };
  const shown = rows.filter(({method}) => {
    const one = methodOf(method);
    return (
      (!stage || one.stage === stage) &&
      (!category || one.category === category) &&
      (!only || method.toLowerCase().includes(only))
    );
  });
  const inspector = h(
    "p",
    {class: "inspector", id: "inspector"},
    "Point at a cell, or go there with the arrow keys, to read all of it; Enter opens its answers.",
  );
  const grid = heatTable(shown, found, {shows, sort, again, inspector});
  const focused = document.activeElement && document.activeElement.id === "only-method";
  fill(
    place,
    h("h3", {}, `Points against ${DATA.baseline}, method by method`),
    h(
      "div",
      {class: "choices"},
      choice(
        "Show",
        [
          ["delta", `difference to ${DATA.baseline}`],
          ["score", "score"],
        ],
        shows,
        (value) => again({show: value}),
      ),
      choice("Stage", [["", "all"], ...stages.map((one) => [one, one])], stage, (value) =>
        again({stage: value, category: ""}),
      ),
      choice("Category", [["", "all"], ...categories.map((one) => [one, one])], category, (value) =>
        again({category: value}),
      ),
      h(
        "label",
        {class: "choice"},
        h("span", {}, "Method"),
        h("input", {
          id: "only-method",
          type: "search",
          value: words.get("only") || "",
          size: 12,
          oninput: (event) => again({only: event.target.value}),
        }),
      ),
      h(
        "p",
        {class: "legend"},
        h("span", {class: "swatch worse"}, "−40"),
        h("span", {class: "swatch better"}, "+40"),
        h("span", {class: "swatch open"}, "−9.9?"),
        " ? undecided; ° no headroom",
      ),
    ),
    grid,
    inspector,
  );
  if (focused) {
    const field = byId("only-method");
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }
}

function cellOf(values) {
  return Object.fromEntries(DATA.cell.map((name, at) => [name, values[at]]));
}

/** `sort` is a column's place, with a minus for the smallest first. */
function sortRows(rows, columns, sort, shows) {
  const isUp = sort.startsWith("-");
  const at = Number(sort.replace("-", ""));
  if (!columns[at]) return;
  const key = (row) => {
    const cell = row.cells[at];
    const value = shows === "delta" && cell.delta !== null ? cell.delta : cell.value;
    if (
      shows === "delta" &&
      row.method === DATA.baseline &&
      ["average", "task"].includes(columns[at].kind)
    )
      return 0;
    return value;
  };
  rows.sort((a, b) => {
    const [left, right] = [key(a), key(b)];
    if (left === null || right === null) return (left === null) - (right === null);
    return isUp ? left - right : right - left;
  });
}

function heatTable(rows, found, {shows, sort, again, inspector}) {
  const head = found.columns.map((column, at) => {
    const isThis = sort && sort.replace("-", "") === String(at);
    const way = isThis ? (sort.startsWith("-") ? "ascending" : "descending") : null;
    const next = isThis && way === "descending" ? `-${at}` : isThis ? "" : String(at);
    return h(
      "th",
      {scope: "col", "aria-sort": way, class: column.kind},
      h(
        "button",
        {
          type: "button",
          class: "sort",
          title: `${column.group}: sort`,
          onclick: () => again({sort: next}),
        },
        breakable(column.title),
        column.n ? h("small", {}, ` ${column.n}`) : null,
        way ? (way === "ascending" ? " ▲" : " ▼") : null,
      ),
    );
  });
  const body = rows.map(({method, cells}, rowAt) =>
    h(
      "tr",
      {},
      h(
        "th",
        {scope: "row", title: `${methodOf(method).stage} · ${methodOf(method).category}`},
        labelOf(method),
      ),
      cells.map((cell, at) =>
        heatCell(cell, found.columns[at], method, shows, rowAt === 0 && at === 0),
      ),
    ),
  );
  const grid = h(
    "table",
    {class: "heat", role: "grid"},
    h("thead", {}, h("tr", {}, h("th", {scope: "col", class: "corner"}, "method"), head)),
    h("tbody", {}, body),
  );
  const inspect = (event) => {
    const cell = event.target.closest("td");
    if (cell) inspector.textContent = cell.getAttribute("aria-label");
  };
  grid.addEventListener("focusin", inspect);
  grid.addEventListener("mouseover", inspect);
  grid.addEventListener("keydown", walk);
  grid.addEventListener("click", (event) => open(event.target.closest("td")));
  return h("div", {class: "scroll"}, grid);
}

/** A title that may go on in the next line after a dot or within a long word. */
function breakable(title) {
  return title
    .replace(/([.+])(?=\S)/g, "$1\u200b")
    .replace(/([a-z])(?=[A-Z])/g, "$1\u200b")
    .split("\u200b")
    .flatMap((part, at) => (at ? [h("wbr"), part] : [part]));
}

/** What a cell prints, how it is coloured, and all of it in words. */
function heatCell(cell, column, method, shows, isFirst) {
  const isScore = column.kind === "average" || column.kind === "task";
  const isBase = method === DATA.baseline;
  const hasDelta = isScore && cell.delta !== null && !isBase;
  const text = hasDelta && shows === "delta" ? cell.delta_text.replace(/\*$/, "") : cell.main;
  const sign = {"too few sessions": "?", "no headroom": "°"}[cell.standing] || "";
  const state = !hasDelta
    ? ""
    : sign === "?"
      ? "open"
      : sign === "°"
        ? "flat"
        : cell.delta < 0
          ? "worse"
          : cell.delta > 0
            ? "better"
            : "same";
  const strength = hasDelta ? Math.min(1, Math.abs(100 * cell.delta) / FULL) : 0;
  const words = [
    `${labelOf(method)}, ${column.title}: ${cell.main}${cell.marks} ${cell.interval}`.trim(),
    hasDelta ? `Δ ${cell.delta_text} ${cell.delta_interval}`.trim() : "",
    cell.verdict,
    cell.n || column.n,
    cell.official ? `official ${cell.official}` : "",
    cell.aside,
  ]
    .filter(Boolean)
    .join(" · ");
  return h(
    "td",
    {
      class: `${state} ${column.kind}`,
      role: "gridcell",
      tabindex: isFirst ? 0 : -1,
      "aria-label": words,
      style:
        strength && (state === "worse" || state === "better")
          ? {"--strength": `${Math.round(8 + 52 * strength)}%`}
          : {},
      "data-method": method,
      "data-task": column.kind === "task" ? column.name : "",
    },
    `${text}${sign}`,
    cell.marks ? h("sup", {}, cell.marks) : null,
  );
}

/** Arrow keys go from cell to cell; only one of them is on the way of the Tab key. */
function walk(event) {
  const cell = event.target.closest("td");
  if (!cell) return;
  if (event.key === "Enter") {
    open(cell);
    return;
  }
  const row = cell.parentElement;
  const at = [...row.children].indexOf(cell);
  const next = {
    ArrowLeft: cell.previousElementSibling,
    ArrowRight: cell.nextElementSibling,
    ArrowUp: row.previousElementSibling && row.previousElementSibling.children[at],
    ArrowDown: row.nextElementSibling && row.nextElementSibling.children[at],
    Home: row.children[1],
    End: row.lastElementChild,
  }[event.key];
  if (!next || next.tagName !== "TD") return;
  event.preventDefault();
  cell.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** The answers behind a cell: those that differ from dense's. */
function open(cell) {
  if (!cell || !DATA.has_samples) return;
  const {method, task} = cell.dataset;
  go("samples", {m: method, task: task || null, f: method === DATA.baseline ? null : "flipped"});
}
