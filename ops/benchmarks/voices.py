"""Voices and texts that are measured. Voices are built once and kept in the cache of the tests.

As a program, `python -m ops.benchmarks.voices DIRECTORY` writes a release of LJSpeech's size with random weights, so that the
process that needs one does not import torch and TTS.
"""

import itertools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.system import heap
from app.tuning.server import ROOT
from loader.artifacts.resolve import locate_all
from loader.config.settings import load_settings
from loader.voices.catalog import open_catalog
from loader.voices.voice import Voice

from .coqui_joe import coqui_joe
from .report import Run, progress
from .servers import ours, started

CACHE = ROOT / "tests" / ".cache"
#: A first bake reads a checkpoint with torch and optimises three graphs.
_BAKE_S = 900.0
_SEED = 7

HELLO = "Hello world."
#: 5 to 30 words each, plain English, one sentence an entry, so that every server splits it alike.
SENTENCES = (
    "The kettle is boiling again.",
    "She left her umbrella on the early morning train to the coast.",
    "Nobody expected the old bridge to hold, yet it carried the whole parade without a single creak.",
    "Please turn off the lights.",
    "After three weeks of steady rain, the river finally climbed over its banks and spread across the lower fields.",
    "He reads the newspaper from the last page to the first.",
    "The museum keeps its most valuable paintings in a cool, dark room that visitors are never allowed to see.",
    "Fresh bread smells best at dawn.",
    "Our neighbours are building a small wooden boat in their garage, although neither of them has ever learned to sail.",
    "The doctor asked him to breathe in slowly and count to ten.",
    "Wind pushed the clouds apart.",
    "When the orchestra stopped in the middle of the second movement, a child in the front row began to clap "
    "and could not be persuaded to stop.",
    "A narrow path leads from the village to the lighthouse on the hill.",
    "They sold the farm, bought a van, and drove south until the road ended at the edge of a quiet grey sea.",
    "My sister collects stamps from countries that no longer exist.",
    "The last bus leaves at midnight.",
    "Engineers tested the new engine for six hundred hours before they allowed anybody to sit beside it.",
    "There is a bakery on the corner where the owner remembers the name of every customer and the name of every dog.",
    "The teacher drew a perfect circle.",
    "It took the committee eleven months, four reports and one very long dinner to agree on the colour of the door.",
    "Warm light fell across the empty stage as the curtain slowly rose.",
    "You can hear the market long before you can see it, because the fishermen shout their prices across the harbour "
    "from the moment the sun comes up.",
    "Bring two pencils and some paper.",
    "Snow covered the tracks within an hour, so the search party waited in the hut until the sky had cleared.",
)

#: About five seconds of the embedded voice.
SHORT_TEXT = "A narrow path leads from the village to the lighthouse on the hill above the bay, and few people know it."

#: By number of words: a call, one natural sentence, a paragraph.
BY_WORDS = {
    5: "The kettle is boiling again.",
    30: "When the rain finally stopped, the children ran down to the river, where the old ferryman was painting his boat, "
    "and politely asked him whether he would take them across.",
    120: "The library on the hill opens at nine, and by ten every chair beside the windows is taken. Most visitors come "
    "for the newspapers, some come for the silence, and a few only for the heating. Last winter the roof began to leak "
    "above the maps, so the librarian moved them, sheet by sheet, into the cellar. Nobody noticed until a sailor asked "
    "for a chart of the northern islands. She found it within a minute, spread it across her desk, and held the corners "
    "down with four heavy dictionaries. He studied it for an hour and copied two harbours into his notebook. Then he "
    "thanked her, put on his cap, and walked back to the ship through the snow.",
}


def long_text(characters: int = 18_000) -> str:
    """Return whole sentences, repeated, of at least that many characters: by default some 20 minutes of audio."""
    text, sentences = "", itertools.cycle(SENTENCES)
    while len(text) < characters:
        text += next(sentences) + " "
    return text.strip()


