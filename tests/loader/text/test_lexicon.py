"""loader.text.lexicon: files to entries, entries to a lexicon, and what a lexicon finds and rewrites."""

import re
import sys
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loader.errors import InlineLexiconError, LexiconFileError
from loader.text.lexicon import files
from loader.text.lexicon.entries import (
    MAX_INLINE_ENTRIES,
    Entry,
    find_unknown_symbols,
    fold,
    parse_entry,
    parse_inline_lexicon,
    unknown_symbols,
)
from loader.text.lexicon.files import read_lexicon
from loader.text.lexicon.lexicon import Lexicon, Pronunciation
from loader.text.normalization.aligned import AlignedText

PLS = """<?xml version="1.0" encoding="UTF-8"?>
<lexicon version="1.0" xmlns="http://www.w3.org/2005/01/pronunciation-lexicon" alphabet="{alphabet}" xml:lang="{language}">
{lexemes}
</lexicon>
"""


def aligned(text):
    return AlignedText.of(text, 0, len(text))


def lexicon_of(*lines):
    """Return a lexicon of lines as in a TSV file."""
    return Lexicon("en").extended(parse_entry(*line.split("\t")) for line in lines)


def apply(lexicon, text):
    return lexicon.apply(aligned(text))[0].text


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="names.tsv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write_file


@pytest.fixture
def write_pls(write):
    def write_file(lexemes, language="en-US", alphabet="ipa"):
        return write(PLS.format(lexemes=lexemes, language=language, alphabet=alphabet), "names.pls")

    return write_file


def problems_of(path, language="en"):
    with pytest.raises(LexiconFileError) as raised:
        read_lexicon(path, language)
    return list(raised.value.problems)


# Files


def test_a_tsv_file_has_a_term_its_respelling_or_phonemes_and_perhaps_its_case(write):
    path = write(
        "\ufeff# names\n\nkubectl\tcube control\r\nNginx \t /ɛndʒɪn ˈɛks/\nNASA\tnassa\tany\n"
        "polish\tpollish\texact\n  # end\n"
    )

    assert [
        Entry("kubectl", "cube control"),
        Entry("Nginx", "", "ɛndʒɪn ˈɛks", is_exact=True),
        Entry("NASA", "nassa"),
        Entry("polish", "pollish", is_exact=True),
    ] == read_lexicon(path, "en")


def test_an_error_lists_every_problem_of_a_tsv_file_by_line(write):
    path = write("one\na\tb\tc\td\n\tx\nx\t/a\ny\t//\nok\tfine\tmaybe\nz\tzed\nZ\tzee\tany\n" + "t" * 101 + "\tlong\n")

    assert [
        "line 1: 'one' has 1 column; write term<TAB>respelling or term<TAB>/ipa/",
        "line 2: 'a\\tb\\tc\\td' has 4 columns; write term<TAB>respelling or term<TAB>/ipa/",
        "line 3: no term; write term<TAB>respelling or term<TAB>/ipa/",
        "line 4: '/a' has one slash or no phonemes; write IPA between two slashes: /ˈaɪ piː eɪ/",
        "line 5: '//' has one slash or no phonemes; write IPA between two slashes: /ˈaɪ piː eɪ/",
        "line 6: the case is 'maybe'; write any or exact, or leave it out",
        "line 8: 'Z' stands on line 7 already; remove one",
        f"line 9: the term '{'t' * 40}'... has 101 characters; at most 100: shorten it",
    ] == problems_of(path)


def test_the_message_begins_with_the_path(write):
    path = write("one\n")

    with pytest.raises(LexiconFileError, match="names.tsv: 1 problem\n  line 1: 'one'"):
        read_lexicon(path, "en")


def test_a_file_in_another_encoding_is_named_by_its_line(write):
    path = write("naïve\tnah eve\ncafé\tkaffay\n".encode("latin-1"))

    assert ["line 1: the byte 0xef is not UTF-8; save the file as UTF-8"] == problems_of(path)


