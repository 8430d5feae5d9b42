"""Strangers' documents: read from public addresses only, whole or not at all, and never for long."""

import gzip
import http.server
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address

import pytest
from django.db import transaction

from megatron.clients import gateways, public
from megatron.clients.documents import MOST_BYTES, PublicDocuments
from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.http import NetworkInsideTransaction

CID = "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG"
DOCUMENT = b'{"name": "Coin"}'
Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


@dataclass
class Web:
    """A server on loopback that stands for every host of the internet."""

    port: int
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def url(self, path: str, host: str = "coin.example") -> str:
        return f"http://{host}:{self.port}{path}"


def reply(body: bytes = DOCUMENT, *, status: int = 200, **headers: str) -> Answer:
    """Return an answer with a body and headers (``Content_Type`` stands for ``Content-Type``)."""

    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content_Type": "application/json", "Content_Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


@pytest.fixture
def web() -> Iterator[Web]:
    """A server that answers by path."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.asked.append(f"{self.headers['Host'].split(':')[0]}{self.path}")
            try:
                made.answers.get(self.path, reply(b"", status=404))(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Stay quiet."""

    class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        made = Web(server.server_address[1])
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield made
        server.shutdown()


def reader(web: Web, *, names: dict[str, Sequence[str]] | None = None, **options: object) -> PublicDocuments:
    """Return a reader for which names lead to ``web`` and only 127.0.0.1 is public."""
    known = {"coin.example": ["127.0.0.1"], "gate.example": ["127.0.0.1"], **(names or {})}

    def look_up(host: str) -> Sequence[str]:
        if host not in known:
            raise socket.gaierror("no such name")
        return known[host]

    settings: dict[str, object] = {
        "through": [web.url("/ipfs/", "gate.example"), web.url("/", "gate.example")],
        "per_second": 1000.0,
        "look_up": look_up,
        "permits": lambda address: str(address) == "127.0.0.1",
        "ports": frozenset({web.port}),
        **options,
    }
    return PublicDocuments(**settings)  # type: ignore[arg-type]  # options of several types


def test_a_document_is_read_with_its_address_and_type(web: Web) -> None:
    """The answer has the bytes, where they were found and what they claim to be."""
    web.answers["/a.json?x=1"] = reply(Content_Type="application/json; charset=utf-8")
    found = reader(web).get_document(web.url("/a.json?x=1"))
    assert (found.body, found.address, found.content_type) == (DOCUMENT, web.url("/a.json?x=1"), "application/json")


@pytest.mark.parametrize("told", ["text/plain", "application/octet-stream", "application/ld+json"])
def test_a_text_that_is_json_is_a_document(web: Web, told: str) -> None:
    """Gateways often do not know the type: what parses as JSON is JSON."""
    web.answers["/a"] = reply(Content_Type=told)
    assert reader(web).get_document(web.url("/a")).content_type == told


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"<html><body>{}</body></html>", "text/html"),
        (b"{}", "text/html"),
        (b"{}", "image/png"),
        (b"not json", "text/plain"),
        (b"[" * 100_000, "application/json"),
        (b'{"a": "\xff\xfe"}', "application/json"),
        (b"", "application/json"),
        (b'{"a": "\0"}', "application/json"),
    ],
)
def test_what_is_no_json_is_malformed(web: Web, body: bytes, told: str) -> None:
    """Pages, pictures, broken text, deep nesting and raw NUL are not documents."""
    web.answers["/a"] = reply(body, Content_Type=told)
    with pytest.raises(Malformed):
        reader(web).get_document(web.url("/a"))


@pytest.mark.parametrize(
    ("status", "error"), [(404, Refused), (410, Refused), (403, Refused), (429, TryLater), (503, TryLater)]
)
def test_a_status_tells_whether_to_ask_again(web: Web, status: int, error: type[ClientError]) -> None:
    """What is gone is refused; what may pass is tried later."""
    web.answers["/a"] = reply(b"", status=status)
    with pytest.raises(error):
        reader(web).get_document(web.url("/a"))


# -- size and time


