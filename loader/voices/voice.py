"""A voice: text in, chunks of samples out. Knows no HTTP and no file."""

import secrets
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from loader.artifacts.artifact import Manifest
from loader.config.settings import SpeechSettings, VoiceSettings
from loader.engines.base import Capabilities, Engine, Prosody, Samples, Utterance
from loader.errors import UnknownLanguageError, UnknownSpeakerError, UnspeakableTextError
from loader.text.front_end import FrontEnd, Reading, without_region
from loader.text.sentences import split_first_clause, split_sentences
from loader.timing.alignment import word_spans
from loader.timing.timings import Timing, timing_of
from loader.voices.chunks import Chunk, Prefetcher, Segment, ThreadLimit, one_thread

#: Bounds of a request's speed, those of OpenAI's endpoint.
MIN_SPEED, MAX_SPEED = 0.25, 4.0


@dataclass(frozen=True)
class SpeechOptions:
    """Options of one request's speech; None is the voice's own setting."""

    #: The same seed gives the same samples, on every worker.
    seed: int
    #: 1 is the voice's own speed, 2 twice as fast; MIN_SPEED to MAX_SPEED.
    speed: float = 1.0
    #: Make the first windows short: the client plays while the rest is made.
    soon: bool = False
    #: Rows, see `Voice.speaker_row` and `Voice.language_row`.
    speaker: int | None = None
    language: int | None = None
    #: See `Prosody`.
    noise_scale: float | None = None
    noise_scale_duration: float | None = None
    #: Silence between sentences, in seconds.
    sentence_pause_s: float | None = None


@dataclass(frozen=True)
class Parts:
    """Engine and front end of an opened voice."""

    engine: Engine
    front_end: FrontEnd


#: Called between two pieces of text, in the thread that reads them. An exception of it ends the speech.
Checkpoint = Callable[[], None]


def random_seed() -> int:
    """Return a seed from the system: forked processes share the state of every other generator."""
    return secrets.randbits(63)


