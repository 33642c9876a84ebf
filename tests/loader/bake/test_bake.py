"""python -m loader.bake: a sound checkpoint becomes an artifact; anything else an error, a status and nothing left."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loader import bakery
from loader.artifact import open_artifact, this_platform
from loader.config import load_settings
from loader.engines import onnx
from loader.errors import BakeError, IntegrityError, MissingPackageError, ModelNotFoundError
from loader.release import seal_release
from loader.sources import locate_artifact
from tests.loader.children import PATIENCE_S, ROOT, answer_of, run_program


@pytest.fixture
def bake(release, tmp_path):
    """Bake `release` as the command line does."""
    target = tmp_path / "target"
    target.mkdir()

    def bake(*options):
        words = [sys.executable, "-m", "loader.bake", *options, "voice", release, target]
        return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S, check=False)

    return bake


@pytest.fixture
def settings(release, tmp_path):
    """A configuration of `release` with a cache of its own."""
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: {release}\ncache_dir: {tmp_path / 'cache'}\n")
    return load_settings(path)


def configure(release, change):
    """Change config.json, and seal the release again as its maker would."""
    config = json.loads((release / "config.json").read_text())
    change(config)
    (release / "config.json").write_text(json.dumps(config))
    seal_release(release, "1", ["config.json", "model_file.pth"])


def spoil_weights(sources):
    """Run each source with the checkpoint of its release as `weights`, save what it leaves there, and seal again."""
    done = run_program("""
        import json, sys
        import torch
        for directory, source in json.loads(sys.argv[1]).items():
            path = f"{directory}/model_file.pth"
            scope = {"weights": torch.load(path, map_location="cpu", weights_only=True)["model"], "torch": torch}
            exec(source, scope)
            torch.save({"model": scope["weights"]}, path)
        """, json.dumps({str(directory): source for directory, source in sources.items()}))
    assert done.returncode == 0, done.stderr
    for directory in sources:
        seal_release(directory, "1", ["config.json", "model_file.pth"])


def said(done):
    """The one line an error ends with."""
    assert "Traceback" not in done.stdout + done.stderr, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("chorus: ")
    return line


def names_in(settings):
    return sorted(path.name for path in (settings.cache_dir / "artifacts").iterdir() if path.suffix != ".lock")


CHECKPOINTS = {
    "missing": ("for key in [key for key in weights if key.startswith('flow.')]: del weights[key]",
                "missing weights: flow.flows.0."),
    "one missing": ("del weights['flow.flows.0.pre.weight']",
                    "missing weights: flow.flows.0.pre.weight; weights nothing takes: none"),
    "other shape": ("weights['text_encoder.emb.weight'] = torch.zeros(3, 3)",
                    "its weights do not fit config.json: Error(s) in loading state_dict"),
    "nobody's": ("weights['emb_g.weight'] = torch.zeros(3, 3)", "weights nothing takes: emb_g.weight"),
    "a number": ("weights = 5", "its weights do not fit config.json"),
    "a list": ("weights = [torch.zeros(2)]", "its weights do not fit config.json"),
    "numbered": ("weights = {1: 2}", "its weights do not fit config.json"),
    "bytes": (b"not a checkpoint", "torch cannot read it"),
    "empty": (b"", "torch cannot read it"),
    "half a zip": (b"PK\3\4" + bytes(100), "torch cannot read it"),
}  # fmt: skip


def become(**changes):
    """A change of config.json: `key=value`, or `outer__key=value`."""

    def change(config):
        for key, value in changes.items():
            where, _, inner = key.rpartition("__")
            (config[where] if where else config)[inner] = value

    return change


CONFIGURATIONS = {
    "family": (lambda config: config.clear() or config.update(model="tacotron2"), 69, "model is 'tacotron2'"),
    "unknown family": (lambda config: config.update(model="no_such_model"), 70, "Coqui cannot read it"),
    "no family": (lambda config: config.pop("model"), 70, "Coqui cannot read it"),
    "speakers": (become(model_args__use_speaker_embedding=True, model_args__num_speakers=4), 69,
                 "model_args.use_speaker_embedding is set; this version speaks VITS voices of one speaker"),
    "d-vectors": (become(model_args__use_d_vector_file=True), 69, "use_d_vector_file is set"),
    "languages": (become(model_args__use_language_embedding=True), 69, "use_language_embedding is set"),
    "phonemizer": (become(phonemizer="no_such_phonemizer"), 70, "Coqui cannot build it"),
    "cleaner": (become(text_cleaner="no_such_cleaner"), 70, "has no attribute 'no_such_cleaner'"),
    "language": (become(phoneme_language="xx-nowhere"), 69, "espeak-ng has no language 'xx-nowhere'"),
    "no JSON": (None, 70, "Coqui cannot read it"),
    "extra key": (become(colour="red"), None, ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def refusals(tiny_release, tmp_path_factory):
    """What the bake says to every foreign checkpoint and configuration, all tried in one child."""
    base = tmp_path_factory.mktemp("foreign")
    sources = {}
    for name, (content, _) in CHECKPOINTS.items():
        directory = Path(shutil.copytree(tiny_release, base / name))
        if isinstance(content, bytes):
            (directory / "model_file.pth").write_bytes(content)
            seal_release(directory, "1", ["config.json", "model_file.pth"])
        else:
            sources[directory] = content
    spoil_weights(sources)
    for name, (change, _, _) in CONFIGURATIONS.items():
        directory = Path(shutil.copytree(tiny_release, base / name))
        if change is None:
            (directory / "config.json").write_text("{")
            seal_release(directory, "1", ["config.json", "model_file.pth"])
        else:
            configure(directory, change)
    return base, answer_of("""
        import json, sys
        from pathlib import Path
        from loader.coqui import import_coqui
        from loader.bake.vits import load_vits
        from loader.bake.tokenizer import text_facts
        from loader.errors import LoaderError
        from loader.release import open_release
        import_coqui()
        said = {}
        for directory in Path(sys.argv[1]).iterdir():
            try:
                text_facts(load_vits(open_release(directory)).model)
                said[directory.name] = None
            except LoaderError as error:
                said[directory.name] = error.exit_status, str(error)
        print(json.dumps(said))
        """, base)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_a_foreign_checkpoint_is_refused(refusals, name):
    base, said = refusals
    status, message = said[name]

    assert 70 == status
    assert message.startswith(f"{base / name / 'model_file.pth'}: ")
    assert CHECKPOINTS[name][1] in message
    assert "\n" not in message and len(message) < 700


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_configuration_this_version_cannot_speak_is_refused(refusals, name):
    base, said = refusals
    _, expected_status, expected = CONFIGURATIONS[name]
    if expected_status is None:
        assert said[name] is None
        return
    status, message = said[name]

    assert expected_status == status
    assert expected in message
    assert "\n" not in message


def test_the_command_says_the_same_in_its_last_line_and_leaves_its_status(release, bake):
    configure(release, become(model_args__use_d_vector_file=True))

    done = bake()

    assert 69 == done.returncode
    assert "use_d_vector_file is set" in said(done)


BOMB = """
    import os, pickle, sys
    import torch
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (sys.argv[2],)
    path, canary, form = sys.argv[1:]
    if form == "zip":
        torch.save({"model": {"weight": Bomb()}}, path)
    else:
        with open(path, "wb") as file:
            pickle.dump({"model": Bomb()}, file)
    # The file is as dangerous as it is meant to be.
    try:
        torch.load(path, weights_only=False)
    except RuntimeError:
        pass
    os.rmdir(canary)
