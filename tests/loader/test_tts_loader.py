"""loader.tts_loader: one loader per process, awaited once, then used to speak."""

import asyncio
import io
import struct
import threading
import wave

import pytest

from loader import TTSLoader, tts_loader
from loader.errors import ConfigError, FetchError, NotReadyError, UnspeakableTextError, WarmUpError
from tests.loader.children import answer_of


@pytest.fixture(autouse=True)
def fresh_process():
    """Remove the loader of the process before each test."""
    before, TTSLoader._instance = TTSLoader._instance, None
    yield
    TTSLoader._instance = before


@pytest.fixture
def path(settings, embedded_artifact):
    return settings.path


def test_every_thread_gets_the_same_loader(path):
    barrier, found = threading.Barrier(8), []

    def make():
        barrier.wait()
        found.append(TTSLoader(path))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 8 == len(found)
    assert 1 == len({id(loader) for loader in found})
    assert TTSLoader(str(path)) is found[0]


def test_a_second_configuration_is_refused(path, tmp_path):
    TTSLoader(path)

    with pytest.raises(ValueError, match=f"already has a TTSLoader for {path}"):
        TTSLoader(tmp_path / "other.yaml")


def test_speaking_before_the_warm_up_is_an_error(path):
    loader = TTSLoader(path)

    assert not loader.is_ready()
    with pytest.raises(NotReadyError, match="await warm_up"):
        loader.synthesize("Hello.")


def test_the_event_loop_runs_during_the_warm_up(path):
    """A coroutine that yields to the loop again and again advances while the voices are opened."""

    async def count_while_warming_up():
        loader = TTSLoader(path)
        warming, ticks = asyncio.ensure_future(loader.warm_up()), 0
        while not warming.done():
            await asyncio.sleep(0)
            ticks += 1
        await warming
        return loader, ticks

    loader, ticks = asyncio.run(count_while_warming_up())

    assert loader.is_ready()
    assert ticks > 100


def test_many_tasks_can_await_one_warm_up_and_the_voices_are_opened_once(path):
    async def warm_up():
        loader = TTSLoader(path)
        await asyncio.gather(*(loader.warm_up() for _ in range(8)))
        first = loader._catalog
        await loader.warm_up()
        return first, loader._catalog

    first, again = asyncio.run(warm_up())

    assert first is again


def test_voices_are_mapped_once_for_any_number_of_tasks(path):
    mapped = answer_of("""
        import asyncio, json, sys
        from loader import TTSLoader
        async def warm_up():
            await asyncio.gather(*(TTSLoader(sys.argv[1]).warm_up() for _ in range(8)))
        asyncio.run(warm_up())
        print(json.dumps(len([line for line in open("/proc/self/maps") if line.rstrip().endswith("/encode.bin")])))
        """, path)

    assert 1 == mapped


def test_speech_is_a_complete_wav_file(path):
    loader = TTSLoader(path)
    asyncio.run(loader.warm_up())

    spoken = loader.synthesize("Hello world.")

    with wave.open(io.BytesIO(spoken)) as audio:
        frames = audio.readframes(audio.getnframes())
        assert (1, 2, 22050) == (audio.getnchannels(), audio.getsampwidth(), audio.getframerate())
        assert 0.5 < audio.getnframes() / audio.getframerate() < 3
    assert any(frames)
    assert struct.unpack_from("<I", spoken, 4)[0] == len(spoken) - 8
    assert struct.unpack_from("<I", spoken, 40)[0] == len(spoken) - 44 == len(frames)


def test_two_requests_have_different_samples(path):
    loader = TTSLoader(path)
    asyncio.run(loader.warm_up())

    assert loader.synthesize("Hello world.") != loader.synthesize("Hello world.")


@pytest.mark.parametrize("text", ["", "   ", "..."])
def test_text_without_a_sound_is_refused(path, text):
    loader = TTSLoader(path)
    asyncio.run(loader.warm_up())

    with pytest.raises(UnspeakableTextError):
        loader.synthesize(text)


def test_a_failed_warm_up_can_be_tried_again(tmp_path, path):
    own = tmp_path / "tts_config.yaml"
    loader = TTSLoader(own)
    with pytest.raises(ConfigError):
        asyncio.run(loader.warm_up())
    assert not loader.is_ready()

    own.write_text(path.read_text())
    asyncio.run(loader.warm_up())

    assert loader.is_ready()


@pytest.fixture
def failing_at_first(monkeypatch):
    """Make opening the voices fail that many times; return the list of calls."""

    def fail(times, error):
        calls, locate_available = [], tts_loader.locate_available

        def located(*arguments, **options):
            calls.append(1)
            if len(calls) <= times:
                raise error
            return locate_available(*arguments, **options)

        monkeypatch.setattr(tts_loader, "locate_available", located)
        return calls

    return fail


def test_failures_are_retried_with_growing_pauses(path, failing_at_first):
    calls, pauses = failing_at_first(2, FetchError("no network")), []
    loader = TTSLoader(path)
    asyncio.run(loader.warm_up(pause=pauses.append))

    assert loader.is_ready()
    assert (3, [1.0, 2.0]) == (len(calls), pauses)


def test_after_the_third_failure_the_warm_up_raises_and_can_be_started_again(path, failing_at_first):
    calls, pauses = failing_at_first(3, OSError("no disk")), []
    loader = TTSLoader(path)

    with pytest.raises(WarmUpError, match="failed 3 times, the last time with: OSError: no disk") as raised:
        asyncio.run(loader.warm_up(pause=pauses.append))
    assert (3, [1.0, 2.0], 75, False) == (len(calls), pauses, raised.value.exit_status, loader.is_ready())
    asyncio.run(loader.warm_up(pause=pauses.append))
    assert loader.is_ready()


def test_a_permanent_error_is_not_retried(tmp_path):
    pauses = []

    with pytest.raises(ConfigError):
        asyncio.run(TTSLoader(tmp_path / "none.yaml").warm_up(pause=pauses.append))
    assert [] == pauses


class CountedLock:
    """A lock that counts the threads that came to it."""

    def __init__(self):
        self._lock = threading.Lock()
        self.came = threading.Semaphore(0)

    def __enter__(self):
        self.came.release()
        return self._lock.__enter__()

    def __exit__(self, *error):
        return self._lock.__exit__(*error)


def test_all_callers_get_the_error_of_one_warm_up_that_failed_three_times(path, failing_at_first):
    calls, loader = failing_at_first(1000, OSError("no disk")), TTSLoader(path)
    loader._opening = CountedLock()
    come = []

    def until_all_have_come(pause_s):
        while len(come) < 4:
            assert loader._opening.came.acquire(timeout=60)
            come.append(1)

    async def warm_up():
        awaited = (loader.warm_up(pause=until_all_have_come) for _ in range(4))
        return await asyncio.gather(*awaited, return_exceptions=True)

    assert [WarmUpError] * 4 == [type(error) for error in asyncio.run(warm_up())]
    assert 3 == len(calls)
