"""loader.bake.coqui: the required files of every family, none of whose code is run."""

import pickle
import shutil

import numpy as np
import pytest

from loader.errors import ModelNotFoundError
from loader.releases.release import HASH_FILE, VERSION_FILE, open_release
from loader.releases.sealing import seal_release
from tests.loader.children import answer_of, run_program
from tests.support.family_checkpoints import family_releases

BAKE = """
    import json, sys, tempfile
    from contextlib import nullcontext
    from pathlib import Path
    from loader.engines.compat.coqui_package import import_coqui
    import_coqui()
    from loader.bake.coqui import bake
    from loader.errors import LoaderError
    from loader.releases.release import open_release
    errors = []
    for source in sys.argv[1:]:
        with tempfile.TemporaryDirectory() as target:
            try:
                errors.append(repr(bake(open_release(Path(source)), Path(target), lambda title: nullcontext()).network))
            except LoaderError as error:
                errors.append(f"{type(error).__name__}: {error}")
    print(json.dumps(errors))
"""


@pytest.fixture
def damaged(tmp_path):
    """Return a copy of a family's release that `damage` has changed, sealed again."""

    def damaged(family, damage):
        directory = tmp_path / f"{family}-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(family_releases()[family], directory)
        damage(directory)
        names = {path.name for path in directory.iterdir()} - {VERSION_FILE, HASH_FILE}
        seal_release(directory, "damaged", sorted(names))
        return directory

    return damaged


def replaced(name, old, new):
    """Return a function that changes one text file."""

    def damage(directory):
        text = (directory / name).read_text()
        assert old in text
        (directory / name).write_text(text.replace(old, new))

    return damage


