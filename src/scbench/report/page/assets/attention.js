// Attention: what `scbench analyze` found of this run, where it was asked.

function showAttention(body) {
  if (!DATA.attention.length) {
    const folder = (DATA.manifest.commands[0] || ["", ""])[1].match(/--out (\S+)/);
    const command = `scbench analyze ${folder ? folder[1] : "RUN"}`;
    fill(
      body,
      h(
        "p",
        {},
        "Nobody has looked at this run's attention yet. This shows how it moves over turns, " +
          "how sparse it is, and what methods keep of it:",
      ),
      commandBlock(command),
      h("p", {}, "Then make this page again, with ", h("code", {}, "scbench report"), "."),
    );
    return;
  }
  fill(
    body,
    DATA.attention.map((one) =>
      h(
        "section",
        {},
        h(
          "p",
          {},
          `${one.facts.model}; ${one.facts.tasks.join(", ")}; ${one.facts.turns} turns; ` +
            `contexts of ${(one.facts.context_tokens || []).join(" to ")} tokens; ${one.folder}`,
        ),
        one.pictures.map(([title, svg, caption]) =>
          h(
            "figure",
            {class: "chart"},
            h("figcaption", {}, h("b", {}, title), ` ${caption}`),
            h("img", {src: svg, alt: `${title}. ${caption}`}),
          ),
        ),
        one.means.length
          ? lazily("The means behind the pictures", () =>
              table(
                Object.keys(one.means[0]),
                one.means.map((row) =>
                  Object.values(row).map((value) =>
                    typeof value === "number"
                      ? number(value)
                      : value === null
                        ? GAP
                        : String(value),
                  ),
                ),
                {label: "Means"},
              ),
            )
          : null,
      ),
    ),
  );
}
