"""Amounts: units and short forms of numbers that the library does not know, fractions, prices and speeds per something."""

import re

from loader.text.normalization.english.money import MAGNITUDES, PER, PER_WORD
from loader.text.normalization.english.rule import Rule, always, decimal
from loader.text.normalization.english.years import count
from loader.text.normalization.numerals import Numerals

#: One and many. spokenform 0.4.5 leaves these as written (2026-11-30).
_UNITS = {
    "hr": ("hour", "hours"), "hrs": ("hour", "hours"), "h": ("hour", "hours"), "mins": ("minute", "minutes"),
    "secs": ("second", "seconds"), "ms": ("millisecond", "milliseconds"), "µs": ("microsecond", "microseconds"),
    "ns": ("nanosecond", "nanoseconds"), "wk": ("week", "weeks"), "wks": ("week", "weeks"), "mos": ("month", "months"),
    "yr": ("year", "years"), "yrs": ("year", "years"), "yds": ("yard", "yards"), "kts": ("knot", "knots"),
    "sq ft": ("square foot", "square feet"), "sq. ft": ("square foot", "square feet"), "sqft": ("square foot", "square feet"),
    "sq in": ("square inch", "square inches"), "sq m": ("square meter", "square meters"),
    "sqm": ("square meter", "square meters"),
    "sq km": ("square kilometer", "square kilometers"), "sq mi": ("square mile", "square miles"),
    "cu ft": ("cubic foot", "cubic feet"),
    "fl oz": ("fluid ounce", "fluid ounces"), "fl. oz": ("fluid ounce", "fluid ounces"), "cc": ("C C", "C C"),
    "µm": ("micrometer", "micrometers"), "μm": ("micrometer", "micrometers"), "µg": ("microgram", "micrograms"),
    "μg": ("microgram", "micrograms"), "mcg": ("microgram", "micrograms"), "dB": ("decibel", "decibels"),
    "hPa": ("hectopascal", "hectopascals"), "MPa": ("megapascal", "megapascals"),
    "kcal": ("kilocalorie", "kilocalories"), "cal": ("calorie", "calories"), "kJ": ("kilojoule", "kilojoules"),
    "rpm": ("R P M", "R P M"), "fps": ("frame per second", "frames per second"), "dpi": ("D P I", "D P I"),
    "ppm": ("part per million", "parts per million"), "ppb": ("part per billion", "parts per billion"),
    "bpm": ("beat per minute", "beats per minute"), "mpg": ("mile per gallon", "miles per gallon"), "psi": ("P S I", "P S I"),
    "kN": ("kilonewton", "kilonewtons"), "Nm": ("newton meter", "newton meters"), "kV": ("kilovolt", "kilovolts"),
    "MW": ("megawatt", "megawatts"), "GW": ("gigawatt", "gigawatts"), "GWh": ("gigawatt hour", "gigawatt hours"),
    "MWh": ("megawatt hour", "megawatt hours"), "Wh": ("watt hour", "watt hours"), "hp": ("horsepower", "horsepower"),
    "Ω": ("ohm", "ohms"), "kΩ": ("kilohm", "kilohms"), "px": ("pixel", "pixels"), "MP": ("megapixel", "megapixels"),
    "KB": ("kilobyte", "kilobytes"), "TB": ("terabyte", "terabytes"), "PB": ("petabyte", "petabytes"),
    "KiB": ("kibibyte", "kibibytes"), "MiB": ("mebibyte", "mebibytes"), "GiB": ("gibibyte", "gibibytes"),
    "Kbps": ("kilobit per second", "kilobits per second"), "kbps": ("kilobit per second", "kilobits per second"),
    "ft/s": ("foot per second", "feet per second"), "km/s": ("kilometer per second", "kilometers per second"),
    "mbps": ("megabit per second", "megabits per second"), "Mbps": ("megabit per second", "megabits per second"),
    "Gbps": ("gigabit per second", "gigabits per second"),
    "MB/s": ("megabyte per second", "megabytes per second"), "GB/s": ("gigabyte per second", "gigabytes per second"),
    "Mbit/s": ("megabit per second", "megabits per second"), "m/s²": ("meter per second squared", "meters per second squared"),
    "GB": ("gigabyte", "gigabytes"), "MB": ("megabyte", "megabytes"), "MPH": ("mile per hour", "miles per hour"),
    "KM": ("kilometer", "kilometers"), "KG": ("kilogram", "kilograms"), "CM": ("centimeter", "centimeters"),
    "MM": ("millimeter", "millimeters"), "LBS": ("pound", "pounds"), "FT": ("foot", "feet"), "OZ": ("ounce", "ounces"),
    "ML": ("milliliter", "milliliters"), "HP": ("horsepower", "horsepower"),
    "km³": ("cubic kilometer", "cubic kilometers"), "ft²": ("square foot", "square feet"), "ft³": ("cubic foot", "cubic feet"),
    "in²": ("square inch", "square inches"), "mi²": ("square mile", "square miles"), "doz": ("dozen", "dozen"),
    "pcs": ("piece", "pieces"), "pp": ("pages", "pages"), "ha": ("hectare", "hectares"),
}  # fmt: skip
#: `3 L/min`: of what, and per what.
_PARTS = {
    "mL": "milliliter",
    "ml": "milliliter",
    "mg": "milligram",
    "µg": "microgram",
    "μg": "microgram",
    "kg": "kilogram",
    "g": "gram",
    "L": "liter",
    "l": "liter",
    "mmol": "millimole",
    "gal": "gallon",
    "lb": "pound",
    "kWh": "kilowatt hour",
    "W": "watt",
    "N": "newton",
    "t": "ton",
}
_OF = {
    "min": "minute", "hr": "hour", "h": "hour", "sec": "second", "s": "second", "day": "day", "week": "week", "year": "year",
    "kg": "kilogram", "dL": "deciliter", "dl": "deciliter", "mL": "milliliter", "ml": "milliliter", "L": "liter", "l": "liter",
    "m³": "cubic meter", "cm³": "cubic centimeter", "m²": "square meter", "ha": "hectare", "m": "meter", "g": "gram",
    "km": "kilometer",
    "K": "kelvin", "mol": "mole",
}  # fmt: skip
#: After a word or a fraction.
_WORDY = {
    "kg": "kilograms", "g": "grams", "mg": "milligrams", "t": "tons", "km": "kilometers", "km²": "square kilometers",
    "m": "meters",
    "m²": "square meters", "m³": "cubic meters", "cm": "centimeters", "mm": "millimeters", "mi": "miles", "ft": "feet",
    "yd": "yards",
    "in": "in", "lbs": "pounds", "lb": "pounds", "oz": "ounces", "L": "liters", "ml": "milliliters", "gal": "gallons",
    "tsp": "teaspoons",
    "tbsp": "tablespoons", "kW": "kilowatts", "MW": "megawatts", "kWh": "kilowatt hours", "hrs": "hours", "hr": "hours",
    "GB": "gigabytes",
}  # fmt: skip
_SINGULAR = {"ft": "foot", "in": "inch"}
_UNIT = "|".join(re.escape(each) for each in sorted(_UNITS, key=len, reverse=True))
_NUMBER = r"(?<![\w.,$€£¥/:-])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?"
_COUNTED = r"(?=[ -](?:[a-z]+s|people|men|women|children|euros?|dollars?|pounds?)\b)"
_OUT_OF = (
    r"(?:scored?|got|gets?|rated?|rating(?: of)?|rates|scores|graded?|gave (?:it|them|him|her)|score(?: of| is)?|earned|"
    r"received)(?: an?)?"
)
_BEFORE_DATE = ("on", "by", "due", "before", "after", "since", "until", "from", "dated", "till", "to")
_ROUND = {
    "100": "hundreds",
    "1000": "thousands",
    "10000": "tens of thousands",
    "100000": "hundreds of thousands",
    "1000000": "millions",
}
_NUMBERED = (
    "(?:[Ss]ection|[Cc]hapter|[Aa]rticle|[Ff]igure|[Tt]able|[Ss]tep|[Pp]aragraph|[Cc]lause|[Ee]xample|[Ee]quation|[Ll]isting)s?"
)
_FRACTION_OF = (
    r"(?= (?:of|cups?|inch|inches|in\.|miles?|teaspoons?|tablespoons?|tsp|tbsp|pounds?|lbs?|ounces?|oz|hours?|full|"
    r"empty|turn|gallons?)\b)"
)


