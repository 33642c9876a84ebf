"""A voice whose model_path is the URL of a source: fetched at the first start, served without the source ever after."""

import os
import shutil

import pytest

from tests.loader.releases.folders import at
from tests.support.hostile_server import Fault, hostile_server


@pytest.fixture
def site(tiny_release):
    with hostile_server() as site:
        site.files.update(at("/tiny", {path.name: path.read_bytes() for path in tiny_release.iterdir()}))
        yield site


@pytest.fixture
def keys_of(site, tiny_release, artifact_of, tmp_path):
    """Return the configuration of a voice at that source, with a cache that has its artifact: no test of these bakes."""
    artifact = artifact_of(tiny_release.name)
    shutil.copytree(artifact, tmp_path / "cache" / "artifacts" / artifact.name, copy_function=os.link)

    def keys_of(**voice):
        url = site.url.replace("://", "://me:secret@")
        return {"voices": [{"name": "tiny", "model_path": f"{url}/tiny", **voice}], "cache_dir": str(tmp_path / "cache")}

    return keys_of


def test_the_first_start_fetches_and_later_ones_need_no_source(keys_of, start, site):
    site.faults["/tiny/model_file.pth"] = [Fault(cut_at=1_000_000)]
    server = start("--workers", "1", keys=keys_of()).ready()

    assert 200 == server.speak("Hello.").status
    assert "bytes=1000000-" == site.gets("/tiny/model_file.pth")[1].headers["range"]
    assert "secret" not in server.log() and "tries again in" in server.log()
    server.stop()
    site.files.clear()
    site.seen.clear()

    server = start("--workers", "1", keys=keys_of(version="2")).ready()
    assert 200 == server.speak("Hello.").status
    assert "event=release.outdated" in server.log() and "wanted=2" in server.log()
    assert [] == site.seen


def test_a_first_start_without_the_source_ends_with_its_reason(keys_of, start, site):
    site.files.clear()
    server = start("--workers", "1", keys=keys_of())

    assert 66 == server.process.wait(120)
    assert f"chorus: {site.url}/tiny/hash.sha256: no such file (404)" in server.log()
    assert "Traceback" not in server.log()
