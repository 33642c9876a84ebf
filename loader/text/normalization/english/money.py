"""Amounts of money: signs and codes of currencies, hundredths, millions, ranges, prices per something."""

import re
from dataclasses import dataclass

from loader.text.normalization.english.rule import Rule, decimal
from loader.text.normalization.numerals import Numerals


@dataclass(frozen=True)
class Currency:
    """Names of one currency; one without hundredths has none for them."""

    one: str
    many: str
    hundredth: str = ""
    hundredths: str = ""


_DOLLAR = Currency("dollar", "dollars", "cent", "cents")
_POUND = Currency("pound", "pounds", "penny", "pence")
_EURO = Currency("euro", "euros", "cent", "cents")
_YEN, _YUAN = Currency("yen", "yen"), Currency("yuan", "yuan")
_RUPEE = Currency("rupee", "rupees", "paisa", "paise")
_WON, _REAL = Currency("won", "won"), Currency("real", "reais", "centavo", "centavos")
_RUBLE, _BITCOIN = Currency("ruble", "rubles", "kopeck", "kopecks"), Currency("bitcoin", "bitcoins")


def _dollar(country: str) -> Currency:
    return Currency(f"{country} dollar", f"{country} dollars", "cent", "cents")


def _crown(country: str) -> Currency:
    return Currency(f"{country} krone", f"{country} kroner")


_CURRENCIES = {
    "$": _DOLLAR, "£": _POUND, "€": _EURO, "¥": _YEN, "₹": _RUPEE, "₩": _WON, "₽": _RUBLE, "₿": _BITCOIN, "R$": _REAL,
    "₺": Currency("lira", "lira"), "₪": Currency("shekel", "shekels"), "₫": Currency("dong", "dong"),
    "฿": Currency("baht", "baht"),
    "₴": Currency("hryvnia", "hryvnias"), "₦": Currency("naira", "naira"), "₱": Currency("peso", "pesos"),
    "¢": Currency("cent", "cents"),
    "US$": _dollar("U S"), "A$": _dollar("Australian"), "AU$": _dollar("Australian"), "C$": _dollar("Canadian"),
    "CA$": _dollar("Canadian"), "NZ$": _dollar("New Zealand"), "HK$": _dollar("Hong Kong"), "S$": _dollar("Singapore"),
    "USD": _dollar("U S"), "AUD": _dollar("Australian"), "CAD": _dollar("Canadian"), "NZD": _dollar("New Zealand"),
    "HKD": _dollar("Hong Kong"), "SGD": _dollar("Singapore"), "EUR": _EURO, "GBP": _POUND, "JPY": _YEN, "CNY": _YUAN,
    "RMB": _YUAN,
    "INR": _RUPEE, "KRW": _WON, "RUB": _RUBLE, "BRL": _REAL, "BTC": _BITCOIN,
    "CHF": Currency("Swiss franc", "Swiss francs", "centime", "centimes"), "PLN": Currency("zloty", "zloty"),
    "SEK": Currency("Swedish krona", "Swedish kronor"), "NOK": _crown("Norwegian"), "DKK": _crown("Danish"),
    "MXN": Currency("Mexican peso", "Mexican pesos"), "ZAR": Currency("rand", "rand"),
    "CZK": Currency("Czech koruna", "Czech koruna"),
}  # fmt: skip
MAGNITUDES = {
    "bn": "billion",
    "b": "billion",
    "tn": "trillion",
    "t": "trillion",
    "m": "million",
    "mn": "million",
    "k": "thousand",
}
PER = {
    "mo": "month", "yr": "year", "hr": "hour", "h": "hour", "min": "minute", "sec": "second", "s": "second", "wk": "week",
    "ea": "each",
    "kg": "kilogram", "lb": "pound", "oz": "ounce", "g": "gram", "gal": "gallon", "sq ft": "square foot",
    "sq. ft.": "square foot",
    "kWh": "kilowatt hour", "GB": "gigabyte", "MB": "megabyte", "L": "liter", "m²": "square meter", "km": "kilometer",
    "mi": "mile",
}  # fmt: skip
PER_WORD = (
    r"(?:month|year|hour|minute|second|week|day|night|person|people|unit|item|kilogram|pound|ounce|gram|gallon|liter|litre|mile|"
    r"share|user|seat|barrel|ton|tonne|head|meter|kilometer|page|word|call|image|token|piece|bottle|box|pack|ticket|"
    rf"{'|'.join(re.escape(each) for each in sorted(PER, key=len, reverse=True))})(?![\w/])"
)
_SIGN = r"(?:US|AU|CA|NZ|HK|[ACSR])?\$|[£€¥₹₩₽₿₺₪₫฿₴₦₱]"
_CODE = "|".join(each for each in _CURRENCIES if each.isalpha())
#: With a decimal point, or as continental Europe writes hundredths.
_NUMBER = r"(?:\d{1,3}(?:\.\d{3})+|\d+),\d\d(?![\d,])|(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)?|\.\d+"
_MAGNITUDE = r"(?:\s?(?:bn|tn|mn|[bmktBMKT])\b|[ -](?i:hundred|thousand|million|billion|trillion)\b)"
_PRICE_PER = rf"(?:\s?/\s?(?P<per>{PER_WORD}))?"
_BEFORE = (
    rf"(?P<minus>(?<![\w.,)\]%])[-+\u2212\u2013])?(?<![\w$])(?P<sign>{_SIGN}|(?:{_CODE})(?=\s?[\d.]))\s?(?P<inner>[-\u2212])?"
)
_MINUS = {"-": "minus ", "\u2212": "minus ", "\u2013": "minus ", "+": "plus "}
#: After it a noun of the amount is singular: `a five dollar bill`.
_BILL = re.compile(r"[ -](?!(?:and|or|for|to|in|per|an?|is|on|at|from|each|more|less|extra|of|but|with|by|if|when|as|so)\b)[a-z]")


