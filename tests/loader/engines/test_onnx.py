"""loader.engines.onnx: sessions over mapped weights start no thread, draw no noise and survive a fork."""

import hashlib
import os
import subprocess
import sys

import numpy as np
import pytest

from loader.artifacts.artifact import open_artifact
from loader.config.settings import load_settings
from loader.engines import onnx
from loader.engines.vits import Condition
from loader.voices.catalog import open_catalog
from loader.voices.voice import SpeechOptions
from tests.loader.children import ROOT, answer_of

OPEN = """
    import json, os, sys
    from pathlib import Path
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    import numpy as np
    from loader.engines.vits import Condition
    from loader.artifacts.artifact import open_artifact
    from loader.engines import onnx

    def opened(directory, map_files=True):
        artifact = open_artifact(Path(directory), map_files)
        return artifact, onnx.OnnxNetworks(artifact)

    def use(networks, ids=12, frames=40):
        encoding = networks.encode(np.ones((1, ids), np.int64), np.zeros((1, 2, ids), np.float32), Condition())
        latent = networks.flow(np.zeros((1, encoding.mean.shape[1], frames), np.float32), Condition())
        return networks.decode(latent, Condition())

    def tasks():
        return len(os.listdir("/proc/self/task"))

    def kibibytes(field):
        lines = [line.split() for line in open("/proc/self/smaps_rollup")]
        return next(int(line[1]) for line in lines if line[0] == field + ":")
"""


@pytest.fixture(scope="session")
def trivial_graph(tmp_path_factory):
    """An ONNX graph that adds two numbers: the cost of a session without weights."""
    path = tmp_path_factory.mktemp("graph") / "trivial.onnx"
    subprocess.run(
        [sys.executable, "-c", """if True:
            import sys
            from onnx import TensorProto, helper
            value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
            graph = helper.make_graph([helper.make_node("Add", ["a", "a"], ["b"])], "g", [value("a")], [value("b")])
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
            open(sys.argv[1], "wb").write(model.SerializeToString())
            """, path],
        cwd=ROOT, check=True,
    )  # fmt: skip
    return path


def weight_bytes(artifact):
    return sum(path.stat().st_size for path in artifact.glob("*.bin"))


def test_opening_sessions_costs_little_beside_the_weights(large_artifact, trivial_graph):
    """Measured 13.0 MiB of 107.9, nearly all for nodes of the graphs: 11.9 MiB with the embedded voice."""
    grown = answer_of(OPEN + """
    runtime = onnx.import_onnxruntime()
    trivial = runtime.InferenceSession(sys.argv[2], onnx.session_options(runtime), providers=["CPUExecutionProvider"])
    before = kibibytes("Anonymous")
    artifact, networks = opened(sys.argv[1])
    print(json.dumps(1024 * (kibibytes("Anonymous") - before)))
    """, large_artifact, trivial_graph)

    assert grown < 0.15 * weight_bytes(large_artifact)


WEIGHTS_ON_THE_HEAP = OPEN + """
    artifact, networks = opened(sys.argv[1], sys.argv[2] == "True")
    use(networks)
    private = []
    with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
        for line in list(maps):
            words = line.split()
            start, end = (int(each, 16) for each in words[0].split("-"))
            if words[1].startswith("rw") and (len(words) == 5 or words[5] == "[heap]"):
                memory.seek(start)
                private.append(np.frombuffer(memory.read(end - start), np.uint64))
    private = np.sort(np.concatenate(private))
    found = {}
    for name, content in artifact.buffers.items():
        if name.endswith(".bin"):
            pairs = np.frombuffer(content, np.uint64)[::64]
            pairs = pairs[(pairs >> np.uint64(32) != 0) & (pairs << np.uint64(32) != 0)]
            places = np.searchsorted(private, pairs).clip(max=private.size - 1)
            found[name] = float((private[places] == pairs).mean())
    print(json.dumps(found))
"""


