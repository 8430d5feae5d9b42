"""The one way out over HTTP: always with a time-out and a size limit, never inside a database transaction, and with
every failure told as one of our four errors."""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import stamina

from megatron.clients import costs, meter
from megatron.clients.budget import RateBudget
from megatron.clients.errors import ClientError, Malformed, OutcomeUnknown, Refused, TryLater
from megatron.core import clock
from megatron.core.redaction import Redactor
from megatron.core.transactions import in_transaction

TIMEOUT = httpx.Timeout(15, connect=5, pool=5)
MOST_BYTES = 16 << 20
ATTEMPTS = 4
PATIENCE = timedelta(seconds=20)
"""A provider that asks for a longer pause is not waited for: the row in hand is postponed instead."""

_MOVED = "the address was retired or has moved; see the provider's news and set the new one"

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_OUR_FAULT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)


class NetworkInsideTransaction(RuntimeError):
    """A call was about to wait for the network while a database transaction was open. Commit first: locks held across a
    network call stop the house, and a rollback cannot take a call back."""


class HttpClient:
    """Calls one provider. ``secrets`` are hidden in every message; ``per_second`` is this process's budget of calls;
    ``pages`` says that HTML is what is asked for."""

    def __init__(
        self,
        name: str,
        *,
        base_url: str,
        per_second: float,
        headers: Mapping[str, str] | None = None,
        secrets: Sequence[str] = (),
        most_bytes: int = MOST_BYTES,
        timeout: httpx.Timeout = TIMEOUT,
        attempts: int = ATTEMPTS,
        pages: bool = False,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.name = name
        self._provider = costs.provider_of(base_url, default=name)
        self._most_bytes, self._attempts, self._pages = most_bytes, attempts, pages
        self._budget = RateBudget(per_second)
        self._redactor = Redactor(secrets)
        self._http = httpx.Client(
            base_url=base_url,
            headers={"User-Agent": "megatron", **(headers or {})},
            timeout=timeout,
            transport=transport,
            follow_redirects=False,
            # A proxy or a certificate of the environment must not change where money is looked up.
            trust_env=False,
        )

    def read(
        self,
        method: str,
        path: str = "",
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        endpoint: str = "",
    ) -> bytes:
        """Return the reply's body; repeat the call while it may be, ``attempts`` times at most. Raises ``TryLater``,
        ``Refused`` (``BudgetSpent`` where the caller's credits do not reach) or ``Malformed``;
        :class:`NetworkInsideTransaction` inside a transaction. For calls that change nothing
        over there. ``endpoint`` is the name in the accounts where the path says who was asked about."""
        if self._attempts == 1:
            return self._once(method, path, params, json, writes=False, endpoint=endpoint)
        for attempt in stamina.retry_context(on=_worth_waiting, attempts=self._attempts, timeout=60.0):
            with attempt:
                return self._once(method, path, params, json, writes=False, endpoint=endpoint)
        raise AssertionError("stamina either returns or raises")

    def write(self, method: str, path: str = "", *, params: Mapping[str, Any] | None = None, json: Any = None) -> bytes:
        """Return the reply's body; the call is made once. Raises like :meth:`read`, and ``OutcomeUnknown`` whenever it
        may have been done over there."""
        return self._once(method, path, params, json, writes=True)

    def close(self) -> None:
        """End the connections that are kept for the next call."""
        self._http.close()

    def _once(
        self, method: str, path: str, params: Mapping[str, Any] | None, json: Any, *, writes: bool, endpoint: str = ""
    ) -> bytes:
        if in_transaction():
            raise NetworkInsideTransaction(f"{self.name} was called inside a database transaction.")
        endpoint = endpoint or self._endpoint(path, json)
        cost = costs.credits_of(self._provider, endpoint)
        meter.check(cost)
        self._budget.take()
        started, sent, failure = time.monotonic(), True, ""
        status: int | None = None
        try:
            with self._http.stream(method, path, params=params, json=json) as response:
                status = response.status_code
                self._refuse(response, writes=writes)
                return self._body(response)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            failure, sent = type(error).__name__, not isinstance(error, _NEVER_SENT)
            # Not chained: httpx's errors carry the request, with its address and its key.
            raise _ours(error, self._told(f"{type(error).__name__}: {error}"), writes=writes) from None
        except Malformed as error:
            failure = type(error).__name__
            raise (OutcomeUnknown(str(error)) if writes else error) from None
        except ClientError as error:
            failure = type(error).__name__
            raise
        finally:
            meter.note(
                meter.Call(
                    at=clock.utc_now(),
                    provider=self._provider,
                    endpoint=endpoint,
                    credits=cost if sent else 0,
                    milliseconds=round((time.monotonic() - started) * 1000),
                    status=status,
                    error=failure,
                    kind="write" if writes else "read",
                )
            )

    def _endpoint(self, path: str, json: Any) -> str:
        """Return what was called: the method of JSON-RPC, else the path without secrets."""
        if isinstance(json, Mapping) and isinstance(json.get("method"), str):
            return str(json["method"])
        return self._redactor.text(path.split("?", 1)[0])[:100] or "/"

    def _refuse(self, response: httpx.Response, *, writes: bool) -> None:
        status = response.status_code
        if 200 <= status < 300:
            return
        told = self._told(f"HTTP {status} for {response.request.method} {response.request.url}")
        asked = parse_retry_after(response.headers.get("retry-after", ""))
        if status == 429:
            raise TryLater(told, retry_after=asked)
        if status >= 500 or status in (408, 425):
            raise OutcomeUnknown(told) if writes else TryLater(told, retry_after=asked)
        raise Refused(f"{told}: {_MOVED}" if status == 410 or 300 <= status < 400 else told)

    def _body(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        for part in response.iter_bytes():
            size += len(part)
            if size > self._most_bytes:
                raise Malformed(self._told(f"The reply is longer than {self._most_bytes} bytes."))
            parts.append(part)
        body = b"".join(parts)
        # Some gateways say 200 and send their error page.
        is_page = "html" in response.headers.get("content-type", "").lower() or body.lstrip()[:1] == b"<"
        if is_page and not self._pages:
            raise Malformed(self._told("The reply is a page, not data."))
        return body

    def _told(self, message: str) -> str:
        return self._redactor.text(f"{self.name}: {message}")


def secrets_in(url: str) -> list[str]:
    """Return what may be a key in an address: providers put it into the path, the query or the user part."""
    parts = urlsplit(url)
    pieces = [parts.path.strip("/"), *parts.path.split("/"), parts.query, parts.password or "", parts.username or ""]
    pieces += [value for _, value in parse_qsl(parts.query)]
    return [piece for piece in pieces if piece]


def _ours(error: httpx.HTTPError | httpx.InvalidURL, told: str, *, writes: bool) -> ClientError:
    """Return the one error of ours that httpx's ``error`` is."""
    if isinstance(error, _OUR_FAULT):
        return Refused(told)
    if isinstance(error, _NEVER_SENT):
        return TryLater(told)
    if writes:
        return OutcomeUnknown(told)
    if isinstance(error, httpx.TransportError):
        return TryLater(told)
    return Malformed(told)


def _worth_waiting(error: Exception) -> bool | timedelta:
    """Return whether a read is repeated, and after how long when the provider said so."""
    if not isinstance(error, TryLater):
        return False
    if error.retry_after is None:
        return True
    return error.retry_after if error.retry_after <= PATIENCE else False


def parse_retry_after(asked: str) -> timedelta | None:
    """Return what a ``Retry-After`` asks for, in seconds or as a date; ``None`` when it is absent or makes no sense."""
    asked = asked.strip()
    try:
        wait = timedelta(seconds=float(asked)) if asked.replace(".", "", 1).isdigit() else _until(asked)
    except (ValueError, OverflowError):
        return None
    return max(wait, timedelta(0))


def _until(date: str) -> timedelta:
    at = parsedate_to_datetime(date)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - clock.utc_now()
