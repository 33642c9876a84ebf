"""loader.voices.pieces: the parts of a text in the order in which they are spoken."""

import numpy as np
import pytest

from loader.engines.base import Plan
from loader.text.lexicon.entries import parse_inline_lexicon
from loader.text.lexicon.lexicon import Lexicon
from loader.text.markup.markdown import parse_markdown
from loader.text.markup.ssml import SsmlLimits, parse_ssml
from loader.voices.pieces import Reader, Waiting, amplified


def pieces(content, normalizes=True, **reader):
    script = parse_ssml(f"<speak>{content}</speak>") if "<" in content else content
    return list(Reader("en", normalizes, **reader).pieces(script))


def spoken(content, **reader):
    return [piece.spoken.text.text.strip() for piece in pieces(content, **reader)]


def test_plain_text_is_a_piece_a_sentence():
    assert ["It costs three dollars.", "Really?"] == spoken("It costs $3. Really?")
    assert [True, True] == [piece.begins_sentence for piece in pieces("It costs $3. Really?")]


def test_text_is_read_as_written_if_it_is_not_normalized():
    assert ["It costs $3."] == spoken("It costs $3.", normalizes=False)


def test_markup_counts_in_a_text_that_is_not_normalized():
    assert ["World Wide Web $3"] == spoken("<sub alias='World Wide Web'>W3</sub> $3", normalizes=False)
    assert ["one two $3"] == spoken("<say-as interpret-as='digits'>12</say-as> $3", normalizes=False)


def test_a_sentence_is_cut_at_pauses_and_changes_of_style():
    found = pieces("Wait <break time='1s'/> for <prosody rate='200%'>it</prosody>. Now.")

    assert ["Wait", "for", "it.", "Now."] == [piece.spoken.text.text.strip() for piece in found]
    assert [0.0, 1.0, 0.0, 0.0] == [piece.pause_s for piece in found]
    assert [1.0, 1.0, 2.0, 1.0] == [piece.style.rate for piece in found]
    assert [True, False, False, True] == [piece.begins_sentence for piece in found]
    assert {"Wait for it."} == {piece.written for piece in found[:3]}


def test_a_paragraph_ends_a_sentence_without_a_mark():
    assert ["One", "two"] == spoken("<p>One</p><p>two</p>")
    assert ["One", "two"] == [each.spoken.text.text for each in Reader("en", True).pieces(parse_markdown("# One\n\ntwo"))]


def test_pauses_in_succession_are_one():
    assert [0.0, 3.0] == [piece.pause_s for piece in pieces("a<break time='1s'/><break time='2s'/>b")]


def test_a_mark_belongs_to_the_piece_that_it_stands_in():
    found = pieces("<mark name='first'/>one <mark name='second'/>two<break/>three <mark name='third'/>")

    assert [["first", "second"], [], ["third"]] == [[name for _place, name in piece.marks] for piece in found]
    assert [0, 4] == [place for place, _name in found[0].marks]


def test_the_piece_after_the_last_text_has_no_text():
    *_, last = pieces("One.<break time='2s'/><mark name='end'/>")

    assert ("", "", 2.0, [(0, "end")]) == (last.written, last.spoken.text.text, last.pause_s, list(last.marks))
    assert last.begins_sentence


def test_given_phonemes_have_their_range():
    (piece,) = pieces("Say <phoneme ph='təˈmɑːtoʊ'>tomato</phoneme> 3 times.")

    assert "Say tomato three times." == piece.spoken.text.text
    assert [(4, 10, "təˈmɑːtoʊ")] == [(each.start, each.stop, each.phonemes) for each in piece.spoken.given]


def test_markup_takes_precedence_over_a_lexicon():
    lexicon = Lexicon("en").extended(tuple(parse_inline_lexicon({"SQL": "sequel", "W3C": "wrong", "tomato": "/x/"})))
    source = "SQL, <sub alias='Web'>W3C</sub>, <phoneme ph='a'>tomato</phoneme>."
    (piece,) = pieces(source, lexicon_of=lambda language: lexicon)

    assert "sequel, Web, tomato." == piece.spoken.text.text
    assert ["a"] == [each.phonemes for each in piece.spoken.given]


@pytest.mark.parametrize(
    ("source", "said"),
    [("&amp;lt;", "and lt"), ("&amp;amp;", "and amp"), ("&lt;", "less than"), ("1 &lt; 2 &amp; 3", "one less than two and three"),
     ("&#38;euro;5", "and euro")],
)  # fmt: skip
def test_an_entity_of_ssml_is_decoded_once(source, said):
    (piece,) = pieces(f"<s>x {source} y</s>")

    assert said in " ".join(piece.spoken.text.text.replace(";", "").split())


