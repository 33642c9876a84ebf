"""loader.voices.catalog: resolving voices by name and language, and when a voice is opened."""

import contextlib
import gc
import os
import re
import shutil
import subprocess
import sys
import threading
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from loader.artifacts.artifact import open_artifact
from loader.artifacts.resolve import locate_all
from loader.config.settings import load_settings
from loader.errors import IntegrityError, SynthesisError, UnknownLanguageError, UnknownSpeakerError, UnknownVoiceError
from loader.text.espeak import Espeak
from loader.voices import opening as opening_module
from loader.voices.catalog import check_voice, open_catalog
from loader.voices.opening import open_parts
from loader.voices.parts import VoiceParts
from loader.voices.voice import SpeechOptions, Voice
from tests.conftest import CACHE
from tests.support.checkpoints import LANGUAGES

SENTENCES = "The first sentence is spoken. The second sentence follows it. And here is a third one."


@pytest.fixture(scope="module")
def config(embedded_artifact, artifact_of, tmp_path_factory):
    """Three voices: English with espeak, English with a configured language, and three speakers of three languages."""
    path = tmp_path_factory.mktemp("voices") / "tts_config.yaml"
    voices = [
        {"name": "joe", "model_path": str(embedded_artifact), "aliases": ["alloy", "nova"]},
        {"name": "robot", "model_path": str(artifact_of("graphemes")), "language": "eo"},
        {"name": "choir", "model_path": str(artifact_of("languages")), "speaker": "Ada", "language": "fr-fr"},
    ]
    path.write_text(yaml.safe_dump({"voices": voices, "cache_dir": str(CACHE)}))
    return path


@pytest.fixture
def catalogue(config):
    settings = load_settings(config)
    return open_catalog(settings, locate_all(settings))


def spoken(voice, text="Hello there.", **options):
    return np.concatenate(list(voice.speak(text, SpeechOptions(**{"seed": 1, **options}))))


@pytest.mark.parametrize("name", ["joe", "alloy", "nova", None, ""])
def test_a_voice_is_resolved_by_name_or_alias_and_the_first_is_the_default(catalogue, name):
    assert "joe" == catalogue.voice(name).name


@pytest.mark.parametrize(
    "language, name",
    [("en-us", "joe"), ("en", "joe"), ("EN-US", "joe"), ("eo", "robot"), ("fr-fr", "choir"), ("fr", "choir"), ("pt-br", "choir")],
)
def test_a_language_alone_selects_the_first_voice_that_speaks_it(catalogue, language, name):
    assert name == catalogue.voice(None, language).name


def test_a_name_has_precedence_over_a_language(catalogue):
    assert "robot" == catalogue.voice("robot", "fr").name


def test_an_unknown_name_is_refused_with_all_names_and_aliases(catalogue):
    with pytest.raises(UnknownVoiceError, match="'nobody'; known voices: alloy, choir, joe, nova, robot") as caught:
        catalogue.voice("nobody")

    assert ("alloy", "choir", "joe", "nova", "robot") == caught.value.known


@pytest.mark.parametrize("language", ["de", "fr-ca", "e", "-"])
def test_a_language_without_a_voice_is_refused_with_all_languages(catalogue, language):
    known = "known languages: en, en-us, eo, fr-fr, pt-br"
    with pytest.raises(UnknownLanguageError, match=re.escape(f"no voice speaks {language!r}; {known}")):
        catalogue.voice(None, language)


def test_the_configuration_renames_an_only_language_and_selects_one_of_several(catalogue):
    _joe, robot, choir = catalogue.voices

    assert (("eo",), "eo") == (robot.languages, robot.language)
    assert (set(LANGUAGES), "fr-fr") == (set(choir.languages), choir.language)


def test_only_the_first_voice_is_open_before_the_first_request(catalogue):
    assert [True, False, False] == [voice.parts.is_open for voice in catalogue.voices]


def test_a_voice_configured_to_be_open_is_opened_at_start(config):
    settings = load_settings(config)
    first, second, third = settings.voices
    settings = replace(settings, voices=(replace(first, preload=False), second, replace(third, preload=True)))

    assert [False, False, True] == [voice.parts.is_open for voice in open_catalog(settings, locate_all(settings)).voices]


