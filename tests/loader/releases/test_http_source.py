"""HTTP sources: where they connect to, what they send, and what they never show."""

import base64
import subprocess

import pytest

from loader.errors import FetchError, MissingFileError, SourceError
from loader.releases.http_source import HttpSource
from loader.releases.sources import read_small
from tests.support.hostile_server import Fault, hostile_server

FILE = "/voice/version.txt"


@pytest.fixture
def site():
    with hostile_server() as site:
        site.files[FILE] = b"1\n"
        yield site


@pytest.fixture
def elsewhere():
    with hostile_server() as site:
        site.files[FILE] = b"2\n"
        yield site


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of 127.0.0.1, which is its own authority."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", path.with_suffix(".crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_text(path.read_text() + path.with_suffix(".crt").read_text())
    return path


@pytest.fixture
def secure_site(certificate):
    with hostile_server(certificate) as site:
        site.files[FILE] = b"3\n"
        yield site


def read(url, name="version.txt", **more):
    return read_small(HttpSource(url, 5.0, **more), name, 1000)


def with_user(url, user="me:pass%20word"):
    return url.replace("://", f"://{user}@")


BASIC = f"Basic {base64.b64encode(b'me:pass word').decode()}"


def test_a_query_goes_with_every_file_and_is_not_shown(site):
    assert b"1\n" == read(f"{site.url}/voice/?signature=secret")
    assert f"{FILE}?signature=secret" == site.seen[0].path

    with pytest.raises(MissingFileError) as caught:
        read(f"{with_user(site.url)}/voice?signature=secret", "a b.txt")
    assert f"{site.url}/voice/a b.txt: no such file (404)" == str(caught.value)
    assert "/voice/a%20b.txt?signature=secret" == site.seen[-1].path


def test_user_and_password_of_the_url_are_sent(site):
    assert b"1\n" == read(f"{with_user(site.url)}/voice")
    assert BASIC == site.seen[0].headers["authorization"]
    assert "me" not in site.seen[0].headers["host"]


def test_user_and_password_of_netrc_are_sent_to_their_machine_alone(site, tmp_path, monkeypatch):
    (tmp_path / ".netrc").write_text('machine 127.0.0.1 login me password "pass word"\n')
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))

    assert b"1\n" == read(f"{site.url}/voice")
    assert b"1\n" == read(f"{site.url.replace('127.0.0.1', 'localhost')}/voice")
    assert [BASIC, None] == [each.headers.get("authorization") for each in site.seen]


def test_an_unreadable_netrc_is_named(site, tmp_path, monkeypatch):
    (tmp_path / "netrc").write_text("nonsense\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    with pytest.raises(SourceError, match="netrc: cannot be read"):
        read(f"{site.url}/voice")


def test_a_redirect_is_followed_and_keeps_credentials_on_the_same_server(site):
    site.faults[FILE] = [Fault(status=302, location="/elsewhere")]
    site.files["/elsewhere"] = b"moved\n"

    assert b"moved\n" == read(f"{with_user(site.url)}/voice")
    assert [BASIC, BASIC] == [each.headers.get("authorization") for each in site.seen]


def test_a_redirect_to_another_server_gets_no_credentials(site, elsewhere):
    site.faults[FILE] = [Fault(status=307, location=f"{elsewhere.url}{FILE}")]

    assert b"2\n" == read(f"{with_user(site.url)}/voice")
    assert "authorization" not in elsewhere.seen[0].headers


def test_redirects_without_end_are_refused(site):
    site.always[FILE] = Fault(status=301, location=FILE)

    with pytest.raises(SourceError, match="more than 5 redirects"):
        read(f"{site.url}/voice")
    assert 6 == len(site.seen)


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://127.0.0.1:port/x", "http://example.com/x", "http://[::1", "gopher:x"],
)
def test_a_redirect_to_another_scheme_or_machine_is_refused(target, site):
    site.always[FILE] = Fault(status=302, location=target)

    with pytest.raises(SourceError):
        read(f"{site.url}/voice")
    assert 1 == len(site.seen)


@pytest.mark.parametrize("url", ["http://example.com/voice", "http://10.0.0.1/voice", "http://127.0.0.1.example.com/voice"])
def test_plain_http_to_another_machine_is_refused_unless_releases_are_signed(url):
    with pytest.raises(SourceError, match="plain HTTP to .*; use https, or sign releases"):
        HttpSource(url, 5.0)
    HttpSource(url, 5.0, is_signed=True)


def test_https_is_verified(secure_site, certificate, monkeypatch):
    with pytest.raises(FetchError, match="CERTIFICATE_VERIFY_FAILED"):
        read(f"{secure_site.url}/voice")

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    assert b"3\n" == read(f"{secure_site.url}/voice")


def test_https_does_not_lead_to_http(secure_site, site, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    secure_site.always[FILE] = Fault(status=302, location=f"{site.url}{FILE}")

    with pytest.raises(SourceError, match="leads from https to http:, which is refused"):
        read(f"{secure_site.url}/voice")
    assert [] == site.seen


def test_http_leads_to_https_and_not_back(secure_site, site, certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    site.faults[FILE] = [Fault(status=302, location=f"{secure_site.url}{FILE}")] * 2

    assert b"3\n" == read(f"{site.url}/voice")
    secure_site.always[FILE] = Fault(status=302, location=f"{site.url}{FILE}")
    with pytest.raises(SourceError, match="leads from https to http:"):
        read(f"{site.url}/voice")


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_where_credentials_go(status, site):
    site.always[FILE] = Fault(status=status)

    with pytest.raises(SourceError, match=f"refused \\({status}\\); put user and password into ~/.netrc or the URL"):
        read(f"{site.url}/voice")


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_status_that_may_pass_is_worth_another_try(status, site):
    site.always[FILE] = Fault(status=status)

    with pytest.raises(FetchError, match=f"the server answers {status}"):
        read(f"{site.url}/voice")


@pytest.mark.parametrize("status", [204, 206, 304, 400, 416, 418])
def test_any_other_status_is_final(status, site):
    site.always[FILE] = Fault(status=status)

    with pytest.raises(SourceError, match=f"the server answers {status}, expected 200"):
        read(f"{site.url}/voice")


def test_a_trickle_is_given_up(site):
    site.files[FILE] = b"1" * 100
    clock = iter(range(0, 1000, 10))

    with pytest.raises(FetchError, match="100 bytes in 10 s; too slow to go on"):
        read(f"{site.url}/voice", clock=lambda: next(clock))


def test_a_proxy_of_the_environment_is_used(site, monkeypatch):
    """The proxy here is the server itself: what arrives names the whole URL."""
    monkeypatch.setenv("http_proxy", with_user(site.url))
    monkeypatch.setenv("no_proxy", "")
    site.files["http://127.0.0.1:1/voice/version.txt"] = b"by proxy\n"

    assert b"by proxy\n" == read("http://127.0.0.1:1/voice")
    assert BASIC == site.seen[0].headers["proxy-authorization"]


def test_the_hub_s_size_is_that_before_its_redirect(site, elsewhere):
    site.heads[FILE] = Fault(status=302, location=f"{elsewhere.url}{FILE}", linked_size="77")

    assert 77 == HttpSource(f"{site.url}/voice", 5.0).size_bytes("version.txt")
    assert [] == elsewhere.seen
