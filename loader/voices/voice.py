"""A voice: text in, chunks of samples out. Knows no HTTP and no file."""

import secrets
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

from loader.artifacts.artifact import Manifest
from loader.config.settings import SpeechSettings, VoiceSettings
from loader.engines.base import Capabilities, Prosody, Samples, Speaker, Utterance
from loader.errors import UnknownLanguageError, UnknownSymbolsError, UnspeakableTextError
from loader.releases.release import release_id
from loader.text.alignment import WordSpan, word_spans, written_words
from loader.text.front_end import without_region
from loader.text.given import given_word_spans
from loader.text.lexicon.entries import Entry, unknown_symbols
from loader.text.lexicon.lexicon import Lexicon
from loader.text.markup.script import Script, Style, Substitution, TextRun
from loader.text.normalization.aligned import AlignedText
from loader.text.reading import FrontEnd, Reading
from loader.text.sentences import is_marks, split_first_clause
from loader.timing.timings import Mark, Timing, timing_of
from loader.voices.chunks import Chunk, Prefetcher, Segment, ThreadLimit, one_thread
from loader.voices.parts import VoiceParts
from loader.voices.pieces import Delivery, Piece, Reader, Waiting, amplified
from loader.voices.speakers import resolve_speaker

if TYPE_CHECKING:
    from loader.text.normalization.normalizer import Spoken

#: Bounds of a request's speed, those of OpenAI's endpoint.
MIN_SPEED, MAX_SPEED = 0.25, 4.0
#: Digits of a release's id that clients are shown.
_SHOWN_DIGITS = 12


@dataclass(frozen=True)
class SpeechOptions:
    """Options of one request's speech; None is the voice's own setting."""

    #: The same seed gives the same samples, on every worker.
    seed: int
    #: 1 is the voice's own speed, 2 twice as fast; MIN_SPEED to MAX_SPEED.
    speed: float = 1.0
    #: Make the first windows short: the client plays while the rest is made.
    soon: bool = False
    #: See `Voice.speaker` and `Voice.language_row`.
    speaker: Speaker | None = None
    language: int | None = None
    #: See `Prosody`.
    noise_scale: float | None = None
    noise_scale_duration: float | None = None
    #: Silence between sentences, in seconds.
    sentence_pause_s: float | None = None
    #: Read what is meant by numbers, signs and abbreviations; false reads the text as Coqui does.
    normalize: bool | None = None
    #: Entries over those of the voice's lexicons.
    lexicon: tuple[Entry, ...] = ()


#: Called between two pieces of text, in the thread that reads them. An exception of it ends the speech.
Checkpoint = Callable[[], None]
#: An utterance, and the part of the spoken text that it was read from.
Utterable = tuple[Reading, AlignedText]


def normalizes(voice: VoiceSettings, speech: SpeechSettings) -> bool:
    """Whether a voice reads what is meant by numbers, signs and abbreviations, if the request does not say."""
    return speech.normalize if voice.normalize is None else voice.normalize


def random_seed() -> int:
    """Return a seed from the system: forked processes share the state of every other generator."""
    return secrets.randbits(63)


