// Manifest: how to play this again, what was lacking, and what made it.

function commandBlock(command) {
  return h("div", {class: "command"}, h("pre", {tabindex: "0"}, command), copier(command));
}

function showManifest(body) {
  const found = DATA.manifest;
  fill(
    body,
    found.commands.length
      ? found.commands.map(([what, command]) => [h("p", {}, `${what}:`), commandBlock(command)])
      : h("p", {}, "These records came without a manifest, so nobody knows the command."),
    h("h3", {}, "What ran"),
    h(
      "dl",
      {class: "facts"},
      DATA.facts.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]),
    ),
    h("h3", {}, "Gaps"),
    DATA.gaps.rows.length
      ? [
          table([DATA.gaps.corner, ...DATA.gaps.columns], DATA.gaps.rows, {
            label: "Gaps",
            class: "plain words",
          }),
          h(
            "ul",
            {class: "soft"},
            DATA.gaps.notes.map((note) => h("li", {}, note)),
          ),
        ]
      : h("p", {}, "None: every planned turn has a score."),
    found.lines.length
      ? [
          h("h3", {}, "The newest command, line by line"),
          table(["name", "value"], found.lines, {label: "Manifest", class: "plain words"}),
        ]
      : null,
    found.whole
      ? lazily("The whole manifest as JSON", () =>
          h("div", {class: "command"}, h("pre", {tabindex: "0"}, found.whole), copier(found.whole)),
        )
      : null,
  );
}
