"""The `onnx` engine for the CPU: ONNX Runtime on mapped, read-only weights.

Sessions have one thread and no thread pool, so they may be opened in the master and
used after the fork. Their weights stay in the artifact's mapping; none is copied.
"""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from loader.artifacts.artifact import Artifact
from loader.devices.accelerator import Accelerator
from loader.engines.base import Array, Capabilities, Samples
from loader.engines.vits import Condition, Encoding, Frames, VitsEngine, VitsFacts, vits_engine
from loader.errors import ArtifactError
from loader.interrupts import deferred_interrupts

if TYPE_CHECKING:
    import onnxruntime

GRAPHS = ("encode", "flow", "decode")
CAPABILITIES = Capabilities()


class OnnxNetworks:
    """Three sessions over one artifact (see `vits.Networks`). Opened before the fork."""

    def __init__(self, artifact: Artifact) -> None:
        """Open the sessions.

        Raises:
            ArtifactError: ONNX Runtime refuses a graph of the artifact.
        """
        # The sessions point into these buffers for as long as they live.
        self._buffers = artifact.buffers
        self._facts = VitsFacts(**artifact.manifest.network["vits"])
        self._encode, self._flow, self._decode = (_Graph(artifact, name) for name in GRAPHS)

    def encode(self, phoneme_ids: npt.NDArray[np.int64], noise: Array, condition: Condition) -> Encoding:
        """Run the text encoder and the duration predictor."""
        return Encoding(*self._encode.run(condition, ids=phoneme_ids, noise=noise))

    def flow(self, prior: Array, condition: Condition) -> Array:
        """Turn a prior into a latent."""
        latent: Array = self._flow.run(condition, prior=prior)[0]
        return latent

    def decode(self, window: Array, condition: Condition, keep: Frames | None = None) -> Samples:
        """Turn a latent window into samples."""
        decoded = self._facts.add_margin(keep, window.shape[2])
        samples: Samples = self._decode.run(condition, latent=window, wanted=np.array(decoded))[0]
        return self._facts.drop_margin(samples, decoded, keep)


def import_libraries() -> None:
    """Import ONNX Runtime. Runs in the master."""
    import_onnxruntime()


def open_engine(artifact: Artifact, accelerator: Accelerator | None = None) -> VitsEngine:
    """Return the engine of a baked VITS voice, which uses no accelerator.

    Raises:
        ArtifactError: ONNX Runtime refuses a graph of the artifact.
    """
    return vits_engine(OnnxNetworks(artifact), artifact)


class _Graph:
    """One session. Has an input for the speaker or the language only if the network depends on it."""

    def __init__(self, artifact: Artifact, name: str) -> None:
        self._session = _open_session(artifact, name)
        self._inputs = {each.name for each in self._session.get_inputs()}

    def run(self, condition: Condition, **inputs: Any) -> Any:
        offered = {"speaker": condition.speaker, "language": condition.language}
        conditions = {name: value for name, value in offered.items() if name in self._inputs}
        return self._session.run(None, inputs | conditions)


def _open_session(artifact: Artifact, graph: str) -> "onnxruntime.InferenceSession":
    runtime = import_onnxruntime()
    options = session_options(runtime)
    # The graph was optimized when it was baked; optimizing again would copy weights to the heap.
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.use_external_initializer_file_buffers_directly", "1")
    weights = np.frombuffer(artifact.buffers[f"{graph}.bin"], dtype=np.uint8)
    options.add_external_initializers_from_files_in_memory([f"{graph}.bin"], [weights], [weights.nbytes])
    try:
        return runtime.InferenceSession(
            bytes(artifact.buffers[f"{graph}.onnx"]), options, providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime's own errors share no base class
        raise ArtifactError(f"{artifact.directory}/{graph}.onnx: ONNX Runtime cannot open it: {error}") from error


def session_options(runtime: Any) -> "onnxruntime.SessionOptions":
    """Return options for one thread and no memory that outlives a call.

    No arena and no memory plan: both keep the largest request's memory for ever
    (a 1500-token utterance: 541 MB with the arena, 315 MB without, same speed).
    """
    options: onnxruntime.SessionOptions = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


def import_onnxruntime() -> Any:
    """Import ONNX Runtime without telemetry: since 1.29 the import starts a reporting thread unless the variable is set."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    with deferred_interrupts():
        import onnxruntime

    return onnxruntime