@pytest.mark.parametrize("fixture", ["embedded_artifact", "large_artifact"])
def test_private_memory_contains_no_weights(request, fixture):
    """After a run, every 64th pair of weights is searched for in all private memory of this process."""
    found = answer_of(WEIGHTS_ON_THE_HEAP, request.getfixturevalue(fixture), True)

    assert {"encode.bin", "flow.bin", "decode.bin"} == set(found)
    assert max(found.values()) < 0.01, found


def test_weights_in_private_memory_would_be_found(embedded_artifact):
    """The search above can fail: with `mmap: false` it finds them all."""
    found = answer_of(WEIGHTS_ON_THE_HEAP, embedded_artifact, False)

    assert min(found.values()) > 0.99, found


@pytest.mark.parametrize("map_files", [True, False])
def test_import_opening_and_a_run_start_no_thread(embedded_artifact, map_files):
    counted = answer_of(OPEN + """
    counted = [tasks()]
    onnx.import_onnxruntime()
    counted.append(tasks())
    artifact, networks = opened(sys.argv[1], sys.argv[2] == "True")
    counted.append(tasks())
    samples = use(networks)
    counted.append(tasks())
    print(json.dumps(counted))
    """, embedded_artifact, map_files)

    assert [1, 1, 1, 1] == counted


def test_a_session_with_two_threads_would_be_noticed(embedded_artifact):
    """The tasks that the guard before a fork counts include native threads."""
    before, after = answer_of(OPEN + """
    own = onnx.session_options
    def with_two_threads(runtime):
        options = own(runtime)
        options.intra_op_num_threads = 2
        return options
    onnx.session_options = with_two_threads
    before = tasks()
    artifact, networks = opened(sys.argv[1])
    print(json.dumps([before, tasks()]))
    """, embedded_artifact)

    assert 1 == before
    assert after > 1


def test_no_graph_draws_its_own_noise(embedded_artifact, large_artifact):
    kinds = answer_of("""
        import json, sys
        import onnx
        def kinds(graph):
            for node in graph.node:
                yield node.op_type
                for attribute in node.attribute:
                    for inner in ([attribute.g] if attribute.HasField("g") else []) + list(attribute.graphs):
                        yield from kinds(inner)
        found = {}
        for directory in sys.argv[1:]:
            for name in ("encode", "flow", "decode"):
                path = f"{directory}/{name}.onnx"
                found[path] = sorted(set(kinds(onnx.load(path, load_external_data=False).graph)))
        print(json.dumps(found))
        """, embedded_artifact, large_artifact)

    assert 6 == len(kinds)
    for path, found in kinds.items():
        assert len(found) > 5, path
        assert not [kind for kind in found if "Random" in kind or "Multinomial" in kind or "Bernoulli" in kind], path


def test_the_same_inputs_give_the_same_outputs_with_and_without_mapping(embedded_artifact):
    rng = np.random.default_rng(3)
    ids = rng.integers(1, 60, (1, 30))
    noise = rng.standard_normal((1, 2, 30), dtype=np.float32)
    outputs = []
    for map_files in (True, False, True):
        artifact = open_artifact(embedded_artifact, map_files)
        networks = onnx.OnnxNetworks(artifact)
        encoding = networks.encode(ids, noise, Condition())
        latent = networks.flow(np.repeat(encoding.mean, 2, axis=2), Condition())
        outputs.append([*encoding, latent, networks.decode(latent, Condition())])

    for mapped, read, again in zip(*outputs, strict=True):
        assert np.array_equal(mapped, read)
        assert np.array_equal(mapped, again)


def test_a_catalogue_without_mapping_speaks_and_maps_nothing(tmp_path, embedded_artifact):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"{{model_path: {embedded_artifact}, mmap: false}}\n")
    settings = load_settings(path)
    catalogue = open_catalog(settings, [embedded_artifact])

    said = np.concatenate(list(catalogue.default.speak("Hello.", SpeechOptions(seed=1))))

    assert np.abs(said).max() > 0.05
    mapped = answer_of(OPEN + """
    artifact, networks = opened(sys.argv[1], map_files=False)
    use(networks)
    print(json.dumps([line for line in open("/proc/self/maps") if sys.argv[1] in line]))
    """, embedded_artifact)
    assert [] == mapped


