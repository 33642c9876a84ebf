"""chorus say: speech without a server."""

import os
import pty
import re
import stat
from pathlib import Path
from typing import get_args

import pytest

from app.cli.say import _FORMATS, _MARKUP
from app.codecs import registry
from app.synthesis.markup import TextFormat
from loader.errors import UnknownVoiceError
from loader.text.markup.ssml import parse_ssml
from loader.voices.voice import SpeechOptions
from loader.wav import wav_file, wav_header
from tests.app.cli.running import CHORUS, chorus, close_output, eventually, interrupt, start

TEXT = "The quick brown fox jumps over the lazy dog."
MORE = "see chorus say --help"
NAMELESS = "it has one speaker without a name; omit the speaker"
LONG = " ".join([TEXT] * 200)


@pytest.fixture
def say(settings, embedded_artifact, tmp_path):
    """Run the command with the embedded voice, in the folder of the test."""
    path = {"PYTHONPATH": os.getcwd(), **os.environ}
    return lambda *words, **options: chorus(
        "say", "--config", settings.path, *words, **{"cwd": tmp_path, "env": path, **options}
    )


def test_a_file_contains_the_audio_of_the_voice(say, catalogue, tmp_path):
    done = say("--seed", "7", TEXT)
    expected = wav_file(catalogue.default.speak(TEXT, SpeechOptions(seed=7)), 22050)

    assert (0, "") == (done.returncode, done.stdout), done.stderr
    assert ["speech.wav"] == os.listdir(tmp_path)
    assert expected == (tmp_path / "speech.wav").read_bytes()
    assert re.fullmatch(r"joe: \d\.\d\d s of audio in \d+\.\d\d s, RTF \d+\.\d{3}, seed 7: speech\.wav\n", done.stderr)


def test_text_can_come_from_a_pipe_and_audio_go_to_one(say):
    done = say("-", "--output", "-", "--seed", "7", text=False, input=TEXT.encode())

    assert 0 == done.returncode, done.stderr
    assert wav_header(22050, None) == done.stdout[:44]
    assert len(done.stdout) > 2 * 22050
    assert b"standard output\n" in done.stderr


def test_markup_is_spoken(say, catalogue, tmp_path):
    ssml = "<speak>Wait <break time='1s'/> for it.</speak>"
    expected = wav_file(catalogue.default.speak(parse_ssml(ssml), SpeechOptions(seed=7)), 22050)
    assert 0 == say("--seed", "7", ssml).returncode
    assert expected == (tmp_path / "speech.wav").read_bytes()

    expected = wav_file(catalogue.default.speak("One two.", SpeechOptions(seed=7)), 22050)
    assert 0 == say("--seed", "7", "--markup", "markdown", "One *two*.").returncode
    assert expected == (tmp_path / "speech.wav").read_bytes()

    assert 0 == say("--seed", "7", "--markup", "plain", "<speak>One</speak>").returncode
    assert 0 == say("--markup", "ssml", "-", input=f"\ufeff{ssml}").returncode


def test_wrong_markup_is_refused_with_its_line_and_its_column(say, tmp_path):
    done = say("<speak>\n<blink>a</blink></speak>")

    assert 64 == done.returncode
    assert done.stderr.startswith("chorus: TEXT: line 2, column 1: <blink> is not supported; ")
    assert [] == os.listdir(tmp_path)


def test_the_known_kinds_of_markup_are_those_of_requests():
    assert get_args(TextFormat) == _MARKUP


def test_speed_and_language_are_used(say, tmp_path):
    for speed in ("0.5", "2"):
        assert 0 == say("--speed", speed, "--seed", "1", "--language", "en", "-o", f"{speed}.wav", TEXT).returncode

    slow, fast = (len((tmp_path / f"{speed}.wav").read_bytes()) for speed in ("0.5", "2"))
    assert slow > 2.5 * fast


def test_lexicon_files_are_spoken_and_the_last_one_comes_first(say, catalogue, tmp_path):
    (tmp_path / "one.tsv").write_text("SQL\tsequel\nserver\tservant\n")
    (tmp_path / "two.tsv").write_text("SQL\tsquirrel\n")
    done = say("--seed", "7", "--lexicon", "one.tsv", "--lexicon", "two.tsv", "The SQL server.")
    expected = wav_file(catalogue.default.speak("The squirrel servant.", SpeechOptions(seed=7)), 22050)

    assert 0 == done.returncode, done.stderr
    assert expected == (tmp_path / "speech.wav").read_bytes()


