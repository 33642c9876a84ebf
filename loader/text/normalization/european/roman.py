"""Roman numerals in German, French, Spanish, Italian and Portuguese: of rulers, centuries, chapters, and before nouns."""

import re
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.european.agreement import is_feminine
from loader.text.normalization.numerals import Numerals, roman_value

_NUMERAL = r"(X{0,3}(?:IX|IV|V?I{1,3}|V)|X{1,3})"
_END = r"(?![\w/]|-\w|['\u2019]\w)"
_AFTER_WORD = re.compile(rf"(?<![\w.])([^\W\d_]+) {_NUMERAL}{_END}")
_LONELY = frozenset(["I", "X", "V"])
_LABELS = frozenset(
    "kapitel teil band akt artikel abschnitt phase stufe klasse typ weltkrieg bundesliga szene ebene "
    "chapitre tome partie acte article phase type niveau volume livre scène titre classe "
    "capítulo tomo parte acto artículo fase tipo nivel volumen libro título clase escena "
    "capitolo parte atto articolo fase tipo livello volume libro titolo scena quadro "
    "ato artigo nível livro classe cena anexo".split()
)  # fmt: skip
_CENTURIES = frozenset("siglo siglos século séculos secolo secoli".split())
_TWO_CENTURIES = re.compile(rf"\b([Ss]iglos|[Ss]éculos|[Ss]ecoli) {_NUMERAL} (y|e|al?|o|ou) {_NUMERAL}{_END}")
_FEMININE_NAMES = frozenset(
    "Isabel Elisabeth Élisabeth Beatriz Margrethe Inés Leonor Élisabet Katherine Marie Anne Catherine".split()
)
_FRENCH = re.compile(rf"(?<![\w.]){_NUMERAL}(ers?|res?|[èe]?mes?|es?|ᵉʳ|ʳᵉ|ᵉ|ᵉˢ|nde?)(?!\w)")
_BEFORE_NOUN = re.compile(
    rf"(?<![\w.]){_NUMERAL} (?=(guerra|congreso|edición|feria|cumbre|república|jornadas?|conferencia|reunión|festival|semana|"
    rf"premio|concurso|milenio|"
    r"centenario|aniversario|secolo|edizione|municipio|capitolo|millennio|repubblica|legislatura|centenario|século|congresso|"
    r"edição|feira|cúpula|"
    r"encontro|conferência|bienal|plan|plano|fase|parte|sezione|distretto|regione|reich)\b)",
    re.IGNORECASE,
)
_GERMAN_NAME = re.compile(rf"(?:\b(\w+) )?\b([A-ZÄÖÜ][a-zäöüß]{{2,}}) {_NUMERAL}(\.?){_END}")
_GERMAN_ORDINAL = re.compile(rf"(?<![\w.]){_NUMERAL}\.(?= [A-ZÄÖÜ][a-zäöüß]|/)")
_TITLES = frozenset("König Kaiser Papst Pharao Zar Herzog Prinz Graf Fürst Sultan Königs Kaisers".split())
_DATIVE = frozenset("von mit bei unter zu nach seit aus gegenüber vor neben".split())
_ACCUSATIVE = frozenset("für gegen durch ohne um".split())


