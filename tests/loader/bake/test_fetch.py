"""loader.bake.fetch: fetch a model by Coqui's name, or print an error of one line."""

import functools
import http.server
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest

from loader.artifacts.resolve import locate_artifact
from loader.config.settings import load_settings
from loader.errors import ModelNotFoundError
from loader.releases.release import open_release
from tests.loader.children import ROOT, TIMEOUT_S, run_program

#: Port 9 of this machine has no listener, as if there were no network.
NO_NETWORK = {f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https")} | {"no_proxy": ""}


def fetch(name, target, **environment):
    target.mkdir()
    # Hugging Face's cache of this machine is no part of a test.
    environment = {"HF_HOME": str(target.parent / "hugging-face"), **environment}
    return subprocess.run(
        [sys.executable, "-m", "loader.bake", "fetch", name, target], cwd=ROOT,
        env={**os.environ, "TTS_HOME": str(target.parent / "home"), **environment},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    "name", ["tts_models/en/ljspeech/vits", "tts_models/multilingual/multi-dataset/xtts_v2", "tts_models/deu/fairseq/vits"]
)
def test_without_a_network_the_error_is_one_line_and_nothing_is_left(tmp_path, name):
    done = fetch(name, tmp_path / "target", COQUI_TOS_AGREED="1", **NO_NETWORK)

    assert 69 == done.returncode, done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"chorus: model_path {name!r} cannot be downloaded (")
    assert last.endswith("check the network, or put the model's files into a folder and name that")
    assert [] == list((tmp_path / "target").iterdir())
    assert not (tmp_path / "home").exists()


