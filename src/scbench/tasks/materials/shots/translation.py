"""The translation family: a German sentence and an English one that differs in exactly one slot;
which kind of difference is it?

German phrases are written down ready-inflected: an adjective before a plural after a number always
ends in -e.
"""

from __future__ import annotations

from dataclasses import dataclass

from scbench.tasks.draw import Draw
from scbench.tasks.materials.shots.shot import Shot, placed

TYPES = ("named entity", "number", "modifier", "negation or antonym", "fact", "dropped content")
NAMES = [
    "Anna",
    "Bruno",
    "Clara",
    "David",
    "Emma",
    "Felix",
    "Greta",
    "Hans",
    "Ida",
    "Jakob",
    "Karla",
    "Lukas",
    "Marta",
    "Oskar",
    "Paula",
    "Rosa",
    "Simon",
    "Theo",
    "Vera",
    "Wilma",
    "Ludwig",
    "Erika",
    "Konrad",
    "Lotte",
    "Gerda",
    "Ulrich",
    "Helga",
    "Dieter",
    "Elke",
    "Jens",
]
CITIES = (
    ("Wien", "Vienna"), ("Köln", "Cologne"), ("München", "Munich"), ("Zürich", "Zurich"), ("Genf", "Geneva"), ("Prag", "Prague"),
    ("Rom", "Rome"), ("Neapel", "Naples"), ("Venedig", "Venice"), ("Mailand", "Milan"), ("Athen", "Athens"), ("Warschau", "Warsaw"),
    ("Lissabon", "Lisbon"), ("Brüssel", "Brussels"), ("Berlin", "Berlin"), ("Hamburg", "Hamburg"), ("Bremen", "Bremen"), ("Graz", "Graz"),
)  # fmt: skip
NUMBERS = (
    ("zwei", "two"), ("drei", "three"), ("vier", "four"), ("fünf", "five"), ("sechs", "six"), ("sieben", "seven"), ("acht", "eight"),
    ("neun", "nine"), ("zehn", "ten"), ("elf", "eleven"), ("zwölf", "twelve"), ("zwanzig", "twenty"),
)  # fmt: skip
ADJECTIVES = (
    ("alte", "old"), ("neue", "new"), ("rote", "red"), ("grüne", "green"), ("kleine", "small"), ("große", "large"), ("schwere", "heavy"),
    ("leichte", "light"), ("runde", "round"), ("teure", "expensive"), ("billige", "cheap"), ("seltene", "rare"), ("schöne", "beautiful"),
    ("blaue", "blue"), ("weiße", "white"), ("schmutzige", "dirty"),
)  # fmt: skip
NOUNS = (
    ("Stühle", "chairs"), ("Tische", "tables"), ("Lampen", "lamps"), ("Bücher", "books"), ("Uhren", "clocks"), ("Teppiche", "carpets"),
    ("Spiegel", "mirrors"), ("Koffer", "suitcases"), ("Körbe", "baskets"), ("Flaschen", "bottles"), ("Schlüssel", "keys"),
    ("Messer", "knives"), ("Karten", "maps"), ("Bilder", "pictures"), ("Geigen", "violins"), ("Trommeln", "drums"), ("Ringe", "rings"),
    ("Puppen", "dolls"), ("Töpfe", "pots"), ("Glocken", "bells"),
)  # fmt: skip
# past in German, past in English, its base form, and the opposite's past in English
VERBS = (
    ("kaufte", "bought", "buy", "sold"), ("verkaufte", "sold", "sell", "bought"), ("fand", "found", "find", "lost"),
    ("verlor", "lost", "lose", "found"), ("schickte", "sent", "send", "received"), ("erhielt", "received", "receive", "sent"),
    ("versteckte", "hid", "hide", "showed"), ("zeigte", "showed", "show", "hid"), ("behielt", "kept", "keep", "gave away"),
    ("verschenkte", "gave away", "give away", "kept"), ("reparierte", "repaired", "repair", "broke"), ("zerbrach", "broke", "break", "repaired"),
    ("sammelte", "collected", "collect", "handed out"), ("verteilte", "handed out", "hand out", "collected"), ("lobte", "praised", "praise", "criticised"),
    ("kritisierte", "criticised", "criticise", "praised"),
)  # fmt: skip
DAYS = (
    ("Montag", "Monday"), ("Dienstag", "Tuesday"), ("Mittwoch", "Wednesday"), ("Donnerstag", "Thursday"), ("Freitag", "Friday"),
    ("Samstag", "Saturday"), ("Sonntag", "Sunday"),
)  # fmt: skip
CLAUSES = (
    ("weil es regnete", "because it rained"), ("obwohl es spät war", "although it was late"), ("bevor der Zug kam", "before the train came"),
    ("während die Kinder schliefen", "while the children slept"), ("nachdem das Fest begonnen "
                                                                   "hatte", "after the feast had begun"),
    ("weil ein Freund darum bat", "because a friend asked for "
                                  "it"), ("obwohl die Straße gesperrt "
                                          "war", "although the road was closed"),
    ("als die Sonne unterging", "as the sun went down"), ("bevor der Winter anfing", "before winter set in"),
    ("weil das Haus leer stand", "because the house stood empty"), ("während alle zusahen", "while everyone looked on"),
    ("obwohl niemand es glaubte", "although nobody believed it"),
)  # fmt: skip
ADVERBS = (
    ("gestern", "yesterday"),
    ("heimlich", "in secret"),
    ("morgens", "in the morning"),
    ("dort", "there"),
    ("bald", "soon"),
    ("danach", "afterwards"),
)
# slots: name, city, number, adjective, noun, verb, day, clause
_GERMAN = (
    "Am {6} {5} {0} in {1} {2} {3} {4}, {7}.",
    "{0} {5} am {6} in {1} {2} {3} {4}, {7}.",
    "In {1} {5} {0} am {6} {2} {3} {4}, {7}.",
)
_ENGLISH = (
    "On {6} {0} {5} {2} {3} {4} in {1}{7}.",
    "{0} {5} {2} {3} {4} in {1} on {6}{7}.",
    "In {1}, {0} {5} {2} {3} {4} on {6}{7}.",
)