def test_a_character_that_cannot_be_printed_is_named(write):
    (problem,) = problems_of(write("bell\ta\x07b\n"))

    assert "line 1: the respelling 'a\\x07b' has the character U+0007, which cannot be printed; remove it" == problem


def test_a_file_has_a_largest_size_and_largest_numbers_of_entries_and_problems(write, monkeypatch):
    monkeypatch.setattr(files, "MAX_ENTRIES", 2)
    assert ["3 entries; at most 2: split the file"] == problems_of(write("a\tx\nb\tx\nc\tx\n"))
    monkeypatch.setattr(files, "_MAX_PROBLEMS", 2)
    assert 2 == len(problems_of(write("a\nb\nc\n")))
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 10)
    assert ["it has more than 10 bytes, the largest size; split it"] == problems_of(write("a\tx\nb\tx\nc\tx\n"))


def test_a_file_that_is_not_there_or_has_no_known_format_is_an_error(write, tmp_path):
    (missing,), (other,) = problems_of(tmp_path / "no.tsv"), problems_of(write("{}", "names.json"))

    assert "it cannot be read: No such file or directory; check the path and its permissions" == missing
    assert "the name ends in '.json'; name it .tsv or .pls, after its format" == other


def test_a_pls_file_has_aliases_and_phonemes_for_each_grapheme(write_pls):
    path = write_pls("""
        <meta name="author" content="us"/>
        <lexeme><grapheme>W3C</grapheme><alias>World Wide Web Consortium</alias></lexeme>
        <lexeme>
          <grapheme>colour</grapheme><grapheme>Color</grapheme><phoneme>ˈkʌlər</phoneme><example>A colour.</example>
        </lexeme>
    """)

    assert [
        Entry("W3C", "World Wide Web Consortium", is_exact=True),
        Entry("colour", "", "ˈkʌlər"),
        Entry("Color", "", "ˈkʌlər", is_exact=True),
    ] == read_lexicon(path, "en")


def test_the_preferred_way_of_a_lexeme_is_taken_or_the_first_one_in_ipa(write_pls):
    path = write_pls("""
        <lexeme><grapheme>a</grapheme><phoneme>ɐ</phoneme><phoneme prefer="true">eɪ</phoneme></lexeme>
        <lexeme>
          <grapheme>b</grapheme><phoneme alphabet="x-sampa">bi:</phoneme><phoneme>biː</phoneme><alias>bee</alias>
        </lexeme>
    """)

    assert ["eɪ", "biː"] == [entry.phonemes for entry in read_lexicon(path, "en")]


def test_an_error_lists_every_problem_of_a_pls_file_by_line(write_pls):
    path = write_pls(
        "<lexeme><alias>x</alias></lexeme>\n<lexeme><grapheme>b</grapheme></lexeme>\n"
        "<lexeme><grapheme>c</grapheme><phoneme>si:</phoneme></lexeme>\n"
        "<lexeme><grapheme>d</grapheme>\n<alias> </alias></lexeme>\n"
        "<lexeme><grapheme>e</grapheme><alias>x</alias></lexeme>"
        "<lexeme><grapheme>E</grapheme><grapheme>e</grapheme><alias>x</alias></lexeme>",
        language="de",
        alphabet="x-sampa",
    )

    assert [
        "line 2: xml:lang is 'de', and the file is configured for 'en'; change one of them",
        "line 3: a lexeme without <grapheme>; add one, or remove the lexeme",
        "line 4: 'b' has no <alias> and no <phoneme> in IPA; add one with alphabet=\"ipa\"",
        "line 5: 'c' has no <alias> and no <phoneme> in IPA (alphabets: 'x-sampa'); add one with alphabet=\"ipa\"",
        "line 6: no respelling; write term<TAB>respelling or term<TAB>/ipa/",
        "line 8: 'e' stands on line 8 already; remove one",
    ] == problems_of(path)