def test_a_server_without_a_network_exits_with_69_and_keeps_nothing(tmp_path):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: tts_models/en/ljspeech/vits\ncache_dir: {tmp_path / 'cache'}\n")

    done = subprocess.run(
        [sys.executable, "-m", "app.health"], cwd=ROOT, env={**os.environ, **NO_NETWORK, "CHORUS_CONFIG": str(path)},
        capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip

    assert 69 == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    assert "model_path 'tts_models/en/ljspeech/vits' cannot be downloaded" in done.stderr
    assert [".tts_models--en--ljspeech--vits.lock"] == [path.name for path in (tmp_path / "cache/releases").iterdir()]


def test_a_name_that_coqui_does_not_list_is_refused(tmp_path):
    done = fetch("tts_models/en/nobody/vits", tmp_path / "target", **NO_NETWORK)

    assert 66 == done.returncode
    assert done.stderr.splitlines()[-1].startswith("chorus: model_path 'tts_models/en/nobody/vits': Coqui lists no such model")


def test_a_name_that_is_nearly_right_gets_similar_ones(tmp_path):
    done = fetch("tts_models/en/ljspech/vits", tmp_path / "target", **NO_NETWORK)

    assert "; similar: tts_models/en/ljspeech/vits" in done.stderr.splitlines()[-1]


def test_terms_that_are_not_agreed_to_are_named_with_the_variable_to_set(tmp_path):
    done = fetch("tts_models/multilingual/multi-dataset/xtts_v2", tmp_path / "target", **NO_NETWORK)

    assert 69 == done.returncode
    last = done.stderr.splitlines()[-1]
    assert "has terms that you have to agree to (CPML https://tts-hub.github.io/cpml)" in last
    assert last.endswith("read them, and set COQUI_TOS_AGREED=1 in the environment")


def test_terms_that_were_agreed_to_in_coquis_folder_count(tmp_path):
    folder = tmp_path / "home/tts/tts_models--multilingual--multi-dataset--xtts_v2"
    folder.mkdir(parents=True)
    (folder / "tos_agreed.txt").write_text("I have read, understood and agreed to the Terms and Conditions.")
    done = fetch("tts_models/multilingual/multi-dataset/xtts_v2", tmp_path / "target", **NO_NETWORK)

    assert "xtts_v2' cannot be downloaded" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", ["tts_models/vits", "tts_models/en/ljspeech/vits/5", "tts_models/../../etc"])
def test_an_invalid_name_is_refused_before_a_child_is_started(tmp_path, name):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: {name}\ncache_dir: {tmp_path / 'cache'}\n")
    settings = load_settings(path)

    with pytest.raises(ModelNotFoundError, match="has the form tts_models/en/ljspeech/vits"):
        locate_artifact(settings.voices[0], settings)

    assert not (tmp_path / "cache").exists()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves a folder without logging."""

    def log_message(self, *arguments):
        pass


@pytest.fixture
def served(tmp_path):
    """A folder served by a real HTTP server, and its address."""
    folder = tmp_path / "served"
    folder.mkdir()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fetch_from(address, folder, target):
    """Fetch as the command does, with a list of models that points to `address`."""
    target.mkdir()
    entry = {"github_rls_url": f"{address}/voice.zip", "license": "CC0"}
    (folder / "models.json").write_text(json.dumps({"tts_models": {"en": {"test": {"vits": entry}}}}))
    return run_program("""
        import functools, sys
        from pathlib import Path
        from loader.engines.compat.coqui_package import import_coqui
        import_coqui()
        from TTS.utils import manage
        from loader.bake.fetch import fetch_model
        from loader.errors import FetchError
        manage.ModelManager = functools.partial(manage.ModelManager, models_file=sys.argv[1])
        try:
            fetch_model("tts_models/en/test/vits", Path(sys.argv[2]))
        except FetchError as error:
            sys.exit(f"refused: {error}")
        """, folder / "models.json", target, env={**os.environ, "no_proxy": "127.0.0.1"})


def zip_of(release):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name in ("config.json", "model_file.pth"):
            file.write(release / name, f"voice/{name}")
    return archive.getvalue()


def test_a_downloaded_model_is_a_sealed_release(served, tiny_release, tmp_path):
    folder, address = served
    (folder / "voice.zip").write_bytes(zip_of(tiny_release))

    done = fetch_from(address, folder, tmp_path / "target")

    assert 0 == done.returncode, done.stderr
    release = open_release(tmp_path / "target")
    assert "tts_models/en/test/vits" == release.version
    assert (tiny_release / "model_file.pth").read_bytes() == release.checkpoint_path.read_bytes()
    assert {"config.json", "model_file.pth"} == set(release.hashes)
    assert {*release.hashes, "hash.sha256", "version.txt"} == {path.name for path in (tmp_path / "target").iterdir()}


@pytest.mark.parametrize("content", [b"<html>not found</html>", "half"])
def test_a_broken_download_is_refused_and_leaves_nothing(served, tiny_release, tmp_path, content):
    folder, address = served
    whole = zip_of(tiny_release)
    (folder / "voice.zip").write_bytes(whole[: len(whole) // 2] if content == "half" else content)

    done = fetch_from(address, folder, tmp_path / "target")

    assert 1 == done.returncode
    assert "refused: model_path 'tts_models/en/test/vits' cannot be downloaded (BadZipFile" in done.stderr
    assert [] == list((tmp_path / "target").iterdir())


def left_by_coqui(home, name, release):
    """Put a release's files where Coqui's downloader leaves a model, and return the folder."""
    folder = home / "tts" / name.replace("/", "--")
    folder.mkdir(parents=True)
    for file in open_release(release).hashes:
        shutil.copyfile(release / file, folder / file)
    return folder


@pytest.mark.parametrize("variable, inside", [("TTS_HOME", ""), ("XDG_DATA_HOME", ""), ("HOME", ".local/share")])
def test_a_model_in_coquis_own_folder_is_taken_without_a_network(tiny_release, tmp_path, variable, inside):
    home = tmp_path / "data"
    name = "tts_models/en/ljspeech/vits"
    folder = left_by_coqui(home / inside, name, tiny_release)
    target = tmp_path / "target"
    target.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in ("TTS_HOME", "XDG_DATA_HOME")}
    done = subprocess.run(
        [sys.executable, "-m", "loader.bake", "fetch", name, target], cwd=ROOT,
        env={**environment, **NO_NETWORK, variable: str(home)},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stderr
    assert f"taken from {folder}" in done.stderr
    assert (tiny_release / "model_file.pth").read_bytes() == open_release(target).checkpoint_path.read_bytes()


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


PARTIAL = {
    "cut": (lambda folder: cut(folder / "model_file.pth"), "model_file.pth cannot be read"),
    "changed": (lambda folder: flip(folder / "model_file.pth"), "model_file.pth is damaged in "),
    "archive": (lambda folder: (folder / "vits.zip").write_bytes(b"PK"), "vits.zip was not unpacked to the end"),
    "unmoved": (lambda folder: shutil.copytree(folder, folder / "vits"), "files were not moved out of vits"),
    "no configuration": (lambda folder: (folder / "config.json").unlink(), "it has no config.json"),
    "no checkpoint": (lambda folder: (folder / "model_file.pth").unlink(), "it has no checkpoint"),
    "empty": (lambda folder: [path.unlink() for path in folder.iterdir()], "it has no config.json"),
}


@pytest.mark.parametrize("name", PARTIAL)
def test_a_partial_model_in_coquis_folder_is_not_taken(tiny_release, tmp_path, name):
    change, reason = PARTIAL[name]
    folder = left_by_coqui(tmp_path / "home", "tts_models/en/ljspeech/vits", tiny_release)
    change(folder)

    done = fetch("tts_models/en/ljspeech/vits", tmp_path / "target", **NO_NETWORK)

    assert 69 == done.returncode
    last = done.stderr.splitlines()[-1]
    assert "model_path 'tts_models/en/ljspeech/vits' cannot be downloaded (" in last
    assert f"{folder} is not whole: {reason}" in last


def test_a_fairseq_voice_in_coquis_folder_is_a_release_of_its_own_files(release_of, tmp_path):
    left_by_coqui(tmp_path / "home", "tts_models/deu/fairseq/vits", release_of("mms"))

    done = fetch("tts_models/deu/fairseq/vits", tmp_path / "target", **NO_NETWORK)

    assert 0 == done.returncode, done.stderr
    assert {"config.json", "vocab.txt", "model_file.pth"} == set(open_release(tmp_path / "target").hashes)


@pytest.mark.parametrize("language, answered", [("deu", True), ("xyz", False)])
def test_fairseq_voices_are_downloaded_by_any_language(served, release_of, tmp_path, language, answered):
    folder, address = served
    with tarfile.open(folder / "deu.tar.gz", "w:gz") as archive:
        archive.add(folder, "deu", recursive=False)
        for name in ("config.json", "vocab.txt", "G_100000.pth"):
            archive.add(release_of("mms") / name, f"deu/{name}")
    (tmp_path / "target").mkdir()

    done = run_program(
        """
        import sys
        from pathlib import Path
        from loader.engines.compat.coqui_package import import_coqui
        import_coqui()
        from TTS.utils import manage
        from loader.bake.fetch import fetch_model
        from loader.errors import LoaderError
        get = manage.requests.get
        manage.requests.get = lambda url, **options: get(sys.argv[1] + "/" + url.rpartition("/")[2], **options)
        try:
            fetch_model(sys.argv[2], Path(sys.argv[3]))
        except LoaderError as error:
            sys.exit(f"refused: {error}")
        """,
        address, f"tts_models/{language}/fairseq/vits", tmp_path / "target",
        env={**os.environ, "no_proxy": "127.0.0.1", "TTS_HOME": str(tmp_path / "home")},
    )  # fmt: skip

    if answered:
        assert 0 == done.returncode, done.stderr
        assert {"config.json", "vocab.txt", "model_file.pth"} == set(open_release(tmp_path / "target").hashes)
    else:
        assert "refused: model_path 'tts_models/xyz/fairseq/vits': fairseq has no voice of the language 'xyz'" in done.stderr