def test_an_unknown_default_of_a_voice_is_an_error_at_start(config):
    settings = load_settings(config)
    *others, choir = settings.voices

    with pytest.raises(UnknownSpeakerError, match="voice 'choir' has no speaker named 'Bob'; known speakers: "):
        wrong = replace(settings, voices=(*others, replace(choir, speaker="Bob")))
        open_catalog(wrong, locate_all(wrong))
    with pytest.raises(UnknownLanguageError, match="voice 'choir' does not speak 'de'"):
        wrong = replace(settings, voices=(*others, replace(choir, language="de")))
        open_catalog(wrong, locate_all(wrong))


class Counted:
    """Opens an artifact as the catalogue does, the first time once all threads wait for it, and counts the calls."""

    def __init__(self, artifact, asking):
        self.artifact, self.asking, self.times = artifact, asking, 0

    def __call__(self):
        self.times += 1
        if self.times == 1:
            self.asking.wait()
        return open_parts(self.artifact, Espeak())


def test_many_threads_open_a_voice_once(config, artifact_of):
    """The voice opens only when all threads wait for it."""
    settings, all_asking, samples = load_settings(config), threading.Barrier(9), []
    artifact = open_artifact(artifact_of("languages"))
    opening = Counted(artifact, all_asking)
    voice = Voice(settings.voices[2], settings.speech, artifact.manifest, VoiceParts(opening))

    def ask(begin=lambda: None):
        begin()
        samples.append(spoken(voice).tobytes())

    threads = [threading.Thread(target=ask), *(threading.Thread(target=ask, args=[all_asking.wait]) for _ in range(8))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 1 == opening.times == voice.parts.constructions
    assert (9, 1) == (len(samples), len(set(samples)))


def test_a_voice_counts_one_construction_for_any_number_of_speeches(catalogue):
    joe, robot, _ = catalogue.voices
    before = (joe.parts.constructions, robot.parts.constructions)

    for _ in range(5):
        spoken(joe)
        spoken(robot)

    assert (1, 0) == before
    assert (1, 1) == (joe.parts.constructions, robot.parts.constructions)


def test_two_threads_that_open_a_voice_together_are_counted_twice(catalogue, monkeypatch):
    """Without the lock each thread would find the voice closed and open it."""
    parts, both_in = catalogue.voice("robot").parts, threading.Barrier(2)
    open_parts_now = parts._open_parts
    monkeypatch.setattr(parts, "_opening", contextlib.nullcontext())
    monkeypatch.setattr(parts, "_open_parts", lambda: both_in.wait() >= 0 and open_parts_now())

    threads = [threading.Thread(target=parts.open) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 2 == parts.constructions


def test_a_failed_opening_is_tried_again_by_the_next_request(config, artifact_of):
    settings, artifact, failures = load_settings(config), open_artifact(artifact_of("graphemes")), [SynthesisError("not now")]

    def open_on_retry():
        if failures:
            raise failures.pop()
        return open_parts(artifact, Espeak())

    voice = Voice(settings.voices[1], settings.speech, artifact.manifest, VoiceParts(open_on_retry))

    with pytest.raises(SynthesisError, match="not now"):
        spoken(voice)
    assert not voice.parts.is_open
    assert spoken(voice).size and voice.parts.is_open


def test_two_voices_are_not_opened_together(monkeypatch):
    """Coqui finds classes by imports, which fail in two threads at once."""
    both_inside, met = threading.Barrier(2), []

    def opened(artifact, _espeak, _accelerator):
        try:
            both_inside.wait(timeout=0.5)
            met.append(artifact)
        except threading.BrokenBarrierError:
            pass

    monkeypatch.setattr(opening_module, "_open_parts", opened)
    threads = [threading.Thread(target=opening_module.open_parts, args=(name, None)) for name in ("one", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == met


class Clock:
    """A clock that a test sets."""

    def __init__(self):
        self.now_s = 0.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def unused_voice(config, artifact_of, clock):
    """A voice that is closed after 60 s without a speech."""
    settings, artifact = load_settings(config), open_artifact(artifact_of("graphemes"))
    parts = lambda: open_parts(artifact, Espeak())  # noqa: E731
    return Voice(settings.voices[1], settings.speech, artifact.manifest, VoiceParts(parts, close_after_s=60, now_s=clock))


def test_a_voice_that_is_unused_for_long_is_closed_and_opened_again(unused_voice, clock):
    before = spoken(unused_voice)
    clock.now_s += 59.9
    is_closed_early = unused_voice.parts.close_if_unused()
    clock.now_s += 0.1

    assert [False, True, False] == [is_closed_early, unused_voice.parts.close_if_unused(), unused_voice.parts.close_if_unused()]
    assert (False, 0) == (unused_voice.parts.is_open, unused_voice.parts.constructions)
    assert np.array_equal(before, spoken(unused_voice))
    assert (True, 1) == (unused_voice.parts.is_open, unused_voice.parts.constructions)


def test_the_time_counts_from_the_end_of_the_last_speech(unused_voice, clock):
    speech = unused_voice.speak(SENTENCES, SpeechOptions(seed=1))
    first = next(speech)
    clock.now_s += 1000
    during = unused_voice.parts.close_if_unused()
    rest = list(speech)
    clock.now_s += 59

    assert [False, False] == [during, unused_voice.parts.close_if_unused()]
    assert np.array_equal(spoken(unused_voice, SENTENCES), np.concatenate([first, *rest]))


def test_a_speech_that_is_given_up_keeps_no_voice_open(unused_voice, clock):
    speech = unused_voice.speak(SENTENCES, SpeechOptions(seed=1))
    next(speech)
    del speech
    clock.now_s += 60

    assert unused_voice.parts.close_if_unused()


def test_parts_that_a_request_has_stay_usable_when_the_voice_is_closed(unused_voice, clock):
    parts = unused_voice.parts.open()
    clock.now_s += 60

    assert unused_voice.parts.close_if_unused()
    assert "hello" == parts.front_end.read("Hello", "en").lower()


def test_the_memory_of_a_closed_voice_is_freed(unused_voice, clock):
    spoken(unused_voice)
    engine = weakref.ref(unused_voice.parts.open().engine)
    clock.now_s += 60
    unused_voice.parts.close_if_unused()
    gc.collect()

    assert engine() is None


def test_voices_that_are_open_from_the_start_are_not_closed(config):
    settings = load_settings(config)
    first, second, third = settings.voices
    settings = replace(settings, close_unused_s=0.0, voices=(first, second, replace(third, preload=True)))
    catalogue = open_catalog(settings, locate_all(settings))
    for voice in catalogue.voices:
        spoken(voice)

    assert ["robot", None] == [closed and closed.name for closed in (catalogue.close_unused(), catalogue.close_unused())]
    assert [True, False, True] == [voice.parts.is_open for voice in catalogue.voices]


def test_voices_stay_open_for_ever_if_so_configured(config):
    settings = replace(load_settings(config), close_unused_s=None)
    catalogue = open_catalog(settings, locate_all(settings))
    catalogue.voice("robot").parts.open()

    assert catalogue.close_unused() is None


@pytest.fixture
def damaged(embedded_artifact, artifact_of, tmp_path):
    """A configuration whose second voice has one changed byte."""
    directory = shutil.copytree(artifact_of("graphemes"), tmp_path / "damaged")
    path = directory / "decode.bin"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    config = tmp_path / "tts_config.yaml"
    voices = [{"name": "joe", "model_path": str(embedded_artifact)}, {"name": "robot", "model_path": str(directory)}]
    config.write_text(yaml.safe_dump({"voices": voices, "cache_dir": str(CACHE)}))
    return load_settings(config)


def test_a_voice_is_verified_when_it_is_first_opened_before_a_byte_of_it_is_parsed(damaged, monkeypatch):
    joe, robot = open_catalog(damaged, locate_all(damaged)).voices
    parsed = []
    monkeypatch.setattr(opening_module, "open_parts", lambda *_: parsed.append("parsed"))

    for _ in range(2):
        with pytest.raises(IntegrityError, match="decode.bin: expected sha256"):
            robot.parts.open()
    assert ([], False) == (parsed, robot.parts.is_open)
    assert spoken(joe).size


def test_a_damaged_voice_that_is_open_from_the_start_ends_it(damaged):
    joe, robot = damaged.voices
    with pytest.raises(IntegrityError, match="decode.bin: expected sha256"):
        open_catalog(replace(damaged, voices=(joe, replace(robot, preload=True))), locate_all(damaged))


def test_a_voice_that_is_opened_again_is_not_verified_again(config, monkeypatch):
    settings, verified = replace(load_settings(config), close_unused_s=0.0), []
    monkeypatch.setattr(opening_module, "verify_artifact", verified.append)
    catalogue = open_catalog(settings, locate_all(settings))
    for _ in range(3):
        catalogue.voice("robot").parts.open()
        catalogue.close_unused()

    assert [voice.manifest.key for voice in catalogue.voices[:2]] == [artifact.manifest.key for artifact in verified]


PROGRAM = """
import sys
from loader.config.settings import load_settings
from loader.artifacts.resolve import locate_all
from loader.voices.catalog import open_catalog

settings = load_settings(sys.argv[1])
open_catalog(settings, locate_all(settings))
print("spokenform" in sys.modules)
"""


@pytest.mark.parametrize(
    ("speech", "voice", "is_imported"), [(True, None, True), (False, None, False), (True, False, False), (False, True, True)]
)
def test_the_libraries_of_text_normalization_are_imported_if_a_voice_needs_them(
    embedded_artifact, tmp_path, speech, voice, is_imported
):
    path, own = tmp_path / "tts_config.yaml", {} if voice is None else {"normalize": voice}
    settings = {
        "voices": [{"name": "joe", "model_path": str(embedded_artifact), **own}], "speech": {"normalize": speech},
        "cache_dir": str(CACHE),
    }  # fmt: skip
    path.write_text(yaml.safe_dump(settings))

    done = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True)

    assert f"{is_imported}\n" == done.stdout


def files_of_artifacts():
    """Return the files of artifacts that this process has open: of a mapping one for each file."""
    paths = []
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of the list itself
            paths.append(os.readlink(f"/proc/self/fd/{number}"))
    return sorted(path for path in paths if "/artifacts/" in path)


def test_a_catalog_beside_another_one_shares_its_mappings_and_engines(catalogue, config):
    settings = load_settings(config)
    before, first = files_of_artifacts(), catalogue.voice("joe")
    slower = replace(settings, voices=tuple(replace(voice, length_scale=2.0) for voice in settings.voices))
    beside = open_catalog(slower, locate_all(slower), beside=catalogue)

    assert before == files_of_artifacts()
    assert first.parts.open().engine is beside.voice("joe").parts.open().engine and beside.espeak is catalogue.espeak
    assert 1 == beside.voice("joe").parts.constructions
    assert len(spoken(beside.voice("joe"))) > 1.7 * len(spoken(first))
    assert "Ada" == beside.voice("choir").settings.speaker


def test_a_catalog_that_is_dropped_leaves_no_file_open(config):
    before, settings = files_of_artifacts(), load_settings(config)
    gc.disable()  # as in the master, whose pages its workers share
    try:
        opened = open_catalog(settings, locate_all(settings))
        for voice in opened.voices:
            voice.parts.open()
        assert len(files_of_artifacts()) > len(before)
        del opened, voice
        assert before == files_of_artifacts()
    finally:
        gc.enable()


def test_a_default_is_checked_without_reading_weights(config):
    settings = load_settings(config)
    voice, artifact = settings.voices[0], Path(settings.voices[0].model_path)
    before = files_of_artifacts()
    check_voice(voice, artifact, settings)
    with pytest.raises(UnknownSpeakerError):
        check_voice(replace(voice, speaker="nobody"), artifact, settings)

    assert before == files_of_artifacts()
