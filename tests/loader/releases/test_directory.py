"""loader.releases.directory: what model is in a folder, which files speaking reads, and what is missing."""

import json

import pytest

from loader.engines.coqui.building import MEL_FAMILIES
from loader.errors import ModelNotFoundError, UnsupportedModelError
from loader.releases.directory import find_model, inspect_directory, inspect_each, require_supported, require_weights
from loader.releases.model_files import FAMILIES, Kind
from tests.support.checkpoints import LANGUAGES, SPEAKERS

VITS = {"model": "vits", "audio": {"sample_rate": 22050}}
FAIRSEQ = {"train": {}, "data": {"sampling_rate": 16000}, "model": {"hidden_channels": 192}}
PIPER = {"audio": {"sample_rate": 16000}, "espeak": {"voice": "de"}, "speaker_id_map": {"a": 0, "b": 1}}
TRANSFORMERS = {"model_type": "vits", "architectures": ["VitsModel"]}


@pytest.fixture
def folder_of(tmp_path):
    """Return a function that makes a folder with these files; a dictionary is written as JSON, None makes a folder."""

    def folder_of(*names, config=VITS, **contents):
        folder = tmp_path / "voice"
        folder.mkdir(exist_ok=True)
        files = {**dict.fromkeys(names, b"weights"), **contents, **({} if config is None else {"config.json": config})}
        for name, content in files.items():
            if content is None:
                (folder / name).mkdir()
            else:
                (folder / name).write_bytes(json.dumps(content).encode() if isinstance(content, dict) else content)
        return folder

    return folder_of


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("model_file.pth", ["model_file.pth", "best_model.pth"]),
        ("model.pth", ["model.pth", "dvae.pth", "mel_stats.pth", "speakers_xtts.pth"]),
        ("best_model.pth", ["best_model.pth", "best_model_99.pth"]),
        ("best_model_1500.pth", ["best_model_900.pth", "best_model_1500.pth", "checkpoint_2000.pth"]),
        ("checkpoint_2000.pth", ["checkpoint_1000.pth", "checkpoint_2000.pth", "d_vectors.pth"]),
        ("best_model_20.pth.tar", ["best_model_3.pth.tar", "best_model_20.pth.tar"]),
        ("mine.pth", ["mine.pth", "model_se.pth"]),
        ("mine.pth", ["mine.pth", "d_vectors.pth"]),
        ("mine.pth", ["mine.pth", "vocoder.pth"]),
        ("mine.pth", ["mine.pth", "optimizer.pth"]),
        ("mine.pth.tar", ["mine.pth.tar", "model_se.pth.tar"]),
        ("mine.pt", ["mine.pt"]),
        ("mine.PTH", ["mine.PTH"]),
        ("model.safetensors", ["model.safetensors"]),
        ("meine Stimme ü.pth", ["meine Stimme ü.pth", "speakers.pth"]),
        ("G_200000.pth", ["G_100000.pth", "G_200000.pth", "D_200000.pth"]),
    ],
)  # fmt: skip
def test_the_checkpoint_is_chosen_by_its_name(folder_of, chosen, names):
    assert chosen == inspect_directory(folder_of(*names)).files.checkpoint


def test_checkpoints_that_are_not_chosen_are_listed_with_the_reason(folder_of):
    found = inspect_directory(folder_of("best_model_1500.pth", "best_model_900.pth", "checkpoint_2000.pth", "model_se.pth"))

    assert {
        "best_model_900.pth": "best_model_1500.pth is the newest of the best",
        "checkpoint_2000.pth": "best_model_1500.pth is the newest of the best",
        "model_se.pth": "a speaker encoder",
    } == {each.name: each.why for each in found.files.candidates}


def test_several_checkpoints_of_the_same_rank_are_listed_with_how_to_choose(folder_of):
    folder = folder_of("a.pth", "b.pth")

    with pytest.raises(ModelNotFoundError) as caught:
        inspect_directory(folder)
    assert f"2 checkpoints, and nothing says which one is meant: a.pth, b.pth; name one: model_path: {folder}/a.pth, or " in str(
        caught.value
    )
    assert f"chorus import {folder} --checkpoint a.pth" in str(caught.value)


@pytest.mark.parametrize("name", ["checkpoint_1000.pth", "speakers.pth"])
def test_a_checkpoint_can_be_named_by_its_path_or_its_name(folder_of, name):
    folder = folder_of("best_model.pth", "checkpoint_1000.pth", "speakers.pth")

    assert name == inspect_directory(folder / name).files.checkpoint
    assert name == inspect_directory(folder, name).files.checkpoint


