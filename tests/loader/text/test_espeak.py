"""loader.text.espeak: phonemes from one library in a process of its own, for many threads and for forked children."""

import collections
import errno
import faulthandler
import gc
import itertools
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from loader.errors import SynthesisError, UnreadableTextError
from loader.text.espeak import Espeak, EspeakError
from loader.text.espeak_library import EspeakLibrary
from loader.text.phonemizers import phonemize_safely
from tests.loader.children import answer_of
from tests.loader.text.corpus import CORPUS
from tests.loader.text.crashing import CRASHING, UNREADABLE
from tests.loader.text.fuzz import outcomes

FUZZED, FUZZED_TEXTS = ("en-us", "de", "hi", "vi", "bn", "pt"), 6_000


def status_of(text, language):
    """Return the exit status of a process that reads `text` with the library itself."""
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        faulthandler.disable()
        library = EspeakLibrary()
        library.select(language)
        library.trace(text.encode())
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_words_become_phonemes(espeak):
    assert "həlˈoʊ wˈɜːld" == espeak.phonemize("Hello world", "en-us")


def test_a_clause_of_weak_words_has_a_stress(espeak):
    assert "ðˈə" == espeak.phonemize("the", "en-us")


def test_a_language_that_is_not_a_voice_name_is_found(espeak):
    assert "bɔ̃ʒˈuʁ" == espeak.phonemize("bonjour", "fr-fr")


def test_every_listed_language_can_be_selected(espeak):
    languages = espeak.languages()

    assert {"en-us", "de", "fr-fr", "es", "it", "pt", "pl", "cmn", "vi"} <= set(languages)
    for language in languages:
        # espeak-ng lists one by a name that it does not accept.
        if language != "chr-US-Qaaa-x-west":
            espeak.select(language)


def test_a_text_has_the_phonemes_of_all_its_clauses(espeak):
    clauses = ["One two.", "Three four!", "Five six?"]

    together = espeak.phonemize("  ".join(clauses), "en-us")

    assert "".join(espeak.phonemize(clause, "en-us") for clause in clauses) == together


@pytest.mark.parametrize("text", ["", " ", "\n", "\0", "\0hidden", "\udc80"])
def test_text_without_letters_has_no_phonemes(espeak, text):
    assert "" == espeak.phonemize(text, "en-us")


def test_language_switches_are_not_in_the_phonemes(espeak):
    assert "(" not in espeak.phonemize("ein Fußball und ein Computer by the way in Москва", "de")


@pytest.mark.parametrize("language", ["xx-none", "", "../../etc/passwd", "é"])
def test_an_unknown_language_is_an_error_that_names_it(espeak, language):
    with pytest.raises(EspeakError, match="phoneme_language") as caught:
        espeak.select(language)

    assert repr(language) in str(caught.value)


def test_an_unknown_language_does_not_affect_the_known_one(espeak):
    before = espeak.phonemize("Hello", "en-us")

    with pytest.raises(EspeakError):
        espeak.phonemize("Hello", "xx-none")

    assert before == espeak.phonemize("Hello", "en-us")


def test_languages_can_alternate(espeak):
    texts = {"en-us": "Hello world", "de": "Guten Morgen", "fr-fr": "Bonjour le monde", "cmn": "你好"}
    alone = {language: espeak.phonemize(text, language) for language, text in texts.items()}

    mixed = [(language, espeak.phonemize(text, language)) for _ in range(10) for language, text in texts.items()]

    assert 4 == len(set(alone.values()))
    assert all(alone[language] == phonemes for language, phonemes in mixed)


# Control sequences: speak punctuation, spell, another voice, another speed; and a full stop that espeak-ng reads ahead.
@pytest.mark.parametrize(
    "text", ["\x01B1 a.", "\x0117Y", "\x01Vfr hello", "\x01-20S", "tau..", "[[", "<say-as>", "\x01"]
)
def test_a_text_does_not_affect_the_next_one(espeak, text):
    sentence = "Well, (this) is U.S.A. no. 12 - 'ok'?"
    before = espeak.phonemize(sentence, "en-us")

    espeak.phonemize(text, "en-us")

    assert before == espeak.phonemize(sentence, "en-us")


def test_control_sequences_in_a_text_have_no_effect(espeak):
    assert espeak.phonemize("a. b", "en-us") == espeak.phonemize("\x01a. b", "en-us")
    assert espeak.phonemize(" B1 a, b", "en-us") == espeak.phonemize("\x01B1 a, b", "en-us")


