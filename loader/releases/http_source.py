"""Sources of releases over HTTP, and on Hugging Face's hub: urllib3, with our own rules for redirects and credentials."""

import ipaddress
import netrc
import os
import re
import time
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

import urllib3
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse
from urllib3.util import make_headers

from loader.config.home import home_folder
from loader.config.location import shown
from loader.errors import FetchError, MissingFileError, MissingPackageError, SourceError
from loader.releases.sources import BLOCK_BYTES, Opened

_MAX_REDIRECTS = 5
#: A connection that brings less than this is as good as none.
_MIN_BYTES_PER_S = 256
#: In place of a larger number.
_MAX_SIZE = 2**63 - 1
_HUB_NAME = re.compile(r"hf:(?://)?([\w.-]+/[\w.-]+)(?:@([\w./-]+))?/?", re.ASCII)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)", re.ASCII)


class HttpSource:
    """A folder of an HTTP server. One connection, used again from file to file."""

    def __init__(
        self,
        url: str,
        timeout_s: float,
        url_of: Callable[[str], str] | None = None,
        authorization: str | None = None,
        is_signed: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open no connection yet.

        Args:
            url: of the folder; user and password in it are sent to this server only.
            timeout_s: for a connection, and for the next bytes.
            url_of: returns the URL of a file; default: below the folder, with the same query.
            authorization: the header for this server; default: of the URL, else of netrc.
            is_signed: whether plain HTTP will do for any server.
            clock: of the lowest accepted rate, in seconds.

        Raises:
            SourceError: plain HTTP to another machine.
        """
        self.name = shown(url)
        self._folder = urlsplit(url)
        self._url_of = url_of or self._below
        self._authorization = authorization or _authorization(url)
        self._timeout_s = timeout_s
        self._is_signed = is_signed
        self._clock = clock
        self._pools: dict[str, urllib3.PoolManager] = {}
        self._check(url, self._folder.scheme)

    def size_bytes(self, name: str) -> int | None:
        """Return the file's Content-Length; None if HEAD is not answered with one."""
        response = self._request("HEAD", self._url_of(name), {}, lambda hop: "x-linked-size" in hop.headers)
        response.drain_conn()
        # The hub's, which redirects to a signed URL that may allow GET alone.
        linked = response.headers.get("x-linked-size", "")
        length = linked or (response.headers.get("content-length", "") if response.status == 200 else "")
        return int(length) if re.fullmatch(r"[0-9]{1,18}", length) else _MAX_SIZE if length.isdecimal() else None

    @contextmanager
    def open(self, name: str, offset_bytes: int = 0, etag: str | None = None) -> Iterator[Opened]:
        """Open a file; resumes if the server has byte ranges and the file has a strong ETag that is the same."""
        headers = {}
        if offset_bytes and etag:
            headers = {"Range": f"bytes={offset_bytes}-", "If-Range": etag}
        with closing(self._request("GET", self._url_of(name), headers)) as response:
            if headers and response.status in (206, 416) and not _resumes(response, offset_bytes, etag):
                response.close()
                with self.open(name) as opened:
                    yield opened
                return
            self._refuse(name, response, {200, 206} if headers else {200})
            found = response.headers.get("etag", "")
            strong = found if found.startswith('"') else None
            yield Opened(offset_bytes if response.status == 206 else 0, strong, self._blocks(name, response))

    def _refuse(self, name: str, response: BaseHTTPResponse, expected: Collection[int]) -> None:
        """Raise unless the response has the file's own bytes."""
        status, place = response.status, f"{self.name}/{name}"
        if status in (404, 410):
            raise MissingFileError(f"{place}: no such file ({status})")
        if status in (401, 403):
            raise SourceError(f"{place}: refused ({status}); put user and password into ~/.netrc or the URL")
        if status in (408, 425, 429) or status >= 500:
            raise FetchError(f"{place}: the server answers {status}")
        if status not in expected:
            raise SourceError(f"{place}: the server answers {status}, expected 200")
        if (encoding := response.headers.get("content-encoding", "identity")) != "identity":
            raise SourceError(f"{place}: the server sends it as {encoding!r}; have it sent as it is")

    def _blocks(self, name: str, response: BaseHTTPResponse) -> Iterator[bytes]:
        since_s, received = self._clock(), 0
        try:
            while block := response.read1(BLOCK_BYTES, decode_content=False):
                received += len(block)
                took_s = self._clock() - since_s
                if took_s > self._timeout_s:
                    if received < _MIN_BYTES_PER_S * took_s:
                        raise FetchError(f"{self.name}/{name}: {received} bytes in {took_s:.0f} s; too slow to go on")
                    since_s, received = self._clock(), 0
                yield block
        except (HTTPError, OSError) as error:
            raise FetchError(f"{self.name}/{name}: {_reason(error)}") from error

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        is_enough: Callable[[BaseHTTPResponse], bool] = lambda hop: False,
    ) -> BaseHTTPResponse:
        """Return the response after redirects, or the first one that `is_enough`."""
        origin, came_from = _origin(url), urlsplit(url).scheme
        for _ in range(_MAX_REDIRECTS + 1):
            self._check(url, came_from)
            # Bytes as they are in the file, and credentials for the named server alone.
            sent = {"Accept-Encoding": "identity", "User-Agent": "chorus", **headers}
            if self._authorization and _origin(url) == origin:
                sent["Authorization"] = self._authorization
            response = self._send(method, url, sent)
            target = response.headers.get("location") if response.status in (301, 302, 303, 307, 308) else None
            if target is None or is_enough(response):
                return response
            response.close()
            came_from = urlsplit(url).scheme
            try:
                url = urljoin(url, target)
                _origin(url)
            except ValueError as error:
                raise SourceError(f"{self.name}: leads to {target[:80]!r}, which is no URL") from error
        raise SourceError(f"{self.name}: more than {_MAX_REDIRECTS} redirects")

    def _send(self, method: str, url: str, headers: Mapping[str, str]) -> BaseHTTPResponse:
        try:
            return self._pool(url).request(
                method, _without_user(url), headers=headers, redirect=False, retries=False, preload_content=False,
                timeout=urllib3.Timeout(connect=self._timeout_s, read=self._timeout_s),
            )  # fmt: skip
        except (HTTPError, OSError) as error:
            raise FetchError(f"{self.name}: {_reason(error)}") from error
        except ValueError as error:  # a host name or a port that is none
            raise SourceError(f"{self.name}: not a URL that can be asked for ({type(error).__name__})") from error

    def _pool(self, url: str) -> urllib3.PoolManager:
        """Return the connections of the proxy that the environment names for this URL, or of none."""
        parts = urlsplit(url)
        proxy = "" if urllib.request.proxy_bypass(parts.netloc) else urllib.request.getproxies().get(parts.scheme, "")
        if proxy not in self._pools:
            self._pools[proxy] = _proxy_pool(proxy) if proxy else urllib3.PoolManager()
        return self._pools[proxy]

    def _below(self, name: str) -> str:
        path = f"{self._folder.path.rstrip('/')}/{quote(name)}"
        return urlunsplit((self._folder.scheme, self._folder.netloc, path, self._folder.query, ""))

    def _check(self, url: str, came_from: str) -> None:
        """Raise for a URL that is neither HTTPS nor to this machine: anyone on the way could send other weights."""
        parts = urlsplit(url)
        if parts.hostname and parts.scheme == "https":
            return
        if not parts.hostname or parts.scheme != "http" or came_from != "http":
            raise SourceError(f"{self.name}: leads from {came_from} to {parts.scheme or 'no scheme'}:, which is refused")
        if not self._is_signed and not _is_loopback(parts.hostname):
            raise SourceError(
                f"{self.name}: plain HTTP to {parts.hostname}; use https, or sign releases and set releases.public_key"
            )