def _is_one(found: re.Match[str]) -> bool:
    return bool(re.search(r"(?<![\w.,])1$", found.string[max(0, found.start() - 3) : found.start()]))


def _unit(found: re.Match[str], numerals: Numerals) -> str:
    one, many = _UNITS[found[1]]
    is_adjective = bool(
        re.match(
            r" (?:drive|disk|camera|card|engine|motor|monitor|screen|line|battery|plant|limit|shift|window)\b",
            found.string[found.end() :],
        )
    )
    return f" {one if _is_one(found) or is_adjective else many}"


def _inches(found: re.Match[str], numerals: Numerals) -> str | None:
    """Say the sign of inches; after an odd number of quotes it closes one."""
    if found[0].startswith('"') and found.string.count('"', 0, found.start()) % 2:
        return None
    is_adjective = re.match(
        r" (?!wide|long|tall|high|deep|thick|in|by|and|or|of|from|to|is|at)[a-z]", found.string[found.end() :]
    )
    return " inch" if _is_one(found) or is_adjective else " inches"


def _thousands(found: re.Match[str], numerals: Numerals) -> str | None:
    """Say `50k` as thousands; `5K` and `4K` name races and screens."""
    number, decimals = found[1].replace(",", ""), found[2] or ""
    is_name = number in ("2", "4", "5", "8", "10") and not decimals and found[3] == "K"
    is_race = re.match(
        r" (?:runs?|race|walk|video|screen|TV|T V|display|monitor|resolution|camera|content)\b", found.string[found.end() :]
    )
    is_counted = re.match(_COUNTED, found.string[found.end() :])
    return None if is_race or (is_name and not is_counted) else f"{number}{decimals} thousand"