@pytest.mark.parametrize("language", ["de", "DE", "de-AT", "De_ch"])
def test_a_text_in_another_language_is_normalized_in_it(language):
    assert ["It costs", "drei Euro", "or more."] == spoken(f"It costs <lang xml:lang='{language}'>3 €</lang> or more.")


def test_an_entity_of_plain_text_is_decoded():
    assert ["x and y"] == spoken("x &amp; y")
    assert "&lt;" not in spoken("x &lt; y")[0]


def test_an_entity_of_markdown_is_decoded_once():
    (piece,) = Reader("en", True).pieces(parse_markdown("x &amp;amp; y"))

    assert "x and amp" in piece.spoken.text.text.replace(";", "")


@pytest.mark.parametrize("alias", ["3 kg, " * 2_000, "Some words. " * 1_000, "1" * 20_000, "a.b@c " * 3_000])
def test_a_long_alias_is_normalized_part_by_part(alias):
    (piece,) = pieces(f"<sub alias='{alias}'>x</sub>")

    assert not any(character.isdigit() for character in piece.spoken.text.text)
    assert {(0, 1)} == set(piece.spoken.text.origins)


@pytest.mark.parametrize(
    "part",
    ["a<break/> ", "a <mark name='m'/>", "<prosody rate='50%'>a</prosody> b ", "<sub alias='x'>a</sub> ", "<s>a</s><break/>",
     "<say-as interpret-as='digits'>1</say-as> ", "<phoneme ph='a'>b</phoneme>", "<break/>", "<mark name='m'/>"],
)  # fmt: skip
def test_a_script_of_many_tags_is_read_to_its_end(part):
    count = min(2_400, 20_000 // len(part))
    source = part * count
    script = parse_ssml(f"<speak>{source}</speak>", SsmlLimits(silence_s=10_000))
    found = list(Reader("en", True).pieces(script))

    assert 0.5 * source.count("<break/>") == pytest.approx(sum(piece.pause_s for piece in found))
    assert source.count("<mark") == sum(len(piece.marks) for piece in found)


class TestWaiting:
    """What waits for the next sound."""

    @pytest.mark.parametrize(("of_markup_s", "between_s", "made_s"), [(0.2, 0.5, 0.5), (1.0, 0.5, 1.0), (0.0, 0.0, 0.0)])
    def test_the_longer_pause_is_made_between_sentences(self, of_markup_s, between_s, made_s):
        first, *_, second = pieces(f"<s>a</s><break time='{of_markup_s}s'/><s>b</s>")
        waiting = Waiting()
        waiting.add(first, 0.0)
        assert (0, []) == waiting.take(99, 1000)
        waiting.add(second, between_s)

        assert (1000 * made_s, []) == waiting.take(99, 1000)
        assert (0, []) == waiting.take(99, 1000)

    def test_a_piece_without_sound_leaves_its_pause_and_its_marks(self):
        waiting = Waiting()
        for piece in pieces("<break time='1s'/>…<mark name='m'/><break time='1s'/>a"):
            waiting.add(piece, 0.0)

        pause_samples, marks = waiting.take(99, 1000)
        assert (2000, ["m"]) == (pause_samples, [name for _place, name in marks])

    def test_marks_after_the_text_of_a_sound_wait_for_the_next_one(self):
        waiting = Waiting()
        (piece,) = pieces("<mark name='a'/>One, <mark name='b'/>two.")
        waiting.add(piece, 0.0)

        assert [(0, "a")] == waiting.take(5, 1000)[1]
        assert [(5, "b")] == waiting.take(9, 1000)[1]

    def test_a_long_silence_is_made_in_pieces(self):
        waiting = Waiting()
        waiting.pause_s = 3600.0
        segment = waiting.silence(0, "en", 22050)
        sizes = [work().size for work in segment.plan.work]

        assert 3600 * 22050 == sum(sizes) == segment.plan.samples_per_id.sum()
        assert 300_000 > max(sizes)
        assert ("", ()) == (segment.written, segment.reading.ids)


def test_the_samples_of_a_volume_are_within_bounds():
    plan = Plan(np.array([3]), iter([lambda: np.array([0.25, -0.75, 0.0], np.float32)]))
    (work,) = amplified(plan, 2.0).work

    assert [0.5, -1.0, 0.0] == work().tolist()