"""


@pytest.mark.parametrize("form", ["zip", "pickle"])
def test_code_in_a_checkpoint_is_never_run(release, bake, tmp_path, form):
    canary = tmp_path / "canary"
    made = run_program(BOMB, release / "model_file.pth", canary, form)
    assert made.returncode == 0, made.stderr
    seal_release(release, "1", ["config.json", "model_file.pth"])

    done = bake()

    assert 70 == done.returncode
    assert "torch cannot read it" in said(done)
    assert not canary.exists()


def test_a_changed_file_is_refused_before_torch_is_imported(release, bake):
    with (release / "model_file.pth").open("ab") as file:
        file.write(b"\0")

    done = bake()

    assert 65 == done.returncode
    assert f"{release / 'model_file.pth'}: expected sha256 " in said(done)
    assert "starting torch" not in done.stderr


def test_a_failed_bake_leaves_nothing_and_carries_the_childs_status(settings, release, capfd):
    configure(release, become(model_args__use_d_vector_file=True))

    with pytest.raises(BakeError, match="ended with status 69; its last line above says why") as caught:
        locate_artifact(settings.voices[0], settings)

    assert 69 == caught.value.exit_status
    assert "use_d_vector_file" in capfd.readouterr().err.splitlines()[-1]
    assert [] == names_in(settings)


def test_a_server_that_cannot_bake_exits_with_the_childs_status_and_no_traceback(settings, release):
    configure(release, become(model_args__hidden_channels=16))

    done = subprocess.run(
        [sys.executable, "-m", "app.health"], cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(settings.path)},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    assert 70 == done.returncode
    assert "its weights do not fit config.json" in done.stderr
    assert "ended with status 70" in said(done)
    assert [] == names_in(settings)


def test_a_configured_release_is_verified_before_it_is_baked(settings, release):
    (release / "config.json").write_text("{}")

    with pytest.raises(IntegrityError, match="config.json"):
        locate_artifact(settings.voices[0], settings)

    assert not (settings.cache_dir / "artifacts").exists()


BAKE = """
    import sys
    from loader.config import load_settings
    from loader.sources import locate_artifact
    settings = load_settings(sys.argv[1])
    print(locate_artifact(settings.voices[0], settings))
    print([name for name in ("torch", "TTS", "onnx", "onnxruntime") if name in sys.modules])
