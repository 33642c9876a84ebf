"""What piper-tts itself makes of a text, in a process of its own: its espeak-ng may crash, and is another one than ours.

    python -m tests.loader.text.piper_reader      answers a line of JSON for each line of JSON

With our data of espeak-ng: in theirs, of April 2026, some words are pronounced otherwise.
"""

import json
import subprocess
import sys
from collections.abc import Sequence

from tests.loader.children import ROOT


class PiperReader:
    """piper-tts, asked by one thread. A context manager."""

    def __enter__(self) -> "PiperReader":
        command = [sys.executable, "-m", "tests.loader.text.piper_reader"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def phonemes(self, texts: Sequence[str], language: str, clusters: Sequence[Sequence[str]] = ()) -> list[list[list[str]]]:
        """Return the phonemes of each sentence of each text; `clusters` are those of vowels."""
        return self._ask(texts=texts, language=language, clusters=clusters)

    def clauses(self, texts: Sequence[str], language: str) -> list[list[tuple[str, str, bool]]]:
        """Return the phonemes of each clause of each text, the mark at its end, and whether it ends a sentence."""
        answer = self._ask(texts=texts, language=language, clusters=None)
        return [[tuple(clause) for clause in clauses] for clauses in answer]

    def __exit__(self, *_exception: object) -> None:
        self._process.communicate()

    def _ask(self, **question: object) -> list:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "piper-tts crashed"
        return json.loads(answer)


def _answer_all() -> None:
    import espeakng_loader
    from piper import espeakbridge
    from piper.phonemize_espeak import EspeakPhonemizer

    phonemizer = EspeakPhonemizer(espeakng_loader.get_data_path())
    for line in sys.stdin:
        question = json.loads(line)
        language, clusters, answers = question["language"], question["clusters"], []
        for text in question["texts"]:
            espeakbridge.set_voice(language)
            # It begins a text with a character that it read ahead in the text before, which it dropped there.
            espeakbridge.get_phonemes("a")
            if clusters is None:
                espeakbridge.set_voice(language)
                answers.append(espeakbridge.get_phonemes(text))
            else:
                answers.append(phonemizer.phonemize(language, text, {tuple(cluster) for cluster in clusters} or None))
        print(json.dumps(answers), flush=True)


if __name__ == "__main__":
    _answer_all()