def _endless(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.send_header("Content-Length", str(5 << 30))
    request.end_headers()
    for _ in range(5 << 10):
        request.wfile.write(b" " * (1 << 20))


def _dripping(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Type", "application/json")
    request.end_headers()
    for _ in range(100):
        request.wfile.write(b" ")
        request.wfile.flush()
        time.sleep(0.05)


def _dripping_headers(request: http.server.BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(100):
        request.wfile.write(b"a")
        request.wfile.flush()
        time.sleep(0.05)


def test_an_endless_document_is_cut_at_the_limit(web: Web) -> None:
    """Of five gigabytes no more than the limit is taken."""
    web.answers["/a"] = _endless
    started = time.monotonic()
    with pytest.raises(Malformed, match="larger than 524288 bytes"):
        reader(web).get_document(web.url("/a"))
    assert time.monotonic() - started < 5


def test_a_packed_bomb_is_cut_at_the_limit(web: Web) -> None:
    """A small reply that unpacks to 50 MB is refused after half a megabyte."""
    bomb = gzip.compress(b" " * (50 << 20))
    assert len(bomb) < MOST_BYTES
    web.answers["/a"] = reply(bomb, Content_Encoding="gzip")
    with pytest.raises(Malformed, match="larger than"):
        reader(web).get_document(web.url("/a"))


def test_a_packed_document_is_unpacked(web: Web) -> None:
    """Servers may pack what they send."""
    web.answers["/a"] = reply(gzip.compress(DOCUMENT), Content_Encoding="gzip")
    assert reader(web).get_document(web.url("/a")).body == DOCUMENT


@pytest.mark.parametrize("drip", [_dripping, _dripping_headers])
def test_a_slow_drip_ends_with_the_time(web: Web, drip: Answer) -> None:
    """A byte now and then does not hold the reader beyond its time."""
    web.answers["/a"] = drip
    started = time.monotonic()
    with pytest.raises(TryLater, match="in time"):
        reader(web, try_seconds=0.4).get_document(web.url("/a"))
    assert time.monotonic() - started < 2


def test_a_server_that_says_nothing_ends_with_the_time(web: Web) -> None:
    """A TLS handshake that never comes is cut like any other wait."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        with pytest.raises(TryLater):
            reader(web, try_seconds=0.4, ports=frozenset({port})).get_document(f"https://coin.example:{port}/a")
        assert time.monotonic() - started < 2


def test_a_resolver_that_hangs_ends_with_the_time(web: Web) -> None:
    """Looking a name up is part of the time."""
    stop = threading.Event()

    def hang(host: str) -> Sequence[str]:
        stop.wait(5)
        return []

    with pytest.raises(TryLater, match="not resolved in time"):
        reader(web, look_up=hang, try_seconds=0.2).get_document(web.url("/a"))
    stop.set()


def test_a_reply_that_ends_early_is_asked_for_again(web: Web) -> None:
    """Half a document is none."""
    web.answers["/a"] = reply(DOCUMENT, Content_Length="99")
    with pytest.raises(TryLater, match="ended before its end"):
        reader(web).get_document(web.url("/a"))


# -- where it may connect


@pytest.mark.parametrize(
    "uri",
    [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.0.0.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://\uff11\uff12\uff17.0.0.1/",
        "http://127.0.0.1./",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:8.8.8.8]/",
        "http://[::127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[64:ff9b:1::1]/",
        "http://[2002:7f00:1::]/",
        "http://[2001:0:1::1]/",
        "http://[::0.0.0.0]/",
        "http://[::ffff:0:127.0.0.1]/",
        "http://[2002:a00:1::1]/",
        "http://[2002:c0a8:101::]/",
        "http://[64:ff9b::10.0.0.1]/",
        "http://[2001:db8::1]/",
        "http://[100::1]/",
        "http://[v1.fe80::1]/",
        "http://[127.0.0.1]/",
        "http://[fe80::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fc00::1]/",
        "http://[fec0::1]/",
        "http://[ff02::1]/",
        "http://[::]/",
        "http://0.0.0.0/",
        "http://10.0.0.1/",
        "http://172.16.0.1/",
        "http://192.168.1.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://100.64.0.1/",
        "http://192.0.0.1/",
        "http://192.88.99.1/",
        "http://198.18.0.1/",
        "http://203.0.113.1/",
        "http://224.0.0.1/",
        "http://240.0.0.1/",
        "http://255.255.255.255/",
        "http://0/",
        "http://0.0.0.0./",
        "http://127.0.0.1../",
        "http://127.0.0.0x1/",
        "http://1.1.1.1.1/",
        "http://%31%32%37.0.0.1/",
        "http://127%2e0%2e0%2e1/",
        "http://public.example%00.127.0.0.1/",
        "http://127\u30020\u30020\u30021/",
        "http://\u2460\u2461\u2466.0.0.1/",
        "http://localhost\uff0elocaldomain.local/",
        "http://localhost./",
        "http://LOCALHOST/",
        "http://loc\u00adalhost/",
        "http://.public.example/",
        "http://public..example/",
        "http://-public.example/",
        "http://" + "a" * 64 + ".example/",
        "http://public.example:0/",
        "http://public.example:-80/",
        "http://public.example:80a/",
        "http://@public.example/",
        "http://:@public.example/",
        "http:///public.example/",
        "http:public.example",
        "http://public.example:80@127.0.0.1:80/",
        "http://public.example#@127.0.0.1:6379/\r\nX: y",
        "http://localhost/",
        "http://metadata.google.internal/",
        "http://intranet/",
        "http://printer.local/",
        "http://localtest.example/",
        "http://half.example/",
        "http://public.example:22/",
        "http://public.example:6379/",
        "http://public.example:99999/",
        "http://user:secret@public.example/",
        "http://public.example@127.0.0.1/",
        "http://public.example\\@127.0.0.1/",
        "http://127.0.0.1\t.public.example/",
        "ftp://public.example/",
        "file:///etc/passwd",
        "gopher://public.example/",
        "data:application/json,{}",
        "javascript:alert(1)",
        "//public.example/",
        "public.example",
        "",
        "http://",
        "http://[::1",
        "ipfs://127.0.0.1/",
        "ipfs://" + CID + "@127.0.0.1/",
        "ar://../../x",
    ],
)
def test_an_address_that_is_not_public_is_never_asked(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No form of a private address, and no other scheme or port, leads to a connection."""
    names = {
        "localtest.example": ["127.0.0.1"],
        "half.example": ["93.184.216.34", "10.0.0.1"],
        "public.example": ["93.184.216.34"],
    }

    def never(*args: object, **options: object) -> None:
        raise AssertionError(f"connected to {args}")

    monkeypatch.setattr(socket, "create_connection", never)
    made = PublicDocuments(through=[], per_second=1000.0, look_up=lambda host: names[host])
    with pytest.raises(Refused):
        made.get_document(uri)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450:4001:800::200e"])
def test_public_addresses_are_public(address: str) -> None:
    """What belongs to the internet may be asked."""
    assert public.is_public(ip_address(address))


def test_it_connects_to_the_address_that_was_checked(web: Web) -> None:
    """The name is looked up once: a second answer, which might lead inside, is never asked for."""
    answers = [["127.0.0.1"], ["10.0.0.1"]]
    web.answers["/a"] = reply()
    made = reader(web, look_up=lambda host: answers.pop(0))
    assert made.get_document(web.url("/a")).body == DOCUMENT
    assert answers == [["10.0.0.1"]]


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "//192.168.0.1/",
        "http://inside.example/",
        "ftp://coin.example/",
        "file:///etc/passwd",
        "http://user:secret@coin.example/",
        "http://coin.example@10.0.0.1/",
        "http://coin.example:0/",
        "http://[::]/",
        "http://0x7f.1/",
        "\\\\10.0.0.1\\",
    ],
)
def test_a_redirect_is_checked_like_an_address(web: Web, target: str) -> None:
    """Whatever a redirect names, it must be as public as the first address."""
    web.answers["/a"] = reply(b"", status=302, Location=target)
    with pytest.raises(Refused):
        reader(web, names={"inside.example": ["10.0.0.1"]}, ports=frozenset({web.port, 80})).get_document(web.url("/a"))
    assert web.asked == ["coin.example/a"]


def test_redirects_are_followed_three_times(web: Web) -> None:
    """Three redirects lead to the document, four do not."""
    for number in range(4):
        web.answers[f"/{number}"] = reply(b"", status=307, Location=f"/{number + 1}")
    web.answers["/4"] = reply()
    assert reader(web).get_document(web.url("/1")).address == web.url("/4")
    with pytest.raises(Refused, match="More than 3 redirects"):
        reader(web).get_document(web.url("/0"))


def test_a_ring_of_redirects_ends(web: Web) -> None:
    """Who leads in a circle is left after the third turn."""
    web.answers["/a"] = reply(b"", status=302, Location="/b")
    web.answers["/b"] = reply(b"", status=302, Location="/a")
    with pytest.raises(Refused, match="More than 3 redirects"):
        reader(web).get_document(web.url("/a"))
    assert web.asked == ["coin.example/a", "coin.example/b"] * 2


def test_a_path_cannot_carry_another_request(web: Web) -> None:
    """What a redirect names is one request line, whatever it holds."""
    web.answers["/a"] = reply(b"", status=302, Location="/b%0d%0aX:%20y")
    web.answers["/b%0d%0aX:%20y"] = reply()
    assert reader(web).get_document(web.url("/a")).body == DOCUMENT
    assert web.asked == ["coin.example/a", "coin.example/b%0d%0aX:%20y"]


def _says(raw: bytes) -> Answer:
    def answer(request: http.server.BaseHTTPRequestHandler) -> None:
        request.wfile.write(raw)
        request.close_connection = True

    return answer


_CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "raw",
    [
        DOCUMENT,
        b"",
        b"\0" * 100_000,
        b"HTTP/9.9 200 OK\r\n\r\n{}",
        b"HTTP/1.1 2e2 OK\r\n\r\n{}",
        b"HTTP/1.1 99999 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(10_000)) + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n{}",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1_000,
        _CHUNKED + b"ffffffffffffffff\r\n{}",
        _CHUNKED + b"-1\r\n{}\r\n0\r\n\r\n",
        _CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n",
        _CHUNKED + b"2\r\n{}\r\n9" + b"9" * 100_000,
        _CHUNKED + b"10\r\n{}\r\n",
    ],
)
def test_a_server_that_lies_about_its_reply_brings_nothing(web: Web, raw: bytes) -> None:
    """No HTTP, too many or too long headers, chunks that are not what they say: tried later, and soon over."""
    web.answers["/a"] = _says(raw)
    started = time.monotonic()
    with pytest.raises(TryLater):
        reader(web, try_seconds=3.0).get_document(web.url("/a"))
    assert time.monotonic() - started < 5


