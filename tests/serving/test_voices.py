"""Several voices in one server: resolved by name, speaker and language; opened by the workers that need them."""

import json
import re
import shutil
import urllib.parse
from pathlib import Path

import pytest

from app.synthesis.voices import STOCK_MODELS
from app.system.processes import memory_of
from tests.support.checkpoints import LANGUAGES, SPEAKERS

TEXT = "The quick brown fox."
#: Voices of the server of these tests.
CHOIR = ("choir", "joe", "robot")


def spoken(server, **fields):
    answer = server.speak(TEXT, seed=5, **fields)
    assert 200 == answer.status, answer.body
    return answer.body


def coqui(server, **parameters):
    return server.ask("GET", f"/api/tts?{urllib.parse.urlencode({'text': TEXT, **parameters})}")


def test_voices_are_listed_with_their_speakers_and_languages(choir):
    listed = {voice.pop("id"): voice for voice in choir.ask("GET", "/v1/audio/voices").json()["voices"]}

    assert ["choir", "joe", "robot"] == list(listed)
    assert (set(SPEAKERS), set(LANGUAGES)) == (set(listed["choir"]["speakers"]), set(listed["choir"]["languages"]))
    assert ("en", [], ["en-us"]) == (listed["choir"]["language"], listed["joe"]["speakers"], listed["joe"]["languages"])
    assert ("eo", ["eo"], ["alloy"]) == (listed["robot"]["language"], listed["robot"]["languages"], listed["joe"]["aliases"])
    assert [1, 1, 1] == [voice["generation"] for voice in listed.values()]
    assert ["choir", "joe", "robot", *STOCK_MODELS] == [model["id"] for model in choir.ask("GET", "/v1/models").json()["data"]]
    assert ["choir", "joe", "robot"] == choir.ask("GET", "/readyz").json()["voices"]


def test_a_speaker_can_be_part_of_the_voice_name(choir):
    assert spoken(choir, voice="choir", speaker="walter") == spoken(choir, voice="choir#walter")
    assert spoken(choir, voice="joe") == spoken(choir, model="alloy") == spoken(choir, voice="nova", model="joe")
    assert [200, 200] == [choir.ask("GET", f"/v1/models/{name}").status for name in ("choir%23walter", "alloy")]


def test_every_speaker_and_language_has_other_samples(choir):
    said = {
        (speaker, language): spoken(choir, voice="choir", speaker=speaker, language=language)
        for speaker in SPEAKERS for language in LANGUAGES
    }  # fmt: skip

    assert 9 == len(set(said.values()))
    assert said["Ada", "en"] == spoken(choir) == spoken(choir, voice="choir", speaker=None, language="")
    assert said["walter", "fr-fr"] == spoken(choir, speaker="walter", language="FR")


def test_a_voice_is_resolved_by_name_alias_or_language(choir):
    by_name = {name: spoken(choir, voice=name) for name in ("choir", "joe", "robot")}

    assert 3 == len(set(by_name.values()))
    assert by_name["joe"] == spoken(choir, voice="alloy") == spoken(choir, language="en-us")
    assert by_name["robot"] == spoken(choir, language="eo") == spoken(choir, voice={"id": "robot"}, language="eo")
    assert by_name["choir"] == spoken(choir, language="en"), "not the first voice that speaks the language"


@pytest.mark.parametrize(
    "fields, code, parameter, known",
    [
        ({"voice": "nobody"}, "voice_not_found", "voice", ["alloy", "choir", "joe", "robot"]),
        ({"speaker": "nobody"}, "speaker_not_found", "speaker", SPEAKERS),
        ({"voice": "choir", "speaker": "adam"}, "speaker_not_found", "speaker", SPEAKERS),
        ({"voice": "joe", "speaker": "Ada"}, "speaker_not_found", "speaker", ["it has one speaker without a name"]),
        ({"voice": "choir", "language": "de"}, "language_not_found", "language", LANGUAGES),
        ({"voice": "joe", "language": "fr"}, "language_not_found", "language", ["en-us"]),
        ({"language": "de"}, "language_not_found", "language", [*LANGUAGES, "en-us", "eo"]),
        ({"language": "eo", "speaker": "Ada"}, "speaker_not_found", "speaker", ["it has one speaker without a name"]),
    ],
)
def test_an_unknown_name_is_a_400_with_the_known_names(choir, fields, code, parameter, known):
    answer = choir.speak(TEXT, **fields)

    assert 400 == answer.status
    error = answer.json()["error"]
    assert (code, parameter, "invalid_request_error") == (error["code"], error["param"], error["type"])
    assert all(name in error["message"] for name in known), error["message"]


