"""Units that the library does not name, by language, as words that it leaves."""

import re
from collections.abc import Mapping
from functools import cache, partial

from loader.text.normalization.aligned import AlignedText

#: By symbol: the name for one, and for more.
_NAMES: Mapping[str, str] = {
    "de": "dl=Deziliter=Deziliter|cl=Zentiliter=Zentiliter|TB=Terabyte=Terabyte|Mbit/s=Megabit pro Sekunde=Megabit pro Sekunde|"
    "Gbit/s=Gigabit pro Sekunde=Gigabit pro Sekunde|Mbps=Megabit pro Sekunde=Megabit pro Sekunde|dB=Dezibel=Dezibel|bar=Bar=Bar|"
    "hPa=Hektopascal=Hektopascal|kcal=Kilokalorie=Kilokalorien|MW=Megawatt=Megawatt|GW=Gigawatt=Gigawatt|"
    "MWh=Megawattstunde=Megawattstunden|"
    "‰=Promille=Promille|Nm=Newtonmeter=Newtonmeter|fps=Bild pro Sekunde=Bilder pro Sekunde|kB=Kilobyte=Kilobyte|"
    "qm=Quadratmeter=Quadratmeter|"
    "ppm=Teil pro Million=Teile pro Million|ct=Cent=Cent|Ct=Cent=Cent|MP=Megapixel=Megapixel|Ah=Amperestunde=Amperestunden|"
    "kJ=Kilojoule=Kilojoule|"
    "dm=Dezimeter=Dezimeter|µm=Mikrometer=Mikrometer|km/s=Kilometer pro Sekunde=Kilometer pro Sekunde|"
    "ms=Millisekunde=Millisekunden",
    "fr": "dl=décilitre=décilitres|cl=centilitre=centilitres|Ko=kilooctet=kilooctets|Mo=mégaoctet=mégaoctets|"
    "Go=gigaoctet=gigaoctets|"
    "To=téraoctet=téraoctets|TB=téraoctet=téraoctets|Mbit/s=mégabit par seconde=mégabits par seconde|Gbit/s=gigabit par "
    "seconde=gigabits par seconde|"
    "Mb/s=mégabit par seconde=mégabits par seconde|dB=décibel=décibels|bar=bar=bars|hPa=hectopascal=hectopascals|"
    "kcal=kilocalorie=kilocalories|"
    "MW=mégawatt=mégawatts|GW=gigawatt=gigawatts|MWh=mégawatt-heure=mégawatt-heures|‰=pour mille=pour mille|"
    "Nm=newton-mètre=newtons-mètres|"
    "ms=milliseconde=millisecondes|cts=centime=centimes|ct=centime=centimes|dm=décimètre=décimètres|µm=micromètre=micromètres|"
    "km/s=kilomètre par seconde=kilomètres par seconde|kJ=kilojoule=kilojoules|L=litre=litres|ml/j=millilitre par "
    "jour=millilitres par jour",
    "es": "dl=decilitro=decilitros|cl=centilitro=centilitros|TB=terabyte=terabytes|Mbit/s=megabit por segundo=megabits por "
    "segundo|"
    "Mbps=megabit por segundo=megabits por segundo|dB=decibelio=decibelios|bar=bar=bares|hPa=hectopascal=hectopascales|"
    "kcal=kilocaloría=kilocalorías|MW=megavatio=megavatios|GW=gigavatio=gigavatios|MWh=megavatio hora=megavatios hora|"
    "kWh=kilovatio hora=kilovatios hora|"
    "‰=por mil=por mil|ms=milisegundo=milisegundos|cts=céntimo=céntimos|dm=decímetro=decímetros|µm=micrómetro=micrómetros|"
    "km/s=kilómetro por segundo=kilómetros por segundo|kJ=kilojulio=kilojulios|L=litro=litros",
    "it": "dl=decilitro=decilitri|cl=centilitro=centilitri|TB=terabyte=terabyte|Mbit/s=megabit al secondo=megabit al secondo|"
    "Mbps=megabit al secondo=megabit al secondo|dB=decibel=decibel|bar=bar=bar|hPa=ettopascal=ettopascal|"
    "kcal=chilocaloria=chilocalorie|"
    "MW=megawatt=megawatt|GW=gigawatt=gigawatt|MWh=megawattora=megawattora|‰=per mille=per mille|ms=millisecondo=millisecondi|"
    "mq=metro quadrato=metri quadrati|mc=metro cubo=metri cubi|hg=etto=etti|dm=decimetro=decimetri|km/s=chilometro al "
    "secondo=chilometri al secondo|"
    "cts=centesimo=centesimi|L=litro=litri|q=quintale=quintali",
    "pt": "dl=decilitro=decilitros|cl=centilitro=centilitros|KB=kilobyte=kilobytes|kB=kilobyte=kilobytes|"
    "MB=megabyte=megabytes|GB=gigabyte=gigabytes|TB=terabyte=terabytes|"
    "Mbps=megabit por segundo=megabits por segundo|Mbit/s=megabit por segundo=megabits por segundo|dB=decibel=decibéis|"
    "bar=bar=bars|"
    "hPa=hectopascal=hectopascais|kcal=quilocaloria=quilocalorias|W=watt=watts|kW=quilowatt=quilowatts|MW=megawatt=megawatts|"
    "GW=gigawatt=gigawatts|"
    "Wh=watt-hora=watts-hora|kWh=quilowatt-hora=quilowatts-hora|MWh=megawatt-hora=megawatts-hora|V=volt=volts|A=ampere=amperes|"
    "mAh=miliampere-hora=miliamperes-hora|kHz=quilohertz=quilohertz|‰=por mil=por mil|h=hora=horas|"
    "ms=milissegundo=milissegundos|dm=decímetro=decímetros|"
    "bpm=batimento por minuto=batimentos por minuto|L=litro=litros|N=newton=newtons|J=joule=joules|kJ=quilojoule=quilojoules|"
    "Pa=pascal=pascais",
}
_TIMES = {"de": "mal", "fr": "fois", "es": "veces", "it": "volte", "pt": "vezes"}
_ONCE = {"de": "einmal", "fr": "une fois", "es": "una vez", "it": "una volta", "pt": "uma vez"}
_BY = {"de": "mal", "fr": "sur", "es": "por", "it": "per", "pt": "por"}
_MULTIPLIED = {"de": "mal", "fr": "fois", "es": "por", "it": "per", "pt": "vezes"}
_DIMENSIONS = re.compile(
    r"(?<=\d) ?[x×] ?(?=\d+(?:,\d+)?(?: ?[x×] ?\d+(?:,\d+)?)? ?(?:[mck]m|m|km|Zoll|Meter|Zentimeter|"
    r"pixels?|px|Pixel|metr[io]s?|mètres)\b)"
)
_SPACED_TIMES = re.compile(r"(?<=\d) ?x ?(?=\d)")
_EACH = re.compile(r"\b(le|al|por|pro|je|il|el|o|par|per) (kg|km|l)(?![\w/'\u2019])")
_SINGLE: Mapping[str, Mapping[str, str]] = {
    "de": {"kg": "Kilogramm", "km": "Kilometer", "l": "Liter"}, "fr": {"kg": "kilogramme", "km": "kilomètre", "l": "litre"},
    "es": {"kg": "kilogramo", "km": "kilómetro", "l": "litro"}, "it": {"kg": "chilogrammo", "km": "chilometro", "l": "litro"},
    "pt": {"kg": "quilograma", "km": "quilómetro", "l": "litro"},
}  # fmt: skip
_TIMES_X = re.compile(r"(?<![\w.,])(\d{1,3}) ?[x×](?= [^\W\d]|$)")
_GOALS = re.compile(r"(?<=[^\W\d] )(\d{1,2}) ?x ?(\d{1,2})(?= [A-ZÀ-Þ])")


