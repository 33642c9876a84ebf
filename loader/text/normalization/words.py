"""Words of each language for what the library does not read: signs, addresses, abbreviations."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: Languages with rules of their own in `european`.
EUROPEAN = frozenset(["de", "fr", "es", "it", "pt"])
#: Names of months in these languages, in small letters.
MONTHS = frozenset(
    "janvier février fevrier mars avril juin juillet août aout septembre octobre novembre décembre decembre janv févr juil sept "
    "enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre "
    "gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre "
    "januar februar märz august oktober dezember janeiro fevereiro março maio junho julho setembro outubro novembro "
    "dezembro".split()
)  # fmt: skip


@dataclass(frozen=True)
class Words:
    """Words of one language."""

    minus: str
    plus: str
    plus_minus: str
    times: str
    to: str
    point: str
    at: str
    slash: str
    dash: str
    underscore: str
    colon: str
    ampersand: str
    number: str
    hash: str
    equals: str
    less: str
    greater: str
    less_equal: str
    greater_equal: str
    about: str
    #: Before decimals: the written mark, and what is said.
    decimal_mark: str
    decimal: str
    #: In addresses, if it is not `point`.
    dot: str = ""


WORDS: Mapping[str, Words] = {
    "en": Words(
        "minus", "plus", "plus or minus", "times", "to", "point", "at", "slash", "dash", "underscore", "colon", "and", "number",
        "hash", "equals", "less than", "greater than", "less than or equal to", "greater than or equal to", "about", ".", "point",
        dot="dot",
    ),
    "de": Words(
        "minus", "plus", "plus minus", "mal", "bis", "Punkt", "ät", "Schrägstrich", "Bindestrich", "Unterstrich",
        "Doppelpunkt", "und", "Nummer", "Raute", "gleich", "kleiner als", "größer als", "kleiner oder gleich",
        "größer oder gleich", "ungefähr", ",", "Komma",
    ),
    "fr": Words(
        "moins", "plus", "plus ou moins", "fois", "à", "point", "arobase", "slash", "tiret", "tiret bas", "deux-points",
        "et", "numéro", "dièse", "égale", "inférieur à", "supérieur à", "inférieur ou égal à", "supérieur ou égal à",
        "environ", ",", "virgule",
    ),
    "es": Words(
        "menos", "más", "más menos", "por", "a", "punto", "arroba", "barra", "guion", "guion bajo", "dos puntos", "y",
        "número", "almohadilla", "igual a", "menor que", "mayor que", "menor o igual que", "mayor o igual que",
        "aproximadamente", ",", "coma",
    ),
    "it": Words(
        "meno", "più", "più o meno", "per", "a", "punto", "chiocciola", "barra", "trattino", "trattino basso", "due punti",
        "e", "numero", "cancelletto", "uguale a", "minore di", "maggiore di", "minore o uguale a", "maggiore o uguale a",
        "circa", ",", "virgola",
    ),
    "pt": Words(
        "menos", "mais", "mais ou menos", "vezes", "a", "ponto", "arroba", "barra", "hífen", "sublinhado", "dois pontos",
        "e", "número", "cardinal", "igual a", "menor que", "maior que", "menor ou igual a", "maior ou igual a", "cerca de",
        ",", "vírgula",
    ),
}  # fmt: skip

_WRITTEN: Mapping[str, Mapping[str, str]] = {
    "en": {
        r"\bMon(?=\s?[-–]\s?(?:Tue|Wed|Thu|Fri|Sat|Sun)\b)": "Monday", r"\bTue(?=\s?[-–]\s?(?:Wed|Thu|Fri|Sat|Sun)\b)": "Tuesday",
        r"(?<=day[-–])Thu\b": "Thursday", r"(?<=day[-–])Fri\b": "Friday", r"(?<=day[-–])Sat\b": "Saturday",
        r"(?<=day[-–])Sun\b": "Sunday", r"(?<=day)[-–](?=(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b)": " to ",
        r"(?<![\w/])24/7\b": "24 7",
    },
    "de": {r"(?<=\w)str\.(?=\s|$|,)": "straße"},
    "fr": {
        r"(?<![\w.,])4x4(?![\w.,])": "quatre quatre",
        r"(?:(?<=^)|(?<=, )|(?<=\bet )|(?<=\bde )|(?<=\bà )|(?<=\bpar ))Me (?=[A-ZÉ])": "Maître ",
    },
    "es": {},
    "it": {r"\bS\. ?(?=[AEIOU])": "Sant'"},
    "pt": {
        r"\bD\. (?=(?:Ana|Maria|Amélia|Teresa|Isabel|Leonor|Inês|Luísa|Joana|Catarina|Carlota|Filipa|Beatriz)\b)": "Dona ",
        r"\b[Rr]\. (?=Augusta|de |d[ao]s? |[A-Z][a-zà-ü]+(?: [A-Z][a-zà-ü]+)*,? (?:n\.?º?|\d))": "Rua ",
    },
}  # fmt: skip
#: What the library leaves as written or reads wrong (spokenform 0.4.5, 2026-11-30).
ABBREVIATIONS: Mapping[str, Sequence[tuple[re.Pattern[str], str]]] = {
    language: [(re.compile(written), spoken) for written, spoken in each.items()] for language, each in _WRITTEN.items()
}
