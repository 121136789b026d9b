// The document's parts, made of elements and texts alone: data never becomes markup.

const MINUS = "−";
const GAP = "–";

/** An element: `h("p", {class: "x", onclick: f}, "text", child)`. A null child is left out. */
function h(tag, traits = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(traits)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "value") made.value = value;
    else if (name === "style") {
      for (const [trait, given] of Object.entries(value)) made.style.setProperty(trait, given);
    } else made.setAttribute(name, value === true ? "" : String(value));
  }
  add(made, children);
  return made;
}

function add(place, children) {
  for (const child of children) {
    if (Array.isArray(child)) add(place, child);
    else if (child !== null && child !== undefined && child !== false) place.append(child);
  }
}

/** Put these children in place of what an element has. */
function fill(place, ...children) {
  place.replaceChildren();
  add(place, children);
  return place;
}

function byId(name) {
  return document.getElementById(name);
}

/** Tell a screen reader what has changed. */
function say(text) {
  byId("said").textContent = text;
}

// Numbers, written as every other report writes them.

function fixed(value, digits) {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", MINUS);
}

function percent(value, digits = 1) {
  return value === null || value === undefined ? GAP : fixed(100 * value, digits);
}

function signed(value, digits = 1) {
  if (value === null || value === undefined) return GAP;
  const text = fixed(100 * value, digits);
  return Number(text.replace(MINUS, "-")) > 0 ? `+${text}` : text;
}

function bytes(value) {
  if (value === null || value === undefined) return GAP;
  for (const [unit, size] of [
    ["GiB", 2 ** 30],
    ["MiB", 2 ** 20],
    ["KiB", 2 ** 10],
  ]) {
    if (Math.abs(value) >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return `${value.toFixed(0)} B`;
}

function seconds(value) {
  if (value === null || value === undefined) return GAP;
  if (Math.abs(value) >= 1 || value === 0) return `${value.toFixed(2)} s`;
  if (Math.abs(value) >= 1e-3) return `${(1e3 * value).toFixed(1)} ms`;
  return `${(1e6 * value).toFixed(0)} µs`;
}

function number(value, digits = 3) {
  return value === null || value === undefined ? GAP : fixed(value, digits);
}

function count(value) {
  return value === null || value === undefined ? GAP : value.toLocaleString("en");
}

/** `1 answer`, `1,200 answers`. */
function counted(value, noun) {
  return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

// Small things that several views have.

/** A label with a choice; `options` are [value, text]. */
function choice(label, options, chosen, onchange, id = null) {
  const select = h(
    "select",
    {id, onchange: (event) => onchange(event.target.value)},
    options.map(([value, text]) =>
      h("option", {value, selected: String(value) === String(chosen)}, text),
    ),
  );
  return h("label", {class: "choice"}, h("span", {}, label), select);
}

function button(text, onclick, traits = {}) {
  return h("button", {type: "button", ...traits, onclick}, text);
}

/** A table with heads; each row is a list of texts or elements, its first one the row's name. */
function table(heads, rows, traits = {}) {
  return h(
    "div",
    {class: "scroll", tabindex: "0", role: "region", "aria-label": traits.label || "table"},
    h(
      "table",
      {class: traits.class || "plain"},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          heads.map((head) => h("th", {scope: "col"}, head)),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((cell, at) => (at === 0 ? h("th", {scope: "row"}, cell) : h("td", {}, cell))),
          ),
        ),
      ),
    ),
  );
}

function details(title, ...children) {
  return h("details", {class: "notes"}, h("summary", {}, title), children);
}

/** A button that copies a text, and says that it did. */
function copier(text, label = "Copy") {
  const made = button(
    label,
    async () => {
      const copied = await copy(typeof text === "function" ? text() : text);
      made.textContent = copied ? "Copied" : "Cannot copy here: select the text";
      say(made.textContent);
      setTimeout(() => {
        made.textContent = label;
      }, 1500);
    },
    {class: "quiet"},
  );
  return made;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // A page from a file may lack the clipboard's own door; a selected field still copies.
    const field = h("textarea", {value: text, class: "unseen"});
    document.body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    return done;
  }
}
