"""loader.text.markup.ssml: a subset of SSML 1.1."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loader.errors import MarkupError
from loader.text.markup.script import Mark, Pause, SayAs, Script, Substitution, TextRun
from loader.text.markup.ssml import SsmlLimits, parse_ssml
from tests.loader.text.markup.checks import any_text, assert_each_once, assert_in_order, texts, written

PIECES = [
    "<speak>", "</speak>", "<p>", "</p>", "<s>", "</s>", "<break/>", "<break time='1s'/>", "<sub alias=' two words '>", "</sub>",
    "<phoneme alphabet='ipa' ph='a'>", "</phoneme>", "<say-as interpret-as='date'>", "</say-as>", "<prosody rate='+10%'>",
    "</prosody>", "<mark name='m'/>", "<audio src='x'>", "</audio>", "<x:y xmlns:x='u'>", "</x:y>", "<metadata>", "</metadata>",
    "<!DOCTYPE speak>", "<emphasis>", "</emphasis>", "<voice name='v' foo='1'>", "</voice>",
    "<?xml version='1.0' encoding='utf-16'?>",
]  # fmt: skip


def speak(content):
    return f"<speak>{content}</speak>"


def runs(script):
    return [item for item in script.items if isinstance(item, TextRun)]


def style_of(content):
    (run,) = runs(parse_ssml(speak(content)))
    return run.style


def test_a_document_as_in_the_standard():
    source = """<?xml version="1.0"?>
<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
       xsi:schemaLocation="http://www.w3.org/2001/10/synthesis
                           http://www.w3.org/TR/speech-synthesis11/synthesis.xsd" xml:lang="en-US">
  <p>
    <s>You have 4 new messages.</s>
    <s>The first is from <emphasis>Stephanie</emphasis> Williams.</s>
  </p>
  The end.