def test_concurrent_threads_get_the_same_phonemes(espeak):
    tasks = [(text, language) for text, language in itertools.product(CORPUS, ["en-us", "de"])]
    alone = [espeak.phonemize(*task) for task in tasks]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda task: espeak.phonemize(*task), tasks * 3))

    assert alone * 3 == together


def test_a_forked_child_gets_the_same_phonemes():
    answer = answer_of(
        """
        import json, os
        from loader.text.espeak import Espeak
        from tests.loader.text.corpus import CORPUS

        espeak = Espeak()
        espeak.select("en-us")

        def phonemes():
            return json.dumps([espeak.phonemize(text, "en-us") for text in CORPUS])

        children = []
        for _ in range(2):
            read, write = os.pipe()
            if os.fork() == 0:
                os.close(read)
                with os.fdopen(write, "w") as file:
                    file.write(phonemes())
                os._exit(0)
            os.close(write)
            children.append(os.fdopen(read))
        own = phonemes()
        print(json.dumps([child.read() == own for child in children] + [len(own) > 10_000]))
        """
    )

    assert [True, True, True] == answer


def test_opening_starts_no_thread():
    assert 1 == answer_of(
        """
        import os
        from loader.text.espeak import Espeak

        Espeak().phonemize("Hello. World.", "en-us")
        print(len(os.listdir("/proc/self/task")))
        """
    )


def test_a_thousand_texts_do_not_increase_memory():
    grown_kib = answer_of(
        """
        import resource
        from loader.text.espeak import Espeak

        def speak(count):
            for number in range(count):
                espeak.phonemize(f"Text {number}, and more of it. Two.", "en-us")
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        espeak = Espeak()
        before = speak(400)
        print(speak(1_000) - before)
        """
    )

    assert grown_kib < 1024


def test_several_instances_share_one_library_and_its_language():
    first, second = Espeak(), Espeak()
    german = second.phonemize("Guten Morgen", "de")
    english = first.phonemize("Hello", "en-us")

    assert (german, english) == (second.phonemize("Guten Morgen", "de"), first.phonemize("Hello", "en-us"))


def test_an_instance_can_be_deleted_while_another_is_used():
    kept = Espeak()
    before = kept.phonemize("One. Two. Three.", "en-us")
    Espeak().phonemize("Vier", "de")
    gc.collect()

    assert before == kept.phonemize("One. Two. Three.", "en-us")


def test_threads_with_their_own_instances_get_the_same_phonemes(espeak):
    alone = {language: [espeak.phonemize(text, language) for text in CORPUS] for language in ("en-us", "de")}

    def speak(language):
        own = Espeak()
        return alone[language] == [own.phonemize(text, language) for text in CORPUS]

    with ThreadPoolExecutor(8) as pool:
        same = list(pool.map(speak, ["en-us", "de"] * 4))

    assert all(same)


@pytest.mark.parametrize(("text", "language"), CRASHING, ids=lambda value: ascii(value)[:40])
def test_a_text_that_crashes_espeak_is_read_in_parts(espeak, text, language):
    before = espeak.phonemize("1 2 3", language)

    phonemes = espeak.phonemize(text, language)

    assert phonemes or not any(map(str.isalnum, text))
    assert before == espeak.phonemize("1 2 3", language)


@pytest.mark.parametrize(("text", "part", "language"), UNREADABLE, ids=lambda value: ascii(value)[:40])
def test_a_part_that_crashes_espeak_by_itself_is_an_error_that_names_it(espeak, text, part, language):
    with pytest.raises(UnreadableTextError, match="remove it or write it differently") as caught:
        espeak.phonemize(text, language)

    assert repr(part) in str(caught.value) and f"U+{ord(part[0]):04X}" in str(caught.value)
    assert espeak.phonemize("1 2 3", language)


def test_these_texts_crash_the_library_itself(espeak):
    endings = [status_of(text, language) for text, language in CRASHING + [(part, language) for _, part, language in UNREADABLE]]

    assert not [ending for ending in endings if ending not in (-signal.SIGSEGV, -signal.SIGABRT)]


@pytest.mark.parametrize(("unit", "language", "sound"), [("w", "en-us", "dʌbəljuː"), ("9", "en-us", "naɪn"), ("щ", "ru", "ɕ")])
def test_a_long_word_is_read_completely(espeak, unit, language, sound):
    phonemes = espeak.phonemize(unit * 100, language)

    assert 100 == phonemes.replace("ˈ", "").replace("ˌ", "").count(sound)


