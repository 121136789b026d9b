"""The page in a real browser: every view is opened and used, no error, no request, no dead end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Watched, place, watched
from page_parts import unpacked
from page_sample import sample
from report_sample import MANIFEST
from test_hostile import answered as hostile_page

from scbench.report.page import page_files
from scbench.report.page.document import VIEWS

pytestmark = pytest.mark.slow
NAMES = [name for name, _ in VIEWS]
# Contrast of each text to what is behind it, where that is one colour; and of what, if too low.
CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.map((one) => one / 255).map((one) =>
      one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const parsed = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return {colour: [r, g, b], alpha: a / 255};
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = parsed(getComputedStyle(at).backgroundColor);
      if (found.alpha > 0.99) return found.colour;
    }
    return parsed("Canvas").colour;
  };
  const low = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const text = walk.currentNode.textContent.trim();
    const element = walk.currentNode.parentElement;
    if (!text || ["SCRIPT", "STYLE", "NOSCRIPT"].includes(element.tagName)) continue;
    if (!element.checkVisibility({visibilityProperty: true})) continue;
    const style = getComputedStyle(element);
    const ink = element instanceof SVGElement ? style.fill : style.color;
    if (ink === "none") continue;
    const pair = [light(parsed(ink).colour), light(behind(element))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < 4.5) low.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return low;
}"""
NAMELESS = """() => [...document.querySelectorAll("a, button, input, select, img, summary")]
  .filter((one) => one.checkVisibility())
  .filter((one) => !(one.getAttribute("aria-label") || one.getAttribute("alt")
    || one.textContent.trim() || (one.labels && one.labels.length) || one.title))
  .map((one) => one.outerHTML.slice(0, 80))"""
WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    found = place()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    summary, source = sample()
    return page_files(summary, MANIFEST, source=source)


