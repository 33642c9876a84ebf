"""loader.text.passages: a script as texts of sentences, with what its markup says of their ranges."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.text.markup.markdown import parse_markdown
from loader.text.markup.script import SayAs, Script, Style, TextRun, parse_plain
from loader.text.markup.ssml import parse_ssml
from loader.text.passages import Change, Passage, join_surrogates, passages_of


def passages(content):
    return list(passages_of(content))


def ssml(content):
    return passages(parse_ssml(f"<speak>{content}</speak>"))


def cuts(passage):
    return [passage.text[cut.start : cut.stop] for cut in passage.cuts()]


def test_plain_text_is_one_passage_without_markup():
    assert [Passage("One. Two.\n\nThree")] == passages("One. Two.\n\nThree")


def test_a_sentence_of_markup_is_a_passage():
    found = passages(parse_markdown("# Title\n\nOne. Two.\n\n- first\n- second"))

    assert ["Title", "One. Two.", "first", "second"] == [each.text for each in found]


def test_runs_of_one_sentence_are_one_passage():
    (passage,) = ssml("Fast <prosody rate='200%'>and</prosody> <prosody volume='50%'>soft</prosody>, then.")

    assert "Fast and soft, then." == passage.text
    assert [(0, 1.0, 1.0), (5, 2.0, 1.0), (8, 1.0, 1.0), (9, 1.0, 0.5), (13, 1.0, 1.0)] == [
        (place, style.rate, style.volume) for place, style in passage.styles
    ]
    assert ["Fast ", "and", " ", "soft,", " then."] == cuts(passage)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("<prosody rate='50%'>a</prosody>.", ["a."]),
        ("“<prosody rate='50%'>a</prosody>!” b", ["“", "a!”", " b"]),
        ("a <prosody rate='50%'>b</prosody>.5", ["a ", "b", ".5"]),
        ("a<break/>, b", ["a,", " b"]),
        ("a<break/>.", ["a", "."]),
        ("<prosody rate='50%'>a</prosody><sub alias='point'>.</sub>", ["a", "."]),
        ("<prosody pitch='high'>a</prosody> b", ["a b"]),
        ("<prosody rate='50%'>a</prosody> (b)", ["a", " (b)"]),
    ],
)
def test_marks_belong_to_the_text_before_them(content, parts):
    """By themselves they have no sound, and captions would lose them."""
    (passage,) = ssml(content)

    assert parts == cuts(passage)


def test_substitutions_and_say_as_are_changes_of_one_style():
    date = "<say-as interpret-as='date' format='ymd'>d</say-as>"
    (passage,) = ssml(f"A <sub alias='be'>b</sub> <phoneme ph='si'>c</phoneme> {date}.")

    assert "A b c d." == passage.text
    assert [Change(2, 3, "be"), Change(4, 5, phonemes="si"), Change(6, 7, say_as=SayAs("date", "ymd"))] == list(passage.changes)
    assert [(0, Style())] == list(passage.styles)


def test_pauses_and_marks_have_their_place_in_the_text():
    (passage,) = ssml("a<break time='1s'/> b<mark name='m'/> c")

    assert ("a b c", [(1, 1.0)], [(3, "m")]) == (passage.text, list(passage.pauses), list(passage.marks))
    assert ["a", " b c"] == cuts(passage)


def test_pauses_and_marks_after_the_last_text_have_a_passage_of_their_own():
    for source in ("a<break time='1s'/><mark name='m'/>", "<p>a</p><break time='1s'/><mark name='m'/>"):
        first, last = ssml(source)
        assert ("a", [], []) == (first.text, list(first.pauses), list(first.marks))
        assert ("", [(0, 1.0)], [(0, "m")]) == (last.text, list(last.pauses), list(last.marks))


def test_pauses_and_marks_between_sentences_are_before_the_second():
    before, after = ssml("<s>a</s><break time='1s'/><mark name='m'/><s>b</s>")

    assert ("a", []) == (before.text, list(before.pauses))
    assert ("b", [(0, 1.0)], [(0, "m")]) == (after.text, list(after.pauses), list(after.marks))


def test_a_script_without_text_has_no_text():
    assert [] == ssml("")
    assert [("", [(0, 1.0)])] == [(each.text, list(each.pauses)) for each in ssml("<break time='1s'/>")]


def test_entities_are_decoded_once():
    """What markup has decoded is text; plain text has been decoded by nobody."""
    scripts = parse_ssml("<speak>&amp;lt;</speak>"), parse_markdown("&amp;lt;"), parse_plain("&lt;[pause:1s]a", pauses=True)

    assert [True, True, False] == [passages(script)[0].is_decoded for script in scripts]
    assert not passages("&lt;")[0].is_decoded
    assert passages(parse_markdown("a b"))[0].part(0, 1, 0).is_decoded


def test_a_part_keeps_what_is_in_it():
    passage = Passage(
        "abcdefgh", ((0, Style()), (3, Style(rate=2.0)), (6, Style())), [Change(1, 2, "x"), Change(4, 5, "y"), Change(5, 7, "z")],
        [(1, 1.0), (3, 2.0), (6, 3.0)], [(2, "a"), (5, "b"), (8, "c")],
    )  # fmt: skip
    part = passage.part(3, 6, 2)

    assert ("def", [(0, Style(rate=2.0))]) == (part.text, list(part.styles))
    assert [Change(1, 2, "y")] == list(part.changes)
    # What stands between the part before and this one is at its beginning.
    assert ([(0, 2.0)], [(0, "a"), (2, "b")]) == (list(part.pauses), list(part.marks))


def test_a_part_within_a_style_has_it():
    passage = Passage("abcdef", ((0, Style()), (1, Style(rate=2.0))))

    assert [(0, Style(rate=2.0))] == list(passage.part(3, 5, 3).styles)


@given(st.text("ab \ud83d\ude00", max_size=20))
def test_halves_of_characters_are_joined_or_dropped(text):
    joined = join_surrogates(text)

    joined.encode()
    assert text.replace("\ud83d", "").replace("\ude00", "") == joined.replace("\U0001f600", "")


PARTS = ["a", " b", "<break time='1s'/>", "<mark name='m'/>", "<s>c</s>", "<prosody rate='50%'>d</prosody>"]


@given(st.lists(st.sampled_from(PARTS)))
def test_nothing_of_a_script_is_lost(parts):
    script = parse_ssml(f"<speak>{''.join(parts)}</speak>")
    found = passages(script)

    assert "".join(item.text for item in script.items if isinstance(item, TextRun)) == "".join(each.text for each in found)
    assert parts.count("<break time='1s'/>") == sum(len(each.pauses) for each in found)
    assert parts.count("<mark name='m'/>") == sum(len(each.marks) for each in found)
    for each in found:
        assert each.text == "".join(cuts(each))
        assert sum(pause_s for _place, pause_s in each.pauses) == sum(cut.pause_s for cut in each.cuts())
        assert all(0 <= place <= len(each.text) for place, _ in (*each.pauses, *each.marks))


@pytest.mark.parametrize("content", [Script(()), parse_markdown(""), parse_markdown("---")])
def test_an_empty_script_has_no_passage(content):
    assert [] == passages(content)
