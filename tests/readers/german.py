"""Enough German to see where a translation differs: a word list, and which kind a difference is."""

from __future__ import annotations

import re


def _list(text: str) -> dict[str, str]:
    pairs = (pair.split("=") for pair in text.replace("\n", " ").split(";") if pair.strip())
    return {german.strip(): english.strip() for german, english in pairs}


CITIES = _list(
    "Wien=Vienna;Köln=Cologne;München=Munich;Zürich=Zurich;Genf=Geneva;Prag=Prague;Rom=Rome;"
    "Neapel=Naples;Venedig=Venice;Mailand=Milan;Athen=Athens;Warschau=Warsaw;Lissabon=Lisbon;"
    "Brüssel=Brussels;Berlin=Berlin;Hamburg=Hamburg;Bremen=Bremen;Graz=Graz"
)
NUMBERS = _list(
    "zwei=two;drei=three;vier=four;fünf=five;sechs=six;sieben=seven;acht=eight;neun=nine;"
    "zehn=ten;elf=eleven;zwölf=twelve;zwanzig=twenty"
)
QUALITIES = _list(
    "alte=old;neue=new;rote=red;grüne=green;kleine=small;große=large;schwere=heavy;leichte=light;"
    "runde=round;teure=expensive;billige=cheap;seltene=rare;schöne=beautiful;blaue=blue;"
    "weiße=white;schmutzige=dirty"
)
THINGS = _list(
    "Stühle=chairs;Tische=tables;Lampen=lamps;Bücher=books;Uhren=clocks;Teppiche=carpets;"
    "Spiegel=mirrors;Koffer=suitcases;Körbe=baskets;Flaschen=bottles;Schlüssel=keys;Messer=knives;"
    "Karten=maps;Bilder=pictures;Geigen=violins;Trommeln=drums;Ringe=rings;Puppen=dolls;"
    "Töpfe=pots;Glocken=bells"
)
DAYS = _list(
    "Montag=Monday;Dienstag=Tuesday;Mittwoch=Wednesday;Donnerstag=Thursday;Freitag=Friday;"
    "Samstag=Saturday;Sonntag=Sunday"
)
ACTS = _list(
    "kaufte=bought;verkaufte=sold;fand=found;verlor=lost;schickte=sent;erhielt=received;"
    "versteckte=hid;zeigte=showed;behielt=kept;verschenkte=gave away;reparierte=repaired;"
    "zerbrach=broke;sammelte=collected;verteilte=handed out;lobte=praised;kritisierte=criticised"
)
ENDINGS = _list(
    "weil es regnete=because it rained;obwohl es spät war=although it was late;"
    "bevor der Zug kam=before the train came;während die Kinder schliefen=while the children slept;"
    "nachdem das Fest begonnen hatte=after the feast had begun;"
    "weil ein Freund darum bat=because a friend asked for it;"
    "obwohl die Straße gesperrt war=although the road was closed;"
    "als die Sonne unterging=as the sun went down;bevor der Winter anfing=before winter set in;"
    "weil das Haus leer stand=because the house stood empty;"
    "während alle zusahen=while everyone looked on;obwohl niemand es glaubte=although nobody "
    "believed it;gestern=yesterday;heimlich=in secret;morgens=in the morning;dort=there;bald=soon;"
    "danach=afterwards"
)
_KINDS = (
    ("negation or antonym", ACTS),
    ("number", NUMBERS),
    ("modifier", QUALITIES),
    ("fact", THINGS),
    ("fact", DAYS),
    ("named entity", CITIES),
    ("dropped content", ENDINGS),
)
_KNOWN = {word for _, words in _KINDS for word in words}
_OTHER_CAPITALS = {"Am", "In", "On", "Freund", "Zug", "Kinder", "Fest", "Straße", "Sonne", "Winter"}


def difference(german: str, english: str) -> str | None:
    """The kind of the one difference; None where there is none, or more than one."""
    found = list[str]()
    for kind, words in _KINDS:
        for word in words:
            if re.search(rf"\b{word}\b", german) and not _says(english, words[word]):
                found.append(kind)
    names = re.findall(r"\b[A-Z][a-z]+\b", german)
    for name in names:
        if name not in _KNOWN | _OTHER_CAPITALS | {"Haus"} and not _says(english, name):
            found.append("named entity")
    return found[0] if len(found) == 1 else None


def _says(english: str, words: str) -> bool:
    return re.search(rf"\b{words}\b", english) is not None