@pytest.mark.parametrize(
    ("content", "status", "message"),
    [
        ("SQL", 78, "bad.tsv: 1 problem\n  line 1: 'SQL' has 1 column; write term<TAB>respelling or term<TAB>/ipa/"),
        ("SQL\t/ꞎ/", 64, "the phonemes of 'SQL' have symbols that voice 'joe' does not have: ꞎ; it has "),
    ],
)
def test_a_bad_lexicon_file_is_an_error(say, tmp_path, content, status, message):
    (tmp_path / "bad.tsv").write_text(content, encoding="utf-8")
    done = say("--lexicon", "bad.tsv", "The SQL server.")

    assert (status, ["bad.tsv"]) == (done.returncode, os.listdir(tmp_path))
    assert f"chorus: {message}" in done.stderr and "Traceback" not in done.stderr


def test_only_the_named_voice_is_opened(embedded_artifact, tmp_path):
    config = tmp_path / "tts_config.yaml"
    config.write_text(f"voices: [{{name: gone, model_path: nowhere}}, {{name: joe, model_path: {embedded_artifact}}}]\n")
    done = chorus("say", "--config", config, "--voice", "joe", "-o", tmp_path / "x.wav", TEXT)

    assert 0 == done.returncode, done.stderr


@pytest.mark.parametrize(
    ("words", "name", "begins"),
    [
        (["-o", "x.mp3"], "x.mp3", b"\xff"), (["-o", "x.FLAC"], "x.FLAC", b"fLaC"), (["-o", "x.opus"], "x.opus", b"OggS"),
        (["-o", "x.bin", "--format", "aac"], "x.bin", b"\xff\xf1"), (["-o", "x.mp3", "--format", "wav"], "x.mp3", b"RIFF"),
        (["-o", "x.song"], "x.song", b"RIFF"),
    ],
)  # fmt: skip
def test_a_file_has_the_format_of_the_option_or_of_its_suffix(say, tmp_path, words, name, begins):
    assert 0 == say(*words, "--seed", "1", "Hello there.").returncode
    assert (tmp_path / name).read_bytes().startswith(begins)


def test_a_stream_has_the_format_of_the_option(say):
    done = say("-o", "-", "--format", "opus", "Hello there.", text=False)

    assert 0 == done.returncode, done.stderr
    assert b"OggS" == done.stdout[:4]


def test_the_formats_of_the_command_are_those_of_the_server():
    assert registry.FORMATS == _FORMATS


@pytest.mark.parametrize(
    ("words", "status", "line"),
    [
        (["--voice", "nobody", TEXT], UnknownVoiceError.exit_status, "no voice named 'nobody'; known voices: joe"),
        (["--speaker", "al", "Hi."], 64, "voice 'joe' has no speaker named 'al'; " + NAMELESS),
        (["--voice", "joe", "--language", "de", TEXT], 64, "voice 'joe' does not speak 'de'; known languages: en-us"),
        (["--speed", "9", TEXT], 64, "--speed is 9, expected 0.25 to 4; " + MORE),
        (["..."], 64, "nothing in the text can be spoken; send letters or numbers"),
        (["-o", "-", "..."], 64, "nothing in the text can be spoken; send letters or numbers"),
        (["\a"], 64, "TEXT holds the character U+0007 at position 0, which is not text; remove it; " + MORE),
    ],
)  # fmt: skip
def test_a_refused_speech_prints_one_line_and_writes_no_file(say, tmp_path, words, status, line):
    done = say(*words)

    assert (status, "", f"chorus: {line}\n") == (done.returncode, done.stdout, done.stderr)
    assert [] == os.listdir(tmp_path)


def test_standard_input_that_is_not_text_is_refused(say):
    done = say("-", text=False, input=b"Gr\xfc\xdfe")

    assert 64 == done.returncode
    assert b"U+DCFC at position 2" in done.stderr


def test_explain_prints_a_table_and_makes_no_audio(say, tmp_path):
    done = say("--explain", "The dose is 0.05 mg.")

    assert (0, "", []) == (done.returncode, done.stderr, os.listdir(tmp_path))
    assert [
        "The dose is 0.05 mg.",
        "-> The dose is zero point zero five milligrams.",
        "",
        "written   spoken                            from           phonemes                                  ids",
        "The       The                               voice          ðə                                        41 59 3",
    ] == done.stdout.splitlines()[:5]
    assert "0.05 mg.  zero point zero five milligrams.  normalization  zˈiəɹoʊ" in done.stdout


