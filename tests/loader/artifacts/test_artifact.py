"""loader.artifacts.artifact: only sealed bytes are opened; weights are mapped shared and read-only."""

import dataclasses
import hashlib
import importlib.metadata
import json
import mmap
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from loader.artifacts import instruction_set
from loader.artifacts.artifact import (  # fmt: skip
    ENGINES,
    FORMAT,
    MANIFEST,
    Manifest,
    PiperFacts,
    Platform,
    TextFacts,
    VoiceFacts,
    artifact_key,
    is_artifact,
    open_artifact,
    read_manifest,
    this_platform,
    write_manifest,
)
from loader.errors import ArtifactError, IntegrityError
from tests.loader.children import ROOT, answer_of, run_program

HERE = Platform("onnxruntime 1.32.0", "x86-64-v3")
FILES = {"decode.bin": b"\x01weights" * 3000, "decode.onnx": b"a graph", "empty.bin": b""}

VOICE = VoiceFacts(22050, ["alba", "joe"], ["en-us"], 1.0, 0.667, 0.8)
TEXT = TextFacts("phoneme_cleaners", {"en-us": ["espeak", "en-us"]}, {"a": 0, "ə": 1}, True, 1, False, 2, 3)
NETWORK = {"vits": {"samples_per_frame": 256}}


@pytest.fixture
def directory(tmp_path):
    """A sealed artifact whose files have no meaning: opening must not parse them."""
    directory = tmp_path / "artifact"
    directory.mkdir()
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    write_manifest(directory, Manifest("0" * 32, "onnx", "fp32", HERE, {"version": "1"}, VOICE, TEXT, NETWORK))
    return directory


def here(engine):
    """The platform of these artifacts, in place of this machine's."""
    assert "onnx" == engine
    return HERE


def rewrite(path, content):
    path.chmod(0o644)
    path.write_bytes(content)


def reseal(directory, change):
    """Change the manifest and seal the artifact again."""
    document = json.loads((directory / MANIFEST).read_bytes())
    del document["seal"]
    change(document)
    canonical = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    document["seal"] = hashlib.sha256(canonical).hexdigest()
    rewrite(directory / MANIFEST, json.dumps(document).encode())


@pytest.mark.parametrize("map_files", [True, False])
def test_a_sealed_artifact_opens(directory, map_files):
    artifact = open_artifact(directory, map_files, here)

    assert FILES == {name: bytes(content) for name, content in artifact.buffers.items()}
    assert (VOICE, TEXT, HERE) == (artifact.manifest.voice, artifact.manifest.text, artifact.manifest.platform)
    assert ("onnx", NETWORK) == (artifact.manifest.engine, artifact.manifest.network)
    assert map_files == isinstance(artifact.buffers["decode.bin"], mmap.mmap)


def test_hashed_bytes_are_reported_block_by_block(embedded_artifact):
    sizes: list[int] = []
    artifact = open_artifact(embedded_artifact, hashed=sizes.append)

    assert sum(map(len, artifact.buffers.values())) == sum(sizes)
    assert max(sizes) < max(map(len, artifact.buffers.values()))


def test_sealed_files_are_not_writable(directory):
    assert {0o444} == {path.stat().st_mode & 0o777 for path in directory.iterdir()}


def test_a_manifest_is_read_without_the_files(directory):
    manifest = open_artifact(directory, platform_of=here).manifest
    for name in FILES:
        (directory / name).unlink()

    assert manifest == read_manifest(directory)


def test_the_text_settings_of_a_piper_voice_are_read_back(directory):
    piper = PiperFacts({"_": [0], "a": [1, 2]}, {"c": ["k", "ʰ"]}, [["a", "ɪ"]])
    text = dataclasses.replace(TEXT, piper=piper)
    rewrite(directory / MANIFEST, b"")
    (directory / MANIFEST).unlink()
    write_manifest(directory, Manifest("0" * 32, "onnx", "fp32", HERE, {"version": "1"}, VOICE, text, NETWORK))

    assert text == open_artifact(directory, True, here).manifest.text


def test_a_manifest_written_before_there_were_piper_voices_opens(directory):
    reseal(directory, lambda document: document["text"].pop("piper"))

    assert TEXT == open_artifact(directory, True, here).manifest.text