@dataclass(frozen=True)
class MeasuredVoice:
    """Baked voice, and a Coqui model directory of the same network."""

    #: As in a configuration.
    model_path: str
    release: Path

    def write_config(self, folder: Path, workers: int, **more: Any) -> Path:
        """Write a configuration for `workers` workers, with the settings `more`, and return its path."""
        path = folder / "tts_config.yaml"
        settings = {"model_path": self.model_path, "cache_dir": str(CACHE), "workers": workers, "log_format": "json", **more}
        # JSON is YAML.
        path.write_text(json.dumps(settings), encoding="utf-8")
        return path

    def bake(self, scratch: Path, **more: Any) -> None:
        """Start a server once, with the settings `more`, and speak: bakes if necessary, and warms the page cache."""
        progress(f"preparing {' '.join([Path(self.model_path).name, *map(str, more.values())])}; baked if this is the first time")
        with started(ours(self.write_config(scratch, 1, **more), name="bake"), scratch) as server:
            server.wait_ready(within_s=_BAKE_S)
            server.speak("Ready.")


def large_voice(run: Run) -> MeasuredVoice:
    """Return a voice of LJSpeech's size with random weights: noise at the same cost."""
    release = large_release(CACHE / "releases")
    voice = MeasuredVoice(str(release), release)
    voice.bake(run.scratch)
    return voice


def embedded_voice(run: Run) -> MeasuredVoice:
    """Return the embedded voice, a Piper voice, with the Coqui directory that is made of it."""
    voice = MeasuredVoice("embedded/joe", coqui_joe(CACHE / "releases"))
    voice.bake(run.scratch)
    return voice


def coqui_joe_voice(run: Run) -> MeasuredVoice:
    """Return the embedded voice as Coqui has it, for engines that speak no Piper voices."""
    release = coqui_joe(CACHE / "releases")
    voice = MeasuredVoice(str(release), release)
    voice.bake(run.scratch)
    return voice


def open_voice(config_path: str | Path) -> Voice:
    """Open the configured voice in this process, as a server does before it forks."""
    heap.keep_one_heap()  # as gunicorn.conf.py does
    settings = load_settings(config_path)
    return open_catalog(settings, locate_all(settings)).default


def large_release(releases: Path) -> Path:
    """Return the directory of a voice of LJSpeech's size below `releases`; written on the first call."""
    directory = releases / "ljspeech-size"
    if not (directory / "hash.sha256").exists():
        subprocess.run([sys.executable, "-m", "ops.benchmarks.voices", str(directory)], cwd=ROOT, check=True)
    return directory


def phoneme_config(name: str) -> Any:
    """Return a VITS configuration as in tts_models/en/ljspeech/vits, of the default size: 83 million parameters."""
    from TTS.tts.configs.vits_config import VitsConfig

    return VitsConfig(
        run_name=name, text_cleaner="phoneme_cleaners", use_phonemes=True, phonemizer="espeak",
        phoneme_language="en-us", add_blank=True, enable_eos_bos_chars=False,
    )  # fmt: skip


def fill(model: Any) -> Any:
    """Give layers that Coqui initialises with zeros small random weights, and those of speaker and language more weight.

    Half of the network would have no effect otherwise, and no test could see a mistake in it.
    """
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not parameter.any():
                parameter.normal_(0.0, 0.02)
            if "cond" in name or name == "emb_l.weight":
                parameter.mul_(6.0)
    return model


def import_libraries() -> None:
    """Make Coqui importable, and seed torch."""
    from loader.engines.compat.coqui_package import import_coqui

    import_coqui()
    import torch

    torch.manual_seed(_SEED)


def _write_large(directory: Path) -> None:
    import_libraries()
    import torch
    from TTS.tts.models.vits import Vits

    from loader.releases.sealing import seal_release

    directory.mkdir(parents=True, exist_ok=True)
    model = fill(Vits(phoneme_config("ljspeech")))
    torch.save({"model": model.state_dict()}, directory / "model_file.pth")
    model.config.save_json(str(directory / "config.json"))
    seal_release(directory, "random-ljspeech", ["config.json", "model_file.pth"])


if __name__ == "__main__":
    _write_large(Path(sys.argv[1]))
