"""Header values: none makes a path of this server answer 5xx or redirect elsewhere."""

import http.client

import pytest

PATHS = (
    ("GET", "/livez", None), ("GET", "/metrics", None), ("GET", "/status", None), ("GET", "/", None), ("GET", "/v1/models", None),
    ("GET", "/api/tts?text=Hi", None),
    ("GET", "/process?INPUT_TEXT=Hi&INPUT_TYPE=TEXT&OUTPUT_TYPE=AUDIO&AUDIO=WAVE&LOCALE=en_US", None),
    ("POST", "/v1/audio/speech", '{"input": "Hi.", "response_format": "wav"}'), ("POST", "/api/tts", "text=Hi"),
    ("POST", "/v1/audio/captions", '{"input": "Hi."}'), ("GET", "/v1/audio/explain?input=Hi", None),
    ("GET", "/v1/audio/speech?input=Hi", None), ("HEAD", "/api/tts?text=Hi", None),
    ("GET", "/page/page.js", None), ("GET", "/nothing", None),
)  # fmt: skip
#: Headers that Flask, werkzeug, prometheus_client, gunicorn or our code reads.
NAMES = (
    "Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Headers",
    "Access-Control-Request-Method", "Authorization", "Cache-Control",
    "Connection", "Content-Encoding", "Content-Language", "Content-MD5", "Content-Range", "Content-Type",
    "Cookie", "Date", "Forwarded", "If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since",
    "Keep-Alive", "Max-Forwards", "Origin", "Pragma", "Proxy", "Proxy-Authorization", "Range", "Referer", "TE", "Trailer",
    "Upgrade", "User-Agent", "X-Api-Key", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix",
    "X-Forwarded-Proto", "X-Forwarded-Ssl", "X-Forwarded-Protocol", "X-HTTP-Method-Override", "X-Request-ID",
    "X-Request-Start", "X-Request-Timeout", "X-Script-Name", "traceparent", "tracestate", "baggage", "speaker-id",
    "language-id", "text", "speaker-wav", "HTTP2-Settings", "Sec-WebSocket-Key",
    # Names of CGI variables of the request.
    "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REQUEST_METHOD", "SERVER_NAME", "SERVER_PORT", "SERVER_PROTOCOL",
    "REMOTE_USER", "REMOTE_ADDR", "CONTENT_TYPE", "CONTENT_LENGTH", "HTTP_HOST", "HTTPS", "RAW_URI", "wsgi.input",
    "wsgi.url_scheme", "gunicorn.socket", "chorus.unread",
)  # fmt: skip
VALUES = (
    "", "x", "/foo", "*", ",", ";", "=", ";;=,,", '"', "text/plain; version=x", "application/openmetrics-text; version=1.0.0.x",
    "text/plain;version=" + "9" * 5000, "multipart/form-data", "application/x-www-form-urlencoded; charset=klingon",
    "application/json; charset=utf-7", "bytes=9-1,-,x-", "Basic =", "Basic " + "w" * 40, "Bearer", "Digest qop=\"", "-1", "1e999",
    "NaN", "\u00b2", "%00%ff", "h2c", "websocket", "Fri, 99 Foo 9999 99:99:99 GMT", "t=99999999999.999", "x" * 8000, "\xff\xfe",
)  # fmt: skip


def ask(server, method, path, body, name, value):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.putrequest(method, path)
        connection.putheader(name, value.encode("latin-1"))
        if body is not None:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(None if body is None else body.encode())
        response = connection.getresponse()
        response.read()
        return response.status, response.getheader("Location")
    finally:
        connection.close()


@pytest.mark.parametrize("name", NAMES)
def test_no_header_value_is_a_server_error(server, name):
    for number, value in enumerate(VALUES):
        # One path for each value in turn: all combinations are 28,000 requests.
        for method, path, body in (PATHS[0], PATHS[1], PATHS[(number + len(name)) % len(PATHS)]):
            status, location = ask(server, method, path, body, name, value)
            assert status < 500 and location is None, (method, path, name, value)


@pytest.mark.parametrize("accept", [value for value in VALUES if len(value) < 5100])
def test_a_scrape_is_answered_for_any_accept_header(server, accept):
    assert (200, None) == ask(server, "GET", "/metrics", None, "Accept", accept)


@pytest.mark.parametrize("name", [name for name in NAMES if "_" in name])
def test_a_header_with_the_name_of_a_cgi_variable_has_no_effect(server, name):
    assert 200 == ask(server, "GET", "/livez", None, name, "/foo")[0]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:99999999", "[", "[::1", "a b", "é", "a/b", "x" * 300, "", ":", "@", "?"]
)
@pytest.mark.parametrize(
    "path",
    ["//", "//livez", "/livez/", "/livez//", "///livez", "//evil.example/livez", "/v1//models", "/v1/models/", "/api//tts?text=a",
     "/%2Flivez", "/./livez", "/page/", "/page//page.js", "/%5C%5Cevil.example", "/v1/..//livez"],
)  # fmt: skip
def test_no_path_redirects_to_the_host_in_the_request(server, path, host):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.putrequest("GET", path, skip_host=True)
        connection.putheader("Host", host.encode("latin-1"))
        connection.endheaders()
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()

    assert response.status in (200, 400, 404)
    assert response.getheader("Location") is None
