"""app.synthesis.fingerprint: what changes the bytes of an answer changes its name, and nothing else does."""

from dataclasses import replace

import pytest

from app.synthesis.fingerprint import fingerprint, seed_of
from app.synthesis.markup import parse_source
from app.synthesis.request import MAX_SEED, SpeechRequest
from loader.text.lexicon.entries import Entry
from loader.voices.voice import SpeechOptions

REVISION = "0123456789ab"


@pytest.fixture
def wanted(catalogue):
    return SpeechRequest("A short story.", catalogue.default, SpeechOptions(7), "wav", "id-1")


def changed(request, **options):
    return replace(request, options=replace(request.options, **options))


def test_the_id_of_a_request_and_defaults_that_are_written_out_change_nothing(wanted):
    voice = wanted.voice
    speaker, language = voice.rows(wanted.options)
    same = [
        replace(wanted, request_id="id-2"),
        replace(wanted, sample_rate_hz=voice.sample_rate_hz),
        changed(wanted, speaker=speaker, language=language, normalize=True, sentence_pause_s=voice.pause_s(wanted.options)),
        changed(wanted, **{
            name: getattr(voice.with_defaults(wanted.options), name) for name in ("noise_scale", "noise_scale_duration")
        }),
    ]  # fmt: skip

    assert {fingerprint(wanted, REVISION)} == {fingerprint(each, REVISION) for each in same}
    assert {seed_of(wanted)} == {seed_of(each) for each in same}


def test_everything_that_is_heard_has_a_name_and_a_seed_of_its_own(wanted, settings):
    different = [
        wanted,
        replace(wanted, text="A short story!"),
        replace(wanted, text="A short story. "),
        changed(wanted, speed=1.25),
        changed(wanted, noise_scale=0.1),
        changed(wanted, noise_scale_duration=0.1),
        changed(wanted, sentence_pause_s=0.1),
        changed(wanted, normalize=False),
        changed(wanted, lexicon=(Entry("story", "tale"),)),
        changed(wanted, lexicon=(Entry("story", phonemes="tale"),)),
        *(
            replace(wanted, text=text, script=parse_source(text, settings, "input"))
            for text in ("<speak>A short story.</speak>", '<speak>A short<break time="1s"/> story.</speak>')
        ),
        replace(wanted, script=parse_source("A short *story.*", settings, "input", "markdown")),
    ]

    assert len(different) == len({fingerprint(each, REVISION) for each in different})
    assert len(different) == len({seed_of(each) for each in different})


def test_the_form_of_an_answer_changes_its_name_and_not_what_is_heard(wanted):
    forms = [
        wanted,
        replace(wanted, audio_format="flac"),
        replace(wanted, sample_rate_hz=16_000),
        replace(wanted, as_events=True),
        replace(wanted, gain=0.5),
        replace(wanted, timestamps=("word",)),
        changed(wanted, soon=True),
        changed(wanted, seed=8),
    ]

    assert len(forms) == len({fingerprint(each, REVISION) for each in forms})
    assert {seed_of(wanted)} == {seed_of(each) for each in forms}


def test_another_revision_changes_the_name_and_not_the_seed(wanted, monkeypatch):
    names = {fingerprint(wanted, REVISION), fingerprint(wanted, "ba9876543210")}
    monkeypatch.setattr("app.synthesis.fingerprint._version", lambda: "0.0.0")
    names.add(fingerprint(wanted, REVISION))

    assert 3 == len(names)


def test_the_seeds_of_many_texts_are_spread_and_in_bounds(wanted):
    seeds = [seed_of(replace(wanted, text=f"Number {number}.")) for number in range(300)]

    assert 300 == len(set(seeds))
    assert 0 <= min(seeds) < MAX_SEED / 50 and MAX_SEED * 0.98 < max(seeds) <= MAX_SEED
