"""Vendors' clients made to speak through the guard, one adapter for each kind of HTTP library below them.

The libraries are imported inside the functions: the base install lacks `requests` and `urllib3`. None of the adapters
retries, keeps cookies, follows the redirect of a write (Rejected, code "redirect") or reads proxies and credentials from
the environment. A ConnectorError of the guard passes through; around a client that wraps every exception (Mastodon.py) use
`unwrapped`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode

import httpx

from hub.core.errors import ConnectorError, Rejected, Unavailable
from hub.sdk.connectors import Http, HttpResponse
from hub.sdk.context import READS, RelayHttp

if TYPE_CHECKING:
    import requests


@contextmanager
def unwrapped() -> Iterator[None]:
    """Give back the ConnectorError that a client has hidden in an exception of its own, as cause or context."""
    try:
        yield
    except ConnectorError:
        raise
    except Exception as error:
        hidden = _hidden_error(error)
        if hidden is None:
            raise
        raise hidden from None


class StoppedAnswer(Exception):
    """An answer that is no success, kept from a vendor's client: `Tap` gives it to the one who asked."""


class Tap(RelayHttp):
    """The guard below a vendor's client, tapped: answers are taken as they came, and only a success reaches the client.

    So the client's own reading of errors, its sleeping and its repeats play no part. May be used by many threads.
    """

    def __init__(self, http: Http) -> None:
        super().__init__(http)
        self._seen = threading.local()

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        timeout: float | None = None,
    ) -> HttpResponse:
        """Send by the guard and keep the answer."""
        answer = super().send(method, url, headers=headers, content=content, timeout=timeout)
        self._seen.answer = answer
        if answer.status >= 300:
            raise StoppedAnswer(f"HTTP {answer.status}")
        return answer

    def take(self, call: Callable[[], object], *, ignore: tuple[type[Exception], ...] = ()) -> HttpResponse:
        """Return the answer that came while a client made its call; `ignore` is what it raises over a success (no JSON)."""
        self._seen.answer = None
        with suppress(StoppedAnswer, *ignore):
            call()
        answer: HttpResponse | None = self._seen.answer
        if answer is None:
            raise Unavailable("the vendor's client sent nothing", code="unsent")
        return answer


def _hidden_error(error: BaseException | None) -> ConnectorError | None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen and not isinstance(error, ConnectorError):
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return error if isinstance(error, ConnectorError) else None


def requests_session(http: Http, *, rewrite: Mapping[str, str] | None = None) -> requests.Session:
    """Return a session that sends through `http` whatever a client mounts on it.

    `rewrite` maps URL prefixes to others, for a client that insists on https or a fixed host while the server is local.
    """
    import requests  # noqa: PLC0415 - not in the base install
    from requests.adapters import HTTPAdapter  # noqa: PLC0415 - not in the base install

    class GuardedAdapter(HTTPAdapter):
        """Sends a prepared request through the guard."""

        def send(self, request: Any, *_: Any, **options: Any) -> Any:
            url = _rewritten(request.url, rewrite or {})
            answer = _send(
                http,
                request.method,
                url,
                headers={_text(name): _text(value) for name, value in request.headers.items()},
                content=_body(request.body),
                timeout=_seconds(options.get("timeout")),
            )
            return self._response(request, answer)

        def _response(self, request: Any, answer: HttpResponse) -> requests.Response:
            response = requests.Response()
            response.status_code, response.reason, response.url = answer.status, _reason(answer.status), answer.url
            response.headers.update(answer.headers)
            response.encoding = requests.utils.get_encoding_from_headers(response.headers)
            response.raw = BytesIO(answer.content)
            response._content = answer.content  # noqa: SLF001 - what requests itself fills when a body was read
            response._content_consumed = True  # type: ignore[attr-defined]  # noqa: SLF001 - the same
            response.request = request
            return response

    class GuardedSession(requests.Session):
        """A session whose only adapter is the guard's."""

        def __init__(self) -> None:
            super().__init__()
            self.trust_env = False
            self._door = GuardedAdapter()

        def get_adapter(self, *_: Any, **__: Any) -> GuardedAdapter:
            return self._door

    return GuardedSession()