@pytest.mark.parametrize("field", ["speaker", "language"])
@pytest.mark.parametrize("value", [5, ["en"], {"id": "en"}, True])
def test_an_invalid_name_is_a_400(choir, field, value):
    answer = choir.speak(TEXT, **{field: value})

    assert (400, field) == (answer.status, answer.json()["error"]["param"])


def test_the_coqui_endpoint_selects_speaker_and_language(choir):
    """The endpoint draws its own seed; with `X-Seed` the other endpoint makes the same speech."""
    for speaker, language in [("walter", "fr-fr"), ("p225", ""), ("", "pt-br"), ("", "eo"), ("", "")]:
        answer = coqui(choir, speaker_id=speaker, language_id=language)
        assert 200 == answer.status, answer.body
        again = choir.speak(TEXT, seed=int(answer.headers["X-Seed"]), speaker=speaker, language=language)
        assert answer.body == again.body


def test_the_coqui_endpoint_reads_them_from_headers_and_forms_too(choir):
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    by_header = choir.ask("GET", "/api/tts", headers={"text": TEXT, "speaker-id": "walter", "language-id": "fr-fr"})
    by_form = choir.ask("POST", "/api/tts", f"text={TEXT}&speaker_id=walter&language_id=fr-fr", form)

    for answer in (by_header, by_form):
        assert answer.body == spoken_again(choir, answer, speaker="walter", language="fr-fr")


def spoken_again(server, answer, **fields):
    return server.speak(TEXT, seed=int(answer.headers["X-Seed"]), **fields).body


@pytest.mark.parametrize(
    "parameters, known",
    [({"speaker_id": "nobody"}, SPEAKERS), ({"language_id": "de"}, [*LANGUAGES, "en-us", "eo"]),
     ({"language_id": "eo", "speaker_id": "Ada"}, ["it has one speaker without a name"])],
)  # fmt: skip
def test_the_coqui_endpoint_lists_the_known_names_too(choir, parameters, known):
    answer = coqui(choir, **parameters)

    assert 400 == answer.status
    assert ["error"] == list(answer.json())
    assert all(name in answer.json()["error"] for name in known)


def test_the_log_has_voice_speaker_and_language(choir):
    answer = choir.speak(TEXT, voice="choir", speaker="walter", language="fr")
    line = next(each for each in choir.log().splitlines() if answer.headers["X-Request-ID"] in each)

    assert "voice=choir generation=1 speaker=walter language=fr-fr " in line


def test_a_voice_is_opened_only_by_the_workers_that_need_it(start, artifact_of, embedded_artifact):
    late = artifact_of("graphemes")
    server = start(keys={"voices": [
        {"name": "joe", "model_path": str(embedded_artifact)},
        {"name": "robot", "model_path": str(late)},
    ]}).ready()  # fmt: skip
    server.on_every_worker(lambda: server.speak("Hello."))
    assert 0 == server.log().count(f"artifact {late.name} opened")

    server.on_every_worker(lambda: server.speak("Hello.", voice="robot"))
    server.on_every_worker(lambda: server.speak("Hello.", voice="robot"))

    opened = re.findall(rf"pid=(\d+) .*artifact {late.name} opened", server.log())
    assert {str(worker.pid) for worker in server.workers()} == set(opened)
    assert 2 == len(opened)