class Voice:
    """A configured voice: its artifact is mapped, its engine is opened at the first speech or before.

    Made in the master before the fork. Used by many threads; immutable, except that its parts are opened and closed.
    """

    #: The `generation` label of metrics and logs: a process serves each voice from one artifact.
    generation = 1

    def __init__(
        self,
        settings: VoiceSettings,
        speech: SpeechSettings,
        manifest: Manifest,
        parts: VoiceParts,
        capabilities: Capabilities = Capabilities(),
    ) -> None:
        """Make a voice.

        Args:
            settings: of the voice.
            speech: how voices speak unless their settings or a request say otherwise.
            manifest: of its artifact.
            parts: its engine and front end, open or not.
            capabilities: of its engine.
        """
        self.settings = settings
        self.manifest = manifest
        #: Of its engine, known before the voice is opened.
        self.capabilities = capabilities
        self.parts = parts
        self._sentence_pause_s, self._cuts_first = speech.sentence_pause_s, speech.first_clause
        #: What a server answers to a text without a sound.
        self.unspeakable = speech.unspeakable
        self._normalize = normalizes(settings, speech)
        #: By language without region; replaced as a whole, in the master.
        self.lexicons: Mapping[str, Lexicon] = {}
        self._release = release_id(manifest.source)[:_SHOWN_DIGITS]
        self._prosody = _resolve_prosody(settings, speech, manifest)
        # Here and not at every request: a configured default may not exist.
        self._default_speaker, self._default_language = self.speaker(None), self.language_row(None)

    @property
    def name(self) -> str:
        """The name that clients use."""
        return self.settings.name

    @property
    def release(self) -> str:
        """The id of the release that it was baked from: 12 hexadecimal digits."""
        return self._release

    @property
    def version(self) -> str:
        """The version of that release."""
        return str(self.manifest.source.get("version", ""))

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
    def trained_languages(self) -> tuple[str, ...]:
        """Languages as the voice's maker named them, in the order of `languages`."""
        return tuple(self.manifest.voice.languages)

    @property
    def symbols(self) -> Collection[str]:
        """The symbols that phonemes may be given in; none if the voice reads letters. Known before the voice is opened."""
        text = self.manifest.text
        return text.ids.keys() if text is not None and text.phonemizers else ()

    @property
    def letters(self) -> Collection[str]:
        """The characters that the voice reads; none if it reads phonemes, or tokens. Known before the voice is opened."""
        text = self.manifest.text
        return text.ids.keys() if text is not None and not text.phonemizers else ()

    @property
    def language(self) -> str:
        """The default language."""
        return self.languages[self._default_language]

    def speaks(self, language: str) -> bool:
        """Whether the voice has that language, named with or without its region."""
        return _find_language(language, self.languages) is not None

    def rows(self, options: SpeechOptions) -> tuple[Speaker, int]:
        """Return the speaker and the row of the language, the voice's default for None."""
        return (
            self._default_speaker if options.speaker is None else options.speaker,
            self._default_language if options.language is None else options.language,
        )

    def speaker(self, name: str | None) -> Speaker:
        """Return that speaker, or the mix that `name` is; the default one for None or ""; letter case is ignored if one is left.

        Raises:
            UnknownSpeakerError: lists the known names.
            SpeakerMixError: its engine cannot mix, or the weights are no mix.
        """
        name = name or self.settings.speaker
        return resolve_speaker(name, self.name, self.speakers, self.manifest.engine != "coqui") if name else 0

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

    def with_settings(
        self, settings: VoiceSettings, speech: SpeechSettings, close_after_s: float | None = None
    ) -> "Voice":
        """Return a voice of other settings with the same mapping and, if it is open, the same engine. Runs in the master."""
        return Voice(settings, speech, self.manifest, self.parts.shared(close_after_s), self.capabilities)

    def speak(self, content: str | Script, options: SpeechOptions) -> Iterator[Samples]:
        """Yield windows of float32 samples, pauses between sentences included, made in this thread.

        Raises:
            LoaderError: see `segments`.
        """
        for chunk in self.chunks(content, options):
            yield chunk.samples

    def chunks(
        self,
        content: str | Script,
        options: SpeechOptions,
        threads: ThreadLimit = one_thread,
        checkpoint: Checkpoint = lambda: None,
    ) -> Generator[Chunk, None, None]:
        """Return the chunks, made by as many threads as `threads` allows, at most `MAX_THREADS`; the samples do not depend on it.

        Raises:
            LoaderError: see `segments`.
        """
        return Prefetcher(self.segments(content, options, checkpoint), threads).chunks()

    def segments(
        self, content: str | Script, options: SpeechOptions, checkpoint: Checkpoint = lambda: None
    ) -> Iterator[Segment]:
        """Yield the planned utterances of a text or a script.

        Text is read sentence by sentence on demand, so neither the time to the first chunk
        nor memory depends on its length.

        Raises:
            UnknownSpeakerError, UnknownLanguageError, UnknownSymbolsError: the markup or the request's lexicon asks for it.
            UnspeakableTextError: before the first, if nothing in `content` makes a sound.
            UnreadableTextError: a part of the text ends the phonemizer's process.
            SynthesisError: the network failed.
        """
        engine, sentence_pause_s, waiting = self.parts.open().engine, self.pause_s(options), Waiting()
        marks: list[tuple[int, str]] = []
        spoken = sentences = 0
        last: Piece | None = None
        for piece, delivery, found in self.readings(content, options, checkpoint):
            if piece is not last:
                waiting.add(piece, sentence_pause_s if spoken else 0.0)
                last = piece
            if found is None:
                continue
            reading, aligned = found
            sentences += waiting.begins_sentence
            # A generator of its own for every utterance, so that none depends on how another was cut.
            random = np.random.Generator(np.random.Philox(key=[options.seed, spoken]))
            utterance = Utterance(reading.ids, delivery.prosody, delivery.speaker, delivery.language)
            plan = engine.plan(utterance, random, soon=options.soon and spoken == 0)
            pause_samples, taken = waiting.take(aligned.stop, self.sample_rate_hz)
            # The parts of a long reading have the same text, and its marks; their timings have those of each part.
            marks = [*marks, *taken] if reading.start else taken
            yield Segment(
                max(0, sentences - 1), reading, delivery.language_name, pause_samples, amplified(plan, delivery.volume),
                piece.written, aligned, marks,
            )  # fmt: skip
            spoken += 1
        if waiting.pause_s or (spoken and waiting.marks):
            yield waiting.silence(max(0, sentences - 1), self.language, self.sample_rate_hz)
        elif not spoken:
            raise UnspeakableTextError("nothing in the text can be spoken; send letters or numbers")

    def readings(
        self, content: str | Script, options: SpeechOptions, checkpoint: Checkpoint = lambda: None
    ) -> Iterator[tuple[Piece, Delivery, Utterable | None]]:
        """Yield the utterances of a text or a script before they are planned, on demand; None for a piece without sound.

        Raises:
            LoaderError: see `segments`, but for texts without sound and the network.
        """
        with self.parts.in_use() as parts:
            front_end, cuts_first, normalizes = parts.front_end, self._cuts_first, self._normalizes(options)
            delivery_of = cache(partial(self._delivery, options))
            self._require_known(content, options, front_end, delivery_of)
            for piece in self._reader(options).pieces(content):
                delivery = delivery_of(piece.style)
                if normalizes and is_marks(piece.spoken.text.text):
                    # espeak-ng, and so Piper, calls some marks that stand alone by their names.
                    checkpoint()
                    yield piece, delivery, None
                    continue
                for found in _utterances(front_end, piece.spoken, delivery.language_name, cuts_first):
                    checkpoint()
                    yield piece, delivery, found
                    cuts_first = cuts_first and found is None

    def timing(self, chunk: Chunk) -> Timing | None:
        """Return when the words and sounds of the segment that `chunk` begins are heard; None if it begins none.

        Without words and sounds if the engine does not know durations.
        """
        segment = chunk.begins
        if segment is None:
            return None
        reading, lengths, offset = segment.reading, segment.plan.samples_per_id, segment.spoken.start
        raw = segment.written[offset : segment.spoken.stop]
        written = raw.strip()
        if lengths is None or not reading.ids:
            moments = [Mark(name, chunk.start_samples, chunk.start_samples) for _place, name in segment.marks]
            is_silence = not reading.ids
            return Timing(
                segment.sentence, written, chunk.start_samples, chunk.end_samples, marks=tuple(moments), is_silence=is_silence
            )
        words = self.words(reading, segment.language)
        if written != reading.text:
            words = written_words(words, segment.spoken, segment.written)
            reading = replace(reading, text=written)
        else:
            offset += len(raw) - len(raw.lstrip())
        marks = [(place - offset, name) for place, name in segment.marks]
        return timing_of(reading, words, lengths.tolist(), segment.sentence, chunk.start_samples, marks)

    def words(self, reading: Reading, language: str) -> list[WordSpan]:
        """Return the spoken words of a reading, with their ranges in it.

        Args:
            reading: one of `readings` or `segments`.
            language: that it was read in, as the manifest names it.
        """
        read = partial(self.parts.open().front_end.read, language=language)
        if reading.given:
            return given_word_spans(reading.text, reading.phonemes, reading.given, read)
        return word_spans(reading.text, reading.phonemes, read)

    def pause_s(self, options: SpeechOptions) -> float:
        """Return the silence between two sentences, in seconds."""
        return self._sentence_pause_s if options.sentence_pause_s is None else options.sentence_pause_s

    def with_defaults(self, options: SpeechOptions) -> SpeechOptions:
        """Return the options with the voice's own values for None: two that speak alike are equal."""
        (speaker, language), prosody = self.rows(options), self._prosody_of(options)
        return replace(
            options, speaker=speaker, language=language, speed=prosody.speed, noise_scale=prosody.noise_scale,
            noise_scale_duration=prosody.noise_scale_duration, sentence_pause_s=self.pause_s(options),
            normalize=self._normalizes(options),
        )  # fmt: skip

    def count_sentences(self, content: str | Script, options: SpeechOptions) -> int:
        """Return the number of sentences, those without sound included; 1 ms for 20,000 characters of prose."""
        return sum(1 for sentence in self._reader(options).sentences(content) if sentence.text)

    def _reader(self, options: SpeechOptions) -> Reader:
        language = without_region(self.languages[self.rows(options)[1]])
        return Reader(language, self._normalizes(options), cache(partial(self._lexicon, options)), self.letters)

    def _lexicon(self, options: SpeechOptions, language: str) -> Lexicon | None:
        lexicon = self.lexicons.get(language)
        return (lexicon or Lexicon(language)).extended(options.lexicon) if options.lexicon else lexicon

    def _delivery(self, options: SpeechOptions, style: Style) -> Delivery:
        """Return how a style is spoken.

        Raises:
            UnknownSpeakerError, UnknownLanguageError: the voice does not have it.
        """
        speaker, language = self.rows(options)
        if style.voice and (style.voice in self.speakers or style.voice not in (self.name, *self.settings.aliases)):
            speaker = self.speaker(style.voice)
        if style.language:
            language = self.language_row(style.language if self.speaks(style.language) else without_region(style.language))
        prosody = self._prosody_of(options)
        speed = min(MAX_SPEED, max(MIN_SPEED, prosody.speed * style.rate))
        name = self.manifest.voice.languages[language]
        return Delivery(speaker, language, name, replace(prosody, speed=speed), style.volume)

    def _require_known(
        self, content: str | Script, options: SpeechOptions, front_end: FrontEnd, delivery_of: Callable[[Style], Delivery]
    ) -> None:
        """Check, before anything is spoken, that the voice has what the markup and the request's lexicon ask for."""
        given = [(entry.term, entry.phonemes) for entry in options.lexicon if entry.phonemes]
        for item in () if isinstance(content, str) else content.items:
            if isinstance(item, TextRun | Substitution):
                delivery_of(item.style)
            if isinstance(item, Substitution) and item.ipa:
                given.append((item.written, item.ipa))
        for written, phonemes in given:
            if unknown := unknown_symbols(phonemes, front_end.symbols):
                raise UnknownSymbolsError(self.name, written, unknown, front_end.symbols)

    def _normalizes(self, options: SpeechOptions) -> bool:
        return self._normalize if options.normalize is None else options.normalize

    def _prosody_of(self, options: SpeechOptions) -> Prosody:
        given = {"noise_scale": options.noise_scale, "noise_scale_duration": options.noise_scale_duration, "speed": options.speed}
        return replace(self._prosody, **{name: value for name, value in given.items() if value is not None})


def _utterances(
    front_end: FrontEnd, spoken: "Spoken", language: str, cut: bool
) -> Iterator[Utterable | None]:
    """Yield the utterances of a text, each with the part of the text that it was read from; None for a piece without sound."""
    text, start, stop, end = spoken.text, 0, 0, 0
    if not text.text.strip():
        yield None
        return
    for clause in split_first_clause(text.text) if cut else (text.text,):
        first = text.text.index(clause, end)
        end = first + len(clause)
        given = [each.moved(-first) for each in spoken.given if first <= each.start and each.stop <= end]
        for reading in front_end.utterances(clause, language, given):
            if reading is None:
                yield None
                continue
            if not reading.start:
                start = text.text.index(reading.text, stop)
                stop = start + len(reading.text)
            yield reading, text.part(start, stop)


def _find_language(language: str, known: Sequence[str]) -> int | None:
    """Return the row of `language`: by its whole name, `en_US` as `en-us`, else `en` is the first English one."""
    names = [name.lower().replace("_", "-") for name in known]
    wanted = language.strip().lower().replace("_", "-")
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