def httpx_transport(http: Http) -> httpx.BaseTransport:
    """Return a transport through `http`, for `httpx.Client(transport=...)` or atproto's `Request(transport=...)`."""

    class GuardedTransport(httpx.BaseTransport):
        """Sends a request through the guard."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = _send(
                http,
                request.method,
                str(request.url),
                headers=dict(request.headers),
                content=request.read() or None,
                timeout=_seconds(request.extensions.get("timeout")),
            )
            return httpx.Response(answer.status, headers=dict(answer.headers), content=answer.content, request=request)

    return GuardedTransport()


@dataclass(frozen=True, slots=True)
class PoolResponse:
    """An answer with the face of urllib3's: `data` is the whole body, header names ignore case."""

    status: int
    reason: str
    data: bytes
    headers: Mapping[str, str]

    def getheaders(self) -> Mapping[str, str]:
        """Return all headers, as urllib3 1.x named it."""
        return self.headers

    def getheader(self, name: str, default: str | None = None) -> str | None:
        """Return one header, as urllib3 1.x named it."""
        return self.headers.get(name, default)


class Pool(Protocol):
    """What a client generated over urllib3 asks of its pool manager."""

    def request(self, method: str, url: str, **options: Any) -> PoolResponse:
        """Send a request; `body`, `fields`, `headers` and `timeout` are read."""


def urllib3_pool(http: Http) -> Pool:
    """Return a pool manager through `http`, for `rest_client.pool_manager` of generated clients such as HubSpot's."""
    from urllib3 import HTTPHeaderDict  # noqa: PLC0415 - not in the base install
    from urllib3.filepost import encode_multipart_formdata  # noqa: PLC0415 - not in the base install

    class GuardedPool:
        """Sends requests through the guard."""

        def request(self, method: str, url: str, **options: Any) -> PoolResponse:
            headers = {_text(name): _text(value) for name, value in (options.get("headers") or {}).items()}
            url, body = self._fill(method, url, headers, options)
            timeout = _seconds(options.get("timeout"))
            answer = _send(http, method, url, headers=headers, content=_body(body), timeout=timeout)
            named = HTTPHeaderDict(answer.headers)
            return PoolResponse(answer.status, _reason(answer.status), answer.content, named)

        def _fill(self, method: str, url: str, headers: dict[str, str], options: Mapping[str, Any]) -> tuple[str, Any]:
            """Put `fields` where urllib3 puts them: in the query of a read, in the body of a write."""
            fields = options.get("fields")
            if not fields:
                return url, options.get("body")
            if method.upper() in ("GET", "HEAD", "DELETE", "OPTIONS"):
                return url + ("&" if "?" in url else "?") + urlencode(fields), options.get("body")
            if options.get("encode_multipart", True):
                body, headers["Content-Type"] = encode_multipart_formdata(fields)
                return url, body
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            return url, urlencode(fields)

    return GuardedPool()


def _rewritten(url: str, rewrite: Mapping[str, str]) -> str:
    for prefix, target in rewrite.items():
        if url.startswith(prefix):
            return target + url[len(prefix) :]
    return url


def _send(http: Http, method: str, url: str, **options: Any) -> HttpResponse:
    """Send; a redirected write is Rejected (code "redirect"), since clients follow it or take it for success."""
    answer = http.send(method, url, **options)
    if answer.is_redirect and method.upper() not in READS:
        place = url.partition("?")[0]
        raise Rejected(f"{place} redirects this {method} elsewhere: set the final address", code="redirect")
    return answer


def _body(body: Any) -> bytes | None:
    """Return a body as one piece: bytes, text, a file or an iterable of them."""
    if body is None or isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode("utf-8")
    if hasattr(body, "read"):
        return _body(body.read())
    if isinstance(body, Iterable):
        return b"".join(_body(part) or b"" for part in body)
    raise TypeError(f"a body cannot be {type(body).__name__}")


def _seconds(timeout: Any) -> float | None:
    """Return the longest wait in any library's form: a number, a pair, httpx's dict, urllib3's Timeout."""
    if isinstance(timeout, Mapping):
        timeout = timeout.get("read")
    elif isinstance(timeout, tuple):
        timeout = timeout[-1]
    elif hasattr(timeout, "total"):
        timeout = timeout.total or timeout._read  # noqa: SLF001 - `read_timeout` raises before the request starts
    return float(timeout) if isinstance(timeout, int | float) else None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
