"""A story in English: sentence templates, scenery, questions.

Slots: d day, a and b people, o object, p place, x craft, trade, town or year. Every statement
stands in one sentence that ends in the only full stop it has; every dated one holds `{d}` once. The
first templates of a kind are the shortest, for compact stories.
"""

from __future__ import annotations

from scbench.tasks.materials.story.language import Language

TEMPLATES: dict[str, tuple[str, ...]] = {
    "goes": (
        "On day {d}, {a} went to the {p}.",
        "{a} came to the {p} on day {d}.",
        "On day {d}, {a} walked all the way to the {p} before supper.",
        "It was day {d} when {a} arrived at the {p} with tired feet.",
        "Early on day {d}, {a} took the path to the {p} and reached it.",
        "By noon of day {d}, {a} had made the trip to the {p}.",
    ),
    "finds": (
        "On day {d}, {a} found the {o} at the {p}.",
        "{a} found the {o} at the {p} on day {d}.",
        "On day {d}, while looking around the {p}, {a} found the {o}.",
        "It was day {d} when {a} stumbled over the {o} at the {p}.",
        "Nobody had missed the {o} until {a} found it at the {p} on day {d}.",
        "At the {p}, on day {d}, {a} discovered the {o} under a heap of straw.",
    ),
    "gives": (
        "On day {d}, {a} gave the {o} to {b} at the {p}.",
        "{a} gave {b} the {o} at the {p} on day {d}.",
        "On day {d}, at the {p}, {a} handed the {o} over to {b}.",
        "It was day {d} when {b} was given the {o} by {a} at the {p}.",
        "At the {p}, {b} thanked {a} for the gift of the {o} on day {d}.",
        "As a present, {b} received the {o} from {a} at the {p} on day {d}.",
    ),
    "puts": (
        "On day {d}, {a} put the {o} in the {p}.",
        "{a} left the {o} at the {p} on day {d}.",
        "On day {d}, {a} carried the {o} to the {p} and set it down.",
        "It was day {d} when {a} stored the {o} at the {p} for safety.",
        "The {o} was brought to the {p} by {a} on day {d}.",
        "Without a word, {a} placed the {o} in a corner of the {p} on day {d}.",
    ),
    "buys": (
        "On day {d}, {a} bought the {o} at the {p}.",
        "{a} bought the {o} at the {p} on day {d}.",
        "On day {d}, {a} paid a fair price for the {o} at the {p}.",
        "It was day {d} when {a} became the owner of the {o}, bought at the {p}.",
        "After some haggling at the {p}, {a} bought the {o} on day {d}.",
        "At the {p}, on day {d}, {a} spent some coins on the {o}.",
    ),
    "sells": (
        "On day {d}, {a} sold the {o} at the {p}.",
        "{a} sold the {o} at the {p} on day {d}.",
        "On day {d}, {a} let the {o} go for a few coins at the {p}.",
        "It was day {d} when {a} parted with the {o}, sold at the {p}.",
        "After a long talk at the {p}, {a} sold the {o} on day {d}.",
        "At the {p}, on day {d}, {a} offered the {o} for sale and a buyer took it.",
    ),
    "mends": (
        "On day {d}, {a} mended the {o} at the {p}.",
        "{a} mended the {o} at the {p} on day {d}.",
        "On day {d}, {a} sat down at the {p} and repaired the {o}.",
        "It was day {d} when {a} fixed the {o} at the {p}.",
        "With borrowed tools, {a} repaired the {o} at the {p} on day {d}.",
        "At the {p}, on day {d}, {a} made the broken {o} whole again.",
    ),
    "meets": (
        "On day {d}, {a} met {b} at the {p}.",
        "{a} met {b} at the {p} on day {d}.",
        "On day {d}, {a} ran into {b} at the {p}.",
        "It was day {d} when {a} and {b} spoke at the {p}.",
        "At the {p}, on day {d}, {a} shared a meal with {b}.",
        "Quite by chance, {a} crossed the way of {b} at the {p} on day {d}.",
    ),
    "learns": (
        "On day {d}, {a} learned {x}.",
        "{a} learned {x} on day {d}.",
        "On day {d}, after much practice, {a} learned {x}.",
        "It was day {d} when {a} mastered {x} at last.",
        "With patience, {a} picked up {x} on day {d}.",
        "The lessons in {x} ended well for {a} on day {d}.",
    ),
    "trade": (
        "{a} was a {x} by trade.",
        "By trade, {a} was a {x}.",
        "{a} earned a living as a {x}.",
        "Everyone knew {a} as the {x} of the street.",
        "For many years {a} had worked as a {x}.",
        "The sign above the door of {a} was that of a {x}.",
    ),
    "mother": (
        "{a} was the mother of {b}.",
        "The mother of {b} was {a}.",
        "{b} was a child of {a}, who was a loving mother.",
        "{a}, as all the neighbours knew, was the mother of {b}.",
        "{b} called {a} mother.",
        "It was {a} who had given birth to {b}.",
    ),
    "father": (
        "{a} was the father of {b}.",
        "The father of {b} was {a}.",
        "{b} was a child of {a}, who was a strict father.",
        "{a}, as all the neighbours knew, was the father of {b}.",
        "{b} called {a} father.",
        "It was {a} who had held {b} proudly as a new father.",
    ),
    "aunt": (
        "{a} was the aunt of {b}.",
        "The aunt of {b} was {a}.",
        "{b} had an aunt, and that was {a}.",
        "{a}, as all the neighbours knew, was the aunt of {b}.",
        "{b} called {a} aunt.",
        "It was {a} whom {b} visited as an aunt.",
    ),
    "town": (
        "{a} came from {x}.",
        "The home town of {a} was {x}.",
        "{a} had grown up in {x}.",
        "{a} never forgot the streets of {x}, the old home.",
        "Long ago {a} had left {x} to live here.",
        "{x} was where {a} had spent a happy childhood.",
    ),
    "born": (
        "{a} was born in the year {x}.",
        "The birth year of {a} was {x}.",
        "The parish book gave {x} as the birth year of {a}.",
        "In the year {x}, {a} was born.",
        "{a} liked to say that {x} was a good year to be born in.",
        "The cradle of {a} was carved in {x}, the year of the birth.",
    ),
}

