"""Small public documents that strangers name: read without letting the stranger choose where we connect, how long we wait
or how much we take.

This is not ``clients.http``: that one calls providers whom we chose. Here each connection goes to an address that was
resolved and checked by us just before (so a name cannot point elsewhere between check and connect), each redirect is
followed by hand and checked again, and a timer cuts the line when the time is up, whatever the other side sends.
"""

import contextlib
import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import SplitResult, quote, urljoin, urlsplit

import httpx
import msgspec

from megatron.clients import gateways, public
from megatron.clients.budget import RateBudget
from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.http import NetworkInsideTransaction
from megatron.clients.ports import Document
from megatron.core.transactions import in_transaction

MOST_BYTES = 512 << 10
TOTAL_SECONDS, TRY_SECONDS, CONNECT_SECONDS = 20.0, 8.0, 4.0
"""For one document, for one address of it (redirects included), for one connection."""
REDIRECTS = 3
_PORTS = {"http": 80, "https": 443}
_HOSTS_KNOWN = 1_024
_PIECE = 16 << 10
_PLAIN = "%/:=&?~+!$,;'@()*[]"


class PublicDocuments:
    """A :class:`~megatron.clients.ports.DocumentReader`. ``per_second`` is how often one host is asked.

    ``look_up``, ``permits`` and ``ports`` stand in for the internet in tests; nothing else may loosen them.
    """

    def __init__(
        self,
        *,
        through: Sequence[str],
        per_second: float,
        look_up: public.Resolve = public.resolve,
        permits: Callable[[public.Address], bool] = public.is_public,
        ports: frozenset[int] = frozenset(_PORTS.values()),
        total_seconds: float = TOTAL_SECONDS,
        try_seconds: float = TRY_SECONDS,
    ) -> None:
        self._gateways, self._per_second = through, per_second
        self._look_up, self._permits, self._ports = look_up, permits, ports
        self._total_seconds, self._try_seconds = total_seconds, try_seconds
        self._budgets: dict[str, RateBudget] = {}
        self._one_at_a_time = threading.Lock()
        # A resolver has no time limit of its own.
        self._resolvers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="resolve")
        # Certificates of the environment must not change whom we believe.
        self._tls = httpx.create_ssl_context(trust_env=False)

    def get_document(self, uri: str) -> Document:
        """Return the document at ``uri``: the first answer of the addresses that may have it."""
        if in_transaction():
            raise NetworkInsideTransaction("A document was asked for inside a database transaction.")
        until = time.monotonic() + self._total_seconds
        addresses = gateways.addresses(uri, self._gateways)
        failures: list[ClientError] = []
        for address in addresses:
            deadline = min(until, time.monotonic() + self._try_seconds)
            try:
                return self._follow(address, deadline)
            except ClientError as error:
                failures.append(error)
            if time.monotonic() >= until:
                break
        raise _verdict(failures, by_content=list(addresses) != [uri.strip()])

    def _follow(self, address: str, deadline: float) -> Document:
        for _ in range(REDIRECTS + 1):
            found = self._ask(address, deadline)
            if isinstance(found, Document):
                return found
            target = urljoin(address, found)
            if address.startswith("https:") and not target.startswith("https:"):
                raise Refused("The redirect leaves https")
            address = target
        raise Refused(f"More than {REDIRECTS} redirects")

    def _ask(self, address: str, deadline: float) -> Document | str:
        """Return the document at ``address``, or where it is redirected to."""
        parts = self._checked(address)
        host = public.host_name(parts.hostname or "")
        self._budget(host).take()
        try:
            with self._connected(parts, host, deadline) as line:
                return self._exchange(line, parts, host, address)
        except (Malformed, OSError, http.client.HTTPException, ValueError) as error:
            # A line that was cut looks like the end of what was sent.
            if isinstance(error, Malformed) and time.monotonic() < deadline:
                raise
            if time.monotonic() >= deadline:
                raise TryLater(f"{host}: no whole answer in time") from None
            raise TryLater(f"{host}: {type(error).__name__}") from None

    def _checked(self, address: str) -> SplitResult:
        try:
            parts = urlsplit(address)
            port = _PORTS.get(parts.scheme) if parts.port is None else parts.port
        except ValueError:
            raise Refused("The address cannot be read") from None
        if parts.scheme not in _PORTS:
            raise Refused("Only http and https addresses are read")
        if "@" in parts.netloc or "\\" in address:
            raise Refused("The address carries credentials")
        if port not in self._ports:
            raise Refused(f"Port {port} is not read")
        return parts

    @contextlib.contextmanager
    def _connected(self, parts: SplitResult, host: str, deadline: float) -> Iterator[socket.socket]:
        """Connect to a checked address of ``host``; the line is cut at ``deadline`` in whatever state it is."""
        plain = self._connect(host, parts.port or _PORTS[parts.scheme], deadline)
        # TLS takes the socket over; a second handle to the same connection can always end it.
        handle = plain.dup()
        cut = threading.Timer(max(0.0, deadline - time.monotonic()), _end, [handle])
        cut.daemon = True
        cut.start()
        try:
            if parts.scheme == "https":
                with self._tls.wrap_socket(plain, server_hostname=host) as secure:
                    yield secure
            else:
                with plain:
                    yield plain
        except ssl.SSLCertVerificationError as error:
            raise Refused(f"{host}: {error.verify_message}") from None
        finally:
            cut.cancel()
            handle.close()
            plain.close()

    def _connect(self, host: str, port: int, deadline: float) -> socket.socket:
        answer = self._resolvers.submit(public.public_addresses, host, look_up=self._look_up, permits=self._permits)
        try:
            addresses = answer.result(timeout=max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            answer.cancel()
            raise TryLater(f"{host} was not resolved in time") from None
        failure: OSError = TimeoutError("no time left")
        for address in addresses[:3]:
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                line = socket.create_connection((address, port), timeout=min(CONNECT_SECONDS, left))
            except OSError as error:
                failure = error
                continue
            line.settimeout(max(0.01, deadline - time.monotonic()))
            return line
        raise TryLater(f"{host} does not answer: {type(failure).__name__}")

    def _exchange(self, line: socket.socket, parts: SplitResult, host: str, address: str) -> Document | str:
        connection = http.client.HTTPConnection(host)
        connection.sock = line
        path = quote(parts.path or "/", safe=_PLAIN)
        connection.putrequest(
            "GET",
            f"{path}?{quote(parts.query, safe=_PLAIN)}" if parts.query else path,
            skip_host=True,
            skip_accept_encoding=True,
        )
        shown = f"[{host}]" if ":" in host else host
        connection.putheader("Host", shown if parts.port is None else f"{shown}:{parts.port}")
        connection.putheader("Accept", "application/json, text/plain;q=0.9, */*;q=0.1")
        connection.putheader("Accept-Encoding", "gzip")
        connection.putheader("User-Agent", "megatron")
        connection.putheader("Connection", "close")
        connection.endheaders()
        with connection.getresponse() as response:
            if response.status in (301, 302, 303, 307, 308):
                target = response.headers.get("Location", "")
                if not target:
                    raise Malformed(f"{host}: a redirect without a target")
                return target
            _refuse(response.status, host)
            body = _body(response)
            return Document(address=address[:2000], content_type=_json_type(response, body), body=body)

    def _budget(self, host: str) -> RateBudget:
        with self._one_at_a_time:
            if len(self._budgets) >= _HOSTS_KNOWN:
                self._budgets.clear()
            return self._budgets.setdefault(host, RateBudget(self._per_second))


def _end(handle: socket.socket) -> None:
    with contextlib.suppress(OSError):
        handle.shutdown(socket.SHUT_RDWR)


def _refuse(status: int, host: str) -> None:
    told = f"{host}: HTTP {status}"
    if 200 <= status < 300:
        return
    if status in (408, 425, 429) or status >= 500 or status < 200:
        raise TryLater(told)
    raise Refused(told)


def _body(response: http.client.HTTPResponse) -> bytes:
    """Return the body, unpacked as far as we take it: no more than one piece beyond our limit is ever held."""
    encoding = response.headers.get("Content-Encoding", "identity").lower().strip()
    if encoding not in ("identity", "", "gzip", "x-gzip"):
        raise Malformed(f"The reply is packed as {encoding[:20]!r}")
    unpack = zlib.decompressobj(wbits=31) if "gzip" in encoding else None
    body = bytearray()
    while piece := response.read1(_PIECE):
        if unpack is not None:
            try:
                piece = unpack.decompress(piece, MOST_BYTES + 1 - len(body))
            except zlib.error:
                raise Malformed("The reply is packed wrongly") from None
        body += piece
        if len(body) > MOST_BYTES:
            raise Malformed(f"The document is larger than {MOST_BYTES} bytes")
    if (unpack is not None and not unpack.eof) or response.length:
        raise TryLater("The reply ended before its end")
    return bytes(body)


def _json_type(response: http.client.HTTPResponse, body: bytes) -> str:
    """Return the content type of a JSON document. Raises :class:`Malformed` for any other."""
    told = response.headers.get_content_type()[:100]
    if "html" in told or told.startswith(("image/", "video/", "audio/")):
        raise Malformed(f"The document is {told}, not JSON")
    try:
        msgspec.json.decode(body.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Malformed(f"The document is not JSON: {str(error)[:100]}") from None
    return told


def _verdict(failures: Sequence[ClientError], *, by_content: bool) -> ClientError:
    """Return the one error that tells what came of all addresses: as long as one of them may still have the document, it is
    asked for again."""
    told = "; ".join(str(failure) for failure in failures) or "No gateway is set for this kind of address"
    for kind in (TryLater, Malformed):
        if any(isinstance(failure, kind) for failure in failures):
            return kind(told)
    # What is named by its content may come to a gateway later; what is named by an address is gone.
    return TryLater(told) if by_content and failures else Refused(told)
