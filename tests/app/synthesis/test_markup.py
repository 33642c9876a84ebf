"""app.synthesis.markup: from a request's text to the script that is spoken, within bounds."""

from dataclasses import replace

import pytest

from app.errors import BadRequestError, InvalidMarkupError, SilenceTooLongError, TextTooLongError
from app.synthesis.markup import parse_source, require_voice
from app.synthesis.request import SpeechRequest, require_silence
from loader.config.settings import Limits, Settings, SpeechSettings
from loader.text.markup.script import Pause, Substitution, TextRun
from loader.voices.voice import SpeechOptions

SETTINGS = Settings()
LIMITS = Limits(text_characters=20, markup_bytes=200, markup_depth=3, markup_tags=5, silence_s=10)
BOUNDED = replace(SETTINGS, limits=LIMITS)


def parse(source, text_format=None, ssml=None, settings=SETTINGS):
    return parse_source(source, settings, "input", text_format, ssml)


def texts(script):
    return [item.text for item in script.items if isinstance(item, TextRun)]


def configured(**speech):
    return replace(SETTINGS, speech=replace(SpeechSettings(), **speech))


@pytest.mark.parametrize(
    "source", ["Hello.", "a < b", "<b>", "# a *b*", "<speaker>", "<Speak>a</Speak>", "say <speak>a</speak>", "[pause:1s]"]
)
def test_plain_text_has_no_script(source):
    assert parse(source) is None


@pytest.mark.parametrize(
    "source",
    ["<speak>a</speak>", " \n\t<speak>a</speak>", "\ufeff<speak>a</speak>", "<speak version='1.1'>a</speak>",
     "<speak\nxml:lang='en'>a</speak>", "<?xml version='1.0'?><speak>a</speak>",
     '<?xml version="1.0" encoding="UTF-16"?>\n<speak>a</speak>'],
)  # fmt: skip
@pytest.mark.parametrize("text_format", [None, "markdown", "ssml"])
def test_a_text_that_begins_with_speak_is_ssml_in_any_format(source, text_format):
    assert ["a"] == texts(parse(source, text_format))


def test_a_request_may_say_that_it_is_plain():
    assert parse("<speak>a</speak>", "plain") is None


def test_a_configured_plain_format_does_not_say_it_of_a_request():
    assert ["a"] == texts(parse("<speak>a</speak>", settings=configured(text_format="plain")))


def test_the_configuration_has_the_format_of_requests_that_name_none():
    assert ["a b"] == texts(parse("a *b*", settings=configured(text_format="markdown")))
    assert parse("a *b*", "plain", settings=configured(text_format="markdown")) is None
    with pytest.raises(InvalidMarkupError, match="line 1, column 1: "):
        parse("a *b*", settings=configured(text_format="ssml"))


def test_pauses_in_plain_text_are_an_option():
    with_pauses = configured(pauses=True)

    assert [TextRun, Pause, TextRun] == [type(item) for item in parse("a [pause:0.8s] b", settings=with_pauses).items]
    assert [Pause] == [type(item) for item in parse("[pause:800ms]", settings=with_pauses).items]
    assert parse("a b", settings=with_pauses) is None
    assert ["a [pause:1s]"] == texts(parse("a [pause:1s]", "markdown", settings=with_pauses))


def test_an_error_has_its_line_and_its_column():
    with pytest.raises(InvalidMarkupError, match="^input: line 2, column 3: <blink> is not supported; ") as refused:
        parse("<speak>\n  <blink>a</blink></speak>")

    assert ("invalid_markup", 400, "input") == (refused.value.code, refused.value.status, refused.value.parameter)


def test_unknown_tags_are_dropped_and_named_if_wanted():
    source = "<speak>a <blink>b</blink> <emphasis>c</emphasis></speak>"

    for script in (parse(source, ssml="lenient"), parse(source, settings=configured(ssml="lenient"))):
        assert (["a b c"], ("blink", "emphasis")) == (texts(script), tuple(script.ignored))
    with pytest.raises(InvalidMarkupError):
        parse(source, ssml="strict", settings=configured(ssml="lenient"))


def test_tags_without_effect_are_named_in_any_case():
    source = "<speak><emphasis>a</emphasis> <prosody pitch='high' rate='50%'>b</prosody></speak>"

    assert ("emphasis", "prosody pitch") == tuple(parse(source).ignored)


@pytest.mark.parametrize("text_format", ["plain", "markdown", "ssml"])
@pytest.mark.parametrize(
    ("source", "problem"),
    [("", "blank"), (" \n", "blank"), ("a\0", r"U\+0000 at position 1"), ("a\ud800", r"U\+D800 at position 1")],
)
def test_the_characters_of_a_source_are_checked_in_any_format(source, problem, text_format):
    with pytest.raises(BadRequestError, match=problem):
        parse(source, text_format)


def test_the_text_without_its_tags_is_counted():
    assert parse("<speak><s>" + "a" * 20 + "</s></speak>", settings=BOUNDED)
    assert parse("[" + "a" * 20 + "](http://example.org)", "markdown", settings=BOUNDED)
    for source, text_format in (("<speak><s>" + "a" * 21 + "</s></speak>", None), ("*" + "a" * 21 + "*", "markdown")):
        with pytest.raises(TextTooLongError, match="input has 21 characters of text, limit 20"):
            parse(source, text_format, settings=BOUNDED)


