"""loader.config.settings: all problems of a file are reported at once, each with the path of its key."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from loader.config.settings import ApiKeys, LexiconSettings, Quantization, VoiceSettings, load_settings
from loader.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "tts_config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_settings(path)

    return load


@pytest.fixture
def problems(load):
    def problems(text):
        with pytest.raises(ConfigError) as caught:
            load(text)
        for problem in caught.value.problems:
            assert problem in str(caught.value)
        return list(caught.value.problems)

    return problems


@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0"])
@pytest.mark.parametrize("backend", ["pytorch", "onnx"])
def test_the_keys_of_the_article_load_unchanged(load, device, backend):
    settings = load(f"""
        model_path: /models/ljspeech
        device: {device}
        use_cache: false
        mmap: false
        quantization:
          enabled: true
          backend: {backend}
        """)

    assert ["/models/ljspeech"] == [voice.model_path for voice in settings.voices]
    assert device == settings.device
    assert (False, False) == (settings.use_cache, settings.mmap)
    assert Quantization(True, backend) == settings.quantization


def test_only_the_model_path_is_required(load, tmp_path):
    settings = load("model_path: voices/mine")

    assert str(tmp_path / "voices/mine") == settings.voices[0].model_path
    assert "mine" == settings.voices[0].name
    assert (True, True, False) == (settings.use_cache, settings.mmap, settings.quantization.enabled)


@pytest.mark.parametrize(("written", "verify"), [("off", "off"), ("'off'", "off"), ("warn", "warn"), ("require", "require")])
def test_the_verification_of_model_directories_is_read_for_all_and_for_one_voice(load, written, verify):
    """YAML reads `off` without quotes as false."""
    settings = load(f"verify: {written}\nvoices: [{{name: a, model_path: a}}, {{name: b, model_path: b, verify: {written}}}]")

    assert (verify, None, verify) == (settings.verify, *(voice.verify for voice in settings.voices))


@pytest.mark.parametrize("written", ["on", "true", "0", "''", "never", "[off]"])
def test_another_verification_is_refused_with_the_choices(problems, written):
    (problem,) = problems(f"model_path: x\nverify: {written}")

    assert problem.startswith("verify: expected one of require, warn, off; found ")


@pytest.mark.parametrize(
    ("model_path", "name"),
    [
        ("run/best_model.pth", "run"), ("run/a.pth.tar", "run"), ("de/de_DE-x.onnx", "de_DE-x"), ("de/x.onnx.json", "x"),
        ("run", "run"),
    ],
)  # fmt: skip
def test_an_only_voice_is_named_after_its_folder_or_graph(load, model_path, name):
    assert name == load(f"model_path: {model_path}").voices[0].name


@pytest.mark.parametrize("name", ["embedded/joe", "tts_models/en/ljspeech/vits"])
def test_model_names_are_not_resolved_as_paths(load, name):
    assert name == load(f"model_path: {name}").voices[0].model_path


def test_several_voices_keep_their_order_and_aliases(load):
    settings = load("""
        voices:
          - {name: alba, model_path: /a, version: "2", aliases: [alloy, nova]}
          - {name: joe, model_path: embedded/joe}
        """)

    assert ["alba", "joe"] == [voice.name for voice in settings.voices]
    assert (("alloy", "nova"), "2") == (settings.voices[0].aliases, settings.voices[0].version)


def test_a_voice_can_have_its_own_engine_speaker_language_and_scales(load):
    first, second = load("""
        voices:
          - {name: choir, model_path: /a, engine: pytorch, speaker: 12, language: de, preload: true,
             length_scale: 1.5, noise_scale: 0, noise_scale_duration: 0.5}
          - {name: joe, model_path: /b}
        """).voices

    assert ("pytorch", "12", "de", True) == (first.engine, first.speaker, first.language, first.preload)
    assert (1.5, 0, 0.5) == (first.length_scale, first.noise_scale, first.noise_scale_duration)
    assert VoiceSettings("joe", "/b") == second


def test_paths_are_relative_to_the_file_and_a_tilde_is_home(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    settings = load("{model_path: ~/voice, cache_dir: cache}")

    assert "/somewhere/voice" == settings.voices[0].model_path
    assert tmp_path / "cache" == settings.cache_dir


def test_lexicon_files_are_listed_once_and_their_paths_are_resolved(load, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/somewhere")
    settings = load("""
        voices:
          - {name: one, model_path: /a, lexicons: [{path: names.tsv, language: en}, {path: ~/mine.pls, language: de}]}
          - {name: two, model_path: /b}
        speech: {lexicons: [{path: names.tsv, language: en}, {path: /names.tsv, language: en}]}
        """)

    names, mine = LexiconSettings(str(tmp_path / "names.tsv"), "en"), LexiconSettings("/somewhere/mine.pls", "de")
    assert ((names, mine), ()) == tuple(voice.lexicons for voice in settings.voices)
    assert (names, LexiconSettings("/names.tsv", "en"), mine) == settings.lexicon_files


def test_a_lexicon_needs_a_path_and_a_language(problems):
    found = problems("""
        model_path: /a
        speech: {lexicons: [{path: names.tsv}, {language: 7, file: x}, names.tsv]}
        """)

    assert [
        "speech.lexicons.0.language: missing",
        "speech.lexicons.1.file: unknown key",
        "speech.lexicons.1.path: missing",
        "speech.lexicons.2: expected keys and values, found 'names.tsv'",
    ] == found


def test_a_tilde_with_an_unknown_user_is_a_plain_path(load, tmp_path):
    assert tmp_path / "~no-such-user/cache" == load("{model_path: a, cache_dir: ~no-such-user/cache}").cache_dir


def test_all_problems_are_reported_at_once_with_their_paths(problems):
    found = problems("""
        model_path: /a
        colour: red
        device: gpu
        mmap: yes please
        threads: true
        quantization: {backend: tensorrt, enabled: 1}
        limits: {text_characters: 0, characters: 5}
        speech: {length_scale: .nan, sentence_pause_s: .inf, noise_scale: -.inf}
        api_keys: {sha256: [my-secret, 5], public_listings: 1}
        voices:
          - {name: 5, model_path: /b}
          - {name: alba}
          - {name: alba, model_path: /c, aliases: [5, alloy]}
        """)

    assert {
        "colour: unknown key",
        "device: expected cpu, cuda or cuda:N, found 'gpu'",
        "mmap: expected true or false, found 'yes please'",
        "threads: expected a whole number from 2 to 64, found True",
        "quantization.backend: expected one of pytorch, onnx; found 'tensorrt'",
        "quantization.enabled: expected true or false, found 1",
        "limits.text_characters: expected a whole number from 1 to 1000000, found 0",
        "limits.characters: unknown key; did you mean text_characters?",
        "speech.length_scale: expected a number from 0.1 to 10.0, found nan",
        "speech.sentence_pause_s: expected a number from 0.0 to 10.0, found inf",
        "speech.noise_scale: expected a number from 0.0 to 2.0, found -inf",
        "api_keys.sha256.0: expected the 64 hexadecimal digits of a key's SHA-256, as chorus key prints them",
        "api_keys.sha256.1: expected the 64 hexadecimal digits of a key's SHA-256, as chorus key prints them",
        "api_keys.public_listings: expected true or false, found 1",
        "voices.0.name: expected text, found 5",
        "voices.1.model_path: missing",
        "voices.2.aliases.0: expected text, found 5",
        "voices.2.name: 'alba' is already voices.1.name",
        "model_path: cannot be combined with voices; move it into the list",
    } == set(found)
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    "key",
    ["limits: {text_characters: %s}", "limits: {body_bytes: %s}", "workers: %s", "threads: %s",
     "request_timeout_s: %s", "speech: {sentence_pause_s: %s}", "speech: {noise_scale_duration: %s}"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["true", "'5'", "[5]", ".nan", ".inf", "-1", "1e30"])
def test_a_number_out_of_bounds_or_of_another_type_is_refused(problems, key, value):
    (problem,) = problems("model_path: /a\n" + key % value)

    path, _, message = problem.partition(": ")
    assert path == key.replace(": {", ".").partition(": %s")[0].removesuffix("}")
    assert message.startswith("expected ")


@pytest.mark.parametrize(
    "voices, problem",
    [
        ("[{name: a, model_path: /a}, {name: a, model_path: /b}]", "voices.1.name: 'a' is already voices.0.name"),
        ("[{name: a, model_path: /a, aliases: [a]}]", "voices.0.aliases.0: 'a' is already voices.0.name"),
        ("[{name: a, model_path: /a, aliases: [x]}, {name: x, model_path: /b}]",
         "voices.1.name: 'x' is already voices.0.aliases.0"),
        ("[{name: a, model_path: /a, aliases: [x]}, {name: b, model_path: /b, aliases: [x]}]",
         "voices.1.aliases.0: 'x' is already voices.0.aliases.0"),
        ("[{name: a, model_path: /a, speakers: 1}]", "voices.0.speakers: unknown key; did you mean speaker?"),
        ("[{name: a, model_path: /a, speaker: [1]}]", "voices.0.speaker: expected text, found [1]"),
        ("[{name: a, model_path: /a, engine: tensorrt}]",
         "voices.0.engine: expected one of auto, onnx, pytorch, coqui; found 'tensorrt'"),
        ("[{name: a, model_path: /a, length_scale: 0}]", "voices.0.length_scale: expected a number from 0.1 to 10.0, found 0"),
        ("[{name: a, model_path: /a, preload: 1}]", "voices.0.preload: expected true or false, found 1"),
        ("[joe]", "voices.0: expected keys and values, found 'joe'"),
        ("joe", "voices: expected a list, found 'joe'"),
    ],
)  # fmt: skip
def test_a_bad_list_of_voices_is_refused(problems, voices, problem):
    assert problem in problems(f"voices: {voices}")


@pytest.mark.parametrize(
    "text, problem",
    [
        ("", "model_path: missing, and no voices are listed; name a model directory or embedded/joe"),
        ("device: cpu", "model_path: missing, and no voices are listed; name a model directory or embedded/joe"),
        ("voices: []", "model_path: missing, and no voices are listed; name a model directory or embedded/joe"),
        ("{version: '1', voices: [{name: a, model_path: /a}]}",
         "version: cannot be combined with voices; move it into the list"),
        ("model_path: ''", "model_path: expected text, found ''"),
        ("{model_path: /a, version: [1]}", "version: expected text, found [1]"),
        ("{model_path: /a, version: true}", "version: expected text, found True"),
        ("{model_path: /a, bind: '127.0.0.1:99999'}", "bind: expected a port from 0 to 65535, found '127.0.0.1:99999'"),
        ("{model_path: /a, bind: 8080}", "bind: expected HOST:PORT or unix:PATH, found 8080"),
        ("{model_path: /a, bind: 'nonsense:port'}", "bind: expected HOST:PORT or unix:PATH, found 'nonsense:port'"),
        ("{model_path: /a, quantization: }", "quantization: expected keys and values, found nothing"),
        ("{model_path: /a, api_keys: }", "api_keys: expected keys and values, found nothing"),
        ("{model_path: /a, api_keys: {sha256: abc}}", "api_keys.sha256: expected a list"),
        ('{model_path: /a, device: "cpu\\n"}', r"device: expected cpu, cuda or cuda:N, found 'cpu\n'"),
        ("- model_path: /a", "the file: expected keys and values, found [{'model_path': '/a'}]"),
        ("just words", "the file: expected keys and values, found 'just words'"),
        ("true", "the file: expected keys and values, found True"),
    ],
)  # fmt: skip
def test_an_unusable_file_is_refused(problems, text, problem):
    assert [problem] == problems(text)


@pytest.mark.parametrize("keys", ["{}", "{sha256: []}", "{public_listings: false}"])
def test_an_empty_list_of_keys_is_refused(problems, keys):
    (problem,) = problems(f"{{model_path: /a, api_keys: {keys}}}")

    assert problem.startswith("api_keys.sha256: no key is listed, so every client would be let in")


def test_keys_are_accepted_by_their_hashes_in_lower_case(load):
    settings = load(f"{{model_path: /a, api_keys: {{sha256: [{'AB' * 32}]}}}}")

    assert ApiKeys(("ab" * 32,), public_listings=True) == settings.api_keys
    assert ApiKeys((), public_listings=True) == load("model_path: /a").api_keys


@pytest.mark.parametrize(
    "written, origin",
    [
        ("https://app.example.com", "https://app.example.com"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("HTTPS://App.Example.com:443", "https://app.example.com"),
        ("http://a:80", "http://a"),
        ("http://a:443", "http://a:443"),
        ("http://[::1]:5173", "http://[::1]:5173"),
        ("app://obsidian.md", "app://obsidian.md"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("*", "*"),
    ],
)
def test_an_origin_is_read_as_browsers_send_it(load, written, origin):
    assert (origin,) == load(f"{{model_path: /a, cors_origins: ['{written}']}}").cors_origins
    assert () == load("model_path: /a").cors_origins


@pytest.mark.parametrize(
    "written, problem",
    [
        ("'https://a.org/'", "an origin ends with the host or its port; write https://a.org, found 'https://a.org/'"),
        ("'http://a:5173/x?y'", "an origin ends with the host or its port; write http://a:5173, found 'http://a:5173/x?y'"),
        ("app.example.com", "an origin begins with its scheme; write https://app.example.com, found 'app.example.com'"),
        ("'localhost:5173/'", "an origin begins with its scheme; write https://localhost:5173, found 'localhost:5173/'"),
        ("'http://a:70000'", "expected a port from 0 to 65535, found 'http://a:70000'"),
        *(
            (written, f"expected an origin such as https://app.example.com, or *; found {shown}")
            for written, shown in (
                ("'https://*.a.org'", "'https://*.a.org'"), ("'null'", "'null'"), ("null", "nothing"), ("5", "5"),
                ("'https://a@b.org'", "'https://a@b.org'"), ("https://ä.org", "'https://ä.org'"), ("''", "''"),
            )
        ),
    ],
)  # fmt: skip
def test_what_is_no_origin_is_refused_with_the_right_form(problems, written, problem):
    assert [f"cors_origins.0: {problem}"] == problems(f"{{model_path: /a, cors_origins: [{written}]}}")


def test_every_origin_together_with_keys_is_refused(problems, load):
    (problem,) = problems(f"{{model_path: /a, cors_origins: ['*'], api_keys: {{sha256: [{'ab' * 32}]}}}}")

    assert problem.startswith("cors_origins: '*' cannot be combined with api_keys") and problem.endswith("list the origins")
    assert load(f"{{model_path: /a, cors_origins: ['http://a'], api_keys: {{sha256: [{'ab' * 32}]}}}}").cors_origins


@pytest.mark.parametrize(
    "text", ["model_path: [", "a: b: c", "model_path: !!python/object:os.system {}", "{[a]: b}", "\t- x"]
)
def test_invalid_yaml_is_refused(problems, text):
    (problem,) = problems(text)

    assert problem.startswith("not YAML: ") and "\n" not in problem


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no such file; --config FILE or CHORUS_CONFIG names another"):
        load_settings(tmp_path / "absent.yaml")


def test_a_binary_file_is_refused(tmp_path):
    (tmp_path / "binary.yaml").write_bytes(b"model_path: \xff\xfe")

    for path in (tmp_path, tmp_path / "binary.yaml"):
        with pytest.raises(ConfigError, match="cannot be read: "):
            load_settings(path)


@pytest.mark.parametrize(
    "command", [["-m", "gunicorn", "-c", "gunicorn.conf.py"], ["-m", "app.health"]], ids=["server", "health"]
)
@pytest.mark.parametrize(
    "text, expected",
    [
        (None, ["no such file"]),
        ("{model_path: /a, colour: red, limits: {text_characters: none}}",
         ["2 problems", "colour: unknown key",
          "limits.text_characters: expected a whole number from 1 to 1000000, found 'none'"]),
    ],
)  # fmt: skip
def test_an_invalid_file_prints_its_problems_and_exits_with_78(tmp_path, command, text, expected):
    path = tmp_path / "tts_config.yaml"
    if text is not None:
        path.write_text(text)

    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert 78 == done.returncode, done.stderr
    assert f"chorus: {path}: " in done.stderr
    assert all(each in done.stderr for each in expected)
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:80", "localhost:8080", "[::1]:8080", "[::]:1", "unix:/run/tts.sock"])
def test_an_address_that_gunicorn_can_bind_is_accepted(tmp_path, address):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"{{model_path: /a, version: 1, bind: '{address}'}}")
    settings = load_settings(path)

    assert (address, "1") == (settings.bind, settings.voices[0].version)


@pytest.mark.parametrize("text, key", [
    ("model_path: a\nmodel_path: b\n", "model_path"), ("model_path: a\nspeech: {parallel: true, parallel: false}\n", "parallel"),
])  # fmt: skip
def test_a_duplicate_key_is_refused(tmp_path, text, key):
    path = tmp_path / "tts_config.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=f"duplicate key '{key}'"):
        load_settings(path)