def test_a_voice_that_is_unused_for_long_is_closed_by_its_worker_and_opened_again(start, artifact_of, embedded_artifact):
    late = artifact_of("graphemes")
    server = start("--workers", "1", keys={"close_unused_s": 1.0, "voices": [
        {"name": "joe", "model_path": str(embedded_artifact)},
        {"name": "robot", "model_path": str(late)},
    ]}).ready()  # fmt: skip
    before = server.speak("Hello.", voice="robot", seed=1)
    server.speak("Hello.", voice="joe")
    opened_bytes = memory_of(server.workers()[0].pid).uss_bytes

    server.eventually(lambda: "event=voice.closed voice=robot" in server.log())
    server.eventually(lambda: memory_of(server.workers()[0].pid).uss_bytes < opened_bytes)
    after = server.speak("Hello.", voice="robot", seed=1)

    assert 200 == after.status and before.body == after.body
    assert 2 == server.log().count(f"artifact {late.name} opened")
    assert "voice=joe" not in "".join(line for line in server.log().splitlines() if "voice.closed" in line)
    assert [1, 1] == [voice["constructions"] for voice in server.ask("GET", "/status").json()["voices"]]


def test_a_damaged_voice_is_refused_at_its_first_request_and_the_others_speak(start, artifact_of, embedded_artifact, tmp_path):
    damaged = shutil.copytree(artifact_of("graphemes"), tmp_path / "damaged")
    (damaged / "encode.bin").chmod(0o644)
    with (damaged / "encode.bin").open("r+b") as file:
        file.write(b"\xff\xff\xff")
    server = start("--workers", "1", keys={"voices": [
        {"name": "joe", "model_path": str(embedded_artifact)},
        {"name": "robot", "model_path": str(damaged)},
    ]}, expects_errors=True).ready()  # fmt: skip

    for path, fields in [("/v1/audio/speech", {}), ("/v1/audio/captions", {}), ("/v1/audio/explain", {})]:
        answer = server.ask("POST", path, json.dumps({"input": "Hello.", "voice": "robot", **fields}))
        assert 500 == answer.status
        assert "the files of this voice are damaged" in answer.json()["error"]["message"]
    assert 200 == server.speak("Hello.", voice="joe").status
    assert "event=voice.damaged request_id=" in server.log() and f"{damaged}/encode.bin: expected sha256" in server.log()
    assert "Traceback" not in server.log()


FOUR = ("--workers", "4")


def test_ten_voices_use_no_more_memory_than_one_until_they_speak(start, embedded_artifact, artifact_of, tmp_path):
    """A master and four workers that all spoke with the first voice; most of the other voices have the same size.

    All are copies, so that no other process maps their files.
    """
    sources = [embedded_artifact] * 7 + [artifact_of(name) for name in ("graphemes", "languages", "yourtts")]
    voices = [
        {"name": f"voice-{number}", "model_path": str(shutil.copytree(source, tmp_path / f"voice-{number}"))}
        for number, source in enumerate(sources)
    ]

    alone = own_pss_after_speaking(start(*FOUR, keys={"voices": voices[:1]}).ready(), tmp_path)
    together = own_pss_after_speaking(start(*FOUR, keys={"voices": voices}).ready(), tmp_path)

    print(f"one voice {alone / 1e6:.1f} MB, ten voices {together / 1e6:.1f} MB, {together / alone:.4f} x")
    assert alone > 60_000_000, "the weights of the first voice are not in the sum"
    assert together <= 1.05 * alone


def own_pss_after_speaking(server, artifacts):
    """Have every worker speak, wait until each has returned its free memory, and end the server."""
    for _ in range(3):
        server.on_every_worker(lambda: server.speak(TEXT, seed=1))
    for worker in server.workers():
        server.eventually(lambda pid=worker.pid: memory_of(pid).uss_bytes < 30 * 1024 * 1024, within_s=20)
    pss_bytes = sum(own_pss(pid, artifacts) for pid in (server.process.pid, *(each.pid for each in server.workers())))
    server.stop()
    return pss_bytes


def own_pss(pid, artifacts):
    """Sum PSS without code, because other Python processes on this machine share the code."""
    pss_bytes, counted = 0, False
    for line in Path(f"/proc/{pid}/smaps").read_text().splitlines():
        words = line.split()
        if re.fullmatch("[0-9a-f]+-[0-9a-f]+", words[0]):
            counted = "w" in words[1] or len(words) < 6 or words[5].startswith(str(artifacts))
        elif words[0] == "Pss:" and counted:
            pss_bytes += 1024 * int(words[1])
    return pss_bytes