def test_explain_reads_standard_input_and_takes_voice_and_language(say):
    done = say("--explain", "--voice", "joe", "--language", "en", "-", input="One.\n\nTwo 2s.")

    assert (0, "") == (done.returncode, done.stderr)
    assert ["One.", "Two 2s."] == [line for line in done.stdout.splitlines() if line in ("One.", "Two 2s.")]


def test_explain_shows_the_effect_of_a_lexicon(say, tmp_path):
    (tmp_path / "terms.tsv").write_text("SQL\tsequel\n")
    done = say("--explain", "--lexicon", "terms.tsv", "The SQL.")

    assert 0 == done.returncode, done.stderr
    assert re.search(r"^SQL\. +sequel\. +lexicon +sˈiːkwəl\. ", done.stdout, re.MULTILINE)


def test_explain_shows_a_text_without_sound(say):
    done = say("--explain", "...")

    assert (0, "...") == (done.returncode, done.stdout.splitlines()[0])


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--language", "de", "Hi."], "no voice speaks 'de'; known languages: en-us"),
        (["--speaker", "al", "Hi."], "voice 'joe' has no speaker named 'al'; " + NAMELESS),
        ([""], "TEXT is blank; send the text to be spoken; " + MORE),
    ],
    ids=["language", "speaker", "blank"],
)
def test_explain_has_the_errors_of_speech(say, words, line):
    done = say("--explain", *words)

    assert (64, "", f"chorus: {line}\n") == (done.returncode, done.stdout, done.stderr)


def test_a_missing_folder_is_reported_before_synthesis(say, tmp_path):
    done = say("-o", "none/x.wav", TEXT)

    assert 73 == done.returncode
    assert f"chorus: {tmp_path / 'none'}: no such folder, or it cannot be written" in done.stderr


@pytest.mark.parametrize("output", ["-", "/dev/stdout"])
def test_audio_is_not_written_to_a_terminal(say, output):
    master, slave = pty.openpty()
    done = say("-o", output, TEXT, capture_output=False, stdout=slave, stderr=-1)
    os.close(slave)

    assert 73 == done.returncode
    assert "is a terminal, and audio is not text" in done.stderr
    os.close(master)


def test_a_named_pipe_is_written_to_and_not_replaced(say, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    done = say("-o", "pipe", "Hi.")
    head = os.read(reader, 4)
    os.close(reader)

    assert (0, b"RIFF") == (done.returncode, head), done.stderr
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_a_stream_starts_before_synthesis_ends_and_ctrl_c_ends_it(settings, embedded_artifact):
    running = start("say", "--config", settings.path, "-o", "-", LONG)
    head = running.stdout.read(20_000)
    still_running = running.poll() is None
    status, errors, _ = interrupt(running)

    assert (b"RIFF", True, 130) == (head[:4], still_running, status)
    assert "\nchorus: interrupted\n" == errors


def test_ctrl_c_leaves_no_partial_file(settings, embedded_artifact, tmp_path):
    (tmp_path / "x.wav").write_bytes(b"before")
    running = start("say", "--config", settings.path, "-o", tmp_path / "x.wav", LONG)
    maps = Path(f"/proc/{running.pid}/maps")
    eventually(lambda: "decode.bin" in maps.read_text(), running)
    status, errors, _ = interrupt(running)

    assert (130, "\nchorus: interrupted\n") == (status, errors)
    assert ["x.wav"] == os.listdir(tmp_path)
    assert b"before" == (tmp_path / "x.wav").read_bytes()


def test_a_stream_closed_by_its_reader_is_not_an_error(settings, embedded_artifact):
    running = start("say", "--config", settings.path, "-o", "-", LONG)
    running.stdout.read(1000)

    assert (0, "") == close_output(running)


def test_the_command_works_from_any_directory(settings, embedded_artifact, tmp_path):
    assert CHORUS[1:] == ("-m", "app.cli")
    done = chorus("say", "--config", settings.path, "Hi.", cwd=tmp_path)

    assert (0, ["speech.wav"]) == (done.returncode, os.listdir(tmp_path)), done.stderr