def test_an_entity_or_a_document_type_in_a_pls_file_is_refused(write):
    bomb = '<!DOCTYPE lexicon [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><lexicon>&b;</lexicon>'
    (problem,) = problems_of(write(bomb, "names.pls"))

    assert "line 1: a document type, an entity or an external reference; remove it" == problem


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("<lexicon>\n<lexeme></lexicon>", "line 2: not well-formed XML: mismatched tag; mend it there"),
        ("", "line 1: not well-formed XML: no element found; mend it there"),
        (
            '<?xml version="1.0" encoding="none-such"?><a/>',
            "not readable as XML: unknown encoding: none-such; save the file as UTF-8",
        ),
        (
            '<speak xml:lang="en"/>',
            "line 1: the root is 'speak'; begin with <lexicon xmlns=\"http://www.w3.org/2005/01/pronunciation-lexicon\">",
        ),
    ],
)
def test_what_is_not_pls_is_an_error_with_its_line(write, content, problem):
    assert problem in problems_of(write(content, "names.pls"))


# Entries


def test_a_term_is_cleaned_as_the_text_is():
    assert "file it's" == parse_entry("\ufb01le  it’s", "x").term
    assert "é" == parse_entry("e\u0301", "x").term


def test_phonemes_are_written_in_the_symbols_of_the_voices():
    assert "ˈɡɹiː t͡ʃɔ̃ç".replace("͡", "") == parse_entry("a", "/'gɹi: .t͡ʃɔ̃ç/").phonemes


def test_phonemes_that_a_voice_does_not_have_are_returned_once_and_in_order():
    assert ["ʘ", "ǃ"] == unknown_symbols("aʘ ǃʘb", {"a": 1, "b": 2})
    entries = [parse_entry("click", "/ʘa/"), parse_entry("fine", "/ab/"), parse_entry("word", "ʘ")]
    assert {"click": ["ʘ"]} == find_unknown_symbols(entries, "ab")


def test_an_inline_lexicon_is_checked_as_a_whole():
    assert [Entry("a", "b"), Entry("C", "", "siː", is_exact=True)] == parse_inline_lexicon({"a": "b", "C": "/siː/"})
    with pytest.raises(InlineLexiconError) as raised:
        parse_inline_lexicon({"a": "", "b": "/", "c": "x", "c ": "y", "\ud800": "z"})
    assert 4 == len(raised.value.problems)
    assert "lexicon: 'a': no respelling" in str(raised.value)


def test_an_inline_lexicon_has_a_largest_number_of_entries():
    parse_inline_lexicon({f"term {number}": "x" for number in range(MAX_INLINE_ENTRIES)})
    with pytest.raises(InlineLexiconError, match="201 entries; at most 200"):
        parse_inline_lexicon({f"term {number}": "x" for number in range(MAX_INLINE_ENTRIES + 1)})


def test_the_largest_number_of_entries_can_be_given():
    assert 2 == len(parse_inline_lexicon({"a": "b", "c": "d"}, 2))
    with pytest.raises(InlineLexiconError, match="2 entries; at most 1: send only terms of this text"):
        parse_inline_lexicon({"a": "b", "c": "d"}, 1)


def test_folding_keeps_the_length_of_every_character():
    assert all(1 == len(fold(chr(code))) for code in range(sys.maxunicode + 1))


# Matching


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("SQL and sql, Sql.", "sequel and sequel, sequel."),
        ("SQLite, mySQL, SQL2 and my-SQL", "SQLite, mySQL, SQL2 and my-sequel"),
        ("SQL Server's SQL", "sequel server's sequel"),
        ("C++ is not C", "see plus plus is not see"),
        ("ASP.NET or .net, C++11", "ASP dot net or dot net, see plus plus 11"),
        ("I can, I can't, l'can", "I kann, I can't, l'kann"),
        ("us and US and Us", "us and you ess and Us"),
        ("polish Polish POLISH", "pollish Polish POLISH"),
        ("nasa", "nassa"), ("straße STRASSE", "street STRASSE"), ("ΟΔΟΣ", "odos"), ("İSTANBUL", "istan bull"),
        ("", ""), (" ", " "),
    ],
)  # fmt: skip
def test_the_longest_term_between_word_bounds_is_spoken_in_its_case(text, spoken):
    lexicon = lexicon_of(
        "sql\tsequel", "sql server\tsequel server", "c\tsee", "c++\tsee plus plus", ".net\tdot net", "can\tkann", "US\tyou ess",
        "polish\tpollish\texact", "NASA\tnassa\tany", "straße\tstreet", "οδος\todos", "istanbul\tistan bull",
    )  # fmt: skip

    assert spoken == apply(lexicon, text)