def test_the_files_that_a_configuration_names_are_read_and_others_are_ignored(folder_of):
    named = {"speakers_file": "C:\\runs\\me\\speaker_ids.json", "d_vector_file": ["/home/me/vectors.json"]}
    folder = folder_of(
        "model.pth", "vectors.json", "absent.txt", config={**VITS, "model_args": named, "audio": {"stats_path": "/x/stats.npy"}},
        **{"speaker_ids.json": {"b": 1, "a": 0}, "stats.npy": b"", "train.log": b"", "eval": None, ".git": None},
    )  # fmt: skip
    found = inspect_directory(folder)

    assert {
        "config.json": "configuration", "model.pth": "checkpoint", "speaker_ids.json": "speakers",
        "vectors.json": "speakers' vectors", "stats.npy": "statistics",
    } == found.files.roles  # fmt: skip
    assert ("absent.txt", "train.log", "eval/") == found.ignored


def test_xtts_has_a_vocabulary_speakers_and_recordings(folder_of):
    names = ("model.pth", "vocab.json", "speakers_xtts.pth", "speaker_tone.wav", "dvae.pth", "song.wav")
    found = inspect_directory(folder_of(*names, config={"model": "xtts", "languages": ["en", "cs"]}))

    assert {"config.json", "model.pth", "vocab.json", "speakers_xtts.pth", "speaker_tone.wav"} == set(found.files.roles)
    assert (("en", "cs"), ("tone",)) == (found.facts.languages, found.facts.speakers)


def test_a_vocoder_and_its_statistics_are_read(folder_of):
    names = ("model_file.pth", "vocoder.pth", "vocoder_config.json", "vocoder_scale_stats.npy", "scale_stats.npy")

    assert {*names, "config.json"} == set(inspect_directory(folder_of(*names, config={"model": "Tacotron2"})).files.roles)


@pytest.mark.parametrize("model", ["VITS", "Vits", "vits"])
def test_the_case_of_the_family_does_not_matter(folder_of, model):
    assert "vits" == inspect_directory(folder_of("model.pth", config={"model": model})).files.family


@pytest.mark.parametrize(
    ("kind", "config", "names"),
    [
        (Kind.COQUI, VITS, ["model.pth"]), (Kind.FAIRSEQ, FAIRSEQ, ["G_100000.pth", "vocab.txt"]),
        (Kind.PIPER, None, ["x.onnx"]), (Kind.TRANSFORMERS, TRANSFORMERS, ["model.safetensors", "vocab.json"]),
    ],
)  # fmt: skip
def test_the_layout_is_known_by_names_and_configuration(folder_of, kind, config, names):
    found = inspect_directory(folder_of(*names, config=config, **({"x.onnx.json": PIPER} if kind is Kind.PIPER else {})))

    assert kind is found.files.kind
    assert set(names) <= set(found.files.roles)