@pytest.mark.parametrize(
    ("text", "language", "sound", "times"),
    [
        ("7 " * 150, "en-us", "sˈɛvən", 150), ("ՠ" * 46 + " auto" * 6, "en-us", "ɔː", 6),
        ("한" * 150, "ko", "h", 150), ("中" * 150, "en-us", "tʃ", 150),
    ],
)
def test_a_long_clause_is_read_completely(espeak, text, language, sound, times):
    assert times <= espeak.phonemize(text, language).count(sound)


def test_without_a_reader_process_text_is_an_error_and_is_not_dropped(espeak, monkeypatch):
    def no_fork():
        raise OSError(errno.EAGAIN, "no process")

    espeak.stop()
    monkeypatch.setattr(os, "fork", no_fork)
    with pytest.raises(SynthesisError, match="no process"):
        phonemize_safely(_EspeakPhonemizer(espeak), "Hello there, you.")
    monkeypatch.undo()

    assert "həlˈoʊ" == espeak.phonemize("Hello", "en-us")


class _EspeakPhonemizer:
    """A phonemizer that uses espeak-ng."""

    def __init__(self, espeak):
        self._espeak = espeak

    def phonemize(self, text):
        return self._espeak.phonemize(text, "en-us")


@pytest.mark.parametrize("language", ["vi", "vi-vn-x-central", "vi-vn-x-south"])
def test_vietnamese_is_read(espeak, language):
    assert 3 <= len(espeak.phonemize("Xin chào các bạn", language).split())


def test_random_texts_are_read_or_refused_and_crash_nothing(espeak):
    """60 s on a quiet machine; `python -m tests.loader.text.fuzz` runs more texts."""
    counts = collections.Counter(
        outcome for language in FUZZED for _, outcome in outcomes(espeak, language, range(FUZZED_TEXTS), seed=20261130)
    )

    assert FUZZED_TEXTS * len(FUZZED) == sum(counts.values())
    # The random texts contain some that would have crashed a worker.
    assert sum(count for outcome, count in counts.items() if outcome != "read") > 5
    assert counts["read"] > 0.99 * sum(counts.values())
    assert "həlˈoʊ" == espeak.phonemize("Hello", "en-us")


DEEP = """
    import json, os, sys
    from pathlib import Path
    import espeakng_loader
    from loader.text import espeak_library
    folder = Path(sys.argv[1])
    folder.mkdir()
    os.symlink(espeakng_loader.get_data_path(), folder / "espeak-ng-data")
    espeakng_loader.get_data_path = lambda: str(folder / "espeak-ng-data")
    if sys.argv[2] == "no /proc":
        os.path.isdir = lambda path: False
    from loader.text.espeak import Espeak, EspeakError
    try:
        espeak = Espeak()
        here = espeak.phonemize("Hello world.", "en-us"), espeak.phonemize("Guten Tag.", "de")
        espeak.stop()
        reading, writing = os.pipe()
        if os.fork() == 0:
            there = espeak.phonemize("Hello world.", "en-us"), espeak.phonemize("Guten Tag.", "de")
            os.write(writing, json.dumps(there).encode())
            espeak.stop()
            os._exit(0)
        os.wait()
        print(json.dumps([here, json.loads(os.read(reading, 9999))]))
    except EspeakError as error:
        print(json.dumps(str(error)))
"""


def test_data_under_a_path_that_is_too_long_for_the_library_is_read(espeak, tmp_path):
    expected = [espeak.phonemize("Hello world.", "en-us"), espeak.phonemize("Guten Tag.", "de")]

    shortest = len(os.fsencode(tmp_path / "espeak-ng-data")) + 1
    for length in (158, 159, 160, 161, 200):
        name = "x" * max(1, length - shortest)
        assert [expected, expected] == answer_of(DEEP, tmp_path / name, ""), length
    assert [expected, expected] == answer_of(DEEP, tmp_path / ("ü" * 100), "")


def test_a_path_that_cannot_be_shortened_is_an_error_that_says_so(tmp_path):
    error = answer_of(DEEP, tmp_path / ("x" * 200), "no /proc")

    assert "the path of espeak-ng's data has " in error and "the library takes 159" in error
    assert error.endswith("install the packages under a shorter path, or mount /proc")
