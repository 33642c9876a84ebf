"""One voice: text in, windows of samples out. Knows no HTTP and no file."""

import importlib
import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from loader.artifacts.artifact import Manifest
from loader.config.settings import SpeechSettings, VoiceSettings
from loader.engines.base import Engine, Prosody, Samples, Utterance
from loader.errors import UnknownLanguageError, UnknownSpeakerError, UnspeakableTextError
from loader.text.front_end import without_region
from loader.text.sentences import split_first_clause, split_sentences
from loader.text.utterance import Reading
from loader.timing.alignment import word_spans
from loader.timing.marks import timing_of
from loader.timing.timings import Timing
from loader.voices.prefetch import Ahead, Hands, one_hand
from loader.voices.segments import Passage, Placed, Stretch, stretches

#: Speeds a request may ask for, as OpenAI's endpoint bounds them.
SLOWEST, FASTEST = 0.25, 4.0


@dataclass(frozen=True)
class Delivery:
    """How one request wants its text spoken; None is as the voice is configured."""

    #: The same seed gives the same samples, on every worker.
    seed: int
    #: 1 is the voice's own speed, 2 twice as fast; SLOWEST to FASTEST.
    speed: float = 1.0
    #: Make the first windows short, because somebody listens while the rest is made.
    soon: bool = False
    #: By name or by row, see `Voice.speaker_row` and `Voice.language_row`; None is the voice's default.
    speaker: str | int | None = None
    language: str | int | None = None
    #: See `Prosody`.
    noise_scale: float | None = None
    noise_scale_duration: float | None = None
    #: Silence between sentences, in seconds.
    sentence_pause_s: float | None = None


class FrontEnd(Protocol):
    """A voice's way from text to ids."""

    def utterances(self, sentence: str, language: str) -> Iterator[Reading | None]:
        """Yield one sentence in pieces the engine can speak at once; None for a piece that makes no sound."""
        ...

    def read(self, text: str, language: str) -> str:
        """Return the phonemes of raw text by itself; "" where there are none."""
        ...


@dataclass(frozen=True)
class Parts:
    """What an opened voice speaks with."""

    engine: Engine
    front_end: FrontEnd


#: Called between two pieces of text, in the thread that reads them. May raise what is to end the speech.
Checkpoint = Callable[[], None]


def no_checkpoint() -> None:
    """Go on reading."""


def random_seed() -> int:
    """Return a seed no other worker will draw: forked processes share every other source of chance."""
    return secrets.randbits(63)