def test_a_chunk_without_end_is_cut_at_the_limit(web: Web) -> None:
    """The size that a chunk claims is not what is taken."""
    web.answers["/a"] = _says(_CHUNKED + b"ffffffff\r\n" + b" " * (2 * MOST_BYTES))
    with pytest.raises(Malformed, match="larger than"):
        reader(web).get_document(web.url("/a"))


def test_a_name_that_is_not_known_is_tried_later(web: Web) -> None:
    """Names come and go."""
    with pytest.raises(TryLater, match="could not be resolved"):
        reader(web).get_document(web.url("/a", "nowhere.example"))


# -- gateways


@pytest.mark.parametrize(
    "uri",
    [
        f"ipfs://{CID}",
        f"ipfs://ipfs/{CID}",
        f"https://elsewhere.example/ipfs/{CID}",
    ],
)
def test_content_is_asked_of_our_gateways(web: Web, uri: str) -> None:
    """However a document's content is named, our gateways are asked for it first."""
    web.answers[f"/ipfs/{CID}"] = reply()
    found = reader(web).get_document(uri)
    assert (found.body, found.address) == (DOCUMENT, web.url(f"/ipfs/{CID}", "gate.example"))


def test_arweave_is_asked_of_its_gateway(web: Web) -> None:
    """An ar address goes to the gateway that is not one of IPFS."""
    name = "a" * 43
    web.answers[f"/{name}"] = reply()
    assert reader(web).get_document(f"ar://{name}").address == web.url(f"/{name}", "gate.example")


