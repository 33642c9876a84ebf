"""Model directories as people have them: what Coqui reads is read, with Coqui's ids and samples."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.loader.bake.loose import Case, seal, speak_ours, speak_theirs
from tests.loader.bake.speech import MIN_DECIBELS, decibels
from tests.loader.children import answer_of, run_program
from tests.support.checkpoints import LANGUAGES, SPEAKERS
from tests.support.family_checkpoints import TRAINED_IN, family_releases

CONFIG, WEIGHTS = "config.json", "model_file.pth"
WINDOWS = "C:\\Users\\me\\run\\"


def text_of(change):
    """Return a change of the text of config.json."""

    def changed(directory):
        path = directory / CONFIG
        path.write_bytes(change(path.read_text(encoding="utf-8")))

    return changed


def keys_of(**changes):
    """Return a change of keys of config.json: `key=value`, or `outer__key=value`."""

    def changed(directory):
        document = json.loads((directory / CONFIG).read_text())
        for key, value in changes.items():
            where, _, inner = key.rpartition("__")
            (document[where] if where else document)[inner] = value
        (directory / CONFIG).write_text(json.dumps(document))

    return changed


#: Changes of checkpoints, made by one child that imports torch once.
pending = []


def weights_by(source, file=WEIGHTS):
    """Return a change of a checkpoint by Python, which has its content as `c` and the weights as `w`; None is not written."""
    return lambda directory: pending.append([str(directory / file), source])


def change_weights():
    """Make the changes of checkpoints that were asked for."""
    done = run_program(
        """
        import json, sys
        from loader.engines.compat.coqui_package import import_coqui
        import_coqui()
        import collections, pathlib
        import numpy as np
        import torch
        for path, source in json.loads(sys.argv[1]):
            c = torch.load(path, weights_only=True)
            scope = {**globals(), "c": c, "w": c.get("model", c), "path": path}
            exec(source, scope)
            if scope["c"] is not None:
                torch.save(scope["c"], path)
        """,
        json.dumps(pending),
    )  # fmt: skip
    pending.clear()
    assert 0 == done.returncode, done.stderr


def names_by(file, change):
    """Return a change of a JSON file of names."""

    def changed(directory):
        document = change(json.loads((directory / file).read_text(encoding="utf-8-sig")))
        (directory / file).write_text(json.dumps(document), encoding="utf-8-sig" if change is same else "utf-8")

    return changed


def same(document):
    return document


def all_of(*changes):
    def changed(directory):
        for change in changes:
            change(directory)

    return changed


def with_comments(text):
    lines = "// trained in May, see https://example.org \"notes\"\n" + text.replace(",\n", ", // a comment\n", 3)
    return lines.replace("{", '{\n"restore_path": "//server/share/*x*/y",', 1).encode()


def with_nan(text):
    return text.replace("{", '{"grad_clip_of_a_fork": NaN, "other": -Infinity, "colours": {"red": [1]},', 1).encode()


#: Coqui's own classes load these directories as they are.
AS_COQUI = {
    "comments": ("tiny", text_of(with_comments)),
    "nan and unknown keys": ("tiny", text_of(with_nan)),
    "line ends of Windows": ("tiny", text_of(lambda text: text.replace("\n", "\r\n").encode())),
    "VITS": ("tiny", keys_of(model="VITS")),
    "Vits": ("tiny", keys_of(model="Vits")),
    "half": ("tiny", weights_by("c = {'model': {k: v.half() if v.is_floating_point() else v for k, v in w.items()}}")),
    "double": ("tiny", weights_by("c = {'model': {k: v.double() if v.is_floating_point() else v for k, v in w.items()}}")),
    "optimizers": ("tiny", weights_by(
        "o = torch.optim.AdamW([torch.nn.Parameter(torch.ones(2))]); c |= {'optimizer': [o.state_dict()] * 2, 'step': 5}")),
    "a file of speakers that nothing reads": ("tiny", keys_of(
        model_args__use_speaker_embedding=False, model_args__speakers_file=f"{TRAINED_IN}/speakers.pth",
        use_speaker_embedding=False, speakers_file=f"{TRAINED_IN}/speakers.pth")),
    "vectors that nothing reads": ("tiny", keys_of(
        model_args__use_d_vector_file=False, model_args__d_vector_file=[f"{TRAINED_IN}/d_vectors.pth"])),
    "languages that nothing reads": ("tiny", keys_of(
        model_args__use_language_embedding=False, model_args__language_ids_file=f"{TRAINED_IN}/language_ids.json")),
    "names with white space": ("speakers", weights_by("c = {f' {n}\\n': row for n, row in c.items()}", "speakers.pth")),
    "more names than rows": ("speakers", weights_by("c['Zoe'] = 3", "speakers.pth")),
    "a row that does not exist": ("speakers", weights_by("c['p225'] = 7", "speakers.pth")),
    "comments in the vocoder": ("glow_tts", lambda directory: (directory / "vocoder_config.json").write_text(
        with_comments((directory / "vocoder_config.json").read_text()).decode())),
    "comments and files that nothing reads": ("glow_tts", all_of(
        keys_of(use_d_vector_file=False, d_vector_file=[f"{TRAINED_IN}/d_vectors.json"]),
        text_of(lambda text: text.replace("{", "{\n// a comment\n", 1).encode()))),
}  # fmt: skip

#: Coqui's classes refuse these; each must sound as the directory that it was made from.
AS_BEFORE = {
    "byte order mark": ("tiny", text_of(lambda text: text.encode("utf-8-sig"))),
    "UTF-16": ("tiny", text_of(lambda text: text.encode("utf-16"))),
    "block comments": ("tiny", text_of(lambda text: f'/* one\n"two" */ {text}'.encode())),
    "bare weights": ("tiny", weights_by("c = w")),
    "state_dict": ("tiny", weights_by("c = {'state_dict': w, 'epoch': 3}")),
    "module": ("tiny", weights_by("c = {'model': {f'module.{k}': v for k, v in w.items()}}")),
    "numpy": ("tiny", weights_by("c |= {'loss': np.float64(0.5), 'best': {'eval': np.float32(1)}, 'rows': np.arange(3)}")),
    "paths": ("tiny", weights_by(
        "c |= {'output_path': pathlib.PosixPath('/home/me/run'), 'by': collections.defaultdict(list, {'a': [1]})}")),
    "config": ("tiny", weights_by("from TTS.tts.configs.vits_config import VitsConfig; c['config'] = VitsConfig()")),
    "older format": ("tiny", weights_by(
        "c['loss'] = np.float64(1); torch.save(c, path, _use_new_zipfile_serialization=False); c = None")),
    "safetensors": ("tiny", weights_by("from safetensors.torch import save_file; save_file(w, path); c = None")),
    "path of Windows": ("speakers", keys_of(model_args__speakers_file=f"{WINDOWS}speakers.pth")),
    "name of Coqui's downloader": ("speakers", all_of(
        keys_of(model_args__speakers_file=f"{TRAINED_IN}/speakers_of_may.pth"),
        lambda directory: (directory / "speakers.pth").rename(directory / "speaker_ids.pth"))),
    "rows of numpy": ("speakers", weights_by("c = {n: np.int64(row) for n, row in c.items()}", "speakers.pth")),
    "vectors by a path of Windows": ("dvectors", keys_of(model_args__d_vector_file=[f"{WINDOWS}d_vectors.json"])),
    "byte order marks in names": ("languages", all_of(
        names_by("speaker_ids.json", same), names_by("language_ids.json", same),
        keys_of(model_args__language_ids_file=f"{WINDOWS}language_ids.json"))),
    "fairseq": ("mms", all_of(
        text_of(lambda text: f"// a comment\r\n{text}".encode("utf-8-sig")),
        lambda directory: (directory / "vocab.txt").write_bytes(
            (directory / "vocab.txt").read_text().replace("\n", "\r\n").encode("utf-8-sig")),
        weights_by("c = {'state_dict': {f'module.{k}': v for k, v in w.items()}, 'loss': np.float64(1)}", "G_100000.pth"))),
    "a vocoder": ("tacotron2", lambda directory: None),
    "names in another case": ("dvectors", keys_of(model_args__d_vector_file=[f"{WINDOWS}D_Vectors.JSON"])),
}  # fmt: skip

SPEAKER = {"speakers": "walter", "dvectors": "walter", "languages": "p225", "glow_tts": "ben"}
LANGUAGE = {"languages": "fr-fr"}


@pytest.fixture(scope="module")
def plain(release_of):
    """Return the intact release of a name."""
    families = family_releases()
    return lambda base: families[base] if base in families else release_of(base)


@pytest.fixture(scope="module")
def heard(plain, tmp_path_factory):
    """Our speech and Coqui's for every case."""
    folder = tmp_path_factory.mktemp("loose")
    ours, theirs = [], []
    for name, (base, change) in {**AS_COQUI, **AS_BEFORE}.items():
        directory = Path(shutil.copytree(plain(base), folder / name.replace(" ", "_")))
        change(directory)
        engine = "coqui" if base in family_releases() else "pytorch"
        case = Case(name, str(directory), engine, SPEAKER.get(base), LANGUAGE.get(base))
        ours.append(case)
        if name in AS_COQUI:
            spaced = name == "names with white space"
            theirs.append(case._replace(speaker=f" {case.speaker}\n" if spaced else case.speaker))
    change_weights()
    for case in ours:
        seal(Path(case.directory))
    theirs += [
        Case(base, str(plain(base)), "coqui" if base in family_releases() else "pytorch", SPEAKER.get(base), LANGUAGE.get(base))
        for base in dict.fromkeys(base for base, _ in AS_BEFORE.values())
    ]
    return speak_ours(ours, folder / "ours.npz"), speak_theirs(theirs, folder / "theirs.npz")