def test_a_term_ends_anywhere_in_scripts_without_spaces_but_not_before_a_mark_of_its_letter():
    lexicon = lexicon_of("重庆\t崇庆", "서울\t소울", "กข\tx", "हिन\ty")

    assert "我在崇庆吃" == apply(lexicon, "我在重庆吃")
    assert "소울은" == apply(lexicon, "서울은")
    assert "กขิ xค" == apply(lexicon, "กขิ กขค")
    assert "हिन्दी y" == apply(lexicon, "हिन्दी हिन")


def test_a_term_in_its_own_case_comes_before_one_in_any_case():
    lexicon = lexicon_of("polish\tpollish", "Polish\tpoe lish")

    assert "pollish poe lish pollish" == apply(lexicon, "polish Polish POLISH")


def test_a_later_table_comes_before_an_earlier_one_for_the_same_term_only():
    configured = lexicon_of("gif\tgiff", "gif file\tgiff file", "API\tay pee eye")
    lexicon = configured.extended(parse_inline_lexicon({"gif": "jiff"}))

    assert "jiff, giff file, ay pee eye" == apply(lexicon, "GIF, gif file, API")
    assert "giff" == apply(configured, "gif")


def test_a_lexicon_yields_its_entries():
    lines = [Entry("a b", "x"), Entry("A B", "y", is_exact=True), Entry("É", "", "eː", is_exact=True)]

    assert lines == sorted(Lexicon("en").extended(lines), key=lines.index)
    assert [] == list(Lexicon("en"))


def test_a_lexicon_for_letters_finds_no_entry_with_phonemes():
    entries = ["SQL\tS Q L", "SQL server\t/ˈsiːkwəl/", "nginx\t/x/", "sql\t/siːkwəl/"]
    lexicon = replace(lexicon_of(*entries), has_phonemes=False)

    assert "The S Q L server nginx sql." == apply(lexicon, "The SQL server nginx sql.")
    assert "The sequel." == apply(lexicon.extended([parse_entry("SQL", "sequel")]), "The SQL.")


def test_half_a_surrogate_pair_in_a_text_stays():
    assert "\ud800 b" == apply(lexicon_of("a\tb"), "\ud800 a")


def test_captions_keep_the_written_words():
    written = "An SQL server or nginx here"
    text, _, respelled = lexicon_of("SQL server\tsequel server", "nginx\tengine x").apply(aligned(written))
    places = [text.written_range(*word.span()) for word in re.finditer(r"\w+", text.text)]

    assert "An sequel server or engine x here" == text.text
    assert ["SQL server", "nginx"] == [written[start:stop] for start, stop in respelled]
    assert ["An", "SQL", "server", "or", "nginx", "nginx", "here"] == [written[start:stop] for start, stop in places]


def test_terms_with_phonemes_stay_in_the_text_and_are_returned_by_their_place_in_the_written_text():
    written = "see  nginx, SQL"
    text = aligned(written).replaced([(3, 5, " ")])
    text, pronounced, respelled = lexicon_of("nginx\t/ɛndʒɪnˈɛks/", "see\tlook at").apply(text)

    assert "look at nginx, SQL" == text.text
    assert [(0, 3)] == respelled
    assert [Pronunciation(5, 10, "ɛndʒɪnˈɛks")] == pronounced
    assert Pronunciation(8, 13, "ɛndʒɪnˈɛks") == pronounced[0].placed_in(text)


