"""The client that times arriving audio, against a real server on loopback that the test controls."""

import contextlib
import math
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from app.tuning.loadgen import Request
from app.tuning.server import ServerFailedError
from loader.wav import wav_header
from ops.benchmarks.clients import (
    Delivery,
    Playback,
    connect,
    deliveries,
    gaps_s,
    playback,
)

RATE_HZ = 8000
SECOND = bytes(2 * RATE_HZ)
ASK = Request("/v1/audio/speech", b"{}")


class Clock:
    """Shows what the server sets, and says that somebody has looked."""

    def __init__(self):
        self.shows_s = 0.0
        self.seen = threading.Event()

    def __call__(self):
        self.seen.set()
        return self.shows_s

    def moves_to(self, shows_s):
        self.shows_s = shows_s
        self.seen.clear()


@contextlib.contextmanager
def answering(send, version="HTTP/1.1"):
    """Serve every POST with `send`, which gets the handler; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = version

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            send(self)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.01,))
    serving.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def begin(handler, status=200, **headers):
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), str(value))
    handler.end_headers()


def begin_chunks(handler):
    begin(handler, Transfer_Encoding="chunked")


def send_chunk(handler, content):
    handler.wfile.write(b"%x\r\n%b\r\n" % (len(content), content))


def test_the_first_byte_is_the_first_of_audio_and_not_of_the_header():
    clock = Clock()

    def send(handler):
        begin_chunks(handler)
        send_chunk(handler, wav_header(RATE_HZ, None))
        clock.moves_to(5)
        handler.wfile.write(b"%x\r\n" % len(SECOND) + SECOND[:100])
        assert clock.seen.wait(60)
        clock.moves_to(7)
        handler.wfile.write(SECOND[100:] + b"\r\n0\r\n\r\n")

    with answering(send) as port:
        assert [Delivery(first_byte_s=5, complete_s=7, audio_s=1)] == list(deliveries(port, ASK, clock))


def test_a_chunk_is_taken_before_the_next_is_sent():
    taken = threading.Event()

    def send(handler):
        begin_chunks(handler)
        send_chunk(handler, wav_header(RATE_HZ, None) + SECOND)
        assert taken.wait(60)
        send_chunk(handler, SECOND * 2)
        send_chunk(handler, b"")

    with answering(send) as port:
        arriving = deliveries(port, ASK)
        first = next(arriving)
        taken.set()
        assert [1, 2] == [first.audio_s, *(each.audio_s for each in arriving)]


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_of_a_whole_file_every_sample_is_counted_and_no_byte_of_the_header(version):
    def send(handler):
        begin(handler, Content_Length=44 + 3 * len(SECOND))
        handler.wfile.write(wav_header(RATE_HZ, 3 * len(SECOND)) + 3 * SECOND)

    with answering(send, version) as port:
        assert math.isclose(3, sum(each.audio_s for each in deliveries(port, ASK)))


def test_the_bytes_of_a_second_are_those_the_header_names():
    def send(handler):
        begin(handler, Content_Length=44 + len(SECOND))
        handler.wfile.write(wav_header(2 * RATE_HZ, len(SECOND)) + SECOND)

    with answering(send) as port:
        assert math.isclose(0.5, sum(each.audio_s for each in deliveries(port, ASK)))


def test_an_error_is_told_with_its_status_and_words():
    def send(handler):
        begin(handler, 413, Content_Length=8)
        handler.wfile.write(b"too long")

    with answering(send) as port, pytest.raises(ServerFailedError, match="413.*too long"):
        list(deliveries(port, ASK))


def test_what_is_no_wav_file_is_not_taken_for_one():
    def send(handler):
        begin(handler, Content_Length=100)
        handler.wfile.write(bytes(100))

    with answering(send) as port, pytest.raises(ServerFailedError, match="no WAV header"):
        list(deliveries(port, ASK))


def test_the_kernel_holds_no_more_for_the_reader_than_it_may():
    with answering(begin) as port, connect(("127.0.0.1", port), buffer_bytes=32_768) as connected:
        # Linux doubles what is asked for, for its own accounting.
        assert 2 * 32_768 == connected.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)


def test_a_stream_without_its_last_chunk_is_cut():
    def send(handler):
        begin_chunks(handler)
        send_chunk(handler, wav_header(RATE_HZ, None) + SECOND)
        handler.close_connection = True

    with answering(send) as port, pytest.raises(ServerFailedError, match="IncompleteRead"):
        list(deliveries(port, ASK))


def test_a_whole_file_that_ends_early_is_cut():
    def send(handler):
        begin(handler, Content_Length=44 + len(SECOND))
        handler.wfile.write(wav_header(RATE_HZ, len(SECOND)) + SECOND[:-6])
        handler.close_connection = True

    with answering(send) as port, pytest.raises(ServerFailedError, match="6 bytes are missing"):
        list(deliveries(port, ASK))


def arriving(*at_and_audio_s):
    return [Delivery(at_s, at_s, audio_s) for at_s, audio_s in at_and_audio_s]


def test_whoever_is_always_ahead_hears_no_stall():
    assert Playback(0, 0.0, 0.5) == playback(arriving((10, 2), (11, 1), (12.5, 1)))


def test_what_arrives_in_the_last_moment_is_no_stall():
    assert Playback(0, 0.0, 0.0) == playback(arriving((10, 2), (12, 1)))


def test_a_stall_puts_off_the_rest_so_that_one_late_window_is_one_underrun():
    # Played out at 11, silent until 14; then two seconds are in hand and the next is in time.
    assert Playback(1, 3.0, -3.0) == playback(arriving((10, 1), (14, 2), (15, 1)))


def test_the_longest_of_several_stalls_is_told():
    assert Playback(2, 2.0, -2.0) == playback(arriving((0, 1), (1.5, 1), (4.5, 1)))


def test_playing_begins_with_the_first_byte_and_not_with_the_rest_of_its_chunk():
    first = Delivery(first_byte_s=1, complete_s=1.5, audio_s=1)
    assert Playback(1, 0.25, -0.25) == playback([first, Delivery(2.25, 2.25, 1)])


def test_one_delivery_is_never_short_of_audio():
    assert Playback(0, 0.0, math.inf) == playback(arriving((1, 1)))


def test_a_gap_lies_between_what_was_not_sent_together():
    assert [1.0, 2.0] == gaps_s(arriving((1, 1), (2, 1), (2 + 2**-11, 0.45), (4 + 2**-11, 1)))
