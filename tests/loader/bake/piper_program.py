"""Piper's own program with given noise: `python -m tests.loader.bake.piper_program RELEASE SEED OUTPUT`.

Graph, configuration and `PiperVoice` are Piper's. Only the nodes that draw noise are replaced by inputs.
It speaks the utterances of standard input, as `tests.loader.bake.speech` does.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from piper.config import PiperConfig, SynthesisConfig
from piper.voice import PiperVoice

from tests.loader.bake.speech import Speech


class NoiseSession:
    """Session of Piper's graph that draws the noise that our engine draws."""

    def __init__(self, path: Path, seed: int) -> None:
        """Replace the nodes that draw noise."""
        model = onnx.load(str(path))
        self._random = [node for node in model.graph.node if node.op_type == "RandomNormalLike"]
        for node in self._random:
            model.graph.node.remove(node)
            model.graph.input.append(onnx.helper.make_tensor_value_info(node.output[0], onnx.TensorProto.FLOAT, None))
        # The prior, whose length is known only inside the graph.
        shape = onnx.helper.make_node("Shape", [self._random[-1].input[0]], ["prior_shape"])
        model.graph.node.append(shape)
        model.graph.output.append(onnx.helper.make_tensor_value_info("prior_shape", onnx.TensorProto.INT64, [3]))
        options = onnxruntime.SessionOptions()
        # Threads that wait actively take minutes on a busy machine.
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        self._seed = seed

    def run(self, _outputs: Any, inputs: dict[str, Any]) -> list[Any]:
        """Run twice: the first time for the length of the prior's noise."""
        random = np.random.Generator(np.random.Philox(key=[self._seed, 0]))
        # Our engine draws the noise of the durations even if it is not used.
        durations = random.standard_normal((1, 2, inputs["input"].shape[1]), dtype=np.float32)
        names = [node.output[0] for node in self._random]
        noise = dict(zip(names, [durations, np.zeros((1, 1, 1), np.float32)][-len(names) :], strict=True))
        shape = self._session.run(["prior_shape"], inputs | noise)[0]
        noise[names[-1]] = random.standard_normal(tuple(shape), dtype=np.float32)
        return list(self._session.run(["output"], inputs | noise))


def speak(release: Path, seed: int, output: Path, speeches: list[Speech]) -> None:
    """Write the samples of every utterance."""
    (graph,) = release.glob("*.onnx")
    config = PiperConfig.from_dict(json.loads(Path(f"{graph}.json").read_text(encoding="utf-8")))
    voice = PiperVoice(session=NoiseSession(graph, seed), config=config)
    said = {}
    for number, each in enumerate(speeches):
        length, noise, duration = each.prosody
        wanted = SynthesisConfig(speaker_id=each.speaker, length_scale=length, noise_scale=noise, noise_w_scale=duration)
        said[f"samples_{number}"] = voice.phoneme_ids_to_audio(each.ids, wanted)
    np.savez(output, **said)


if __name__ == "__main__":
    speak(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), [Speech(*each) for each in json.load(sys.stdin)])