@pytest.mark.parametrize("tag", ["sub alias='{}'", "phoneme ph='{}'"])
def test_what_a_substitution_says_is_counted(tag):
    name = tag.split()[0]
    (item,) = parse(f"<speak><{tag.format('x' * 20)}>a</{name}></speak>", settings=BOUNDED).items

    assert isinstance(item, Substitution)
    with pytest.raises(TextTooLongError, match="21 characters of text"):
        parse(f"<speak><{tag.format('x' * 21)}>a</{name}></speak>", settings=BOUNDED)


def test_the_bytes_of_a_source_are_bounded():
    with pytest.raises(TextTooLongError, match="input is 201 bytes of markup, limit 200"):
        parse("<speak>" + " " * 186 + "</speak>", settings=BOUNDED)
    with pytest.raises(TextTooLongError, match="input is 61 characters of Markdown, limit 60"):
        parse("[" * 61, "markdown", settings=BOUNDED)


def test_nesting_and_tags_are_bounded():
    with pytest.raises(InvalidMarkupError, match="column 14: tags nest deeper than 3"):
        parse("<speak><p><s><lang xml:lang='en'>a</lang></s></p></speak>", settings=BOUNDED)
    with pytest.raises(InvalidMarkupError, match="more than 5 tags"):
        parse("<speak>" + "<s>a</s>" * 5 + "</speak>", settings=BOUNDED)


@pytest.mark.parametrize(
    "source",
    [
        '<!DOCTYPE a [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><speak>&c;</speak>',
        '<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><speak>a</speak>',
    ],
)
def test_entities_and_external_references_are_refused(source):
    with pytest.raises(InvalidMarkupError, match="document types and entities are refused"):
        parse(source, "ssml")


ATTACKS = {
    "nested tags": "<speak>" + "<p>" * 6_600, "unclosed": "<speak>" * 2_800, "less-than": "<" * 20_000,
    "entities": "<speak>" + "&amp;" * 3_990, "references": "<speak>" + "&#65;" * 3_990 + "</speak>",
    "open brackets": "[" * 20_000, "images": "![" * 10_000,
    "backticks": "`a" * 10_000, "quotes": "> " * 10_000, "stars": "**a*" * 5_000,
    "table": "|a" * 3_000 + "\n" + "|-" * 3_000 + "\n" + "|b\n" * 2_000,
    "attributes": "<speak><p " + " ".join(f"a{number}='1'" for number in range(1_800)) + "/></speak>",
    "pauses": "[pause:" * 2_850,
    "comments": "<speak>" + "<!---->" * 2_800 + "</speak>", "breaks": "<speak>" + "<break/>" * 2_400 + "</speak>",
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("text_format", ["plain", "markdown", "ssml"])
def test_an_attack_of_20_000_characters_is_parsed_or_refused(attack, text_format):
    for settings in (configured(pauses=True), configured(ssml="lenient")):
        try:
            script = parse(ATTACKS[attack], text_format, settings=settings)
        except (InvalidMarkupError, TextTooLongError) as error:
            assert len(error.message) < 500
        else:
            assert script is None or script.items is not None


def test_another_voice_of_the_server_is_refused_and_a_name_that_nobody_has_is_left_to_the_voice(catalogue):
    voice = catalogue.default

    class Choir:
        """A catalogue of one more voice."""

        def find(self, name):
            return {"joe": voice, "amy": object()}.get(name)

    for name in ("joe", "nobody"):
        require_voice(parse(f"<speak><voice name='{name}'>a</voice></speak>"), voice, Choir(), "input")
    require_voice(None, voice, Choir(), "input")
    problem = "<voice> names 'amy', and this request has the voice 'joe'; send the text of each voice by itself"
    with pytest.raises(BadRequestError, match=problem):
        require_voice(parse("<speak>a <voice name='amy'>b</voice></speak>"), voice, Choir(), "input")


@pytest.mark.parametrize(
    ("source", "pause_s", "problem"),
    [
        ("<speak>a<break time='10s'/>b</speak>", 0.45, None),
        ("<speak>a.<break time='10s'/></speak>", 0.45, None),
        ("<speak>a<break time='10.1s'/>b</speak>", 0.0, "1 sentences with pauses of 0 s and pauses of 10.1 s in the markup"),
        ("<speak><break time='11s'/></speak>", 0.45, "pauses of 11 s in the markup"),
        ("<speak><s>a</s><break time='5s'/><s>b</s></speak>", 5.0, None),
        ("<speak><s>a</s><break time='6s'/><s>b</s></speak>", 5.0, "pauses of 5 s and pauses of 6 s in the markup are 11 s"),
        ("<speak>" + "<s>a</s>" * 12 + "</speak>", 1.0, "12 sentences with pauses of 1 s are 11 s of silence, limit 10"),
    ],
)
def test_pauses_of_markup_and_of_sentences_are_bounded_together(catalogue, source, pause_s, problem):
    options = SpeechOptions(9, sentence_pause_s=pause_s)
    request = SpeechRequest(source, catalogue.default, options, "wav", "id-1", script=parse(source))

    if problem is None:
        require_silence(request, LIMITS)
    else:
        with pytest.raises(SilenceTooLongError, match=problem):
            require_silence(request, LIMITS)


def test_the_text_is_spoken_if_there_is_no_script(catalogue):
    plain = SpeechRequest("a", catalogue.default, SpeechOptions(9), "wav", "id-1")
    script = parse("<speak>a</speak>")

    assert "a" == plain.content
    assert script is replace(plain, script=script).content