"""


def test_kill_9_of_a_real_bake_leaves_nothing_and_the_next_one_succeeds(settings):
    """The server that bakes is killed; its child must not bake on, into a folder somebody else sweeps."""
    words = [sys.executable, "-c", "\n".join(line.strip() for line in BAKE.splitlines()), settings.path]
    artifacts = settings.cache_dir / "artifacts"
    with subprocess.Popen(words, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as server:
        while not list(artifacts.glob(".*.tmp/encode.bin")):
            assert server.poll() is None, server.stderr.read()
        server.kill()
        # The pipe ends when its last writer is gone: the bake child, too.
        said = server.stderr.read()

    assert b"exporting" in said and b"sealing" not in said
    assert 1 == len(names_in(settings)) and names_in(settings)[0].endswith(".tmp")

    artifact = locate_artifact(settings.voices[0], settings)

    assert [artifact.name] == names_in(settings)
    open_artifact(artifact, this_platform(onnx.version()))


def test_a_killed_bake_child_is_an_error_that_names_the_signal(settings, tmp_path):
    """The kernel ends the largest process when memory is short."""
    answer = answer_of("""
        import json, os, signal, subprocess, sys
        from loader.config import load_settings
        from loader.errors import BakeError
        from loader.sources import locate_artifact
        settings = load_settings(sys.argv[1])
        class Killed(subprocess.Popen):
            def __init__(self, *arguments, **options):
                super().__init__(*arguments, **options)
                self.send_signal(signal.SIGKILL)
        subprocess.Popen = Killed
        try:
            locate_artifact(settings.voices[0], settings)
        except BakeError as error:
            print(json.dumps([str(error), error.exit_status]))
        """, settings.path)

    assert ["the bake child was ended by SIGKILL; its last line above says why", 70] == answer
    assert [] == names_in(settings)


def test_two_servers_that_start_at_once_bake_once_and_a_third_not_at_all(settings, release, capfd):
    words = [sys.executable, "-c", "\n".join(line.strip() for line in BAKE.splitlines()), settings.path]
    servers = [
        subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    outputs = [server.communicate(timeout=PATIENCE_S) for server in servers]

    assert [0, 0] == [server.returncode for server in servers], outputs
    assert 1 == len({out for out, _ in outputs})
    assert "[]" == outputs[0][0].splitlines()[-1], "who asks for a bake imports nothing that bakes"
    silent, said = sorted((err for _, err in outputs), key=len)
    assert "" == silent
    for stage in ("verifying", "loading the checkpoint", "exporting and optimising", "sealing"):
        assert 1 == said.count(f"chorus: {stage}")

    artifact = locate_artifact(settings.voices[0], settings)

    assert "" == capfd.readouterr().err
    assert [artifact.name] == names_in(settings)
    opened = open_artifact(artifact, this_platform(onnx.version()))
    assert artifact.name == opened.manifest.key
    assert opened.manifest.source["hashes"] == {
        name: hashlib.sha256((release / name).read_bytes()).hexdigest() for name in ("config.json", "model_file.pth")
    }


def test_a_bake_on_a_full_disk_says_so_and_leaves_nothing(release, tmp_path):
    mount = tmp_path / "mount"
    mount.mkdir()
    (mount.parent / "tts_config.yaml").write_text(f"model_path: {release}\ncache_dir: {mount}\n")
    if subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", mount], check=False).returncode:
        pytest.skip("this machine permits no mounts in a user namespace, so no disk can be filled")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", 'mount -t tmpfs -o size=3m tmpfs "$1" && "$2" -m app.health; status=$?; '
         'find "$1" -type f; exit $status', "sh", mount, sys.executable],
        cwd=ROOT, env={**os.environ, "CHORUS_CONFIG": str(tmp_path / "tts_config.yaml")},
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip

    assert 70 == done.returncode, done.stderr
    assert "is the disk full?" in done.stderr
    assert "ended with status 70" in said(done)
    left = {line.rpartition("/")[2].split(".")[-1] for line in done.stdout.splitlines()}
    assert {"lock", "json"} == left, "the lock, and the memory of verified files"


def test_the_bake_child_ends_when_its_parent_is_already_gone(bake):
    done = bake("--parent", "1" if os.getpid() != 1 else "2")

    assert done.returncode != 0
    assert "verifying" not in done.stderr


def test_an_unknown_embedded_voice_is_refused(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: embedded/nobody\ncache_dir: {tmp_path}\n")
    settings = load_settings(path)

    with pytest.raises(ModelNotFoundError, match="'embedded/nobody': the one embedded voice is embedded/joe"):
        locate_artifact(settings.voices[0], settings)


def test_without_coqui_installed_a_server_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sys, "path", [])

    with pytest.raises(MissingPackageError, match="install the `bake` extra"):
        bakery.coqui_version()
