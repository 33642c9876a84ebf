"""Chinese before its library, wetext: codes, ranges, scores and signs that it leaves as written or reads wrong."""

import re
from collections.abc import Callable

from loader.text.normalization.aligned import AlignedText

_DIGITS = "零一二三四五六七八九"
_NAMED = "邮编|邮政编码|密码|验证码|编号|账号|帐号|卡号|学号|工号|订单号|单号|尾号|区号|代码|房号|车牌号?|身份证号?码?|QQ号?|电话|手机号?|热线|拨打"
_WON = "获胜|战胜|击败|取胜|领先|落后|落败|战平|大胜|险胜|惜败|逆转|输|赢|胜|负|平"
_FRACTIONS = {
    "½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅖": (2, 5), "⅗": (3, 5), "⅘": (4, 5),
    "⅙": (1, 6),
    "⅛": (1, 8), "⅜": (3, 8), "⅝": (5, 8), "⅞": (7, 8),
}  # fmt: skip
_SIGNS = {
    "÷": "除以", "≤": "小于等于", "≥": "大于等于", "<=": "小于等于", ">=": "大于等于", "≠": "不等于", "≈": "约等于", "<": "小于", ">": "大于",
}  # fmt: skip
#: wetext 0.1.8 leaves these as written (2026-11-30).
_UNITS = {
    "W": "瓦", "kW": "千瓦", "kWh": "千瓦时", "V": "伏", "kV": "千伏", "mAh": "毫安时", "Hz": "赫兹", "kHz": "千赫", "MHz": "兆赫",
    "GHz": "吉赫", "dB": "分贝", "mi": "英里", "ft": "英尺", "lb": "磅", "lbs": "磅", "oz": "盎司", "mph": "英里每小时", "kcal": "千卡", "kPa": "千帕",
    "Mbps": "兆比特每秒", "rpm": "转每分",
}  # fmt: skip
_CURRENCIES = {"¥": "元", "￥": "元", "$": "美元", "€": "欧元", "£": "英镑"}
_SITE_MARKS = {".": "点", "@": "艾特", "/": "斜杠", "-": "杠", "_": "下划线", ":": "冒号"}
_SITE = (
    r"(?<![A-Za-z0-9@._-])(?:https?://|"
    r"www\.)?[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}(?:@[A-Za-z0-9-]{1,63})?(?:\.[A-Za-z0-9-]{1,63}){0,5}\.(?:com|cn|org|net|edu|gov|io"
    r"|hk|tw)(?![A-Za-z0-9])(?:/[A-Za-z0-9_./-]*[A-Za-z0-9])?"
)


def _digits(written: str) -> str:
    return "".join(_DIGITS[int(each)] for each in written if each.isascii() and each.isdigit())


def _fraction(found: re.Match[str]) -> str:
    upper, lower = _FRACTIONS[found[0]]
    whole = "又" if found.string[: found.start()][-1:].isdigit() else ""
    return f"{whole}{_DIGITS[lower]}分之{_DIGITS[upper]}"


def _site(found: re.Match[str]) -> str:
    address = found[0].partition("://")[2] or found[0]
    said = "".join(_SITE_MARKS.get(each, each) for each in address)
    return re.sub(r"\d+", lambda digits: _digits(digits[0]), said)


def _version(found: re.Match[str]) -> str | None:
    is_date = re.fullmatch(r"\d{4}\.[01]?\d\.[0-3]?\d", found[0])
    return None if is_date else "点".join(_number(part) for part in found[0].split("."))


def _number(part: str) -> str:
    """Say a number below 100; a longer one, or one that begins with 0, digit by digit."""
    if len(part) != 2 or part[0] == "0":
        return _digits(part)
    tens, ones = int(part[0]), int(part[1])
    return f"{_DIGITS[tens] if tens > 1 else ''}十{_DIGITS[ones] if ones else ''}"