class Voice:
    """A configured voice: its artifact is mapped, its engine is opened at the first speech or before.

    Made in the master before the fork. Used by many threads; immutable, except that it
    is opened: before the fork for all workers, or after it for one.
    """

    #: The `generation` label of metrics and logs: a process serves each voice from one artifact.
    generation = 1

    def __init__(
        self,
        settings: VoiceSettings,
        speech: SpeechSettings,
        manifest: Manifest,
        open_parts: Callable[[], Parts],
        capabilities: Capabilities = Capabilities(),
    ) -> None:
        self.settings = settings
        self.manifest = manifest
        #: Of its engine, known before the voice is opened.
        self.capabilities = capabilities
        self._open_parts = open_parts
        self._parts: Parts | None = None
        self._opening = threading.Lock()
        #: How often its parts were made in this process, before a fork included: never more than once.
        self.constructions = 0
        self._counting = threading.Lock()
        self._sentence_pause_s, self._cuts_first = speech.sentence_pause_s, speech.first_clause
        self._prosody = _resolve_prosody(settings, speech, manifest)
        # Here and not at every request: a configured default may not exist.
        self._default_speaker, self._default_language = self.speaker_row(None), self.language_row(None)

    @property
    def name(self) -> str:
        """The name that clients use."""
        return self.settings.name

    @property
    def sample_rate_hz(self) -> int:
        """Samples of one second."""
        return self.manifest.voice.sample_rate_hz

    @property
    def speakers(self) -> tuple[str, ...]:
        """Names of the speakers; none for a voice of one nameless speaker."""
        return tuple(self.manifest.voice.speakers)

    @property
    def languages(self) -> tuple[str, ...]:
        """Languages as the voice's maker named them, such as `en-us`; the configuration may rename an only language."""
        named = tuple(self.manifest.voice.languages)
        declared = self.settings.language
        return (declared,) if declared and len(named) == 1 else named

    @property
    def language(self) -> str:
        """The default language."""
        return self.languages[self._default_language]

    def speaks(self, language: str) -> bool:
        """Whether the voice has that language, named with or without its region."""
        return _find_language(language, self.languages) is not None

    def rows(self, options: SpeechOptions) -> tuple[int, int]:
        """Return the rows of the speaker and of the language, the voice's default for None."""
        return (
            self._default_speaker if options.speaker is None else options.speaker,
            self._default_language if options.language is None else options.language,
        )

    def speaker_row(self, name: str | None) -> int:
        """Return the row of that speaker, of the default one for None or "".

        Raises:
            UnknownSpeakerError: lists the known names.
        """
        name = name or self.settings.speaker
        if not name:
            return 0
        if name not in self.speakers:
            raise UnknownSpeakerError(name, self.name, self.speakers)
        return self.speakers.index(name)

    def language_row(self, name: str | None) -> int:
        """Return the row of that language, of the default one for None or "".

        Raises:
            UnknownLanguageError: lists the known names.
        """
        name = name or self.settings.language
        if not name:
            return 0
        row = _find_language(name, self.languages)
        if row is None:
            raise UnknownLanguageError(name, f"voice {self.name!r} does not speak", self.languages)
        return row

    @property
    def is_open(self) -> bool:
        """Whether the engine is open."""
        return self._parts is not None

    def open(self) -> Parts:
        """Return engine and front end, opened now if they are not yet."""
        if self._parts is None:
            with self._opening:
                if self._parts is None:
                    parts = self._open_parts()
                    # A lock of its own: the count shows whether the other lock failed.
                    with self._counting:
                        self.constructions += 1
                    self._parts = parts
        return self._parts

    def speak(self, text: str, options: SpeechOptions) -> Iterator[Samples]:
        """Yield windows of float32 samples, pauses between sentences included, made in this thread.

        Raises:
            LoaderError: see `segments`.
        """
        for chunk in self.chunks(text, options):
            yield chunk.samples

    def chunks(
        self,
        text: str,
        options: SpeechOptions,
        threads: ThreadLimit = one_thread,
        checkpoint: Checkpoint = lambda: None,
    ) -> Generator[Chunk, None, None]:
        """Return the chunks, made by as many threads as `threads` allows, at most `MAX_THREADS`; the samples do not depend on it.

        Raises:
            LoaderError: see `segments`.
        """
        return Prefetcher(self.segments(text, options, checkpoint), threads).chunks()

    def segments(self, text: str, options: SpeechOptions, checkpoint: Checkpoint = lambda: None) -> Iterator[Segment]:
        """Yield the planned utterances of `text`.

        Text is read sentence by sentence on demand, so neither the time to the first chunk
        nor memory depends on its length.

        Raises:
            UnspeakableTextError: before the first, if nothing in `text` makes a sound.
            UnreadableTextError: a part of the text ends the phonemizer's process.
            SynthesisError: the network failed.
        """
        speaker, language = self.rows(options)
        parts, prosody = self.open(), self._prosody_of(options)
        named = self.manifest.voice.languages[language]
        pause_samples = round(self.pause_s(options) * self.sample_rate_hz)
        spoken = sentences = 0
        for sentence in self._sentences(text, language):
            is_new = True
            for reading in _utterances(parts.front_end, sentence, named, self._cuts_first and not spoken):
                checkpoint()
                if reading is None:
                    continue
                pause = pause_samples if spoken and is_new else 0
                sentences, is_new = sentences + is_new, False
                # A generator of its own for every utterance, so that none depends on how another was cut.
                random = np.random.Generator(np.random.Philox(key=[options.seed, spoken]))
                utterance = Utterance(reading.ids, prosody, speaker, language)
                plan = parts.engine.plan(utterance, random, soon=options.soon and spoken == 0)
                yield Segment(sentences - 1, reading, named, pause, plan)
                spoken += 1
        if not spoken:
            raise UnspeakableTextError("nothing in the text can be spoken; send letters or numbers")

    def timing(self, chunk: Chunk) -> Timing | None:
        """Return when the words and sounds of the segment that `chunk` begins are heard; None if it begins none.

        Without words and sounds if the engine does not know durations.
        """
        segment = chunk.begins
        if segment is None:
            return None
        reading, lengths = segment.reading, segment.plan.samples_per_id
        if lengths is None:
            return Timing(segment.sentence, reading.text, chunk.start_samples, chunk.end_samples)
        read = partial(self.open().front_end.read, language=segment.language)
        words = word_spans(reading.text, reading.phonemes, read)
        return timing_of(reading, words, lengths.tolist(), segment.sentence, chunk.start_samples)

    def _prosody_of(self, options: SpeechOptions) -> Prosody:
        given = {"noise_scale": options.noise_scale, "noise_scale_duration": options.noise_scale_duration, "speed": options.speed}
        return replace(self._prosody, **{name: value for name, value in given.items() if value is not None})

    def pause_s(self, options: SpeechOptions) -> float:
        """Return the silence between two sentences, in seconds."""
        return self._sentence_pause_s if options.sentence_pause_s is None else options.sentence_pause_s

    def count_sentences(self, text: str, options: SpeechOptions) -> int:
        """Return the number of sentences, those without sound included; 1 ms for 20,000 characters of prose."""
        return sum(1 for _ in self._sentences(text, self.rows(options)[1]))

    def _sentences(self, text: str, language: int) -> Iterator[str]:
        return split_sentences(text, without_region(self.manifest.voice.languages[language]))


def _utterances(front_end: FrontEnd, sentence: str, language: str, cut: bool) -> Iterator[Reading | None]:
    for piece in split_first_clause(sentence) if cut else (sentence,):
        yield from front_end.utterances(piece, language)


def _find_language(language: str, known: Sequence[str]) -> int | None:
    """Return the row of `language`: by its whole name, else `en` is the first English one."""
    names = [name.lower() for name in known]
    wanted = language.lower()
    if wanted in names:
        return names.index(wanted)
    bare = [without_region(name) for name in names]
    return bare.index(wanted) if wanted in bare else None


def _resolve_prosody(settings: VoiceSettings, speech: SpeechSettings, manifest: Manifest) -> Prosody:
    """Take each scale from the voice's settings, else from the server's, else as trained."""
    own = manifest.voice

    def first(*values: float | None) -> float:
        return next(value for value in values if value is not None)

    return Prosody(
        first(settings.length_scale, speech.length_scale, own.length_scale),
        first(settings.noise_scale, speech.noise_scale, own.noise_scale),
        first(settings.noise_scale_duration, speech.noise_scale_duration, own.noise_scale_duration),
    )
