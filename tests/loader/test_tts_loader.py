"""loader.tts_loader: one loader a process, awaited once, then spoken with."""

import asyncio
import io
import struct
import threading
import wave

import pytest

from loader import TTSLoader
from loader.errors import ConfigError, NotReadyError, UnspeakableTextError
from tests.loader.children import answer_of


@pytest.fixture(autouse=True)
def fresh_process():
    """Each test begins as a process does: without a loader."""
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


def test_another_configuration_is_refused(path, tmp_path):
    TTSLoader(path)

    with pytest.raises(ValueError, match=f"already has a TTSLoader for {path}"):
        TTSLoader(tmp_path / "other.yaml")


def test_before_it_is_ready_it_says_so(path):
    loader = TTSLoader(path)

    assert not loader.is_ready()
    with pytest.raises(NotReadyError, match="await warm_up"):
        loader.synthesize("Hello.")


def test_the_event_loop_runs_while_it_warms_up(path):
    """A coroutine that yields to the loop again and again gets on while the voices are opened."""

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


def test_many_may_await_one_warm_up_and_the_voices_are_opened_once(path):
    async def warm_up():
        loader = TTSLoader(path)
        await asyncio.gather(*(loader.warm_up() for _ in range(8)))
        first = loader._catalogue
        await loader.warm_up()
        return first, loader._catalogue

    first, again = asyncio.run(warm_up())

    assert first is again


def test_voices_are_mapped_once_however_many_await(path):
    mapped = answer_of("""
        import asyncio, json, sys
        from loader import TTSLoader
        async def warm_up():
            await asyncio.gather(*(TTSLoader(sys.argv[1]).warm_up() for _ in range(8)))
        asyncio.run(warm_up())
        print(json.dumps(len([line for line in open("/proc/self/maps") if line.rstrip().endswith("/encode.bin")])))
        """, path)

    assert 1 == mapped


def test_what_it_says_is_a_whole_wav_file(path):
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


def test_two_requests_do_not_sound_the_same(path):
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