@pytest.fixture(scope="module")
def path(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(files, tmp_path_factory.mktemp("page"))


def written(files: dict[str, str], folder: Path) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "index.html"


@pytest.fixture
def tab(browser: Any) -> Iterator[Watched]:
    with watched(browser) as found:
        yield found
        assert found.errors == []
        assert found.strays == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_every_view_opens_without_error_fits_and_can_be_read(
    browser: Any, path: Path, scheme: str, width: int
) -> None:
    viewport = {"width": width, "height": 900}
    with watched(browser, viewport=viewport, color_scheme=scheme) as found:
        for name in NAMES:
            found.open(path, name)
            shown = found.tab.locator("main > section:visible")
            assert shown.count() == 1
            assert len(shown.inner_text()) > 60
            assert found.tab.locator("#trouble:visible").count() == 0
            assert found.tab.get_by_text("No picture here").locator("visible=true").count() == 0
            assert found.tab.evaluate(WIDE) <= 0, name
            assert found.tab.evaluate(CONTRAST) == [], name
            assert found.tab.evaluate(NAMELESS) == [], name
        assert found.errors == []
        assert found.strays == []


def test_the_watch_sees_an_error_a_request_pale_text_and_a_nameless_button(
    browser: Any, tmp_path: Path
) -> None:
    """Else the test above would say nothing."""
    bad = (
        '<html data-shown="summary"><button></button><p style="color:#999">pale</p>'
        '<img src="http://127.0.0.1:9/x.png" alt="x"><script>console.error("no")</script>'
    )
    with watched(browser) as found:
        found.open(written({"index.html": bad}, tmp_path))
        found.tab.wait_for_function("() => document.images[0].complete")
        assert any("no" in one for one in found.errors)
        assert found.strays == ["http://127.0.0.1:9/x.png"]
        assert found.tab.evaluate(CONTRAST) == ["pale: 2.85"]
        assert len(found.tab.evaluate(NAMELESS)) == 1


def test_verdicts_figure_and_table_are_above_the_fold(tab: Watched, path: Path) -> None:
    tab.open(path)
    box = {
        name: tab.tab.locator(name).bounding_box() for name in ("#verdicts", "#headline", ".heat")
    }
    assert box["#verdicts"]["y"] + box["#verdicts"]["height"] <= 900
    assert box["#headline"]["y"] + box["#headline"]["height"] <= 900
    assert box[".heat"]["y"] <= 700
    assert tab.tab.locator("#live-headline svg").get_by_text("dense", exact=True).count() == 1


def test_every_cell_shows_what_the_data_says_and_undecided_ones_look_so(
    tab: Watched, path: Path, files: dict[str, str]
) -> None:
    data = unpacked(files["index.html"])
    place_of = {name: at for at, name in enumerate(data["cell"])}
    opens = (data["opens"]["setting"], data["opens"]["mode"])
    table = next(one for one in data["tables"] if (one["setting"], one["mode"]) == opens)
    tab.open(path)
    shown = tab.tab.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll(".heat tbody tr")].map((row) =>
        [row.querySelector("th").textContent, [...row.querySelectorAll("td")].map((cell) =>
          [cell.firstChild.textContent, cell.className.split(" ")[0],
            cell.getAttribute("aria-label")])]))"""
    )
    assert set(shown) == set(table["methods"])
    states = set()
    for method, cells in zip(table["methods"], table["rows"], strict=True):
        for column, cell, (text, state, label) in zip(
            table["columns"], cells, shown[method], strict=True
        ):
            value = {name: cell[at] for name, at in place_of.items()}
            is_score = column["kind"] in ("average", "task")
            if is_score and value["delta"] is not None and method != "dense":
                assert text.rstrip("?°") == value["delta_text"].rstrip("*")
                assert (state == "open") == (value["standing"] == "too few sessions")
                assert text.endswith("?") == (state == "open")
                states.add(state)
            else:
                assert text.rstrip("?") == value["main"]
            assert value["interval"] in label
            assert value["verdict"] in label
    assert {"worse", "open"} <= states


def test_the_table_sorts_filters_and_is_walked_with_arrow_keys(tab: Watched, path: Path) -> None:
    tab.open(path)
    first = "() => document.querySelector('.heat tbody th').textContent"
    names = "() => [...document.querySelectorAll('.heat tbody th')].map((one) => one.textContent)"
    tab.tab.get_by_role("button", name="Overall").click()
    assert tab.tab.locator("th[aria-sort=descending]").count() == 1
    tab.tab.get_by_role("button", name="Overall").click()
    assert tab.tab.evaluate(first) == "snapkv[tau=1/8]"
    tab.tab.get_by_label("Stage").select_option("loading")
    assert tab.tab.evaluate(names) == ["quest[tau=1/4]"]
    tab.tab.get_by_label("Stage").select_option("")
    tab.tab.get_by_label("Method", exact=True).fill("kvz")
    assert tab.tab.evaluate(names) == ["kvzip[tau=1/4]"]
    tab.tab.get_by_label("Method", exact=True).fill("")
    tab.tab.locator(".heat td[tabindex='0']").focus()
    tab.tab.keyboard.press("ArrowRight")
    tab.tab.keyboard.press("ArrowDown")
    label = tab.tab.evaluate("() => document.activeElement.getAttribute('aria-label')")
    assert tab.tab.locator("#inspector").inner_text() == label
    assert tab.tab.locator(".heat td[tabindex='0']").count() == 1
    tab.tab.keyboard.press("Enter")
    tab.settled("samples")


def test_the_figure_is_switched_and_says_so(tab: Watched, path: Path) -> None:
    tab.open(path)
    for across, title in (
        ("loaded", "bytes loaded"),
        ("tpot", "time per token"),
        ("ttft", "first"),
    ):
        tab.tab.locator("#figure-x").select_option(across)
        tab.settled("summary")
        assert title in (tab.tab.locator("#live-headline").get_attribute("aria-label") or "")
        tab.tab.locator("#live-headline svg text", has_text=title).wait_for()
    tab.tab.locator("#figure-y").select_option("top1")
    tab.tab.locator("#live-headline svg text", has_text="likeliest").wait_for()
    assert "x=ttft" in tab.tab.url
    assert "y=top1" in tab.tab.url


def test_which_method_at_a_quarter_of_the_bytes_is_read_without_a_click(
    tab: Watched, path: Path
) -> None:
    tab.open(path)
    said = tab.tab.locator("#verdicts").inner_text()
    assert "At a quarter of the bytes held?" in said
    assert "kvzip is best" in said


def test_whether_later_turns_are_lost_is_one_click_away(tab: Watched, path: Path) -> None:
    tab.open(path)
    assert "After the first turn (multi-turn): snapkv" in tab.tab.locator("#verdicts").inner_text()
    tab.click("Turn by turn", "turns")
    row = tab.tab.locator("#view-turns tbody tr", has_text="snapkv[tau=1/4]").first.inner_text()
    assert "−" in row
    assert tab.tab.locator("#view-turns svg text", has_text="kvzip").count() >= 1


def test_a_lost_answer_and_what_was_thrown_away_is_one_click_away(tab: Watched, path: Path) -> None:
    tab.open(path)
    tab.click("Answers that snapkv", "samples")
    reader = tab.tab.locator("#reader")
    said = reader.inner_text()
    for words in (
        "Question",
        "Gold",
        "gold-",
        "Extracted",
        "Evidence in the context",
        "kept",
        "10 %",
    ):
        assert words in said
    assert reader.locator("mark.answer").first.inner_text().startswith("gold-")
    assert reader.locator(".side").count() == 2
    chips = [chip.inner_text()[0] for chip in reader.locator(".side .chip").all()]
    assert chips == ["✗", "✓"]


def test_the_price_of_32_questions_is_one_click_away(tab: Watched, path: Path) -> None:
    tab.open(path)
    tab.click("Cost of 32 questions", "life")
    rows = tab.tab.locator("#view-life table").first.locator("tbody tr")
    texts = {row.locator("th").inner_text(): row.inner_text() for row in rows.all()}
    # dense: 0.5 s to read, 32 x (0.05 + 4 x 0.02) s; kvzip: 2.01 s, 32 x (0.05 + 4 x 0.015) s
    assert "4.66 s" in texts["dense"]
    assert "5.53 s" in texts["kvzip[tau=1/4]"]
    assert "after 76 questions" in texts["kvzip[tau=1/4]"]  # 1.51 s at 0.02 s a question
    assert "after 1 question" in texts["snapkv[tau=1/4]"]
    assert "never" in texts["quest[tau=1/4]"]
    tab.tab.locator("#life-questions").fill("100")
    tab.tab.locator("#life-questions").press("Enter")
    tab.tab.get_by_text("Seconds for 100 questions").wait_for()


@pytest.mark.parametrize("kind", ["flipped", "lost", "won", "wrong", "format", "cut", "gap"])
def test_a_filter_leaves_what_it_names(tab: Watched, path: Path, kind: str) -> None:
    _, source = sample()
    mine = [
        one for one in source.records if (one.method, one.mode) == ("snapkv[tau=1/4]", "multi-turn")
    ]
    dense = {
        (one.session_digest, one.mode, one.turn): one.strict.value
        for one in source.records
        if one.method == "dense"
    }
    told = {
        "flipped": lambda one, base: one.strict.value is not None and one.strict.value != base,
        "lost": lambda one, base: one.strict.value == 0.0 and base == 1.0,
        "won": lambda one, base: one.strict.value == 1.0 and base == 0.0,
        "wrong": lambda one, base: one.strict.value == 0.0,
        "format": lambda one, base: one.strict.format_failure,
        "cut": lambda one, base: one.answer is not None and one.answer.finish == "length",
        "gap": lambda one, base: one.strict.value is None,
    }
    wanted = sum(told[kind](one, dense[one.session_digest, one.mode, one.turn]) for one in mine)
    assert wanted or kind == "won"
    tab.open(path, f"samples?mode=multi-turn&m=snapkv%5Btau%3D1%2F4%5D&f={kind}")
    plural = "" if wanted == 1 else "s"
    assert tab.tab.locator("#samples-count").inner_text() == f"{wanted} answer{plural}"


def test_samples_are_searched_walked_linked_and_copied(browser: Any, path: Path) -> None:
    with watched(browser, permissions=["clipboard-read", "clipboard-write"]) as found:
        tab = found.tab
        found.open(path, "samples?mode=multi-turn")
        tab.locator("#samples-search").fill("fact 2 of vt")
        tab.wait_for_function(
            "() => document.getElementById('samples-count').textContent === '40 answers'"
        )
        tab.keyboard.press("Escape")
        tab.keyboard.press("j")
        tab.keyboard.press("j")
        title = tab.locator("#reader h3").inner_text()
        current = tab.locator("#samples-list a[aria-current]").inner_text()
        address = tab.url
        tab.keyboard.press("c")
        tab.get_by_text("Copied").first.wait_for()
        copied = json.loads(tab.evaluate("() => navigator.clipboard.readText()"))
        assert copied["question"] == "What is fact 2 of vt?"
        assert copied["gold"].startswith("gold-vt-")
        assert len(copied["answers"]) == 2
        tab.goto("about:blank")
        tab.goto(address)
        found.settled("samples")
        assert tab.locator("#reader h3").inner_text() == title
        assert tab.locator("#samples-list a[aria-current]").inner_text() == current
        tab.locator("#reader-vs").select_option("quest[tau=1/4]")
        assert "vs=quest" in tab.url
        assert found.errors == []


def test_another_mode_is_told_of_and_one_click_away(tab: Watched, path: Path) -> None:
    tab.open(path)
    now = tab.tab.locator("#verdicts .where").inner_text()
    tab.tab.get_by_text("Other models, lengths and modes: 1").click()
    tab.tab.locator("#verdicts li a").click()
    tab.tab.wait_for_function(
        "now => document.querySelector('#verdicts .where').textContent !== now", arg=now
    )
    tab.settled("summary")
    mode = tab.tab.locator("#choose-mode").input_value()
    assert f"; {mode}" in tab.tab.locator("#verdicts .where").inner_text()


def test_every_view_is_reached_with_the_keyboard_alone(tab: Watched, path: Path) -> None:
    tab.open(path)
    focused = "() => document.activeElement.textContent.trim()"
    tab.tab.keyboard.press("Tab")
    assert tab.tab.evaluate(focused) == "Skip to the content"
    for name, label in VIEWS:
        tab.tab.keyboard.press("Tab")
        assert tab.tab.evaluate(focused) == label
        tab.tab.keyboard.press("Enter")
        tab.settled(name)
        assert tab.tab.locator("#said").inner_text() or name == "summary"


def test_a_screen_reader_is_told_of_headings_pictures_and_cells(tab: Watched, path: Path) -> None:
    tab.open(path)
    told = tab.tab.locator("main").aria_snapshot()
    assert 'heading "Points against dense, method by method"' in told
    assert 'img "Overall, points against dense against bytes held' in told
    assert "kvzip, " in told
    assert 'columnheader "Overall' in told
    assert 'gridcell "snapkv[tau=1/4], Overall: ' in told
    assert 'rowheader "quest[tau=1/4]"' in told


def test_the_theme_is_chosen_and_charts_follow(tab: Watched, path: Path) -> None:
    tab.open(path)
    paper = "() => getComputedStyle(document.body).backgroundColor"
    before = tab.tab.evaluate(paper)
    tab.tab.locator("#theme").click()
    tab.tab.locator("#theme").click()
    assert tab.tab.locator("#theme").inner_text() == "Theme: dark"
    assert tab.tab.evaluate(paper) != before
    tab.tab.wait_for_function(
        "() => document.querySelector('#live-headline svg').outerHTML.includes('#a3adb8')"
    )


def test_without_scripts_the_summary_stands(browser: Any, path: Path) -> None:
    switch = "--blink-settings=scriptEnabled=false"
    plain = browser.browser_type.launch(executable_path=place(), args=["--no-sandbox", switch])
    with watched(plain) as found:
        found.tab.goto(path.as_uri())
        assert found.tab.locator("main > section:visible").count() == 1
        assert found.tab.locator("#verdicts dd").count() >= 3
        assert found.tab.locator("#still-headline img:visible").count() == 1
        assert found.tab.locator(".heat tbody tr:visible").count() == 5
        assert found.tab.get_by_text("Without JavaScript").is_visible()
        assert found.tab.locator("nav:visible").count() == 0
    plain.close()


def test_a_browser_that_cannot_unpack_says_so_and_keeps_the_summary(
    browser: Any, path: Path
) -> None:
    with watched(browser) as found:
        found.tab.add_init_script("delete window.DecompressionStream")
        found.tab.goto(path.as_uri())
        found.tab.get_by_text("lacks DecompressionStream").wait_for()
        assert found.tab.locator(".heat tbody tr:visible").count() == 5


def test_the_summary_prints_on_two_pages_in_light_colours(browser: Any, path: Path) -> None:
    with watched(browser, color_scheme="dark") as found:
        found.open(path)
        found.tab.locator("#print-headline svg").wait_for(state="attached")
        pdf = found.tab.pdf(prefer_css_page_size=True, print_background=True)
        assert 1 <= pdf.count(b"/Type /Page\n") <= 2
        found.tab.emulate_media(media="print")
        assert (
            found.tab.evaluate("() => getComputedStyle(document.body).backgroundColor")
            == "rgb(255, 255, 255)"
        )
        assert found.tab.locator("#still-headline:visible").count() == 0
        assert found.tab.locator("#live-headline:visible").count() == 0
        printed = found.tab.locator("#print-headline svg:visible")
        assert printed.count() == 1
        assert printed.get_by_text("kvzip", exact=True).count() == 1
        assert found.tab.evaluate(CONTRAST) == []
        assert found.tab.locator("nav:visible").count() == 0


def test_what_is_printed_is_what_was_chosen(tab: Watched, path: Path) -> None:
    tab.open(path)
    tab.tab.locator("#figure-x").select_option("loaded")
    tab.tab.locator("#print-headline svg text", has_text="bytes loaded").wait_for(state="attached")
    assert tab.tab.locator("#headline-title b").inner_text() == "Points lost against bytes loaded."
    tab.tab.emulate_media(media="print")
    printed = tab.tab.locator("#print-headline svg:visible")
    assert printed.locator("text", has_text="bytes loaded").count() == 1


def test_a_chart_follows_the_width_of_the_window(tab: Watched, path: Path) -> None:
    tab.open(path, "turns")
    wide = tab.tab.locator("#view-turns svg").bounding_box()["width"]
    tab.tab.set_viewport_size({"width": 500, "height": 900})
    tab.tab.wait_for_function(
        "wide => document.querySelector('#view-turns svg')?.getBoundingClientRect().width < wide",
        arg=wide,
    )
    assert tab.tab.evaluate(WIDE) <= 0


def test_samples_beside_the_page_are_read_and_another_pages_are_refused(
    browser: Any, tmp_path: Path
) -> None:
    summary, source = sample()
    files = page_files(summary, source=source, most_inside=1000)
    path = written(files, tmp_path)
    (name,) = set(files) - {"index.html"}
    with watched(browser) as found:
        found.open(path, "samples")
        assert "480 answers" in found.tab.locator("#samples-count").inner_text()
        assert found.errors == []
        assert found.strays == []
    for text, words in (
        (files[name].replace('"H4s', '"H5s'), "is not of this page"),
        (None, "is not beside"),
    ):
        (tmp_path / name).unlink()
        if text is not None:
            (tmp_path / name).write_text(text)
        with watched(browser) as found:
            found.open(path, "samples")
            assert words in found.tab.locator("#trouble").inner_text()
            found.open(path, "summary")
            assert found.tab.locator(".heat tbody tr:visible").count() == 5
        (tmp_path / name).write_text("")


def test_hostile_names_and_answers_are_only_text(browser: Any, tmp_path: Path) -> None:
    path = written({"index.html": hostile_page()}, tmp_path)
    dialogs: list[str] = []
    with watched(browser) as found:
        found.tab.on("dialog", lambda one: (dialogs.append(one.message), one.dismiss()))
        for name in NAMES:
            found.open(path, name)
        assert found.errors == []
        assert found.strays == []
        found.open(path, "samples")
        assert "<script>alert(1)</script>" in found.tab.locator("#reader").inner_text()
    assert dialogs == []