_RULES: list[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str | None]]] = [
    (re.compile(_SITE), _site),
    (re.compile(r"(?<![\d.])\d{1,3}(?:,\d{3})+(?!\d)"), lambda found: found[0].replace(",", "")),
    (
        re.compile(r"(?<![A-Za-z\d.])\d{1,3}(?:\.\d{1,3}){3}(?![A-Za-z\d.])"),
        lambda found: "点".join(map(_digits, found[0].split("."))),
    ),
    (re.compile(r"(?<![\d.])\d{1,4}(?:\.\d{1,4}){2,4}(?![\d.])"), _version),
    # wetext reads `¥1234` as `¥1` and `234` (0.1.8, 2026-11-30).
    (
        re.compile(r"([¥￥$€£])\s?(\d+(?:\.\d+)?)\s?(千万|百万|[万亿]?)(?:元|美元|欧元|英镑)?"),
        lambda found: f"{found[2]}{found[3]}{_CURRENCIES[found[1]]}",
    ),
    # Telephone numbers, cards, codes.
    (re.compile(r"\+(\d{1,3})[ -]?((?:\d{2,11}[ -]?){1,4})(?!\d)"), lambda found: f"加{_digits(found[1])}，{_digits(found[2])}"),
    (
        re.compile(rf"({_NAMED})([:：是为]{{0,2}} ?)(\d{{3,}}(?:[ -]\d{{3,}})*)(?![\d.]|[万亿元个次人])"),
        lambda found: found[1] + found[2] + _digits(found[3]),
    ),
    (
        re.compile(r"(?<![\d.])\d{13,}[Xx]?(?![\d.]|\s?[万亿元个])"),
        lambda found: _digits(found[0]) + ("X" if found[0][-1] in "Xx" else ""),
    ),
    (
        re.compile(r"(?<![\d.-])\d{4}(?:[ -]\d{4}){3}(?![\d-])"),
        lambda found: "，".join(map(_digits, re.findall(r"\d+", found[0]))),
    ),
    (
        re.compile(r"(?<![A-Za-z])([A-Z]{1,3})[ -]?(\d{3,6})(?![\d.A-Za-z]|[元万亿个人])"),
        lambda found: found[1] + _digits(found[2]),
    ),
    (re.compile(r"(?<=[A-Za-z])-(?=\d)"), ""),
    (re.compile(r"(?<![\d.])(\d{3,4})(?=室|房间|号房|教室|次列车|次航班|路公交)"), lambda found: _digits(found[1])),
    (re.compile(r"(?<!\d)2(?=单元|号|楼|层|级|班|路)"), "二"),
    (re.compile(r"(?<![\d.])([0-9]0)(?=后)"), lambda found: _digits(found[1])),
    # Ranges and scores.
    (
        re.compile(rf"(?<![\d.-])(\d{{1,3}})\s?[-–—:：]\s?(\d{{1,3}})(?=(?:的?比分)?(?:{_WON}))"),
        lambda found: f"{found[1]}比{found[2]}",
    ),
    (re.compile(r"(?<=比分)([是为]?)(\d{1,3})[-–—](\d{1,3})(?![\d-])"), lambda found: f"{found[1]}{found[2]}比{found[3]}"),
    (re.compile(r"(?<![\d.-])(\d+(?:\.\d+)?)%?\s?[-–—～~]\s?(?=\d+(?:\.\d+)?%)"), lambda found: f"{found[1]}%到"),
    (re.compile(r"(?<=\d)(\s?[℃%年月日号点岁元万亿人天周个页章]?)\s?[～~]\s?(?=\d)"), lambda found: f"{found[1]}到"),
    (re.compile(r"(第\d+)([章节页届名条集期]?)[-–—](第?)(?=\d)"), lambda found: f"{found[1]}{found[2]}到{found[3]}"),
    # Signs.
    (re.compile(f"[{''.join(_FRACTIONS)}]"), _fraction),
    (re.compile(r"\s?(<=|>=|[÷≤≥≠≈<>])\s?(?=\d)"), lambda found: _SIGNS[found[1]]),
    (re.compile(r"(?<=[A-Za-z])\s?=\s?"), "等于"),
    (re.compile(r"(?<=[A-Za-z)])(?<![\dkcdm]m)[²³]"), lambda found: "的平方" if found[0] == "²" else "的立方"),
    (
        re.compile(rf"(?<=\d)\s?({'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![A-Za-z\d/²³])"),
        lambda found: _UNITS[found[1]],
    ),
    (re.compile(r"\s?&\s?"), "和"),
    (re.compile(r"(\d+(?:\.\d+)?)\s?‰"), lambda found: f"千分之{found[1]}"),
]


def speak_chinese(text: AlignedText) -> AlignedText:
    """Return the text after every rule; numbers that count are left for the library."""
    for pattern, said in _RULES:
        text = text.substituted(pattern, said)
    return text