def test_a_folder_without_a_manifest_is_not_an_artifact(directory, tmp_path):
    assert is_artifact(directory)
    assert not is_artifact(tmp_path)
    with pytest.raises(ArtifactError, match="cannot be read .FileNotFoundError"):
        open_artifact(tmp_path, platform_of=here)


@pytest.mark.parametrize("map_files", [True, False])
@pytest.mark.parametrize("position", [0, -1])
@pytest.mark.parametrize("name", ["decode.bin", "decode.onnx"])
def test_one_flipped_bit_is_refused(directory, name, position, map_files):
    content = bytearray(FILES[name])
    content[position] ^= 1
    rewrite(directory / name, content)

    with pytest.raises(IntegrityError) as caught:
        open_artifact(directory, map_files, here)

    assert directory / name == caught.value.path
    assert f"sha256 {hashlib.sha256(FILES[name]).hexdigest()}" == caught.value.expected
    assert f"sha256 {hashlib.sha256(content).hexdigest()}" == caught.value.found


@pytest.mark.parametrize("name, content", [
    ("decode.bin", FILES["decode.bin"][:-1]), ("decode.bin", b""), ("decode.onnx", b"a graph!"), ("empty.bin", b"\0"),
])  # fmt: skip
def test_a_changed_size_is_refused(directory, name, content):
    rewrite(directory / name, content)

    with pytest.raises(IntegrityError) as caught:
        open_artifact(directory, platform_of=here)

    assert (f"{len(FILES[name])} bytes", f"{len(content)} bytes") == (caught.value.expected, caught.value.found)
    assert directory / name == caught.value.path


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_and_a_directory_in_its_place_are_refused(directory, name):
    (directory / name).unlink()
    with pytest.raises(IntegrityError, match=f"{name}: .*FileNotFoundError"):
        open_artifact(directory, platform_of=here)

    (directory / name).mkdir()
    with pytest.raises(IntegrityError, match=f"{name}: "):
        open_artifact(directory, platform_of=here)


def test_an_unlisted_file_is_not_used(directory):
    (directory / "extra.bin").write_bytes(b"extra")

    assert set(FILES) == set(open_artifact(directory, platform_of=here).buffers)


def test_a_manifest_with_any_byte_changed_is_refused(directory):
    sound = (directory / MANIFEST).read_bytes()
    for position in range(len(sound)):
        changed = bytearray(sound)
        changed[position] ^= 1
        rewrite(directory / MANIFEST, changed)
        try:
            open_artifact(directory, platform_of=here)
        except (ArtifactError, IntegrityError) as error:
            assert MANIFEST in str(error)
        else:
            document = json.loads(changed)
            assert json.loads(sound) == document, f"a change of byte {position} was accepted"


def test_a_truncated_manifest_is_refused(directory):
    sound = (directory / MANIFEST).read_bytes()
    for size in (0, 1, len(sound) // 2, len(sound) - 1):
        rewrite(directory / MANIFEST, sound[:size])
        with pytest.raises(IntegrityError, match=MANIFEST):
            open_artifact(directory, platform_of=here)


@pytest.mark.parametrize("content", [b"[]", b"5", b"null", b'{"seal": ""}', b"\xff", b"[" * 10_000, b"9" * 5000])
def test_an_invalid_manifest_is_refused(directory, content):
    rewrite(directory / MANIFEST, content)

    with pytest.raises(IntegrityError, match="expected a sealed manifest, found another content"):
        open_artifact(directory, platform_of=here)


def test_another_format_is_refused(directory):
    reseal(directory, lambda document: document.update(format=FORMAT + 1))

    with pytest.raises(ArtifactError, match=f"format {FORMAT + 1}, this version reads format {FORMAT}"):
        open_artifact(directory, platform_of=here)


@pytest.mark.parametrize(
    "other, named",
    [
        (Platform("onnxruntime 1.33.0", HERE.cpu_level), "onnxruntime 1.33.0"),
        (Platform(HERE.runtime, "x86-64-v4"), "x86-64-v4"),
    ],
)
def test_another_platform_is_refused(directory, other, named):
    with pytest.raises(ArtifactError) as caught:
        open_artifact(directory, platform_of=lambda engine: other)

    for each in (str(directory), "onnxruntime 1.32.0 on x86-64-v3", named, "bake the voice again"):
        assert each in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document.pop("files"),
        lambda document: document.update(files=[]),
        lambda document: document["files"]["decode.bin"].pop("sha256"),
        lambda document: document.pop("voice"),
        lambda document: document["voice"].update(colour="red"),
        lambda document: document["text"].pop("ids"),
        lambda document: document.update(platform=None),
        lambda document: document.pop("engine"),
        lambda document: document.update(engine="../../evil"),
        lambda document: document.pop("network"),
        lambda document: document["files"].update({"../artifact/decode.bin": document["files"]["decode.bin"]}),
    ],
)
def test_a_sealed_manifest_with_invalid_content_is_refused(directory, change):
    reseal(directory, change)

    with pytest.raises(ArtifactError, match=MANIFEST):
        open_artifact(directory, platform_of=here)


