"""Words in capitals: spelled, or said as words."""

import re

from loader.text.normalization.english.rule import Rule
from loader.text.normalization.english.years import count
from loader.text.normalization.numerals import Numerals, roman_value

#: Said as words, though short or hard to say.
_WORDS = frozenset(
    "RAM ROM SIM PIN GIF LAN WAN VAT ZIP BIN POW MIA FAQ SAT MAC CAD NATO NASA SARS AIDS UNESCO UNICEF COVID JPEG LASER RADAR "
    "SCUBA "
    "SWAT FIFA UEFA NAFTA OPEC ASEAN IKEA FEMA OSHA NORAD NOAA POTUS SCOTUS LIDAR SONAR TASER MRSA NASDAQ YOLO FOMO LOL BIOS "
    "CAPTCHA ASCII WYSIWYG NIMBY EBITDA BREXIT HIPAA MOMA TED LEGO SIRI ALEXA".split()
) | frozenset(
    # Written so for emphasis.
    "A I NO SO GO DO IF BE WE HE MY OF ON TO IS AS AT BY UP AN AM ME IN OH HI HA OK AH OR NOT ALL ANY AND ARE BUT CAN DID FOR "
    "GET GOT "
    "HAD HAS HER HIM HIS HOW ITS LET MAY NEW NOW OFF OLD ONE OUR OUT OWN PUT RUN SAW SAY SEE SET SHE SIT TEN THE TOO TRY TWO "
    "USE WAS "
    "WAY WHY WIN WON YES YET YOU ACT ADD AGE AGO AIR ASK BAD BAG BED BIG BIT BOX BOY BUY CAR CUT DAY DIE DOG EAT END EVE EYE "
    "FAR FEW "
    "FIT FIX FLY FUN GOD GUN GUY HIT HOT ICE ILL JOB JOY KEY KID LAW LAY LEG LIE LOT LOW MAD MAN MEN MET MIX MOM DAD NET NOR "
    "ODD OIL "
    "PAY PER POP RED RID SAD SEA SEX SIN SIR SIX SKY SON SUN TAX TEA THY TIE TIP TOP TOY VIA WAR WET BYE WOW HEY NAH YEP AHA "
    "MR MRS DR ST CO VS BUG GAS HAT CUP".split()
)  # fmt: skip
#: Spelled, though they look like words.
_SPELLED = frozenset(
    "UCLA USDA YMCA YWCA IEEE USPS NAACP ASPCA AARP UAE USA CIA CEO CIO COO EU UK UN US UFO IOU AI IT IP ID IQ EQ UI UX IO TV "
    "HR PR PM "
    "DIY DOB DOA ETA EOD SEO API ATM ABC APA AMA ACA AKA ICU IRA IRS IUD IPO IMO OCD ECG EKG EEG ADHD LGBT LGBTQ LGBTQIA HTML "
    "HTTP "
    "HTTPS USSR WNBA NCAA ESPN IMHO IIRC AFAIK LMAO USAF USGA USMC YTD TBA TBD POC POS PAC EPA FDA FAA UPS USB UV EV GPA GDP "
    "GOP MBA NBA MIT NYU RSVP DUI ISO IBM OCR".split()
)  # fmt: skip
_VOWEL = re.compile("[AEIOUY]")
_ONSET = (
    r"(?:[BDFGHJKLMNPRSTVWXYZ]|B[LR]|C[HLRZ]?|D[RW]|F[LR]|G[HLNR]|K[HNLR]|P[FHLRS]|QU|RH|S[CHKLMNPQTVW]|SC[HR]|SHR|SP[HLR]|STR|"
    r"SQU|"
    r"T[HRSW]|THR|W[HR])?"
)
_CODA = (
    r"(?:[BCDFGKLMNPRSTVWXZ]|C[HKT]|[FPX]T|F[FT]|G[HN]|L[BCDFKLMPSTVX]|M[BNPS]|N[CDGKNSTX]|P[HST]|R[BCDFGKLMNPRSTVX]|S[HKMPST]|"
    r"T[HTSZ]|W[KLNS]|D[DS]|B[BS]|GG|ZZ|NCH|TCH|GHT|RST|NTH|RLD|RTH|NGS|NDS|NTS|RDS|RKS|LLS|CKS|LDS|RTS|STS|RMS|RNS|LES|NKS|MPS|"
    r"CTS|"
    r"GHTS|NGTH|LTH|RCH|MPT|[KV]S|LFTH|XTH|RLS|GHS)?"
)
_SAYABLE = re.compile(rf"{_ONSET}[AEIOUY](?:.*[AEIOUY])?{_CODA}")
_LOWER = re.compile(r"[a-z]")
_ROMAN = re.compile(r"(?=[IVXLC])(?:C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_NUMBER = r"(?:(?<![\w.,$€£/:-])(?P<number>\d{1,3}(?:,\d{3})+|\d{1,12}) )?"
_CAPITALS = re.compile(
    rf"{_NUMBER}(?:(?<![\w@#.'\u2019-])|(?<=\w-)|(?<=[/.]))(?P<word>[A-Z]{{2,}})(?P<plural>s\b)?(?![\w@]|\.\w)"
)
_LONG_PART = re.compile(r"[A-Z]{5}")
_NAMED = re.compile(r"[a-z]\s$")


def is_spelled(word: str, is_shouted: bool) -> bool:
    """Whether a word in capitals is said letter by letter; in a text all in capitals fewer are."""
    if word in _SPELLED and not (is_shouted and word in ("IT", "US")):
        return True
    if word in _WORDS:
        return False
    if not _VOWEL.search(word) or not _SAYABLE.fullmatch(word):
        return True
    return len(word) < 4 and not is_shouted


def _said(found: re.Match[str], numerals: Numerals) -> str | None:
    word, number = found["word"], found["number"]
    is_number = _ROMAN.fullmatch(word) and _NAMED.search(found.string[: found.start("word")])
    if len(word) > 6 or (is_number and roman_value(word) < 90 and word not in _SPELLED):
        return None
    is_part = (
        found.string[found.start("word") - 1 : found.start("word")] == "-" or found.string[found.end() : found.end() + 1] == "-"
    )
    if not is_spelled(word, is_shouted=not _LOWER.search(found.string) or (is_part and bool(_LONG_PART.search(found.string)))):
        return None
    said = " ".join(word) + ("'s" if found["plural"] else "")
    # The library would read `3 C` as a temperature.
    return f"{count(number, numerals)} {said}" if number else said


def _numeral(found: re.Match[str], numerals: Numerals) -> str | None:
    value = roman_value(found[1])
    if not value or found[1] == "XXX":
        return None
    return numerals.ordinal(value) if found.string.startswith((" cent", "th "), found.end()) else numerals.cardinal(value)


RULES: list[Rule] = [
    (re.compile(r"(?<![\w'.-])(?=[XVI]{3,}\b)(X{0,3}(?:IX|IV|V?I{0,3}))(?![\w'])"), _numeral),
    (re.compile(r"^(II|III|IV|VI|VII|VIII|IX|XI|XII|XIV|XV)(?=\.(?: [A-Z]|$))"), _numeral),
    (re.compile(r"\b([A-Z]{1,3})\s?&\s?([A-Z]{1,3})\b"), lambda found, _: f"{' '.join(found[1])} and {' '.join(found[2])}"),
    (_CAPITALS, _said),
]