SCENERY = (
    "Rain fell on the roofs and ran down the gutters.",
    "A thin mist lay over the fields until late in the morning.",
    "The dogs barked for a while and then fell silent.",
    "Smoke rose straight from the chimneys.",
    "Somewhere a door creaked in the wind.",
    "The swallows flew low over the pond.",
    "Children chased each other along the lane.",
    "The smell of fresh bread drifted through the streets.",
    "Nobody spoke much, for the heat was heavy.",
    "The river carried leaves and twigs past the willows.",
    "Carts rattled over the stones, and dust hung in the air.",
    "In the evening the windows glowed one after another.",
    "An owl called from the wood behind the houses.",
    "The grass was still wet, and the cows stood close together.",
    "Frost had drawn flowers on the panes.",
    "People said that the harvest would be good.",
)
CHAPTERS = (
    "The Quiet Season", "Smoke and Rain", "A Lane at Dusk", "What the Wind Carried", "Open Windows", "The Long Table", "Wet Stones", "Bread and Salt",
    "The Turning Leaves", "Footsteps", "A Borrowed Hour", "The Hill Road", "Small Change", "Candle Ends", "The Thaw", "Neighbours",
)  # fmt: skip
QUESTIONS: dict[str, str] = {
    "place-last": "Where is the {o} at the end of the story?",
    "who-gave": "Who gave the {o} to {b}?",
    "where-before": "Where was {a} just before going to the {p} on day {d}?",
    "kin-1": "Who is the mother of {a}?",
    "kin-2": "Who is the grandmother of {a} on the mother's side?",
    "kin-3": "Who is the mother of the grandmother of {a} on the mother's side?",
    "trade-of-finder": "What is the trade of the person who found the {o}?",
    "when": "On which day did {a} learn {x}?",
    "count": "How many times did {a} visit the {p}?",
}


def pad(words: int) -> str:
    """A harmless sentence that grows by a short word at a time; empty for none."""
    if words < 3:
        return ("", "Wind.", "Wind blew.")[max(words, 0)]
    if words % 2 == 0:
        return f"Cold w{pad(words - 1)[1:]}"
    return f"Wind blew on{' and on' * (words // 2 - 1)}."


ENGLISH = Language(
    name="english", column=0, templates=TEMPLATES, scenery=SCENERY, chapters=CHAPTERS, questions=QUESTIONS, pad=pad,
    compound="{} {}", chapter="Chapter {}. {}", space=" ",
)  # fmt: skip