def speak_roman_numerals(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with Roman numerals in words; German ones before nouns in digits with a full stop."""
    if numerals.language == "de":
        text = text.substituted(_GERMAN_NAME, partial(_german_name, numerals))
        return text.substituted(_GERMAN_ORDINAL, lambda found: f"{roman_value(found[1])}.")
    if numerals.language == "fr":
        text = text.substituted(_FRENCH, partial(_french_ordinal, numerals))
    text = text.substituted(_BEFORE_NOUN, partial(_before_noun, numerals))
    text = text.substituted(_TWO_CENTURIES, partial(_centuries, numerals))
    return text.substituted(_AFTER_WORD, partial(_after_word, numerals))


def _german_name(numerals: Numerals, found: re.Match[str]) -> str | None:
    before, name, numeral, point = found.groups()
    written = f"{before} {name}" if before else name
    number = roman_value(numeral)
    is_last = found.end() == len(found.string)
    if name.lower() in _LABELS:
        return f"{written} {numerals.cardinal(number)}{point}"
    if not point and numeral in _LONELY:
        return None
    ordinal = numerals.ordinal(number)
    if before in ("Im", "im", "Am", "am", "Der", "der", "die", "Die", "das", "Das", "den", "dem", "des"):
        is_name = before in ("Der", "der", "die", "Die", "des", "dem", "den")
        if not is_name or name.endswith("krieg"):
            return None
    end = "." if point and is_last else ""
    if re.search(r"[^aeiouy]s$|[oa]s$", name) and before and before[0].isupper() and before not in _TITLES and name[-3:] != "tas":
        article, ending = "des", "n"
    elif before and before.lower() in _DATIVE:
        article, ending = ("der", "n") if _is_woman(name) else ("dem", "n")
    elif before and before.lower() in _ACCUSATIVE:
        article, ending = ("die", "") if _is_woman(name) else ("den", "n")
    else:
        article, ending = ("die", "") if _is_woman(name) else ("der", "")
    return f"{written} {article} {ordinal}{ending}{end}"


def _is_woman(name: str) -> bool:
    return name[-1] == "a" or name in _FEMININE_NAMES


def _french_ordinal(numerals: Numerals, found: re.Match[str]) -> str | None:
    number, suffix = roman_value(found[1]), found[2]
    before = found.string[: found.start()].rstrip()[-1:]
    if number == 1:
        return "première" if suffix in ("re", "ʳᵉ", "res") else "premier" if suffix in ("er", "ᵉʳ", "ers") else None
    if len(found[1]) == 1 and not before and found.string[found.end() : found.end() + 1] != " ":
        return None
    return numerals.ordinal(number) + ("s" if suffix in ("es", "ᵉˢ", "èmes", "emes") else "")


def _before_noun(numerals: Numerals, found: re.Match[str]) -> str:
    ordinal = numerals.ordinal(roman_value(found[1]))
    return f"{_feminine(ordinal) if is_feminine(found[2], numerals.language) else ordinal} "


def _feminine(ordinal: str) -> str:
    return re.sub(r"o\b", "a", ordinal)


def _century(number: int, numerals: Numerals) -> str:
    is_cardinal = numerals.language == "es" or (numerals.language == "pt" and number > 10)
    return numerals.cardinal(number) if is_cardinal else numerals.ordinal(number)


def _centuries(numerals: Numerals, found: re.Match[str]) -> str:
    one, other = (_century(roman_value(each), numerals) for each in (found[2], found[4]))
    return f"{found[1]} {one} {found[3]} {other}"


def _after_word(numerals: Numerals, found: re.Match[str]) -> str | None:
    language, word, numeral = numerals.language, found[1], found[2]
    number = roman_value(numeral)
    if word.lower() in _CENTURIES:
        said = _century(number, numerals)
        return f"{word} {said}"
    if word.lower() in _LABELS:
        return f"{word} {numerals.cardinal(number)}"
    if not word[0].isupper() or (word.isupper() and len(word) > 1) or (numeral in _LONELY and numeral not in "VX"):
        is_article = language == "it" and re.match(r" [A-Z]", found.string[found.end() :])
        is_first = numeral == "I" and len(word) > 2 and word.istitle() and language != "fr" and not is_article
        return f"{word} {numerals.ordinal(1)}" if is_first else None
    if language == "fr" or (language in ("es", "pt") and number > 10):
        return f"{word} {numerals.cardinal(number)}"
    ordinal = numerals.ordinal(number)
    return f"{word} {_feminine(ordinal) if _is_woman(word) else ordinal}"