def _fraction(found: re.Match[str], numerals: Numerals) -> str | None:
    upper, lower = int(found[1]), int(found[2])
    if not upper < lower:
        return None
    part = {2: "half", 4: "quarter"}.get(lower) or numerals.ordinal(lower)
    return f"{numerals.cardinal(upper)} {part}{'s' if upper > 1 else ''}"


def _numbered(found: re.Match[str], numerals: Numerals) -> str:
    """Say `Section 6.10` as `Section six point ten`."""
    rest = numerals.digits(found[3]) if found[3][0] == "0" or len(found[3]) > 2 else numerals.cardinal(int(found[3]))
    return f"{found[1]} {numerals.cardinal(int(found[2]))} point {rest}"


def _over(found: re.Match[str]) -> str | None:
    """Say `120/80`, which is neither a part of one nor a date."""
    upper, lower = int(found[1]), int(found[2])
    return f"{upper} over {lower}" if upper > lower and lower > 12 or upper > 31 and upper > lower else None


RULES: list[Rule] = [
    (re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+)(st|nd|rd|th)\b"), lambda found, _: f"{found[1].replace(',', '')}{found[2]}"),
    (re.compile(r"(?<![\w.,$€£])(100|(?:1|10|100|1,?000),?000)s\b"), lambda found, _: _ROUND[found[1].replace(",", "")]),
    (
        re.compile(
            r"(?<!\bISO )(?<!\bIEC )(?<!\bEN )(?<![\w:.,])(\d{3,}):(\d{1,4})(?![\w:]|[.,]\d)"
            r"|(?<![\w:.,])(\d{1,2}):(\d{3,})(?![\w:]|[.,]\d)"
        ),
        lambda found, _: f"{found[1] or found[3]} to {found[2] or found[4]}",
    ),
    (re.compile(r"(?<![\w.,])(\d{1,4})(?:st|nd|rd|th)(?=['\u2019]s\b)"), lambda found, numerals: numerals.ordinal(int(found[1]))),
    (
        re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3}){4,}(?!\w|[.,]\d)"),
        lambda found, numerals: numerals.cardinal(int(found[0].replace(",", ""))),
    ),
    (re.compile(r"(?<=\d%)\s?[-\u2013]\s?(?=\d)"), always(" to ")),
    (
        re.compile(
            r"(?<![\w.,/-])(\d+(?:[.,]\d+)?)\s?[-\u2013]\s?(?=\d+(?:[.,]\d+)?\s?(?:[°%]|(?:[a-zµ][A-Za-z]{0,3}|[KMGT]B|"
            r"[kMG]Hz)\b))"
        ),
        lambda found, _: f"{found[1]} to ",
    ),
    (re.compile(r"(?<![\w.,/-])(\d+)[-\u2013](\d+)(?=-[a-z])"), lambda found, _: f"{found[1]} to {found[2]}"),
    # The library would say `ten hundred`.
    (re.compile(r"(?<![\w.,$€£/-])1000(?= [a-z])"), always("one thousand")),
    # The library would read inches.
    (
        re.compile(
            r"(?<![\w.,$€£/-])(\d{1,3}(?:,\d{3})+|\d{1,9}) in (?!by\b|x\b|wide\b|long\b|tall\b|high\b|deep\b|thick\b|"
            r"of\b)(?=[^\s.,;:!?)])"
        ),
        lambda found, numerals: f"{count(found[1], numerals)} in ",
    ),
    (re.compile(rf"\b({_NUMBERED}) (\d{{1,9}})\.(\d{{1,3}})(?![\w]|\.\d)"), _numbered),
    # Fractions, and what only looks like one.
    (re.compile(r"(?<![\w/.,])(50/50|9/11|20/20|50-50)(?![\w/]|[.,]\d)"), lambda found, _: re.sub("[/-]", " ", found[1])),
    (
        re.compile(rf"\b({_OUT_OF} )(\d{{1,3}}(?:\.\d)?)/([5-9]|[1-9]\d{{1,2}})(?![\w/]|[.,]\d)", re.I),
        lambda found, _: f"{found[1]}{found[2]} out of {found[3]}",
    ),
    (re.compile(rf"(?<![\w/.,] )(?<![\w/.,])(\d{{1,2}})/([2-9]|1[02-6]|32|64|100)(?![\w/]|[.,]\d){_FRACTION_OF}"), _fraction),
    (re.compile(r"(?<![\w/.,-])(\d{2,3})/(\d{2,3})(?![\w/-]|[.,]\d)"), lambda found, _: _over(found)),
    (re.compile(r"(?<=[\d)]) / (?=\d)"), always(" divided by ")),
    (re.compile(r"(?<=\d) (?=[¼-¾⅐-⅞](?!\w))"), always("")),
    (
        re.compile(
            rf"(?<!{'(?<!'.join(f' {each} )' for each in _BEFORE_DATE)}(?<![\w/.,-])(?<!\d )([1-9])/([2-9]|10|12|"
            rf"16)(?:th\b)?(?![\w/-]|[.,]\d)"
        ),
        _fraction,
    ),
    # Sizes and multiples.
    (
        re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)[xX×](\d+(?:\.\d+)?)(?:[xX×](\d+(?:\.\d+)?))?(?![xX×\d])"),
        lambda found, _: " by ".join(filter(None, found.groups())),
    ),
    (
        re.compile(
            r"(?<=\d) [xX] (?=\d)|(?<=\d (?:in|ft|cm|mm)\.) [xX×] (?=\d)|(?<=\d (?:in|ft|cm|mm)) [xX×] (?=\d)|"
            r"(?<=\d)\s?×\s?(?=\d+(?:\.\d+)?\s?(?:mm|cm|m|km|in|ft|px|inches|feet)\b)"
        ),
        always(" by "),
    ),
    (re.compile(r"(?<![\w.,])(\d+\.\d+)[x×](?!\w)"), lambda found, numerals: f"{decimal(found[1], numerals)} times"),
    (re.compile(r"(?<![\w.,])(\d{1,4})[x×](?= [a-z])"), lambda found, _: f"{found[1]} times"),
    (re.compile(rf"{_NUMBER}M(?=[\s.,;:!?)+-]|$)"), lambda found, _: f"{found[1]}{found[2] or ''} million"),
    (re.compile(rf"{_NUMBER}\s?(bn|tn|mn)\b"), lambda found, _: f"{found[1]}{found[2] or ''} {MAGNITUDES[found[3]]}"),
    (re.compile(rf"{_NUMBER}B{_COUNTED}"), lambda found, _: f"{found[1]}{found[2] or ''} billion"),
    (re.compile(rf"{_NUMBER}([kK])(?![\w/])"), _thousands),
    # Units.
    (
        re.compile(r"(?<![\w.,])(\d{1,3})h ?(\d{1,2})m(?:in)?\b"),
        lambda found, _: f"{found[1]} hour{'s' * (found[1] != '1')} {found[2]} minutes",
    ),
    (re.compile(rf"(?<=\d)[ -]?({_UNIT})(?![\w/²³])(?:\.(?= [a-z\d]))?"), _unit),
    (
        re.compile(r"(?<![\w.,])(\d)['\u2032\u2019] ?(\d{1,2})(?:[\"\u2033\u201d]|''|\u2032\u2032)"),
        lambda found, numerals: f"{numerals.cardinal(int(found[1]))} feet {numerals.cardinal(int(found[2]))} inches",
    ),
    (
        re.compile(rf"(illion|thousand|hundred|\d/\d{{1,2}}|[¼-¾⅐-⅞]) ({'|'.join(_WORDY)})(?![\w/])"),
        lambda found, _: f"{found[1]} {_WORDY[found[2]]}",
    ),
    (
        re.compile(rf"\b(half|quarters?|thirds?|fifths?|sixths?|eighths?|tenths?) ({'|'.join(_WORDY)})\b(?!/)(?:\.(?= [a-z]))?"),
        lambda found, _: f"{found[1]} {_SINGULAR.get(found[2]) or _WORDY[found[2]].removesuffix('s')}",
    ),
    (
        re.compile(r"(?<![\w.,])([4-7])['\u2019](\d|1[01])(?![\w\"'\u2019]|[.,]\d)"),
        lambda found, numerals: f"{numerals.cardinal(int(found[1]))} foot {numerals.cardinal(int(found[2]))}",
    ),
    (re.compile(r"(?<=\d) ?(?:\"|\u2033|\u2032\u2032)(?=[\s.,;:!?)]|$)"), _inches),
    (re.compile(r"(?<=\d) ?A(?= (?:fuse|charger|current|circuit|breaker|supply|adapter|plug)\b)"), always(" amp")),
    (re.compile(r"(?<=\d) ?A(?= (?:at|and|from) \d+ ?V\b)"), always(" amps")),
    (
        re.compile(rf"(?<=\d) ?({'|'.join(_PARTS)})/({'|'.join(_OF)})(?![\w/])"),
        lambda found, _: f" {_PARTS[found[1]]}{'s' * (not _is_one(found))} per {_OF[found[2]]}",
    ),
    (re.compile(r"(?<=\dV and )(\d+) ?A\b|(?<=\dV, )(\d+) ?A\b"), lambda found, _: f"{found[1] or found[2]} amps"),
    (
        re.compile(r"(?<=\d)['\u2019](?= (?:tall|high|wide|long|deep|by|x)\b)|(?<=\d) ?\u2032(?!\u2032)"),
        lambda found, _: " foot" if _is_one(found) else " feet",
    ),
    (
        re.compile(rf"\bper ({'|'.join(re.escape(each) for each in PER if each.isalpha() and len(each) > 1)})\b\.?(?! [A-Z])"),
        lambda found, _: f"per {PER[found[1]]}",
    ),
    (
        re.compile(rf"(\d|\d [a-z]+|cents?|dollars?|pence|times)\s?/\s?(?!s\b|h\b|L\b|g\b|kg\b|m²|km\b)(?P<per>{PER_WORD})"),
        lambda found, _: f"{found[1]} per {PER.get(found['per'], found['per'])}",
    ),
]
