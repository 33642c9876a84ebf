"""German: ordinal numbers in their case, years in hundreds, decades, compounds (`50-jährig`), one in its gender."""

import re
from collections.abc import Callable, Sequence
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals

_Speak = Callable[[re.Match[str], Numerals], str | None]
_DECADES = {
    "2": "zwanziger",
    "3": "dreißiger",
    "4": "vierziger",
    "5": "fünfziger",
    "6": "sechziger",
    "7": "siebziger",
    "8": "achtziger",
    "9": "neunziger",
}
_MONTHS = (
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
)
_UNIT = r"(?! (?:k?m|[cdm]m|[km]?g|[mcdh]?l|t|ha|kWh|k?W|V|Hz|GB|MB|min|h|s|Euro|mal|Mal|qm|kcal|x)\b| ?[%€$£°²³])"
_YEAR = rf"(?<![\w.,:/+-])(?<![€$£] )(1[1-9])(\d\d)(?![\w/:]|[.,]\d|-\d){_UNIT}"
_LABEL = re.compile(r"\b(?:Nummer|Nr\.|Seite|Raum|Zimmer|Postleitzahl|Code|PIN|Artikel|Modell|Linie|Kennung|Konto) $")
_SECTION = re.compile(
    r"\b(?:Kapitel|Abschnitt|Punkt|Version|Ziffer|Nummer|Nr\.|Teil|Aufgabe|Abbildung|Tabelle|Artikel|Paragraf) $"
)
_YEAR_AHEAD = re.compile(r"[^\w]*$|[^\w]* [a-zäöü(]|[,;:)!?.\u201c\"]| [\u2013-] ")
_YEAR_BEHIND = re.compile(
    r"(?:\b(?:[Ss]eit|[Vv]on|[Bb]is|[Ii]n|[Vv]or|[Nn]ach|[Uu]m|[Aa]b|[Aa]nfang|[Ee]nde|[Mm]itte|[Jj]ahre?s?|Baujahr|Sommer|"
    r"Winter|Herbst|"
    rf"Frühjahr|Frühling|geboren|gestorben|[Aa]nno|Jahrgang|{'|'.join(_MONTHS)})|[©*†(]) ?$"
)
_FEMININE = (
    r"Klasse|Liga|Bundesliga|Etage|Runde|Halbzeit|Auflage|Minute|Stunde|Staffel|Folge|Reihe|Hilfe|Ausgabe|Woche|Frau|Person|"
    r"Wahl|Version|Stufe|"
    r"Saison|Generation|Stelle|\w*ung|\w*heit|\w*keit|\w*schaft|\w*tion|\w*tät|\w*ssion|Dame|Mannschaft|Etappe|Sinfonie|"
    r"Symphonie|Welle|Seite|Zeile"
)
_NEUTER = (
    r"Kapitel|Mal|Jahr|Jahrhundert|Jahrtausend|Buch|Semester|Quartal|Tor|Obergeschoss|Untergeschoss|Stockwerk|Viertel|Kind|"
    r"Spiel|Gebot|Rennen|Halbjahr|"
    r"Lebensjahr|Drittel|Schuljahr|Album|Treffen|Lied|Bild|Haus|Programm|Fernsehen|Reich|Konzert|Zimmer"
)
#: After another noun, a number at the beginning is that of a list item.
_NOUN_OF_ORDINAL = re.compile(
    rf"{_FEMININE}|{_NEUTER}|{'|'.join(_MONTHS)}|Platz|Rang|Stock|Tag|Monat|Weltkrieg|Advent|Geburtstag|Preis|Versuch|FC|F|"
    rf"Bürgermeister\w*|Vorsitzender?|"
    r"Satz|Akt|Teil|Band|Schritt|Sieg|Spieltag|Lauf|Gang|Termin|Bezirk|Grad|Senat|Zug|Wahlgang|Kongress|[a-zäöü]+|\w+tag|"
    r"(?:Jan|Feb|Apr|Jun|Jul|Aug|"
    r"Sep|Sept|Okt|Nov|Dez)"
)
_ORDINAL = re.compile(
    r"((?:\b[^\W\d_]+[,:]? ){0,2})(?<![\w.,])([1-9]\d{0,2})\.(?:( (?:und|oder|bis|von|sowie) | ?[-\u2013/] ?|, "
    r"?)([1-9]\d{0,2})\.)?"
    r"(?= ([^\W\d_]+))"
)
_IN_DATIVE = frozenset(
    "am im vom zum zur beim dem den des einem einen einer eines meinem meinen meiner seinem seinen seiner ihrem ihren ihrer "
    "unserem unseren "
    "unserer diesem diesen dieser jedem jeden deren dessen keinem keinen bis ab seit vor nach zu".split()
)
_PREPOSITIONS = frozenset(
    "in an auf mit von bei seit nach aus zu unter vor hinter neben über während wegen trotz innerhalb außerhalb ab "
    "gegenüber".split()
)
_DATIVE_BEFORE = re.compile(r"\b(?:am|vom|zum|ab|seit|dem|den|im|zur|beim) \d{1,3}\.[^.!?]{0,40}$", re.IGNORECASE)
_WITH_ARTICLE = frozenset("die das ins ans jede jedes dieses diese jeder".split())
#: They begin a sentence, so that the full stop before them ends one.
_STARTS = frozenset(
    "Der Die Das Dann Er Sie Es Wir Ich Aber Und In Im Am Danach Diese Dieser Dieses Ein Eine Ihr Man Doch Also So Da Als "
    "Wenn Nach Mit Auf Bei "
    "Heute Morgen Gestern Alle Auch Nun Jetzt Was Wer Wie Wo Warum Zum Zur Für Von Vor Seit Sein Seine Mein Meine Nein Ja "
    "Nicht Bitte Hier Dort "
    "Den Dem Des".split()
)
_FEMININE_ENDING = re.compile(
    r"\w+(?:ung|heit|keit|schaft|tion|sion|tät|ik|ei|anz|enz|ur)|[A-ZÄÖÜ]\w*[^aeiouäöü]e|Frau|"
    r"Person|Nacht|Hand|Stadt|Uhr|Wand|Maus|Zahl|Mark|Wahl|Bank|Tür|Mutter|Schwester|Tochter|Nummer|Million|Milliarde|Billion|"
    r"Regel|Gabel|Schulter|Idee"
)
_NOT_FEMININE = frozenset(
    "Käse Name Junge Kunde Kollege Buchstabe Gedanke Löwe Affe Hase Ende Auge Interesse Gebäude Erbe "
    "Getränke Hunde Tage Jahre Monate Euro".split()
)
_MASCULINE = frozenset(
    "Hund Mann Tag Monat Apfel Löffel Teller Punkt Platz Kaffee Tisch Stuhl Freund Bruder Sohn Brief "
    "Computer Kuchen Teelöffel Esslöffel Becher Ball Baum Fisch Film Fehler Garten Gast Koffer Lehrer Schlüssel Schritt Stern "
    "Text Termin Vogel Wagen Weg Zettel Zug Jungen Kunden".split()
)
_COUNTED_FROM_ONE = re.compile(
    r"\b(?:Artikel|Kapitel|Seite|Nummer|Platz|Teil|Band|Absatz|Linie|Gleis|Zimmer|Raum|Phase|Stufe|Gruppe|Typ|Lektion|Klasse|"
    r"Version|Paragraf|"
    r"Abbildung|Tabelle|Punkt|Frage|Aufgabe|Schritt|Level|Zone|Tor|Halle|Akt|Runde|Folge|Staffel|Übung|Beispiel|Anlage|Steig|"
    r"[^\W\d_]straße) $"
)
_HAVING = re.compile(
    r"\b(?:habe?|hast|hat|haben|habt|hatten?|kaufe?n?|kauft|kaufte|brauche?n?|braucht|sehe|sieht|sehen|nehme|"
    r"nimmt|nehmen|suche?n?|sucht|für|gegen|ohne|um|gibt|gab|bekomm\w*|möchten?|will|wollen|esse|trinke|bestell\w*)\b[^.!?]*$"
)