@pytest.mark.parametrize("name", [*AS_COQUI, *AS_BEFORE])
def test_the_ids_and_samples_are_those_of_coquis_own_classes(heard, name):
    ours, theirs = heard[0][name], heard[1][name if name in AS_COQUI else AS_BEFORE[name][0]]

    assert ours.error is None
    assert theirs.ids == ours.ids
    assert theirs.samples.size == ours.samples.size > 5_000
    figure = decibels(theirs.samples, ours.samples)
    assert figure >= MIN_DECIBELS, f"{figure:.1f} dB"


def test_names_have_no_white_space_around_them(heard):
    assert set(SPEAKERS) == set(heard[0]["names with white space"].speakers)


@pytest.mark.parametrize("name", ["more names than rows", "a row that does not exist"])
def test_speakers_without_a_row_are_left_out(heard, name):
    assert {"walter", "Ada"} <= set(heard[0][name].speakers) <= set(SPEAKERS)


def test_languages_are_those_of_a_file_that_a_foreign_path_names(heard):
    assert set(LANGUAGES) == set(heard[0]["byte order marks in names"].languages)


def statistics_of(factor):
    """Return the content of a file of statistics."""
    of_mel = {"mel_mean": np.linspace(-60, -30, 80) * factor, "mel_std": np.linspace(5, 20, 80) * factor}
    return of_mel | {"linear_mean": np.zeros(513), "linear_std": np.ones(513), "audio_config": {}}