@pytest.mark.parametrize(
    "content",
    [b'\xef\xbb\xbf{"model": "glow_tts"}', b'{\r\n// a comment\r\n"model": "glow_tts", /* two\nlines */ "url": "http://x"}',
     b'{"model": "glow_tts", "loss": NaN}'],
    ids=["mark", "comments", "nan"],
)  # fmt: skip
def test_a_configuration_is_read_as_loosely_as_coqui_reads_it(folder_of, content):
    assert "glow_tts" == inspect_directory(folder_of("model.pth", config=None, **{"config.json": content})).files.family


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe{", b"[" * 10_000])
def test_a_broken_configuration_is_named(folder_of, content):
    said = r"config\.json: (not a configuration \(|expected a configuration, found an empty file)"
    with pytest.raises(ModelNotFoundError, match=said):
        inspect_directory(folder_of("model.pth", config=None, **{"config.json": content}))


def test_a_piper_voice_is_its_graph_and_the_configuration_of_that(folder_of):
    found = inspect_directory(folder_of("de.onnx", config=None, **{"de.onnx.json": PIPER, "MODEL_CARD": b"* License: CC0\n"}))

    assert {"de.onnx.json": "configuration", "de.onnx": "checkpoint"} == found.files.roles
    assert (("a", "b"), ("de",), 16000, "CC0") == (
        found.facts.speakers, found.facts.languages, found.facts.sample_rate_hz, found.facts.licence
    )  # fmt: skip
    assert "MODEL_CARD" in found.kept


def test_several_piper_voices_are_listed_and_one_can_be_named(folder_of):
    folder = folder_of("a.onnx", "b.onnx", config=None, **{"a.onnx.json": PIPER, "b.onnx.json": PIPER})

    with pytest.raises(ModelNotFoundError, match="2 Piper voices, and nothing says which one is meant: a.onnx, b.onnx"):
        inspect_directory(folder)
    for path in ("b.onnx", "b.onnx.json"):
        assert "b.onnx" == inspect_directory(folder / path).files.checkpoint
    assert ["a.onnx", "b.onnx"] == [each.files.checkpoint for each in inspect_each(folder)]


@pytest.mark.parametrize(
    ("names", "config", "said"),
    [
        (["a.txt", "b.wav"], None, "no model; a model is config.json with a checkpoint .*; the folder has a.txt, b.wav"),
        ([], None, "no model; .*; the folder is empty"),
        ([], VITS, "config.json without a checkpoint beside it .*; the folder has config.json"),
        (["model_se.pth"], VITS, "config.json without a checkpoint beside it .*; model_se.pth looks like another part of it"),
        (["best_model.pth"], None, "best_model.pth without config.json beside it; copy the one that was written with"),
        (["x.onnx"], None, "x.onnx has no x.onnx.json beside it; a Piper voice is both"),
        (["manifest.json"], None, "a baked artifact, not a model directory; set model_path to it"),
    ],
    ids=["others", "empty", "config", "parts", "checkpoint", "graph", "artifact"],
)
def test_a_folder_without_a_model_says_what_it_has_and_what_is_missing(folder_of, names, config, said):
    with pytest.raises(ModelNotFoundError, match=said):
        inspect_directory(folder_of(*names, config=config))


def test_a_model_one_level_below_is_named_and_found(folder_of):
    folder = folder_of(config=None, **{"run-1": None, "notes.txt": b""})
    (folder / "run-1" / "config.json").write_text(json.dumps(VITS))
    (folder / "run-1" / "best_model.pth").write_bytes(b"weights")

    with pytest.raises(ModelNotFoundError, match=f"no model, but run-1 holds one; name {folder}/run-1"):
        inspect_directory(folder)
    assert folder / "run-1" == find_model(folder).directory


def test_of_several_models_below_none_is_taken(folder_of):
    folder = folder_of(config=None, **{"run-1": None, "run-2": None})
    for run in ("run-1", "run-2"):
        (folder / run / "config.json").write_text(json.dumps(VITS))
        (folder / run / "best_model.pth").write_bytes(b"weights")

    with pytest.raises(ModelNotFoundError, match="run-1, run-2 holds one"):
        find_model(folder)


def test_another_model_of_transformers_is_refused(folder_of):
    found = inspect_directory(folder_of("model.safetensors", config={**TRANSFORMERS, "model_type": "speecht5"}))

    with pytest.raises(UnsupportedModelError, match="a 'speecht5' of Hugging Face's transformers; of its models"):
        require_supported(found.files, found.directory / "config.json")


def test_another_family_is_refused_with_those_that_are_spoken(folder_of):
    found = inspect_directory(folder_of("model.pth", config={"model": "Bark"}))

    with pytest.raises(UnsupportedModelError, match="model 'bark'; this version speaks vits, xtts, "):
        require_supported(found.files, found.directory / "config.json")
    assert {*MEL_FAMILIES, "vits", "xtts"} == set(FAMILIES)


def test_a_checkpoint_that_is_something_else_is_named(folder_of):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 332000000\n"
    found = inspect_directory(folder_of(**{"model.pth": pointer}))

    with pytest.raises(ModelNotFoundError, match="model.pth: expected weights, found a Git LFS pointer of a file of 332,000,000"):
        require_weights(found)


def test_names_with_control_characters_are_quoted(folder_of):
    with pytest.raises(ModelNotFoundError) as caught:
        inspect_directory(folder_of("\x1b[31mred", "\udcff", config=None))

    assert str(caught.value).isprintable()


def test_an_archive_is_to_be_unpacked(folder_of):
    folder = folder_of("voice.zip", "voice.tar.gz", config=None)

    for name in ("voice.zip", "voice.tar.gz"):
        with pytest.raises(ModelNotFoundError, match="an archive; unpack it, and name the folder"):
            inspect_directory(folder / name)


@pytest.mark.parametrize(
    ("files", "licence"),
    [
        ({"LICENSE": b"\nMozilla Public License 2.0\nmore"}, "Mozilla Public License 2.0"),
        ({"README.md": b"---\nlanguage: de\nlicense: cc-by-4.0\n---\n"}, "cc-by-4.0"),
        ({"README.md": b"# A voice"}, None),
        ({}, None),
    ],
    ids=["file", "card", "unnamed", "none"],
)
def test_a_licence_is_found_in_the_files(folder_of, files, licence):
    assert licence == inspect_directory(folder_of("model.pth", **files)).facts.licence


@pytest.mark.parametrize("name", ["speakers", "dvectors", "yourtts", "languages"])
def test_speakers_and_languages_of_real_checkpoints_are_read_without_torch(release_of, name):
    facts = inspect_directory(release_of(name)).facts

    assert set(SPEAKERS) == set(facts.speakers)
    assert (set(LANGUAGES) if name in ("yourtts", "languages") else {"en-us"}) == set(facts.languages)
    assert 22050 == facts.sample_rate_hz


@pytest.mark.parametrize("name", ["mms", "tiny", "dp", "graphemes"])
def test_every_file_of_a_release_is_read(release_of, name):
    found = inspect_directory(release_of(name))

    assert () == found.ignored