</speak>"""
    script = parse_ssml(source)

    assert ["|You have 4 new messages.", "|The first is from Stephanie Williams.", "|The end."] == texts(script)
    assert {"en-US"} == {run.style.language for run in runs(script)}
    assert ("emphasis",) == script.ignored


def test_each_character_knows_its_place_in_the_source():
    source = speak("A\U0001f600 &amp;\r\n  &#65;<![CDATA[&#65;<]]>é")

    assert ["|A\U0001f600 & A&#65;<é"] == texts(parse_ssml(source))
    parts = ["A", "\U0001f600", " ", "&amp;", "\r\n", "&#65;", "&", "#", "6", "5", ";", "<", "é"]
    assert parts == written(parse_ssml(source), source)


def test_a_substitute_stands_for_the_whole_written_word():
    source = speak("the<sub alias='World Wide Web'> WWW </sub>now")
    script = parse_ssml(source)

    substitute = script.items[1]
    assert ["|the ", " now"] == texts(script)
    assert ("WWW", "World Wide Web", "WWW") == (substitute.written, substitute.alias, source[slice(*substitute.origin)])


def test_phonemes_keep_their_written_word():
    source = speak("Say <phoneme alphabet='ipa' ph='təˈmɑːtoʊ'>tomato</phoneme>.")
    first, phonemes, last = parse_ssml(source).items

    assert isinstance(phonemes, Substitution)
    assert ("təˈmɑːtoʊ", "tomato", "tomato") == (phonemes.ipa, phonemes.written, source[slice(*phonemes.origin)])
    assert (False, False) == (phonemes.begins_sentence, last.begins_sentence)


@pytest.mark.parametrize(
    ("tag", "pauses"),
    [
        ("<break/>", [Pause(0.5, 8)]), ("<break strength='x-strong'/>", [Pause(1.5, 8)]), ("<break strength='none'/>", []),
        ("<break time='300ms' strength='strong'/>", [Pause(0.3, 8)]),
    ],
)  # fmt: skip
def test_breaks_are_pauses_inside_a_sentence(tag, pauses):
    script = parse_ssml(speak(f"a{tag}b"))

    assert pauses == [item for item in script.items if isinstance(item, Pause)]
    assert (["|a", "b"] if pauses else ["|ab"]) == texts(script)


def test_marks_have_their_names_in_order():
    script = parse_ssml(speak("<mark name='one'/>a <mark name='two'/>b"))

    assert [Mark("one", 7), Mark("two", 27)] == [item for item in script.items if isinstance(item, Mark)]


def test_prosody_within_prosody_changes_the_outer_one():
    style = style_of("<prosody rate='80%' volume='-6dB'><prosody rate='+50%' pitch='+12st'>a</prosody></prosody>")

    assert (1.2, 0.501, 2) == pytest.approx((style.rate, style.volume, style.pitch), abs=0.001)


def test_a_style_ends_with_its_tag():
    first, second = runs(parse_ssml(speak("<voice name='ann'><lang xml:lang='fr'>oui</lang></voice> yes")))

    assert ("ann", "fr", None, None) == (first.style.voice, first.style.language, second.style.voice, second.style.language)


@pytest.mark.parametrize("kind", ["characters", "digits", "cardinal", "ordinal", "date", "time", "telephone"])
def test_say_as_is_part_of_the_style(kind):
    assert SayAs(kind, "mdy") == style_of(f"<say-as interpret-as='{kind}' format='mdy'>1</say-as>").say_as


def test_two_numbers_in_tags_of_their_own_stay_two():
    tag = "<say-as interpret-as='cardinal'>{}</say-as>"

    assert ["|1", "2"] == texts(parse_ssml(speak(tag.format(1) + tag.format(2))))


REFUSED = [
    (speak("\n é<foo>x</foo>"), "line 2, column 3: <foo> is not supported; remove it"),
    (speak("<p\n foo='1'>x</p>"), "line 2, column 2: <p> has no attribute 'foo' here; it has xml:lang"),
    (speak("<audio src='http://x'>x</audio>"), "line 1, column 8: <audio> is not supported"),
    (speak("<break time='1'/>x"), "line 1, column 15: <break> has time='1'; write a duration such as 800ms"),
    (speak("<phoneme alphabet='x-sampa' ph='a'>x</phoneme>"), 'line 1, column 17: only IPA is supported; write alphabet="ipa"'),
    (speak("<say-as interpret-as='currency'>x</say-as>"), "has interpret-as='currency'; write one of characters, digits"),
    (speak("<voice>x</voice>"), '<voice> needs name="..."'), (speak("<sub alias=' '>x</sub>"), "write a value that is not blank"),
    (speak("<prosody pitch='200Hz'>x</prosody>"), "<prosody> has pitch='200Hz'; write one of x-low"),
    (speak("<prosody contour='(0%,+20Hz)'>x</prosody>"), "it has rate, volume, pitch"),
    (speak("<m:express-as xmlns:m='http://www.w3.org/2001/mstts'>x</m:express-as>"), "<mstts:express-as> is not supported"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "message"), REFUSED)
def test_what_is_unknown_is_refused_with_its_place(source, message):
    with pytest.raises(MarkupError) as caught:
        parse_ssml(source)
    assert message in str(caught.value)


@pytest.mark.parametrize("source", [source for source, _ in REFUSED])
def test_what_is_unknown_is_dropped_and_named_if_lenient(source):
    script = parse_ssml(source, lenient=True)

    assert "x" in texts(script)[0]
    assert 1 == len(script.ignored)


def test_the_content_of_metadata_is_never_spoken():
    script = parse_ssml(speak("a<metadata>no <p>no <foo/></p></metadata> b"), lenient=True)

    assert (["|a b"], ("metadata",)) == (texts(script), script.ignored)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "line 1, column 1: not well formed (no element found); write <speak>"),
        ("Hello", "line 1, column 1: not well formed"),
        ("<p>x</p>", "<p> cannot be the root"), (speak("<speak/>"), "<speak> cannot be inside another tag"),
        (speak("\na & b"), "line 2, column 4: not well formed (not well-formed (invalid token)); write & as &amp;"),
        (speak("a&nbsp;b"), "(undefined entity); write the character itself or its number, such as &#160;"),
        (speak("<p>x"), "(mismatched tag); close the tag that was opened last"),
        ("<!DOCTYPE speak>" + speak("x"), "document types and entities are refused; remove <!DOCTYPE>"),
        ("<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]>" + speak("&x;"), "entities are refused"),
        (speak("<break>x</break>"), "<break> has text in it"), (speak("<break><p/></break>"), "<p> cannot be inside <break>"),
        (speak("<sub alias='x'><break/></sub>"), "<break> cannot be inside <sub>; write text only there"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("lenient", [False, True])
def test_what_is_no_ssml_is_an_error_even_if_lenient(source, message, lenient):
    with pytest.raises(MarkupError) as caught:
        parse_ssml(source, lenient=lenient)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("limits", "content", "message"),
    [
        (SsmlLimits(depth=3), "<p><s><lang xml:lang='en'>x</lang></s></p>", "tags nest deeper than 3"),
        (SsmlLimits(source_bytes=20), "é" * 3, "21 bytes exceed 20"),
        (SsmlLimits(elements=3), "<s/>" * 3, "line 1, column 16: more than 3 tags"),
        (SsmlLimits(silence_s=1), "<break/>" * 3, "line 1, column 24: pauses of 1.5 s together exceed 1 s"),
    ],
)  # fmt: skip
def test_each_bound_is_an_error_above_it_alone(limits, content, message):
    with pytest.raises(MarkupError) as caught:
        parse_ssml(speak(content), limits, lenient=True)
    assert message in str(caught.value)
    assert isinstance(parse_ssml(speak(content)), Script)


@pytest.mark.parametrize(
    "source",
    [
        "<speak>" * 2_857, "<" * 20_000, speak("<p>" * 2_850 + "</p>" * 2_850), speak("&amp;" * 3_990), speak("&#65;" * 3_990),
        speak("<p " + " ".join(f"a{number}='1'" for number in range(1_900)) + "/>"), speak("<![CDATA[&]]>" * 1_500),
        "<!DOCTYPE x [" + "".join(f"<!ENTITY a{number} '&a{number - 1};'>" for number in range(1, 700)) + "]><speak/>",
    ],
    ids=["open", "angles", "nested", "entities", "references", "attributes", "sections", "expansion"],
)  # fmt: skip
def test_attacks_of_20_000_characters_end(source):
    limits = SsmlLimits(depth=10_000, elements=10_000)
    try:
        assert_in_order(parse_ssml(source, limits, lenient=True), source)
    except MarkupError as error:
        assert len(str(error)) < 500


@settings(max_examples=300, deadline=None)
@given(any_text(PIECES) | any_text(PIECES).map(speak), st.booleans())
@example(speak("a<sub alias='x'> </sub>b"), False)
@example(speak("<phoneme ph='x'/>"), False)
def test_any_text_gives_a_script_or_the_documented_error(source, lenient):
    try:
        script = parse_ssml(source, lenient=lenient)
    except MarkupError as error:
        assert 1 <= error.line and 1 <= error.column and str(error).startswith("line ")
        return
    assert_in_order(script, source)
    assert_each_once(script, source)


ELEMENTS = st.recursive(
    st.text("qz é\U0001f600\n", max_size=6)
    | st.sampled_from(["&amp;", "&#233;", "<break/>", "<mark name='m'/>", "<sub alias='c d'> e </sub>", "<![CDATA[&<]]>"]),
    lambda inner: st.tuples(st.sampled_from(["p", "s", "emphasis", "lang xml:lang='fr'"]), st.lists(inner, max_size=4)).map(
        lambda parts: f"<{parts[0]}>{''.join(parts[1])}</{parts[0].split()[0]}>"
    ),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(ELEMENTS.map(speak))
def test_every_word_of_a_document_comes_out_once_and_in_order(source):
    script = parse_ssml(source)

    assert_in_order(script, source)
    for run in runs(script):
        for character, (start, stop) in zip(run.text, run.origins, strict=True):
            as_written = source[start:stop]
            assert character == as_written or as_written in ("&amp;", "&#233;", "e") or as_written.isspace()
    heard = "".join(run.text for run in runs(script))
    assert source.count("q") == heard.count("q")
