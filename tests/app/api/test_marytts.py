"""app.api.marytts: values in any case, effects, and names in any case."""

import numpy as np
import pytest

TEXT = "The quick brown fox."


@pytest.fixture
def process(client):
    return lambda **parameters: client.get("/process", query_string={"INPUT_TEXT": TEXT, **parameters})


def spoken(speak, answer, **fields):
    return speak(input=TEXT, seed=int(answer.headers["X-Seed"]), **fields)


@pytest.mark.parametrize("audio", ["WAVE_FILE", "WAVE", "WAVE_STREAM", "wave_file", "Wav", ""])
def test_every_name_of_a_wave_file_is_taken(process, audio):
    answer = process(AUDIO=audio)

    assert (200, "audio/wav", b"RIFF") == (answer.status_code, answer.content_type, answer.data[:4])


@pytest.mark.parametrize("parameters", [
    {"INPUT_TYPE": "text"}, {"INPUT_TYPE": "Ssml", "INPUT_TEXT": "<speak>Hi.</speak>"}, {"OUTPUT_TYPE": "audio"},
    {"VOICE": "JOE"}, {"VOICE": "", "LOCALE": ""},
])  # fmt: skip
def test_values_are_taken_in_any_case(process, parameters):
    assert 200 == process(**parameters).status_code


@pytest.mark.parametrize("voice", ["WALTER", "Choir#Walter", "CHOIR#WALTER"])
def test_speakers_are_found_in_any_case(process, speak, voice):
    answer = process(VOICE=voice)

    assert spoken(speak, answer, voice="choir", speaker="walter").data == answer.data


def test_the_volume_effect_is_a_factor_of_the_samples(process, speak, samples_of):
    answer = process(effect_Volume_selected="on", effect_Volume_parameters="amount:0.5;")
    plain = samples_of(spoken(speak, answer))

    assert np.abs(plain / 2 - samples_of(answer)).max() <= 1
    assert "X-Ignored-Fields" not in answer.headers


@pytest.mark.parametrize("parameters", [{"effect_Volume_parameters": "amount:10.0"}, {}])
def test_a_large_volume_is_clipped_and_does_not_wrap_around(process, speak, samples_of, parameters):
    answer = process(effect_Volume_selected="ON", **parameters)
    factor = 10 if parameters else 2
    plain, loud = samples_of(spoken(speak, answer)).astype(int), samples_of(answer).astype(int)

    assert np.abs(np.clip(plain * factor, -32767, 32767) - loud).max() <= factor
    assert np.abs(loud).max() > 1.5 * np.abs(plain).max()


def test_no_volume_is_silence(process, samples_of):
    assert not samples_of(process(effect_Volume_selected="on", effect_Volume_parameters="amount:0")).any()


@pytest.mark.parametrize("value", ["amount:11", "amount:-1", "amount:nan", "loud", "durScale:1"])
def test_a_volume_out_of_bounds_is_refused(process, value):
    answer = process(effect_Volume_selected="on", effect_Volume_parameters=value)

    assert 400 == answer.status_code
    assert answer.text.startswith("effect_Volume_parameters is") and "amount:0.0 to amount:10.0" in answer.text


def test_other_effects_that_are_on_are_named(process):
    answer = process(effect_Robot_selected="on", effect_Robot_parameters="amount:100.0;", effect_Whisper_selected="on",
                     effect_Chorus_selected="", effect_Rate_selected="on")  # fmt: skip

    assert (200, "effect_Robot_selected, effect_Whisper_selected") == (answer.status_code, answer.headers["X-Ignored-Fields"])