def name_statistics(directory, name):
    """Have the vocoder name statistics, as one that was trained with them."""
    document = json.loads((directory / "vocoder_config.json").read_text())
    document["audio"] |= {"stats_path": name, "signal_norm": True}
    (directory / "vocoder_config.json").write_text(json.dumps(document))


@pytest.fixture(scope="module")
def with_statistics(plain, tmp_path_factory):
    """Tacotron 2 with a vocoder that has statistics of its own: ours by both names, and for Coqui by its path."""
    folder = tmp_path_factory.mktemp("statistics")
    made = {}
    files = {"prefixed": "vocoder_scale_stats.npy", "named": "of_vocoder.npy", "clash": None, "theirs": "v.npy"}
    for name, file in files.items():
        directory = made[name] = Path(shutil.copytree(plain("tacotron2"), folder / name))
        if file is not None:
            np.save(directory / file, statistics_of(1.5), allow_pickle=True)
        named = {"prefixed": "scale_stats.npy", "clash": "scale_stats.npy", "theirs": f"{directory}/v.npy"}.get(name, file)
        name_statistics(directory, named if name == "theirs" else f"{WINDOWS}{named}")
        seal(directory)
    ours = [Case(name, str(made[name]), "coqui") for name in ("prefixed", "named", "clash")]
    theirs = speak_theirs([Case("theirs", str(made["theirs"]), "coqui")], folder / "theirs.npz")
    return speak_ours(ours, folder / "ours.npz"), theirs["theirs"]


@pytest.mark.parametrize("name", ["prefixed", "named"])
def test_a_vocoder_is_scaled_by_its_own_statistics(with_statistics, name):
    ours, theirs = with_statistics

    assert ours[name].error is None
    assert decibels(theirs.samples, ours[name].samples) >= MIN_DECIBELS


def test_a_vocoder_that_names_the_statistics_of_the_model_is_refused_with_the_name_to_give(with_statistics):
    error = with_statistics[0]["clash"].error

    assert "stats_path names scale_stats.npy, which is the model's by config.json" in error
    assert "put the vocoder's own statistics beside it as vocoder_scale_stats.npy" in error


