// Which view is shown, from the address: `#samples?m=snapkv&f=flipped`. Every choice is in it.

const VIEWS = {
  summary: showSummary,
  turns: showTurns,
  budgets: showBudgets,
  life: showLife,
  evidence: showEvidence,
  samples: showSamples,
  attention: showAttention,
  manifest: showManifest,
};
let ROUTE = {view: "summary", words: new URLSearchParams()};

function routeOf(address) {
  const [view, words = ""] = address.replace(/^#/, "").split("?");
  return {view: VIEWS[view] ? view : "summary", words: new URLSearchParams(words)};
}

/** The address of a view; the setting and the mode stay as they are unless others are named. */
function address(view, words = {}) {
  const kept = new URLSearchParams();
  for (const name of ["s", "mode"])
    if (ROUTE.words.has(name)) kept.set(name, ROUTE.words.get(name));
  for (const [name, value] of Object.entries(words)) {
    if (value === null || value === undefined || value === "") kept.delete(name);
    else kept.set(name, value);
  }
  return kept.toString() ? `#${view}?${kept}` : `#${view}`;
}

function go(view, words = {}) {
  location.hash = address(view, words);
}

/** Change words of the address in place, without a step in the browser's history. */
function settle(words) {
  const all = {...Object.fromEntries(ROUTE.words), ...words};
  history.replaceState(null, "", address(ROUTE.view, all));
  ROUTE = routeOf(location.hash);
}

/** The setting, by place, and the mode that are looked at. */
function chosen() {
  const asked = Number(ROUTE.words.get("s") ?? DATA.opens.setting);
  const setting = DATA.settings[asked] ? asked : DATA.opens.setting;
  const modes = DATA.settings[setting].modes;
  const wanted = ROUTE.words.get("mode") ?? DATA.opens.mode;
  return {setting, mode: modes.includes(wanted) ? wanted : modes[0]};
}

function ofChosen(found) {
  const here = chosen();
  return found.find((one) => one.setting === here.setting && one.mode === here.mode);
}

function isChosen(row) {
  const here = chosen();
  return row.setting === here.setting && row.mode === here.mode;
}

function showChoices() {
  const here = chosen();
  const modes = DATA.settings[here.setting].modes;
  const choose = (words) => go(ROUTE.view, {...Object.fromEntries(ROUTE.words), ...words});
  fill(
    byId("chosen"),
    DATA.settings.length > 1
      ? choice(
          "Model and length",
          DATA.settings.map((one, at) => [at, one.label]),
          here.setting,
          (value) => choose({s: value, t: null}),
          "choose-setting",
        )
      : null,
    modes.length > 1
      ? choice(
          "Mode",
          modes.map((mode) => [mode, mode]),
          here.mode,
          (value) => choose({mode: value, t: null}),
          "choose-mode",
        )
      : null,
  );
}

async function show() {
  const before = ROUTE.view;
  ROUTE = routeOf(location.hash);
  for (const link of byId("views").querySelectorAll("a")) {
    const view = link.getAttribute("href").slice(1).split("?")[0];
    link.href = address(view);
    if (view === ROUTE.view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  for (const view of Object.keys(VIEWS)) byId(`view-${view}`).hidden = view !== ROUTE.view;
  showChoices();
  const section = byId(`view-${ROUTE.view}`);
  section.setAttribute("aria-busy", "true");
  try {
    await VIEWS[ROUTE.view](section.querySelector(".body") || section);
    if (before !== ROUTE.view) {
      window.scrollTo(0, 0);
      say(`${section.querySelector("h2").textContent} is shown`);
    }
  } catch (error) {
    trouble(`This view cannot be shown: ${error.message}`);
    console.error(error);
  }
  section.removeAttribute("aria-busy");
  document.documentElement.dataset.shown = ROUTE.view;
}

function trouble(text) {
  const place = byId("trouble");
  place.textContent = text;
  place.hidden = !text;
}

const THEMES = [
  ["", "as the system"],
  ["light", "light"],
  ["dark", "dark"],
];

function nextTheme() {
  const root = document.documentElement;
  const at = THEMES.findIndex(([name]) => name === (root.dataset.theme || ""));
  const [name, words] = THEMES[(at + 1) % THEMES.length];
  if (name) root.dataset.theme = name;
  else delete root.dataset.theme;
  byId("theme").textContent = `Theme: ${words}`;
  redraw();
}

let width = window.innerWidth;
let resized = null;

/** Charts are drawn for a width; a phone that hides its address bar changes only the height. */
function onResize() {
  clearTimeout(resized);
  resized = setTimeout(() => {
    if (Math.abs(window.innerWidth - width) < 40 || ROUTE.view === "samples") return;
    width = window.innerWidth;
    show();
  }, 250);
}

async function start() {
  if (typeof DecompressionStream === "undefined") {
    trouble(
      "This browser cannot unpack the page's data (it lacks DecompressionStream; Chrome 80, " +
        "Firefox 113 and Safari 16.4 have it). The summary below stands without it.",
    );
    return;
  }
  await loadData();
  byId("theme").hidden = false;
  byId("theme").addEventListener("click", nextTheme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  window.addEventListener("hashchange", show);
  window.addEventListener("resize", onResize);
  document.addEventListener("keydown", onKey);
  await show();
}

start().catch((error) => {
  trouble(`The page's data cannot be read: ${error.message}`);
  console.error(error);
});