def test_fifty_children_forked_with_open_sessions_run_and_exit(embedded_artifact):
    """Inherited thread pools would hang them, or crash them at exit."""
    statuses = answer_of(OPEN + """
    import hashlib
    artifact, networks = opened(sys.argv[1])
    in_parent = hashlib.sha256(use(networks)).digest()
    statuses = []
    for round in range(50):
        child = os.fork()
        if child == 0:
            sys.exit(0 if hashlib.sha256(use(networks)).digest() == in_parent else 3)
        statuses.append(os.waitpid(child, 0)[1])
    print(json.dumps(statuses))
    """, embedded_artifact)

    assert [0] * 50 == statuses


SPEAK_IN_FOUR = """
    import json, os, sys
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    from loader.config.settings import load_settings
    from loader.voices.voice import SpeechOptions
    from loader.artifacts.resolve import locate_all
    from loader.voices.catalog import open_catalog

    settings = load_settings(sys.argv[1])
    artifacts = locate_all(settings)
    voice = open_catalog(settings, artifacts).default
    assert len(os.listdir("/proc/self/task")) == 1

    def mappings(pid):
        found, name = {}, None
        for line in open(f"/proc/{pid}/smaps"):
            words = line.split()
            if "-" in words[0] and not words[0].endswith(":"):
                name = words[5] if len(words) > 5 and words[5].endswith(".bin") else None
            elif name and words[0] in ("Rss:", "Pss:", "Private_Dirty:", "Private_Clean:", "Anonymous:"):
                each = found.setdefault(os.path.basename(name), {})
                each[words[0][:-1]] = each.get(words[0][:-1], 0) + int(words[1])
        return found

    children = []
    for number in range(4):
        spoke_out, spoke_in = os.pipe()
        end_out, end_in = os.pipe()
        pid = os.fork()
        if pid == 0:
            size = sum(len(window) for window in voice.speak("Hello world, how are you?", SpeechOptions(seed=number)))
            os.write(spoke_in, b"!" if size > 10000 else b"?")
            os.close(end_in)
            for _, _, other in children:
                os.close(other)
            os.read(end_out, 1)
            os._exit(0)
        os.close(end_out)
        children.append((pid, spoke_out, end_in))
    assert all(os.read(spoke, 1) == b"!" for _, spoke, _ in children)
    # The parent speaks too, so that all five processes have touched every page.
    list(voice.speak("Hello world, how are you?", SpeechOptions(seed=1)))
    seen = [mappings(pid) for pid, _, _ in children]
    for pid, _, end in children:
        os.close(end)
    statuses = [os.waitpid(pid, 0)[1] for pid, _, _ in children]
    print(json.dumps([seen, statuses]))
"""


def test_four_forked_workers_share_one_copy_of_the_weights(tmp_path, embedded_artifact):
    path = tmp_path / "tts_config.yaml"
    path.write_text(f"model_path: {embedded_artifact}\n")
    before = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in embedded_artifact.iterdir()}

    seen, statuses = answer_of(SPEAK_IN_FOUR, path)

    assert [0] * 4 == statuses
    for mappings in seen:
        assert {"encode.bin", "flow.bin", "decode.bin"} == set(mappings)
        for name, kib in mappings.items():
            assert kib["Rss"] * 1024 > 0.9 * (embedded_artifact / name).stat().st_size, f"{name} was not used"
            assert 0 == kib["Private_Dirty"] == kib["Anonymous"]
            # Five processes share it; other runs of the suite at the same time only lower the share.
            assert kib["Pss"] <= kib["Rss"] / 5 * 1.05
    assert before == {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in embedded_artifact.iterdir()}


def test_telemetry_is_off_before_the_runtime_is_imported():
    assert "1" == answer_of("""
        import json, os
        os.environ.pop("ORT_DISABLE_TELEMETRY", None)
        from loader.engines import onnx
        onnx.import_onnxruntime()
        print(json.dumps(os.environ["ORT_DISABLE_TELEMETRY"]))
        """, env={key: value for key, value in os.environ.items() if key != "ORT_DISABLE_TELEMETRY"})