@dataclass(slots=True)
class _Pair:
    """Indices into the tables, one a slot; the English side is altered in one of them."""

    name: int
    city: int
    number: int
    adjective: int
    noun: int
    verb: int
    day: int
    extra: int


@dataclass(frozen=True, slots=True)
class Translation:
    small: bool
    labels: tuple[
        str, ...
    ] = ()  # made-up names of TYPES, where they are to be learnt from the shots
    name: str = "translation"
    options: int = len(TYPES)
    kinds: int = len(TYPES)

    def shot(self, draw: Draw, *, right: int, kind: int) -> Shot:
        tables = (
            NAMES,
            CITIES,
            NUMBERS,
            ADJECTIVES,
            NOUNS,
            VERBS,
            DAYS,
            ADVERBS if self.small else CLAUSES,
        )
        german = _Pair(*[draw.below(len(table)) for table in tables])
        english, verb, is_dropped = self._altered(draw, german, kind)
        question = self._question(draw, german, english, verb, is_dropped)
        labels = self.labels or TYPES
        others = [label for i, label in enumerate(labels) if i != kind]
        return Shot(question, placed(draw, labels[kind], others, right), right, kind)

    def _altered(self, draw: Draw, german: _Pair, kind: int) -> tuple[_Pair, str, bool]:
        """The English side's slots, its verb phrase, and whether its last phrase is left out."""
        english = _Pair(
            german.name,
            german.city,
            german.number,
            german.adjective,
            german.noun,
            german.verb,
            german.day,
            german.extra,
        )
        verb, what = VERBS[german.verb][1], TYPES[kind]

        def other(now: int, of: int) -> int:
            return (now + 1 + draw.below(of - 1)) % of

        if what == "named entity":
            if self.small or draw.below(2):
                english.name = other(german.name, len(NAMES))
            else:
                english.city = other(german.city, len(CITIES))
        elif what == "number":
            english.number = other(german.number, len(NUMBERS))
        elif what == "modifier":
            english.adjective = other(german.adjective, len(ADJECTIVES))
        elif what == "negation or antonym":
            verb = VERBS[german.verb][3] if draw.below(2) else f"did not {VERBS[german.verb][2]}"
        elif what == "fact":
            if self.small or draw.below(2):
                english.noun = other(german.noun, len(NOUNS))
            else:
                english.day = other(german.day, len(DAYS))
        return english, verb, what == "dropped content"

    def _question(self, draw: Draw, de: _Pair, en: _Pair, verb: str, is_dropped: bool) -> str:
        things_de = (NUMBERS[de.number][0], ADJECTIVES[de.adjective][0], NOUNS[de.noun][0])
        things_en = (NUMBERS[en.number][1], ADJECTIVES[en.adjective][1], NOUNS[en.noun][1])
        if self.small:
            said = (
                f"{NAMES[de.name]} {VERBS[de.verb][0]} {ADVERBS[de.extra][0]} "
                f"{' '.join(things_de)}."
            )
            became = f"{NAMES[en.name]} {verb} {' '.join(things_en)}{'' if is_dropped else ' ' + ADVERBS[en.extra][1]}."
            return f'"{said}" became "{became}" Error?'
        form = draw.below(len(_GERMAN))
        said = _GERMAN[form].format(
            NAMES[de.name],
            CITIES[de.city][0],
            *things_de,
            VERBS[de.verb][0],
            DAYS[de.day][0],
            CLAUSES[de.extra][0],
        )
        clause = "" if is_dropped else f" {CLAUSES[en.extra][1]}"
        became = _ENGLISH[draw.below(len(_ENGLISH))].format(
            NAMES[en.name], CITIES[en.city][1], *things_en, verb, DAYS[en.day][1], clause
        )
        return (
            f'The German sentence "{said}" was translated as "{became}" What kind of error does '
            f"the translation have?"
        )