class Voice:
    """A voice that can speak: mapped, and opened at the latest when it first does.

    Made in the master before the fork. Used by many threads; never changes, but that it
    is opened: before the fork for all workers, or after it for one.
    """

    def __init__(
        self,
        settings: VoiceSettings,
        speech: SpeechSettings,
        manifest: Manifest,
        open_parts: Callable[[], Parts],
        generation: int = 1,
    ) -> None:
        self.settings = settings
        self.manifest = manifest
        #: Counts up whenever another release takes this voice's place.
        self.generation = generation
        self._open_parts = open_parts
        self._parts: Parts | None = None
        self._opening = threading.Lock()
        #: How often what it speaks with was made in this process, before a fork included: never more than once.
        self.constructions = 0
        self._counting = threading.Lock()
        self._sentence_pause_s, self._cuts_first = speech.sentence_pause_s, speech.first_clause
        self._prosody = _prosody(settings, speech, manifest)
        # Said now rather than with every request: a default that is not there.
        self.speaker_row(None)
        self.language_row(None)

    @property
    def name(self) -> str:
        """What clients call the voice."""
        return self.settings.name

    @property
    def speaks_whole(self) -> bool:
        """Whether its engine makes an utterance in one piece, and one at a time in a process; others make windows."""
        return bool(_engine_module(self.manifest.engine).SPEAKS_WHOLE)

    @property
    def uses_device(self) -> bool:
        """Whether its engine can speak on an accelerator."""
        return bool(_engine_module(self.manifest.engine).USES_DEVICE)

    @property
    def sample_rate_hz(self) -> int:
        """Samples of one second."""
        return self.manifest.voice.sample_rate_hz

    @property
    def speakers(self) -> tuple[str, ...]:
        """Who can speak; none for a voice of one nameless speaker."""
        return tuple(self.manifest.voice.speakers)

    @property
    def languages(self) -> tuple[str, ...]:
        """What it can speak, as its maker named it, such as `en-us`; the configuration may name an only language."""
        named = tuple(self.manifest.voice.languages)
        declared = self.settings.language
        return (declared,) if declared and len(named) == 1 else named

    @property
    def language(self) -> str:
        """The language it speaks unless told otherwise."""
        return self.languages[self.language_row(None)]

    def speaks(self, language: str) -> bool:
        """Whether the voice has that language, named with or without its region."""
        return _matching(language, self.languages) is not None

    def speaker_row(self, name: str | int | None) -> int:
        """Return the row of that speaker, of the default one for None or "". A row is returned as it is.

        Raises:
            UnknownSpeakerError: with the names there are.
        """
        if isinstance(name, int):
            return name
        name = name or self.settings.speaker
        if not name:
            return 0
        if name not in self.speakers:
            raise UnknownSpeakerError(name, self.name, self.speakers)
        return self.speakers.index(name)

    def language_row(self, name: str | int | None) -> int:
        """Return the row of that language, of the default one for None or "". A row is returned as it is.

        Raises:
            UnknownLanguageError: with the names there are.
        """
        if isinstance(name, int):
            return name
        name = name or self.settings.language
        row = _matching(name, self.languages) if name else 0
        if row is None:
            raise UnknownLanguageError(str(name), f"voice {self.name!r} does not speak", self.languages)
        return row

    @property
    def is_open(self) -> bool:
        """Whether it needs no opening any more."""
        return self._parts is not None

    def open(self) -> Parts:
        """Return what it speaks with, opened now if it is not yet.

        Raises:
            LoaderError: any of its children.
        """
        if self._parts is None:
            with self._opening:
                if self._parts is None:
                    self._parts = self._constructed()
        return self._parts

    def _constructed(self) -> Parts:
        parts = self._open_parts()
        # A lock of its own: the count is there to show that the other one failed.
        with self._counting:
            self.constructions += 1
        return parts

    def speak(self, text: str, delivery: Delivery) -> Iterator[Samples]:
        """Yield windows of float32 samples, pauses between sentences included, made in this thread.

        Raises:
            UnspeakableTextError, UnknownSpeakerError, UnknownLanguageError, SynthesisError: see `passages`.
        """
        for stretch in self.stretches(text, delivery):
            yield stretch.samples

    def stretches(
        self, text: str, delivery: Delivery, hands: Hands = one_hand, most: int = 1, checkpoint: Checkpoint = no_checkpoint
    ) -> Generator[Stretch, None, None]:
        """Return what is heard, made by up to `most` threads while there are `hands`; the same whoever makes it.

        Raises:
            UnspeakableTextError, UnreadableTextError, UnknownSpeakerError, UnknownLanguageError, SynthesisError: see `passages`.
        """
        passages = self.passages(text, delivery, checkpoint)
        return stretches(Ahead(passages, lambda passage: passage.plan.work, hands, most).results())

    def passages(self, text: str, delivery: Delivery, checkpoint: Checkpoint = no_checkpoint) -> Iterator[Passage]:
        """Yield the utterances of `text`, read and measured, to be made audible by whoever takes them.

        Text is read sentence by sentence as they are taken, so that neither time to the
        first window nor memory depends on its length.

        Raises:
            UnspeakableTextError: before the first, when nothing in `text` makes a sound.
            UnknownSpeakerError, UnknownLanguageError: before the first.
            UnreadableTextError: a part of the text ends what reads it.
            SynthesisError: the network failed.
        """
        speaker, language = self.speaker_row(delivery.speaker), self.language_row(delivery.language)
        parts, prosody = self.open(), self._prosody_of(delivery)
        named = self.manifest.voice.languages[language]
        pause_samples = round(self.pause_s(delivery) * self.sample_rate_hz)
        spoken = sentences = 0
        for sentence in self._sentences(text, language):
            is_new = True
            for reading in _utterances(parts.front_end, sentence, named, self._cuts_first and not spoken):
                checkpoint()
                if reading is None:
                    continue
                pause = pause_samples if spoken and is_new else 0
                sentences, is_new = sentences + is_new, False
                # A stream of chance for every utterance, so that none depends on how another was cut.
                random = np.random.Generator(np.random.Philox(key=[delivery.seed, spoken]))
                utterance = Utterance(reading.ids, prosody, speaker, language)
                plan = parts.engine.plan(utterance, random, soon=delivery.soon and spoken == 0)
                yield Passage(sentences - 1, reading, named, pause, plan)
                spoken += 1
        if not spoken:
            raise UnspeakableTextError("nothing in the text can be spoken; send letters or numbers")

    def timing(self, placed: Placed) -> Timing:
        """Return when the words and sounds of a passage are heard; of engines that do not know, when all of it is."""
        passage, lengths = placed.passage, placed.passage.plan.samples_per_id
        reading = passage.reading
        if lengths is None:
            return Timing(passage.sentence, reading.text, placed.start_samples, placed.end_samples)
        read = partial(self.open().front_end.read, language=passage.language)
        words = word_spans(reading.text, reading.phonemes, read)
        return timing_of(reading, words, lengths.tolist(), passage.sentence, placed.start_samples)

    def _prosody_of(self, delivery: Delivery) -> Prosody:
        own = self._prosody
        return Prosody(
            own.length_scale,
            own.noise_scale if delivery.noise_scale is None else delivery.noise_scale,
            own.noise_scale_duration if delivery.noise_scale_duration is None else delivery.noise_scale_duration,
            delivery.speed,
        )

    def pause_s(self, delivery: Delivery) -> float:
        """Return how long the silence between two sentences is, in seconds."""
        return self._sentence_pause_s if delivery.sentence_pause_s is None else delivery.sentence_pause_s

    def count_sentences(self, text: str, delivery: Delivery) -> int:
        """Return how many sentences `text` has, those that make no sound included; 1 ms for 20,000 characters of prose.

        Raises:
            UnknownLanguageError: with the names there are.
        """
        return sum(1 for _ in self._sentences(text, self.language_row(delivery.language)))

    def _sentences(self, text: str, language: int) -> Iterator[str]:
        return split_sentences(text, without_region(self.manifest.voice.languages[language]))


def _engine_module(engine: str) -> Any:
    return importlib.import_module(f"loader.engines.{engine}")


def _utterances(front_end: FrontEnd, sentence: str, language: str, cut: bool) -> Iterator[Reading | None]:
    for piece in split_first_clause(sentence) if cut else (sentence,):
        yield from front_end.utterances(piece, language)


def _matching(language: str, known: Sequence[str]) -> int | None:
    """Return the row of `language`: by its whole name, else `en` by the first that is English."""
    names = [name.lower() for name in known]
    wanted = language.lower()
    if wanted in names:
        return names.index(wanted)
    bare = [without_region(name) for name in names]
    return bare.index(wanted) if wanted in bare else None


def _prosody(settings: VoiceSettings, speech: SpeechSettings, manifest: Manifest) -> Prosody:
    """Take each scale from the voice's settings, else from the server's, else as it was trained."""
    own = manifest.voice

    def first(*values: float | None) -> float:
        return next(value for value in values if value is not None)

    return Prosody(
        first(settings.length_scale, speech.length_scale, own.length_scale),
        first(settings.noise_scale, speech.noise_scale, own.noise_scale),
        first(settings.noise_scale_duration, speech.noise_scale_duration, own.noise_scale_duration),
    )