def hub_source(url: str, timeout_s: float) -> HttpSource:
    """Return the source of `hf:OWNER/REPOSITORY[@REVISION]`.

    Raises:
        MissingPackageError: huggingface_hub is not installed.
    """
    named = _HUB_NAME.fullmatch(url)
    if named is None:
        raise SourceError(f"{url}: not a repository; write hf:OWNER/REPOSITORY or hf:OWNER/REPOSITORY@REVISION")
    try:
        from huggingface_hub import get_token, hf_hub_url
    except ImportError as error:
        raise MissingPackageError(f"{url}: Hugging Face's hub needs huggingface_hub: install the `hf` extra") from error
    repository, revision = named.groups()

    def url_of(name: str) -> str:
        return str(hf_hub_url(repository, name, revision=revision))

    token = get_token()
    source = HttpSource(url_of("_"), timeout_s, url_of, f"Bearer {token}" if token else None)
    source.name = shown(url)
    return source


def _resumes(response: BaseHTTPResponse, offset_bytes: int, etag: str | None) -> bool:
    """Whether a 206 has the rest of the file that was begun."""
    found = _RANGE.fullmatch(response.headers.get("content-range", ""))
    if response.status != 206 or found is None or response.headers.get("etag", etag) != etag:
        return False
    first, last, whole = found.groups()
    return int(first) == offset_bytes and (whole == "*" or int(last) == int(whole) - 1)


def _authorization(url: str) -> str | None:
    """Return the header with the credentials of the URL, else of netrc."""
    parts = urlsplit(url)
    if parts.username is not None:
        return _basic(unquote(parts.username), unquote(parts.password or ""))
    home = home_folder()
    path = os.environ.get("NETRC") or (home and str(Path(home, ".netrc")))
    if path and parts.hostname:
        with suppress(FileNotFoundError):
            try:
                found = netrc.netrc(path).authenticators(parts.hostname)
            except (netrc.NetrcParseError, PermissionError, UnicodeDecodeError) as error:
                raise SourceError(f"{path}: cannot be read ({type(error).__name__})") from error
            return found and _basic(found[0], found[2])
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _basic(user: str, password: str | None) -> str:
    return str(make_headers(basic_auth=f"{user}:{password or ''}")["authorization"])


def _proxy_pool(proxy: str) -> urllib3.ProxyManager:
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    headers = None
    if parts.username is not None:
        headers = make_headers(proxy_basic_auth=f"{unquote(parts.username)}:{unquote(parts.password or '')}")
    return urllib3.ProxyManager(_without_user(urlunsplit(parts)), proxy_headers=headers)


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _is_loopback(host: str) -> bool:
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def _reason(error: Exception) -> str:
    """Return an error's own words, without the objects that urllib3 names before them."""
    words = error.args[0] if len(error.args) > 1 and isinstance(error.args[0], str) else str(error)
    words = re.sub(r"<[^>]*object at 0x[0-9a-f]+>:? ?|HTTPS?Connection(Pool)?\([^)]*\): ", "", " ".join(words.split()))
    return f"{type(error).__name__}: {words}"[:200]
