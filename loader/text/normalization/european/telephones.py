"""Telephone numbers of five countries in their national forms, and any digits after words such as `Telefon`."""

import re
from collections.abc import Mapping
from functools import partial

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.numerals import Numerals

_BEGIN, _END = r"(?<![\w.,:/+(-])(?<!\d )", r"(?![\w/(-]|[.,]\d| \d| ?[%€$£°])"
#: A number of a thousand or more, and not a telephone number, if a word that may be a noun follows.
_NOT_COUNTED = r"(?! (?!(?:para|por|se|si|em|ou|ore|ed?|dal|dopo|per|oggi|ahora|hoy|ya|y|o)\b)[a-zà-ÿ]{2,})"
_FORMS: Mapping[str, str] = {
    "de": r"\(?0\d{1,5}\)?[ /-]{1,3}\d{2,9}(?:[ -]\d{1,8}){0,4}",
    "fr": r"0\d(?:[ .-]\d\d){4}|0[1-9]\d{8}|0[89]\d\d(?: \d{2,3}){2,3}|3\d \d\d",
    "es": rf"[6789]\d\d(?:[ -]\d\d){{3}}|9\d[ -]\d{{3}}[ -]\d\d[ -]\d\d|[689]\d\d[ -]\d{{3}}[ -]\d{{3}}{_NOT_COUNTED}",
    "it": r"0\d{1,3}[ /-]{1,3}\d{3,4}[ ]?\d{2,4}(?: \d{2,4})?|3\d\d[ -]\d{6,7}|3\d\d[ -]\d{3}[ -]\d{3,4}|800[ -]\d{3}[ -]\d{3}",
    "pt": rf"\(\d\d\) ?9?\d{{4}}[- ]\d{{4}}|\d\d 9\d{{4}}-\d{{4}}|9\d{{4}}-\d{{4}}|2\d \d{{3}} \d{{4}}|2\d\d \d{{3}} "
    rf"\d{{3}}{_NOT_COUNTED}|"
    rf"9\d\d \d{{3}} \d{{3}}{_NOT_COUNTED}|9\d \d{{3}} \d\d \d\d|0800(?: \d{{2,4}}){{2,3}}|\d{{5}}-\d{{3}}|\d{{4}}-\d{{3}}(?= "
    rf"[A-Z])",
}
_NATIONAL = {language: re.compile(rf"{_BEGIN}(?:{form}){_END}") for language, form in _FORMS.items()}
_CALLED = re.compile(
    r"(\b(?:Telefon(?:nummer)?|Tel|Fax|Handy|Mobil|Rufnummer|Hotline|WhatsApp|Téléphone|téléphone|portable|Teléfono|teléfono|"
    r"móvil|Telefono|telefono|"
    r"cellulare|Telefone|telefone|telemóvel|celular|Telemóvel|ruf|Ruf|rufen Sie|wählen Sie|appelez le|Appelez le|llame al|"
    r"Llame al|Llama al|"
    r"llama al|[Cc]hiam(?:i|a|ate) (?:il|lo)|[Ll]igue para(?: o)?|[Ll]iga para(?: o)?)\.?:? ?)"
    r"(\(?\d{2,15}\)?(?:[ ./-]{1,3}\d{1,8}){0,5})(?![\w/-]|[.,]\d)"
)
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?(?!\w)")
_BOOK = re.compile(r"\b(ISBN|ISSN):? ?(\d[\d -]{6,16}[\dX])(?!\w)")
_MIN_DIGITS = 6
_DATE = re.compile(r"[0-3]?\d[./-][01]?\d[./-](?:\d{4}|\d{2})")


def speak_national_telephones(text: AlignedText, numerals: Numerals) -> AlignedText:
    """Return the text with telephone numbers in words: groups of digits, with pauses between them."""
    text = text.substituted(_IBAN, lambda found: _account(found[0], numerals))
    text = text.substituted(_BOOK, partial(_book, numerals))
    text = text.substituted(_CALLED, partial(_called, numerals))
    return text.substituted(_NATIONAL[numerals.language], partial(_national, numerals))


def _book(numerals: Numerals, found: re.Match[str]) -> str:
    return f"{found[1]} {numerals.digit_groups(found[2])}{' X' if found[2].endswith('X') else ''}"


def _called(numerals: Numerals, found: re.Match[str]) -> str | None:
    is_long = sum(map(str.isdigit, found[2])) >= _MIN_DIGITS
    return found[1] + numerals.telephone(found[2]) if is_long and not _DATE.fullmatch(found[2]) else None


def _national(numerals: Numerals, found: re.Match[str]) -> str | None:
    return None if _DATE.fullmatch(found[0]) else numerals.telephone(found[0])


def _account(written: str, numerals: Numerals) -> str:
    return ", ".join(
        " ".join(numerals.digits(each) if each.isdigit() else each for each in group) for group in written.split(" ")
    )
