"""Signs: powers, plus signs that belong to a name, comparisons of programs, file names and paths."""

import re

from loader.text.normalization.english.rule import Rule, always
from loader.text.normalization.numerals import Numerals

_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_POWERS = {"2": "squared", "3": "cubed"}
_EXTENSION = (
    "txt|pdf|docx?|xlsx?|pptx?|csv|tsv|json|xml|ya?ml|html?|css|jsx?|tsx?|py|ipynb|java|rb|rs|go|cpp|hpp|php|sh|bat|exe|dll|zip|"
    "gz|tar|"
    "rar|7z|jpe?g|png|gif|svg|webp|mp3|mp4|wav|ogg|flac|avi|mov|md|rst|log|conf|cfg|ini|toml|sql|db|iso|apk|dmg"
)
#: Said letter by letter.
_SPELLED = frozenset(
    "pdf csv tsv xml html htm css js jsx ts tsx py rb rs cpp hpp php sh gz png svg mp3 mp4 md rst cfg sql db apk dmg txt".split()
)
_SPELLED_NOT = frozenset(["txt"])


def _power(exponent: str, numerals: Numerals) -> str:
    if exponent in _POWERS:
        return f" {_POWERS[exponent]}"
    minus = "minus " if exponent.startswith("-") else ""
    digits = exponent.lstrip("+-")
    return f" to the power of {minus}{numerals.cardinal(int(digits))}" if digits else ""


def _raised(found: re.Match[str], numerals: Numerals) -> str | None:
    """Say a power; after a word it marks a footnote, which nobody says, and the library reads it after a unit."""
    before = found.string[max(0, found.start() - 8) : found.start()]
    if re.search(r"\d\s?(?:[kcdmµ]?m|ft|in|mi|yd|s)$", before):
        return None
    return "" if re.search(r"[^\W\d_]{4}$", before) else _power(found[0].translate(_RAISED), numerals)


def _scientific(found: re.Match[str], numerals: Numerals) -> str:
    return f"{found[1]} times ten{_power(found[2].lstrip('+'), numerals)}"


def _path(found: re.Match[str], numerals: Numerals) -> str:
    said = found[0].replace("~", " tilde ").replace("..", " dot dot ").replace("/", " slash ").replace("\\", " backslash ")
    return _file_marks(said.replace(":", " colon "))


def _file_marks(name: str) -> str:
    name = re.sub(r"\.(?=\w)", " dot ", name)
    return re.sub(r"_+", " underscore ", name).replace("-", " dash ")


def _file(found: re.Match[str], numerals: Numerals) -> str:
    extension = " ".join(found[2]) if found[2].lower() in _SPELLED - _SPELLED_NOT else found[2]
    return f"{_file_marks(found[1])} dot {extension}"


_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "Δ": "delta", "ε": "epsilon", "θ": "theta", "λ": "lambda", "μ": "mu",
    "µ": "mu", "π": "pi", "ρ": "rho", "σ": "sigma", "Σ": "sigma", "τ": "tau", "φ": "phi", "χ": "chi", "ψ": "psi", "ω": "omega",
    "Ω": "omega",
}  # fmt: skip
_NAMES = {
    "∞": "infinity",
    "∑": "sum of",
    "∫": "integral of",
    "∂": "partial",
    "∈": "in",
    "∪": "union",
    "∩": "intersection",
    "√": "the square root of",
    "∛": "the cube root of",
    "≅": "approximately equal to",
    "∝": "proportional to",
    "⇒": "implies",
}
_KEYS = {"*": "star", "#": "hash"}


def _keys(found: re.Match[str], numerals: Numerals) -> str:
    return " ".join(_KEYS.get(each) or numerals.digits(each) for each in found[0])