def _speak_before(found: re.Match[str], numerals: Numerals) -> str:
    """Say `$5-10m/month`: the sign, one or two numbers, what they are per."""
    currency, first, second = _CURRENCIES[found["sign"]], found["first"], found["second"]
    magnitude, following = _magnitude(found["magnitude"]), _magnitude(found["magnitude2"])
    said = _MINUS[found["minus"] or found["inner"]] if found["minus"] or found["inner"] else ""
    if second:
        is_shared = following in (magnitude, "") if magnitude else following or not (_decimals(first) or _decimals(second))
        following = following or magnitude
        until = _amount(second, following, currency, numerals)
        if is_shared:
            return f"{said}{decimal(first, numerals)} to {until}{_per(found)}"
        return f"{said}{_amount(first, magnitude, currency, numerals)} to {until}{_per(found)}"
    amount = _amount(first, magnitude, currency, numerals, is_adjective=_is_adjective(found))
    return f"{said}{amount}{_per(found)}"


def _speak_after(found: re.Match[str], numerals: Numerals) -> str:
    amount = _amount(found["first"], _magnitude(found["magnitude"]), _CURRENCIES[found["sign"]], numerals)
    return f"{amount}{_per(found)}"


def _is_adjective(found: re.Match[str]) -> bool:
    before = found.string[max(0, found.start() - 3) : found.start()].lower()
    return bool(re.search(r"(?:^|\s)an? $", f" {before}") and _BILL.match(found.string, found.end()))


def _decimals(number: str) -> str:
    return number.partition(".")[2]


def _magnitude(written: str | None) -> str:
    word = (written or "").strip(" -\xa0").lower()
    return MAGNITUDES.get(word, word)


def _per(found: re.Match[str]) -> str:
    if not found["per"]:
        return ""
    unit = PER.get(found["per"], found["per"])
    return f" {unit}" if unit == "each" else f" per {unit}"


def _amount(number: str, magnitude: str, currency: Currency, numerals: Numerals, is_adjective: bool = False) -> str:
    if re.search(r",\d\d$", number):
        number = number.replace(".", "").replace(",", ".")
    whole, decimals = number.partition(".")[0].replace(",", ""), _decimals(number)
    if magnitude:
        return f"{decimal(number, numerals)} {magnitude} {currency.one if is_adjective else currency.many}"
    if len(decimals) > 2 or (decimals.strip("0") and not currency.hundredths):
        return f"{decimal(number, numerals)} {currency.many}"
    count, hundredths = int(whole or "0"), int(decimals.ljust(2, "0") or "0")
    cents = f"{numerals.cardinal(hundredths)} {currency.hundredth if hundredths == 1 else currency.hundredths}"
    if not count and hundredths:
        return cents
    amount = f"{numerals.cardinal(count)} {currency.one if count == 1 or is_adjective else currency.many}"
    if not hundredths:
        return amount
    return f"{amount} and {cents}" if hundredths < 10 else f"{amount} {numerals.cardinal(hundredths)}"


RULES: list[Rule] = [
    (
        re.compile(
            rf"{_BEFORE}(?P<first>{_NUMBER})(?P<magnitude>{_MAGNITUDE})?"
            rf"(?:\s?[-\u2013\u2014]\s?(?:{_SIGN})?(?P<second>{_NUMBER})(?P<magnitude2>{_MAGNITUDE})?)?(?!/?\d|"
            rf"[.,]\d){_PRICE_PER}"
        ),
        _speak_before,
    ),
    (
        re.compile(
            rf"(?<![\w.,$£€/-])(?P<first>{_NUMBER})(?P<magnitude>{_MAGNITUDE})?\s?(?P<sign>[€$£¥₹¢₽]|"
            rf"(?:{_CODE})\b)(?!\s?\d){_PRICE_PER}"
        ),
        _speak_after,
    ),
]
