"""Voices and texts that are measured. Voices are built once and kept in the cache of the tests."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .checkpoints import ROOT, large_release
from .report import progress
from .servers import ours, started

CACHE = ROOT / "tests" / ".cache"
#: A first bake reads a checkpoint with torch and optimises three graphs.
_BAKE_S = 900.0

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
    text = ""
    position = 0
    while len(text) < characters:
        text += SENTENCES[position % len(SENTENCES)] + " "
        position += 1
    return text.strip()


@dataclass(frozen=True)
class MeasuredVoice:
    """Baked voice, and the Coqui model directory it was baked from."""

    #: As in a configuration.
    model_path: str
    release: Path


def large_voice(scratch: Path) -> MeasuredVoice:
    """Return a voice of LJSpeech's size with random weights: noise at the same cost."""
    release = large_release(CACHE / "releases")
    bake(str(release), scratch)
    return MeasuredVoice(str(release), release)


def embedded_voice(scratch: Path) -> MeasuredVoice:
    """Return the embedded voice."""
    bake("embedded/joe", scratch)
    return MeasuredVoice("embedded/joe", next((CACHE / "releases").glob("embedded-*")))


def write_config(scratch: Path, model_path: str, workers: int, **more: Any) -> Path:
    """Write a configuration for `workers` workers and return its path."""
    path = scratch / "tts_config.yaml"
    settings = {"model_path": model_path, "cache_dir": str(CACHE), "workers": workers, "log_format": "json", **more}
    # JSON is YAML.
    path.write_text(json.dumps(settings), encoding="utf-8")
    return path


def bake(model_path: str, scratch: Path, **more: Any) -> None:
    """Start a server once, with `more` in its configuration, and speak: bakes if necessary, and warms the page cache."""
    name = " ".join([Path(model_path).name, *map(str, more.values())])
    progress(f"preparing {name}; baked if this is the first time")
    with started(ours(write_config(scratch, model_path, 1, **more)), scratch / "bake.log") as server:
        server.await_ready(within_s=_BAKE_S)
        server.speak("Ready.")
