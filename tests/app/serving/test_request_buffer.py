"""app.serving.request_buffer: when a request is complete, and which requests are refused before their end."""

import pytest

from app.errors import (
    BodyTooLargeError,
    HeadersTooLargeError,
    MalformedRequestError,
    RequestLineTooLongError,
)
from app.scheduling.client_socket import SocketTimeouts
from app.serving.request_buffer import MAX_HEAD_BYTES, RequestBuffer, parse_origin, parse_target

POST = b"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def buffer(max_body_bytes=1000):
    return RequestBuffer(100.0, max_body_bytes, first_byte_s=5.0, timeouts=SocketTimeouts(silence_s=10.0, request_s=60.0))


COMPLETE = {
    "no headers": b"GET / HTTP/1.1\r\n\r\n",
    "an empty line first": b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "a body": POST + b"Content-Length: 5\r\n\r\nhello",
    "a name in capitals": POST + b"CONTENT-LENGTH:\t5 \r\n\r\nhello",
    "a length with zeros first": POST + b"Content-Length: 00000000000000000000005\r\n\r\nhello",
    "another version in a header": POST + b"X: a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "an empty body": POST + b"Content-Length: 0\r\n\r\n",
    "chunks": CHUNKED + b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n",
    "chunks with extensions": CHUNKED + b'5 ; a="b;c"\r\nhello\r\n0;x\r\n\r\n',
    "trailers": CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\nZ: 1\r\n\r\n",
    "several codings": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n1\r\n0\r\n0\r\n\r\n",
    "text that looks like an end": CHUNKED + b"9\r\n0\r\n\r\n0\r\n\r\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", COMPLETE)
def test_a_request_is_complete_exactly_at_its_last_byte(name):
    request = buffer()

    assert [False] * (len(COMPLETE[name]) - 1) + [True] == [request.add(bytes([byte]), 100.0) for byte in COMPLETE[name]]
    assert COMPLETE[name] == request.data
    assert buffer().add(COMPLETE[name], 100.0)


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Content-Length: 1001\r\n\r\n", b"Transfer-Encoding: identity\r\n\r\n",
    ],
)  # fmt: skip
def test_a_request_whose_head_will_be_refused_is_complete_without_its_body(rest):
    assert buffer().add(POST + rest, 100.0)


@pytest.mark.parametrize(
    "body",
    [b"zz\r\n", b"-5\r\n", b"\r\n", b"5\r\nhello!!", b"3e9\r\n" + b"x" * 1001, b"0\r\nX: y\n", b"5;\x00\r\nhello\r\n0\r\n\r\n"],
)
def test_a_request_whose_chunks_will_be_refused_is_complete_without_the_rest(body):
    assert buffer().add(CHUNKED + body, 100.0)