def test_the_gateway_that_was_named_is_asked_last(web: Web) -> None:
    """When ours do not have it, the one that the address names may."""
    named = web.url(f"/ipfs/{CID}/1.json", "coin.example")
    ours = web.url("/ours/ipfs/", "gate.example")
    web.answers[f"/ipfs/{CID}/1.json"] = reply()
    assert reader(web, through=[ours]).get_document(named).address == named
    assert web.asked == [f"gate.example/ours/ipfs/{CID}/1.json", f"coin.example/ipfs/{CID}/1.json"]


def test_content_that_no_gateway_has_yet_is_tried_later(web: Web) -> None:
    """What is named by its content cannot be gone for good."""
    with pytest.raises(TryLater, match="HTTP 404"):
        reader(web).get_document(f"ipfs://{CID}")


def test_without_a_gateway_content_is_refused(web: Web) -> None:
    """The message says what is missing."""
    with pytest.raises(Refused, match="No gateway is set"):
        reader(web, through=[]).get_document(f"ipfs://{CID}")


def test_the_name_of_a_subdomain_gateway_is_content() -> None:
    """The other form of gateway addresses is understood too."""
    cid = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"
    named = f"https://{cid}.ipfs.dweb.link/a.json"
    assert list(gateways.addresses(named, ["https://g.example/ipfs/", "https://ar.example/"])) == [
        f"https://g.example/ipfs/{cid}/a.json",
        named,
    ]


def test_one_host_is_not_asked_faster_than_its_budget(web: Web) -> None:
    """Who asks one host more often than it may waits for his turn; another host is asked at once."""
    web.answers["/a"] = reply()
    made = reader(web, per_second=5.0)
    started = time.monotonic()
    for _ in range(7):
        made.get_document(web.url("/a"))
    assert time.monotonic() - started > 0.35
    started = time.monotonic()
    made.get_document(web.url("/a", "gate.example"))
    assert time.monotonic() - started < 0.2


@pytest.mark.django_db(transaction=True)
def test_it_is_never_asked_inside_a_transaction(web: Web) -> None:
    """Locks are not held while a stranger answers."""
    with transaction.atomic(), pytest.raises(NetworkInsideTransaction):
        reader(web).get_document(web.url("/a"))
    assert web.asked == []


def test_proxies_of_the_environment_are_not_used(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment does not choose where documents come from."""
    monkeypatch.setenv("HTTP_PROXY", "http://10.0.0.1:3128")
    monkeypatch.setenv("http_proxy", "http://10.0.0.1:3128")
    web.answers["/a"] = reply()
    assert reader(web).get_document(web.url("/a")).body == DOCUMENT