@pytest.mark.parametrize("part", ["engine", "source", "runtime", "cpu_level"])
def test_the_key_depends_on_everything_that_determines_the_files(part):
    source, platform = {"hashes": {"model_file.pth": "0"}}, HERE
    other = {
        "engine": ("pytorch", source, HERE),
        "source": ("onnx", {"hashes": {"model_file.pth": "1"}}, HERE),
        "runtime": ("onnx", source, Platform("onnxruntime 1.33.0", HERE.cpu_level)),
        "cpu_level": ("onnx", source, Platform(HERE.runtime, "x86-64-v2")),
    }[part]

    assert artifact_key("onnx", source, platform) == artifact_key("onnx", dict(source), Platform(*vars(HERE).values()))
    assert artifact_key("onnx", source, platform) != artifact_key(*other)


def test_only_graphs_depend_on_the_processor_and_the_version_of_onnxruntime():
    platforms = {engine: this_platform(engine) for engine in ENGINES}

    assert f"onnxruntime {importlib.metadata.version('onnxruntime')}" == platforms["onnx"].runtime
    coqui = f"coqui-tts {importlib.metadata.version('coqui-tts')}"
    assert (coqui, coqui) == (platforms["pytorch"].runtime, platforms["coqui"].runtime)
    assert ("any", "any") == (platforms["pytorch"].cpu_level, platforms["coqui"].cpu_level)
    assert instruction_set.feature_level() == platforms["onnx"].cpu_level != "any"


def test_the_platform_is_determined_without_importing_a_library():
    assert [] == answer_of("""
        import json, sys
        from loader.artifacts.artifact import ENGINES, this_platform
        assert all(this_platform(engine) for engine in ENGINES)
        print(json.dumps([name for name in ("onnxruntime", "torch", "TTS", "onnx") if name in sys.modules]))
        """)


def test_a_voice_whose_engine_reads_text_itself_has_no_text_facts(tmp_path):
    platform = Platform("coqui-tts 0.28.0", "any")
    write_manifest(tmp_path, Manifest("0" * 32, "coqui", "fp32", platform, {}, VOICE, None, {}))

    assert open_artifact(tmp_path, platform_of=lambda engine: platform).manifest.text is None


def test_a_mapped_file_uses_no_memory_until_it_is_read(embedded_artifact):
    """Every byte has been hashed by then; the pages were returned to the system."""
    resident_kib, size_bytes = answer_of("""
        import json, sys
        from pathlib import Path
        from loader.artifacts.artifact import open_artifact
        artifact = open_artifact(Path(sys.argv[1]))
        mapped, resident_kib = False, 0
        for line in open("/proc/self/smaps"):
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                mapped = sys.argv[1] in line
            elif mapped and words[0] == "Rss:":
                resident_kib += int(words[1])
        print(json.dumps([resident_kib, sum(map(len, artifact.buffers.values()))]))
        """, embedded_artifact)

    assert size_bytes > 10_000_000
    assert 0 == resident_kib


def test_every_file_is_mapped_once_read_only_and_shared(embedded_artifact):
    answer = answer_of("""
        import json, sys
        from pathlib import Path
        from loader.artifacts.artifact import open_artifact
        from loader.engines import onnx
        artifact = open_artifact(Path(sys.argv[1]))
        networks = onnx.OnnxNetworks(artifact)
        lines = [line.split() for line in open("/proc/self/maps") if sys.argv[1] in line]
        print(json.dumps([[line[1], Path(line[5]).name] for line in lines]))
        """, embedded_artifact)

    names = [path.name for path in embedded_artifact.iterdir() if path.name != MANIFEST]
    assert sorted(["r--s", name] for name in names) == sorted(answer)