def speak_units(text: AlignedText, language: str) -> AlignedText:
    """Return the text with the names of these units, of times (`3x`) and of dimensions (`10 x 20 cm`)."""
    pattern, names = _units(language)
    if language == "pt":
        text = text.substituted(_GOALS, lambda found: f"{found[1]} a {found[2]}")
    text = text.substituted(_DIMENSIONS, f" {_BY[language]} ")
    text = text.substituted(_SPACED_TIMES, f" {_MULTIPLIED[language]} ").substituted(_TIMES_X, partial(_times, language))
    text = text.substituted(_EACH, lambda found: f"{found[1]} {_SINGLE[language][found[2]]}")
    return text.substituted(pattern, partial(_speak, names))


@cache
def _units(language: str) -> tuple[re.Pattern[str], Mapping[str, tuple[str, str]]]:
    names = {symbol: (one, more) for symbol, one, more in (each.split("=") for each in _NAMES[language].split("|"))}
    symbols = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?<![\w.,])(\d[\d.]{{0,20}}(?:,\d+)?) ?({symbols})(?![\w/²³]|\.\w)"), names


def _speak(names: Mapping[str, tuple[str, str]], found: re.Match[str]) -> str:
    one, more = names[found[2]]
    return f"{found[1]} {one if found[1] == '1' else more}"


def _times(language: str, found: re.Match[str]) -> str:
    return _ONCE[language] if found[1] == "1" else f"{found[1]} {_TIMES[language]}"