@pytest.mark.parametrize(
    "error, sent",
    [
        (MalformedRequestError, b"\x16\x03\x01"), (MalformedRequestError, b"GET / HTTP/1.1\n"),
        (MalformedRequestError, b"GET /\r\n"), (MalformedRequestError, b"GET /\xff"), (MalformedRequestError, b"\r\n\r\n"),
        (MalformedRequestError, b"GET / HTTP/2.0\r\n"), (MalformedRequestError, POST + b"X: \0"),
        (MalformedRequestError, POST + b"X: a\rb"), (MalformedRequestError, POST + b"X\n"),
        (MalformedRequestError, b"GET /\r HTTP/1.1\r\n\r\n"), (RequestLineTooLongError, b"GET /" + b"a" * 8190),
        (RequestLineTooLongError, b"GET /" + b"a" * 8190 + b" HTTP/1.1\r\n\r\n"),
        (HeadersTooLargeError, POST + b"X: y\r\n" * 7000), (HeadersTooLargeError, POST + b"X: y\r\n" * 7000 + b"\r\n"),
        (HeadersTooLargeError, CHUNKED + b"0\r\n" + b"X: y\r\n" * 7000), (MalformedRequestError, CHUNKED + b"my text"),
        (MalformedRequestError, CHUNKED + b"5;" + b"x" * 9000), (BodyTooLargeError, CHUNKED + b"1\r\nx\r\n" * 8000),
        (MalformedRequestError, POST + b"Content-Length: +5\r\n\r\n"),
        (MalformedRequestError, POST + b"Content-Length:\r\n 5\r\n\r\n"),
        (MalformedRequestError, POST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n"),
    ],
)  # fmt: skip
def test_malformed_bytes_are_refused_before_their_end(error, sent):
    with pytest.raises(error) as one:
        buffer().add(sent, 100.0)
    request = buffer()
    with pytest.raises(error) as cut:
        for byte in sent:
            request.add(bytes([byte]), 100.0)

    assert one.value.message == cut.value.message
    assert len(request.data) < MAX_HEAD_BYTES + 4096


def test_a_request_times_out_ten_seconds_after_its_latest_byte_and_a_minute_after_its_first():
    request = buffer()
    assert 105.0 == request.ends_s
    request.add(b"GET ", 104.0)
    assert 114.0 == request.ends_s
    assert "nothing was sent for 10 s" in request.overdue(114.0).message
    request.add(b"/", 155.0)
    assert 160.0 == request.ends_s
    assert "the head did not arrive in time: the request was not complete after 60 s" == request.overdue(160.0).message


def test_a_timeout_names_the_missing_part():
    request = buffer()
    request.add(POST, 100.0)
    assert "the request's head was complete" in request.closed().message
    request.add(b"Content-Length: 5\r\n\r\n", 100.0)
    assert "the request's body was complete" in request.closed().message
    assert "the body did not arrive in time" in request.overdue(110.0).message


def test_100_continue_is_sent_once_and_not_again_by_gunicorn():
    request = buffer()
    request.add(POST + b"Expect: 100-Continue\r\nContent-Length: 5\r\nX: y\r\n\r\n", 100.0)

    assert [True, False] == [request.take_continue(), request.take_continue()]
    assert request.add(b"hello", 100.0)
    assert POST + b"Content-Length: 5\r\nX: y\r\n\r\nhello" == request.data


@pytest.mark.parametrize("size", range(1, 40))
def test_100_continue_is_sent_once_if_chunks_arrive_with_the_head_in_pieces_of_any_size(size):
    chunks = b"5\r\nhello\r\n3\r\nyou\r\n0\r\nX: y\r\n\r\n"
    sent = POST + b"Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
    request, are_complete = buffer(), []
    for begin in range(0, len(sent), size):
        are_complete.append(request.add(sent[begin : begin + size], 100.0))
        request.take_continue()

    assert [False] * (len(are_complete) - 1) + [True] == are_complete
    assert request.data in (sent, sent.replace(b"Expect: 100-continue\r\n", b""))


@pytest.mark.parametrize(
    "sent",
    [
        POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello",
        POST + b"Expect: 100-continue\r\nContent-Length: 2000\r\n\r\n",
        POST.replace(b"1.1", b"1.0") + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", POST + b"Content-Length: 5\r\n\r\n",
    ],
)  # fmt: skip
def test_clients_that_did_not_ask_get_no_100_continue(sent):
    request = buffer()
    request.add(sent, 100.0)

    assert not request.take_continue()
    assert sent == request.data


@pytest.mark.parametrize(
    "sent, target",
    [
        (b"POST /api/tts?text=x HTTP/1.1", ("POST", "/api/tts")), (b"GET /process;\xff", ("GET", "/process")),
        (b"\r\nGET http://host/api/tts HTTP/1.1", ("GET", "/api/tts")), (b"get / HTTP/1.1", ("GET", "")),
        (b"\x16\x03", ("GET", "")), (b"", ("GET", "")),
    ],
)  # fmt: skip
def test_method_and_path_are_parsed_though_the_rest_is_malformed(sent, target):
    assert target == parse_target(sent)


@pytest.mark.parametrize(
    "sent, origin",
    [
        (POST + b"Origin: https://a.org\r\n\r\n", "https://a.org"),
        (POST + b"oRIGIN:null \r\nX: y", "null"),
        (b"\0bad\r\nOrigin: http://a:1\r\n", "http://a:1"),
        (POST + b"X-Origin: https://a.org\r\n\r\n", ""),
        (POST + b"\r\nOrigin: https://a.org\r\n", ""),
        (POST + b"Origin: a b\r\n\r\n", ""),
        (POST + b"Origin: \xff\r\n\r\n", ""),
        (POST + b"Origin: " + b"x" * 301 + b"\r\n\r\n", ""),
        (b"Origin: https://a.org", ""),
        (b"", ""),
    ],
)
def test_the_origin_is_found_in_a_malformed_head_and_not_in_a_body(sent, origin):
    assert origin == parse_origin(sent)