RULES: list[Rule] = [
    (
        re.compile(
            r"(?<![\w\\])[A-Za-z]:\\[\w.\\-]*\w|(?<![\w/.<>])(?:~|\.{1,2})?/[\w.-]+(?:/[\w.-]+)*(?<![.])|"
            r"(?<![\w/])[a-z]\w*(?:/[\w-]+){2,}/?(?![\w/])"
        ),
        _path,
    ),
    (re.compile(rf"(?<![\w@.])([\w-]+(?:\.[\w-]+){{0,3}})\.({_EXTENSION})(?![\w@]|\.\w)"), _file),
    (re.compile(rf"(?<![\w.])\.({_EXTENSION}|NET)\b"), lambda found, _: f"dot {found[1]}"),
    (re.compile(r"(?<=[a-z])\((s|es)\)"), lambda found, _: found[1]),
    (re.compile(r"</?([A-Za-z][^<>]{0,60})>"), lambda found, _: found[1]),
    (re.compile(r"(?<=\s)-(?=[A-Za-z])"), always("dash ")),
    (re.compile(r"(?<=[^\W_])_+(?=[^\W_])"), always(" underscore ")),
    (re.compile(r"(?<!\w)([CFJ])#(?!\w)"), lambda found, _: f"{found[1]} sharp"),
    (re.compile(r"\b([A-D])[-\u2212](?=[.,;!?)]|$| (?:grade|average|student|in)\b)"), lambda found, _: f"{found[1]} minus"),
    (re.compile(r"(?<=\w)\+\+"), always(" plus plus")),
    (re.compile(r"(?<=[\w%)])\+(?![\w+])"), always(" plus")),
    (re.compile(r"(?<=[^\W\d_])\+(?=\w)"), always(" plus ")),
    (re.compile(r"\s*(?:!=|≠)\s*"), always(" not equal to ")),
    (re.compile(r"\s*={2,3}\s*(?=[\w\"'(-])"), always(" equals ")),
    (re.compile(r"(?<=[\d)])\s?[-\u2013]\s?(?=\d+(?:\.\d+)? ?=)"), always(" minus ")),
    (re.compile(r"(?<=[\w%°)])\s*=\s*(?=[-\w($€£])"), always(" equals ")),
    (re.compile(r"\b([a-z])-(?=\d)"), lambda found, _: f"{found[1]} minus "),
    (re.compile(r"(?<![\w.,])(\d+(?:\.\d+)?)[eE]([-+]?\d{1,3})\b"), _scientific),
    (re.compile(r"(?<=[\w)])[⁻⁺]?[⁰¹²³⁴-⁹]+"), _raised),
    (re.compile(r"(?<=[\w)])\^\{?([-+]?\d{1,4})\}?"), lambda found, numerals: _power(found[1], numerals)),
    (
        re.compile(r"(?<=\b[a-zA-Z])[₀-₉]+"),
        lambda found, numerals: None if found.string[found.start() - 1].isupper() else f" {found[0].translate(_LOWERED)}",
    ),
    (re.compile(r"(?:(?<=\d)|(?<=\b[A-Z]))\*(?=[\s.,;:!?)]|$)"), always(" star")),
    (re.compile(r"\s?‰"), always(" per mille")),
    (re.compile(r"(?<!\w)[*#][\d*#]{1,12}#"), _keys),
    (re.compile(f"(?<![\u0370-\u03ff])[{''.join(_GREEK)}](?![\u0370-\u03ff])"), lambda found, _: f" {_GREEK[found[0]]} "),
    (re.compile(f"[{''.join(_NAMES)}]"), lambda found, _: f" {_NAMES[found[0]]} "),
    (re.compile(r"(?<=\s)@(?=\s)"), always("at")),
    (re.compile(r"(?<=\w)@(?=\w)"), always(" at ")),
    (re.compile(r"\b([A-Z])\u2013([A-Z])\b|\b(A)-(Z)\b"), lambda found, _: f"{found[1] or found[3]} to {found[2] or found[4]}"),
    (re.compile(r"§§\s?"), always("sections ")),
    (re.compile(r"§\s?"), always("section ")),
    (re.compile(r"(?<=[^\W\d_]) / (?=[^\W\d_])"), always(", ")),
    (re.compile(r"(?<=[A-Z])/(?=\d)"), always(" ")),
]