def test_a_write_to_the_mapping_fails(directory):
    weights = open_artifact(directory, platform_of=here).buffers["decode.bin"]

    with pytest.raises(TypeError):
        weights[0] = 0
    with pytest.raises(TypeError):
        memoryview(weights)[0] = 0


def test_a_native_write_ends_the_process_and_leaves_the_file_unchanged(directory):
    """Python objects refuse writes themselves; native code is stopped by the kernel."""
    done = run_program("""
        import ctypes, sys
        from pathlib import Path
        import numpy
        from loader.artifacts.artifact import Platform, open_artifact
        artifact = open_artifact(Path(sys.argv[1]), platform_of=lambda engine: Platform(*sys.argv[2:]))
        weights = numpy.frombuffer(artifact.buffers["decode.bin"], dtype=numpy.uint8)
        assert not weights.flags.writeable
        print("about to write", flush=True)
        ctypes.memset(weights.ctypes.data, 0, 16)
        """, directory, HERE.runtime, HERE.cpu_level)

    assert ("about to write\n", -11) == (done.stdout, done.returncode)
    assert FILES["decode.bin"] == (directory / "decode.bin").read_bytes()


@pytest.fixture
def copied(embedded_artifact, tmp_path):
    """A copy of the embedded voice's artifact, to be damaged."""
    return Path(shutil.copytree(embedded_artifact, tmp_path / "copied"))


def test_a_damaged_weight_file_of_a_real_voice_is_refused_before_anything_is_parsed(copied):
    for path in sorted(copied.iterdir()):
        if path.name == MANIFEST:
            continue
        path.chmod(0o644)
        with path.open("r+b") as file:
            middle = path.stat().st_size // 2
            file.seek(middle)
            byte = file.read(1)[0]
            file.seek(middle)
            file.write(bytes([byte ^ 0x10]))
        with pytest.raises(IntegrityError) as caught:
            open_artifact(copied)
        assert path == caught.value.path
        with path.open("r+b") as file:
            file.seek(middle)
            file.write(bytes([byte]))

    open_artifact(copied)


def test_a_damaged_artifact_is_refused_before_onnxruntime_is_imported(copied):
    rewrite(copied / "flow.bin", (copied / "flow.bin").read_bytes()[:-1] + b"\x55")
    configuration = copied.parent / "tts_config.yaml"
    configuration.write_text(f"model_path: {copied}\n")

    loaded = answer_of("""
        import json, sys
        from loader.config.settings import load_settings
        from loader.errors import IntegrityError
        from loader.artifacts.resolve import locate_all
        from loader.voices.catalog import open_catalog
        settings = load_settings(sys.argv[1])
        try:
            open_catalog(settings, locate_all(settings))
        except IntegrityError as error:
            assert error.path.name == "flow.bin"
            print(json.dumps([name for name in ("onnxruntime", "torch", "TTS", "onnx") if name in sys.modules]))
        """, configuration)

    assert [] == loaded


def test_the_health_command_names_the_damaged_file_and_exits_with_65(copied, tmp_path):
    rewrite(copied / "encode.bin", (copied / "encode.bin").read_bytes()[:-1] + b"\x55")
    (tmp_path / "tts_config.yaml").write_text(f"model_path: {copied}\n")

    done = subprocess.run(
        [sys.executable, "-m", "app.health"], env={"CHORUS_CONFIG": str(tmp_path / "tts_config.yaml")},
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 65 == done.returncode, done.stderr
    assert f"chorus: {copied / 'encode.bin'}: expected sha256 " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_lack_of_descriptors_is_not_reported_as_a_damaged_artifact(joe_coqui_artifact):
    status, message = answer_of("""
        import json, resource, sys
        from pathlib import Path
        from loader.artifacts.artifact import open_artifact
        from loader.errors import LoaderError
        resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))
        try:
            open_artifact(Path(sys.argv[1]))
        except LoaderError as error:
            said = error.exit_status, str(error)
        print(json.dumps(said))
        """, joe_coqui_artifact)

    assert 71 == status
    assert message.endswith(": Too many open files; raise the limit of open files (ulimit -n)")
