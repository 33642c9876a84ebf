"""loader.text.normalization.characters: Unicode as people paste it."""

import pytest

from loader.text.normalization.aligned import AlignedText
from loader.text.normalization.characters import clean_characters


def clean(text):
    return clean_characters(AlignedText.of(text, 0, len(text))).text


@pytest.mark.parametrize(
    ("written", "cleaned"),
    [
        ("The oﬃce is ﬁnal", "The office is final"), ("Ｈｅｌｌｏ １２３", "Hello 123"), ("hel\u200blo wor\u2060ld\ufeff", "hello world"),
        ("soft\u00adhyphen", "softhyphen"), ("cafe\u0301", "café"), ("a\u00a0b\u202fc\u3000d", "a b c d"),
        ("a\fb\u2028c", "a b c"),
        ("Tom &amp; Anna &lt;3 &#39;&#x27;", "Tom & Anna <3 ''"), ("AT&T; R&D", "AT&T; R&D"), ("I’d, we’ll", "I'd, we'll"),
        ("‘quoted’", "‘quoted’"), ("20℃ №5", "20°C №5"), ("𝐇𝐞𝐥𝐥𝐨", "Hello"), ("x² ½ 10³", "x² ½ 10³"), ("Wait…what", "Wait…what"),
        ("你好，世界！", "你好，世界！"), ("می\u200cخواهم", "می\u200cخواهم"), ("a\u200cb", "ab"), ("plain text", "plain text"),
    ],
)  # fmt: skip
def test_characters_become_what_voices_know(written, cleaned):
    assert cleaned == clean(written)


@pytest.mark.parametrize("text", ["&#0;", "&#27;", "&bogus;", "&amp", "&" * 1000])
def test_an_entity_of_a_control_character_and_what_is_none_stay(text):
    assert text == clean(text)