def test_a_term_that_was_joined_with_others_has_no_place_of_its_own():
    text, (nginx,), _ = lexicon_of("nginx\t/ɛn/").apply(aligned("an nginx x"))

    assert Pronunciation(3, 8, "ɛn") == nginx.placed_in(text)
    assert Pronunciation(3, 10, "ɛn") == nginx.placed_in(text.replaced([(3, 8, "N G I X")]).replaced([(0, 2, "AN")]))
    assert nginx.placed_in(text.replaced([(0, 8, "one")])) is None
    assert nginx.placed_in(text.replaced([(3, 8, "")])) is None


LETTERS = "abAB 1'-é重"


@st.composite
def lexicons(draw):
    """Entries, and a text that has many of their terms."""
    terms = draw(st.lists(st.text(LETTERS, min_size=1, max_size=5).filter(str.strip), min_size=1, max_size=12))
    entries = []
    for term in terms:
        entry = parse_entry(term, draw(st.sampled_from(["x", "x y", "/x/"])), draw(st.sampled_from(["", "any", "exact"])))
        entries += [entry] if entry.key not in {each.key for each in entries} else []
    known, other = st.sampled_from([entry.term for entry in entries]), st.text(LETTERS + ".", max_size=3)
    return entries, draw(st.sampled_from(["", " "])).join(draw(st.lists(st.one_of(known, other), max_size=10)))


def is_bound(text, place):
    """Whether a word begins or ends there: another program for these letters."""
    around = text[max(0, place - 1) : place + 1]
    return not 0 < place < len(text) or "重" in around or not around.isalnum()


def candidates(entries, text, start):
    """Return how far each entry reaches from `start`, by comparison with each of them."""
    for entry in entries:
        part = text[start : start + len(entry.term)]
        if entry.term == part or (not entry.is_exact and entry.term.lower() == part.lower()):
            if is_bound(text, start) and is_bound(text, start + len(part)):
                yield len(part), entry.is_exact, entry


@given(lexicons())
def test_matches_are_those_of_a_comparison_with_every_entry(case):
    entries, text = case
    expected, start = [], 0
    while start < len(text):
        best = max(candidates(entries, text, start), default=None, key=lambda found: found[:2])
        if best:
            expected.append((start, start + best[0], best[2]))
        start += best[0] if best else 1

    assert expected == [(match.start, match.stop, match.entry) for match in Lexicon("en").extended(entries).matches(text)]


@given(lexicons(), st.integers(0, 12))
def test_tables_together_find_the_places_that_one_table_finds(case, cut):
    entries, text = case
    one = Lexicon("en").extended(entries)
    two = Lexicon("en").extended(entries[:cut]).extended(entries[cut:])

    assert [(each.start, each.stop) for each in one.matches(text)] == [(each.start, each.stop) for each in two.matches(text)]


@given(lexicons())
def test_each_written_character_stays_or_belongs_to_the_respelling_of_its_term(case):
    entries, written = case
    lexicon = Lexicon("en").extended(entries)
    text, pronounced, places = lexicon.apply(aligned(written))
    matches = list(lexicon.matches(written))
    respelled = [match for match in matches if match.entry.respelling]
    others = [(match.start, match.stop) for match in matches if match.entry.phonemes]

    assert all(one.stop <= other.start for one, other in pairwise(matches))
    assert others == [(each.start, each.stop) for each in pronounced]
    assert places == [(match.start, match.stop) for match in respelled]
    placed = [each.placed_in(text) for each in pronounced]
    assert [written[start:stop] for start, stop in others] == [text.text[each.start : each.stop] for each in placed]
    stop = 0
    for match in respelled:
        start = text.text.index(match.entry.respelling, stop)
        stop = start + len(match.entry.respelling)
        assert (match.start, match.stop) == text.written_range(start, stop)
    kept = [place for place in range(len(written)) if not any(match.start <= place < match.stop for match in respelled)]
    assert {(place, place + 1) for place in kept} <= set(text.origins)