class Malice:
    """Unpickling one creates a file."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return open, (str(self._path), "w")


def test_an_unusable_file_is_refused_with_its_name_and_the_reason(damaged, tmp_path):
    cases = {
        "ModelNotFoundError: .*a vocoder is one vocoder": ("overflow", lambda d: (d / "vocoder_config.json").unlink()),
        "UnsupportedModelError: .*vocoder_config.json: vocoder 'wavegrad'": (
            "overflow", lambda d: (d / "vocoder_config.json").write_text('{"model": "wavegrad"}')),
        "UnsupportedModelError: .*vocoder 'wavernn'": (
            "overflow", lambda d: (d / "vocoder_config.json").write_text('{"model": "wavernn"}')),
        "BakeError: .*vocoder.pth: torch cannot read it": ("overflow", lambda d: (d / "vocoder.pth").write_bytes(b"no")),
        "BakeError: .*its weights do not fit": ("overflow", replaced("config.json", '"prenet_dim": 32', '"prenet_dim": 16')),
        "UnsupportedModelError: .*speaks every family but VITS": (
            "overflow", replaced("config.json", '"model": "Overflow"', '"model": "vits"')),
        "UnsupportedModelError: .*model 'bark'": ("overflow", lambda d: (d / "config.json").write_text('{"model": "bark"}')),
        "BakeError: .*stats_path names scale_stats.npy": ("tacotron2", lambda d: (d / "scale_stats.npy").unlink()),
        "BakeError: .*d_vector_file names d_vectors.json": ("fast_pitch", lambda d: (d / "d_vectors.json").unlink()),
        "BakeError: .*registers no speaker": (
            "xtts", lambda d: [path.unlink() for path in d.iterdir() if path.name.startswith("speaker")]),
        "BakeError: .*an XTTS voice without vocab.json": ("xtts", lambda d: (d / "vocab.json").unlink()),
        "BakeError: .*speaker_tone.wav: XTTS cannot use this recording": (
            "xtts", lambda d: (d / "speaker_tone.wav").write_bytes(b"RIFF")),
    }  # fmt: skip

    found_errors = answer_of(BAKE, *(damaged(family, damage) for family, damage in cases.values()))

    for expected, found in zip(cases, found_errors, strict=True):
        start, _, rest = expected.partition(".*")
        assert found.startswith(start) and rest in found, found


def test_values_that_are_not_finite_are_refused_by_name(damaged):
    def in_weights(name, row):
        def damage(directory):
            done = run_program("""
                import sys
                import torch
                path, row = sys.argv[1:]
                checkpoint = torch.load(path, weights_only=True)
                name = [name for name, each in checkpoint["model"].items() if row in name and each.is_floating_point()][0]
                checkpoint["model"][name].view(-1)[0] = float("nan")
                torch.save(checkpoint, path)
                """, directory / name, row)
            assert 0 == done.returncode, done.stderr

        return damage

    def in_statistics(directory):
        statistics = np.load(directory / "scale_stats.npy", allow_pickle=True).item()
        statistics["mel_mean"] = np.full_like(statistics["mel_mean"], np.inf)
        np.save(directory / "scale_stats.npy", statistics, allow_pickle=True)

    found_errors = answer_of(
        BAKE,
        damaged("tacotron2", in_weights("model_file.pth", "decoder.")),
        damaged("tacotron2", in_weights("model_file.pth", "running_var")),
        damaged("overflow", in_weights("vocoder.pth", "conv_pre.bias")), damaged("tacotron2", in_statistics),
        damaged("xtts", in_weights("model.pth", "hifigan_decoder.")),
    )  # fmt: skip

    files = ["model_file.pth", "model_file.pth", "vocoder.pth", "scale_stats.npy", "model.pth"]
    for file, found in zip(files, found_errors, strict=True):
        assert found.startswith("IntegrityError: ") and f"{file}: expected finite weights, found " in found, found


def test_code_in_statistics_and_speakers_is_refused_and_not_run(damaged, tmp_path):
    ran = tmp_path / "ran"

    def in_statistics(directory):
        np.save(directory / "scale_stats.npy", np.array(Malice(ran), dtype=object), allow_pickle=True)

    def in_speakers(directory):
        (directory / "speakers_xtts.pth").write_bytes(pickle.dumps(Malice(ran)))

    found_errors = answer_of(BAKE, damaged("tacotron2", in_statistics), damaged("xtts", in_speakers))

    assert "scale_stats.npy: not a statistics file of Coqui" in found_errors[0]
    assert "speakers_xtts.pth: torch cannot read it" in found_errors[1]
    assert not ran.exists()


def test_the_reduction_comes_from_the_checkpoint():
    assert ["{'mel': {'reduction': 2}}"] == answer_of(BAKE, family_releases()["tacotron"])


@pytest.mark.parametrize(
    "files", [["vocoder.pth"], ["vocoder_config.json"], ["vocoder.pth", "vocoder_2.pth", "vocoder_config.json"]]
)
def test_half_a_vocoder_or_two_vocoders_are_refused(tmp_path, files):
    names = ["config.json", "model_file.pth", *files]
    for name in names:
        (tmp_path / name).write_bytes(b"{}")
    seal_release(tmp_path, "1", names)

    with pytest.raises(ModelNotFoundError, match="a vocoder is one vocoder"):
        print(open_release(tmp_path).vocoder_path)


def test_a_vocoder_is_not_mistaken_for_the_model(tmp_path):
    names = ["checkpoint_9.pth", "config.json", "vocoder.pth", "vocoder_config.json"]
    for name in names:
        (tmp_path / name).write_bytes(b"{}")
    seal_release(tmp_path, "1", names)
    release = open_release(tmp_path)

    assert ("checkpoint_9.pth", "vocoder.pth") == (release.checkpoint_path.name, release.vocoder_path.name)


def test_a_fetched_model_comes_with_its_vocoder(tmp_path):
    for folder, names in {"model": ["model_file.pth", "scale_stats.npy"], "vocoder": ["model.pth", "scale_stats.npy"]}.items():
        (tmp_path / folder).mkdir()
        for name in [*names, "config.json"]:
            (tmp_path / folder / name).write_text(f"{folder} {name}")
    (tmp_path / "target").mkdir()

    answer_of(
        """
        import json, sys
        from pathlib import Path
        from loader.engines.compat.coqui_package import import_coqui
        import_coqui()
        from TTS.utils import manage
        from loader.bake.fetch import fetch_model
        source = Path(sys.argv[1])
        class Downloaded:
            about = {"default_vocoder": "vocoder_models/en/test/hifigan"}
            models_dict = {"tts_models": {"en": {"test": {"glow-tts": about}}}}
            def __init__(self, **options): pass
            def list_tts_models(self): return ["tts_models/en/test/glow-tts"]
            def download_model(self, name):
                kind = "model" if name.startswith("tts_models/") else "vocoder"
                file = {"model": "model_file.pth", "vocoder": "model.pth"}[kind]
                return source / kind / file, source / kind / "config.json", self.about
        manage.ModelManager = Downloaded
        fetch_model("tts_models/en/test/glow-tts", source / "target")
        print("{}")
        """,
        tmp_path,
    )

    release = open_release(tmp_path / "target")
    assert {"config.json", "model_file.pth", "scale_stats.npy", "vocoder.pth", "vocoder_config.json",
            "vocoder_scale_stats.npy"} == set(release.hashes)  # fmt: skip
    assert "vocoder model.pth" == release.vocoder_path.read_text()
    assert "vocoder scale_stats.npy" == (release.directory / "vocoder_scale_stats.npy").read_text()
