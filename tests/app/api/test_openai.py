"""app.api.openai: names in any case, values that mean none, and audio that can be joined."""

import struct

import pytest

FIELDS = {"seed": 1}


@pytest.fixture(scope="module")
def plain(application):
    fields = {"input": "Hello.", "response_format": "wav", **FIELDS}
    return {
        name: application.test_client().post("/v1/audio/speech", json={**fields, **more}).data
        for name, more in {"joe": {}, "Ada": {"voice": "choir"}, "walter": {"voice": "choir", "speaker": "walter"},
                           "fr": {"voice": "choir", "language": "fr-fr"}}.items()
    }  # fmt: skip


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"voice": "default"}, "joe"),
        ({"voice": "Auto"}, "joe"),
        ({"voice": ""}, "joe"),
        ({"voice": "Alloy"}, "joe"),
        ({"voice": "NOVA", "model": "TTS-1"}, "joe"),
        ({"voice": {"id": "Alloy"}}, "joe"),
        ({"voice": "tts-1"}, "joe"),
        ({"voice": "tts-1-hd"}, "joe"),
        ({"voice": "tts-1-1106"}, "joe"),
        ({"voice": "gpt-4o-mini-tts"}, "joe"),
        ({"voice": "GPT-4o-mini-TTS-2025-12-15"}, "joe"),
        ({"voice": "default", "model": "choir"}, "Ada"),
        ({"voice": "tts-1", "model": "Choir"}, "Ada"),
        ({"voice": "CHOIR"}, "Ada"),
        ({"voice": "choir#WALTER"}, "walter"),
        ({"voice": "choir", "speaker": "Walter"}, "walter"),
        ({"voice": "choir", "speaker": "walter", "language": "auto"}, "walter"),
        ({"voice": "choir", "language": "FR_fr"}, "fr"),
        ({"voice": "choir", "language": "fr"}, "fr"),
        ({"language": "auto"}, "joe"),
        ({"response_format": "WAV"}, "joe"),
        ({"response_format": " wav "}, "joe"),
    ],
)
def test_a_name_in_any_case_and_a_word_for_none_select_what_they_mean(speak, plain, fields, expected):
    answer = speak(**FIELDS, **fields)

    assert 200 == answer.status_code, answer.data
    assert plain[expected] == answer.data


@pytest.mark.parametrize("fields, code", [
    ({"voice": "nobody"}, "voice_not_found"), ({"voice": "tts"}, "voice_not_found"),
    ({"voice": "choir", "speaker": "nobody"}, "speaker_not_found"), ({"voice": "choir", "language": "xx"}, "language_not_found"),
    ({"response_format": "wma"}, "unsupported_format"),
])  # fmt: skip
def test_an_unknown_name_is_refused(speak, fields, code):
    answer = speak(**fields)

    assert (400, code) == (answer.status_code, answer.json["error"]["code"])


def test_minus_one_is_a_random_seed(speak):
    seeds = {speak(seed=-1).headers["X-Seed"] for _ in range(2)}

    assert 2 == len(seeds) and "-1" not in seeds
    assert 400 == speak(seed=-2).status_code


def serials(content):
    """Return the serial number of each page of an Ogg file."""
    found, place = [], 0
    while place < len(content):
        assert b"OggS" == content[place : place + 4]
        lengths = content[place + 27 : place + 27 + content[place + 26]]
        found.append(struct.unpack_from("<I", content, place + 14)[0])
        place += 27 + len(lengths) + sum(lengths)
    return found


@pytest.mark.parametrize("stream", [False, True])
def test_opus_files_that_are_joined_have_serial_numbers_of_their_own(speak, stream):
    others = [{"seed": 2}, {"seed": 1, "input": "Bye."}, {"seed": 1, "voice": "choir"}, {"seed": 2**63 - 1}]
    fields = [{"seed": 1}, {"seed": 1}, *others]
    files = [speak(response_format="opus", stream=stream, **each).data for each in fields]

    numbers = [serials(each) for each in files]
    assert files[0] == files[1]
    assert {1} == {len(set(each)) for each in numbers}
    assert 5 == len({each[0] for each in numbers})


def test_joined_opus_files_are_decoded_to_the_end(speak):
    import io

    import av

    files = [speak(response_format="opus", input=text, seed=1).data for text in ("One.", "Two.", "Three.")]

    def duration(content):
        with av.open(io.BytesIO(content)) as container:
            return sum(frame.samples for frame in container.decode(audio=0))

    assert sum(map(duration, files)) == pytest.approx(duration(b"".join(files)), rel=0.05)