def speak_german_numbers(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with these numbers in words, or in a form that the library reads."""
    for pattern, speak in _RULES:
        text = text.substituted(pattern, partial(_apply, speak, numerals))
    return text


def begins_sentence(text: str) -> bool:
    """Whether the first word is one that begins sentences, and does not follow an ordinal number."""
    return text.split(" ", 1)[0].rstrip(",") in _STARTS


def _apply(speak: _Speak, numerals: Numerals, found: re.Match[str]) -> str | None:
    return speak(found, numerals)


def _iso(found: re.Match[str], numerals: Numerals) -> str:
    return f"{int(found[3])}.{int(found[2])}.{found[1]}"


def hundreds(number: int, numerals: Numerals) -> str:
    """Return `neunzehnhundertneunzig` for 1990."""
    century, rest = divmod(number, 100)
    return f"{numerals.cardinal(century)}hundert{numerals.cardinal(rest) if rest else ''}"


def _said_year(number: int, numerals: Numerals) -> str:
    return hundreds(number, numerals) if number < 2000 else numerals.cardinal(number)


def _year(found: re.Match[str], numerals: Numerals) -> str | None:
    before, after = found.string[: found.start()], found.string[found.end() :]
    if _LABEL.search(before) or not (_YEAR_BEHIND.search(before) or _YEAR_AHEAD.match(after)):
        return None
    return hundreds(int(found[1] + found[2]), numerals)


def _short_date(found: re.Match[str], numerals: Numerals) -> str | None:
    if _SECTION.search(found.string[: found.start()]):
        return None
    return f"{int(found[1])}. {_MONTHS[int(found[2]) - 1]}" + (f" {found[3]}" if found[3] else "")


def _years(found: re.Match[str], numerals: Numerals) -> str:
    first, last = (
        hundreds(int(each), numerals) if each[0] == "1" else numerals.cardinal(int(each)) for each in (found[1], found[2])
    )
    return f"{first} bis {last}"


def _decade(found: re.Match[str], numerals: Numerals) -> str:
    century = f"{numerals.cardinal(int(found[1]))}hundert" if found[1] else ""
    return century + _DECADES[found[2]] + (found[3] or "")


def _compound(found: re.Match[str], numerals: Numerals) -> str:
    number = re.sub("eins$", "ein", numerals.cardinal(int(found[1])))
    return f"{number}{found[2]}"


def _glued(found: re.Match[str], numerals: Numerals) -> str:
    return f"{re.sub('eins$', 'ein', numerals.cardinal(int(found[1])))}-"


def _score(found: re.Match[str], numerals: Numerals) -> str | None:
    home, away = int(found[1]), int(found[2])
    is_score = home >= away or _SCORED.search(found.string[: found.start()])
    return f"{found[1]} zu {found[2]}" if is_score else None


_SCORED = re.compile(
    r"\b(?:gew[ao]nn\w*|siegt?e?n?|verl[ioe]\w+|Spiel|[Ee]ndete?|besiegt\w*|schl[uä]g\w*|führt\w*|Ergebnis|"
    r"Endstand|Stand|unterl\w+|spielte\w*)\b"
)


def _ordinal(found: re.Match[str], numerals: Numerals) -> str | None:
    before, first, joint, second, noun = found.groups()
    if noun in _STARTS or noun in _MONTHS and not second and not before.strip():
        return None
    if not found.string[: found.start(2)].strip() and not second and not _NOUN_OF_ORDINAL.fullmatch(noun):
        return f"{numerals.cardinal(int(first))},"
    ending = _ending(before.split(), noun or "", found.string[: found.start(2)])
    said = numerals.ordinal(int(first)) + ending
    if not second:
        return before + said
    joint = " bis " if joint.strip() in ("-", "\u2013") else ", " if joint.strip() == "," else " " if "/" in joint else joint
    return f"{before}{said}{joint}{numerals.ordinal(int(second))}{ending}"


def _ending(before: Sequence[str], noun: str, text: str) -> str:
    """Return the ending of an adjective after `erste`."""
    last = before[-1].lower() if before else ""
    earlier = before[-2].lower() if len(before) > 1 else ""
    if last in ("und", "oder", "bis") and _DATIVE_BEFORE.search(text):
        return "n"
    if (
        (last.endswith("en") and len(last) > 4)
        or last in _IN_DATIVE
        or last in _PREPOSITIONS
        or (last == "der" and earlier in _PREPOSITIONS)
    ):
        return "n"
    if last.endswith("e") and earlier in ("der", *_WITH_ARTICLE):
        return ""
    if last in ("der", *_WITH_ARTICLE) or last.endswith("eine"):
        return "n" if last == "die" and re.fullmatch(r"\w+(?:en|er)", noun) and not re.fullmatch(_FEMININE, noun) else ""
    if re.fullmatch(_FEMININE, noun) or (not noun[:1].isupper() and re.search(r"\b[Ss]ie\b", text)):
        return ""
    return "s" if re.fullmatch(_NEUTER, noun) else "r"


def _one(found: re.Match[str], numerals: Numerals) -> str | None:
    noun = found[1]
    if _COUNTED_FROM_ONE.search(found.string[: found.start()]):
        return None
    if noun not in _NOT_FEMININE and _FEMININE_ENDING.fullmatch(noun):
        return "eine"
    return "einen" if noun in _MASCULINE and _HAVING.search(found.string[: found.start()]) else "ein"


#: In this order: whole dates before years, ranges of years before years, scores before ranges.
_RULES: Sequence[tuple[re.Pattern[str], _Speak]] = (
    (re.compile(r"(?<![\w.-])([12]\d{3})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?![\w-])"), _iso),
    (re.compile(r"(?<![\w.,:/-])(\d{1,2})-(\d{1,2})(?![\w/:-]|[.,]\d| ?(?:Uhr|%|€|[ck]?m|k?g|[A-ZÄÖÜ]))"), _score),
    (re.compile(r"(?<![\w.,])(1[1-9])?([2-9])0[ -]?er(n?)\b"), _decade),
    (
        re.compile(r"(?<![\w.,])(1[1-9]00|20[01]0)er(n?)\b"),
        lambda found, numerals: f"{_said_year(int(found[1]), numerals)}er{found[2]}",
    ),
    (
        re.compile(r"(?<![\w.,-])(\d{1,3})[- ]?%(ige?[rsnm]?)\b"),
        lambda found, numerals: f"{numerals.cardinal(int(found[1]))}prozent{found[2]}",
    ),
    (
        re.compile(
            r"(?<![\w.,-])(\d{1,4})-?(jährig\w*|fach\w*|mal|prozentig\w*|tägig\w*|stündig\w*|minütig\w*|köpfig\w*|"
            r"stellig\w*|teilig\w*|monatig\w*|"
            r"wöchig\w*|stöckig\w*|seitig\w*|malig\w*|spurig\w*|türig\w*|er)\b"
        ),
        _compound,
    ),
    (re.compile(r"(?<![\w.,-])(\d{1,4})-(?=[A-ZÄÖÜa-zäöü][\wäöüß]+)"), _glued),
    (
        re.compile(r"(?<![\w.])(0?[1-9]|[12]\d|3[01])\. (0?[1-9]|1[0-2])\. ([12]\d{3})(?![\w.-]|,\d)"),
        lambda found, _: f"{int(found[1])}.{int(found[2])}.{found[3]}",
    ),
    (re.compile(r"(?<![\w.])(0?[1-9]|[12]\d|3[01])\.(0?[1-9]|1[0-2])\.(\d\d)?(?![\w.]|,\d)"), _short_date),
    (re.compile(r"(?<=\d:\d\d) ?h\b"), lambda found, _: " Uhr"),
    (re.compile(r"(?<![\w.,:/+-])1(?: bis | ?[-\u2013] ?)(?=\d{1,3} [A-ZÄÖÜ])"), lambda found, _: "ein bis "),
    (re.compile(r"(?<![\w.,:/+-])(1[1-9]\d\d) ?[-\u2013] ?(1[1-9]\d\d|20\d\d)(?![\w/:-]|[.,]\d)"), _years),
    (re.compile(_YEAR), _year),
    (re.compile(r"(?<![\w.,])(\d{5})(?= [A-ZÄÖÜ][a-zäöüß]+)(?<=, \d{5})"), lambda found, numerals: numerals.digits(found[1])),
    (
        re.compile(r"(?<![\w.])([0-3]?\d)\. ?\u2013 ?(?=[0-3]?\d\. (?:Jan|Feb|Mär|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez))"),
        lambda found, _: f"{found[1]}.-",
    ),
    # spokenform 0.4.5 spells the word after `Artikel 1` (2026-11-30).
    (re.compile(r"(?<=\bArtikel )(\d{1,4})(?![\w/-]|[.,:]\d)"), lambda found, numerals: numerals.cardinal(int(found[1]))),
    (_ORDINAL, _ordinal),
    (re.compile(r"(?<![\w.,:/+-])1(?= ([A-ZÄÖÜ][a-zäöüß]+)\b)"), _one),
)
