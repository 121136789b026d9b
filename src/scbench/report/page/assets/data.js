// The one data set: unpacked once, the samples when a view first asks for them.

let DATA = null;
let SAMPLES = null;
const pieces = [];

async function inflated(text) {
  const packed = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

async function loadData() {
  DATA = JSON.parse(await inflated(byId("packed-data").textContent));
  DATA.place = Object.fromEntries(DATA.methods.map((one, at) => [one.name, at]));
}

/** The method's card: stage, category, whether it is simulated. */
function methodOf(name) {
  return DATA.methods[DATA.place[name]] || {name, stage: "", category: ""};
}

function labelOf(name) {
  return methodOf(name).is_simulated ? `${name} ‡` : name;
}

/** Texts of a column that holds each different one once. */
function texts(column) {
  return column.at.map((place) => (place < 0 ? null : column.texts[place]));
}

/** Rows of a value of columns: `{a: [1, 2]}` is `[{a: 1}, {a: 2}]`. */
function rowsOf(columns) {
  const names = Object.keys(columns);
  const plain = names.map((name) =>
    Array.isArray(columns[name]) ? columns[name] : texts(columns[name]),
  );
  return plain[0].map((_, at) =>
    Object.fromEntries(names.map((name, of) => [name, plain[of][at]])),
  );
}

/** The samples: `{records: [...], sessions: [...]}`. */
async function loadSamples() {
  if (SAMPLES === null) {
    const inside = byId("packed-samples").textContent;
    const found = JSON.parse(await inflated(inside || (await fromBeside())));
    SAMPLES = {records: rowsOf(found.records), sessions: found.sessions};
    SAMPLES.records.forEach((record, at) => {
      record.at = at;
      record.id = idOf(record, found.sessions[record.session]);
    });
    const dense = new Map();
    for (const record of SAMPLES.records) {
      if (record.method === DATA.baseline) dense.set(turnKey(record), record);
    }
    for (const record of SAMPLES.records) record.dense = dense.get(turnKey(record)) || null;
  }
  return SAMPLES;
}

/** What all methods share of a turn. */
function turnKey(record) {
  return [record.setting, record.session, record.mode, record.turn, record.sample].join("|");
}

/** A turn's name in an address; the setting tells models apart that share a session. */
function idOf(record, session) {
  const sample = record.sample ? `.${record.sample}` : "";
  const start = session.digest.slice(0, 12);
  return `${start}.${record.setting}.${record.mode}.${record.turn + 1}${sample}`;
}

/** A large run has its samples in scripts beside the page, since a file may not fetch. */
async function fromBeside() {
  window.scbenchPiece = (at, text) => {
    pieces[at] = text;
  };
  for (const [at, {name, sha256}] of DATA.beside.entries()) {
    await new Promise((done, failed) => {
      const made = h("script", {src: name});
      made.onload = done;
      made.onerror = () => failed(new Error(`${name} is not beside this page: copy both together`));
      document.body.append(made);
    });
    if ((await digest(pieces[at] || "")) !== sha256) {
      throw new Error(`${name} is not of this page (its digest differs): make the report again`);
    }
  }
  delete window.scbenchPiece;
  return pieces.join("");
}

async function digest(text) {
  const held = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(held), (one) => one.toString(16).padStart(2, "0")).join("");
}