#: What is refused, for the same reason as by Coqui, and what the error says.
REFUSED = {
    "fewer names than rows": (
        "speakers", weights_by("del c['Ada']", "speakers.pth"),
        "emb_g.weight has 3 rows, and speakers_file (speakers.pth) names 2 speakers (rows 1 to 2); take the file of the same"),
    "rows of another voice": (
        "speakers", weights_by("c = {n: row + 10 for n, row in c.items()}", "speakers.pth"),
        "emb_g.weight has 3 rows, and speakers_file (speakers.pth) names 3 speakers (rows 10 to 12)"),
    "one language more": (
        "languages", names_by("language_ids.json", lambda names: names | {"de": 3}),
        "emb_l.weight has 3 rows, and the configuration has 4 languages; take the list of languages of the same training"),
    "one speaker more": (
        "glow_tts", names_by("speakers.json", lambda names: names | {"zoe": 3}),
        "emb_g.weight has 3 rows, and the configuration has 4 speakers; take the list of speakers of the same training"),
    "a page of names": (
        "speakers", lambda directory: (directory / "speakers.pth").write_text("<!doctype html>"),
        "speakers.pth: expected names, found a web page (HTML)"),
    "a row that is no number": (
        "languages", names_by("speaker_ids.json", lambda names: names | {"Ada": "first"}),
        "speaker_ids.json: the row of 'Ada' is 'first'; expected a number"),
    "a list of names": (
        "languages", names_by("speaker_ids.json", list), "speaker_ids.json: cannot be read as names: a JSON object was expected"),
    "a vector without a name": (
        "dvectors", names_by("d_vectors.json", lambda clips: {key: {"embedding": [0.0]} for key in clips}),
        "d_vectors.json: expected a name and an embedding for each recording"),
}  # fmt: skip

XTTS_LANGUAGES = ["en", "cs", "hi", "zh-cn", "vi"]


@pytest.fixture(scope="module")
def answered(plain, tmp_path_factory):
    """The errors of the bake for every refused case, and an XTTS of languages whose numbers Coqui cannot read."""
    folder = tmp_path_factory.mktemp("refused")
    changes = {name: (base, change) for name, (base, change, _) in REFUSED.items()}
    changes["xtts"] = "xtts", all_of(
        keys_of(languages=[f" {each}" for each in XTTS_LANGUAGES]), weights_by("c = {' ana\\n': c['ana']}", "speakers_xtts.pth")
    )
    cases = []
    for name, (base, change) in changes.items():
        directory = Path(shutil.copytree(plain(base), folder / name.replace(" ", "_")))
        change(directory)
        cases.append(Case(name, str(directory), "coqui" if base in family_releases() else "pytorch"))
    change_weights()
    for case in cases:
        seal(Path(case.directory))
    return speak_ours(cases, folder / "ours.npz")


@pytest.mark.parametrize("name", REFUSED)
def test_counts_that_do_not_fit_are_refused_with_the_key_and_both_counts(answered, name):
    assert answered[name].error.startswith("70 ")
    assert REFUSED[name][2] in answered[name].error


def test_xtts_keeps_every_language_whose_packages_are_there(answered):
    assert answered["xtts"].error is None
    assert XTTS_LANGUAGES == answered["xtts"].languages
    assert "ana" in answered["xtts"].speakers


def test_a_sentence_that_the_reader_of_xtts_cannot_read_stays_as_written(plain):
    written, read, coquis = answer_of(
        """
        import json, sys
        from pathlib import Path
        from loader.engines.coqui import import_libraries
        import_libraries()
        from loader.engines.coqui.xtts import BpeFrontEnd, coqui_tokenizer
        tokenizer = coqui_tokenizer(Path(sys.argv[1]).read_bytes())
        front_end = BpeFrontEnd(tokenizer, 400)
        def ids(text, language):
            return [each for reading in front_end.utterances(text, language) for each in reading.ids]
        plain = [tokenizer.tokenizer.encode(f"[{token}]{text}").ids for token, text in (
            ("cs", "patro[SPACE]1."), ("vi", "hello"), ("pt", "ol\u00e1"))]
        same = [ids("Patro 1.", "cs"), ids("Hello", "vi"), ids("Ol\u00e1", "pt-br")]
        print(json.dumps([plain, same, [ids("Hello one.", "cs"), tokenizer.encode("hello one.", "cs")]]))
        """,
        plain("xtts") / "vocab.json",
    )  # fmt: skip

    assert written[:2] == read[:2]
    assert coquis[0] == coquis[1]
