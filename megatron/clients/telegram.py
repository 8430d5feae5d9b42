"""Telegram: how many people a public group or channel has, from its public page, or from the bot API with a bot's token.

Sources: the page of ``https://t.me/NAME`` and its preview ``/s/NAME`` (undocumented, read 2026-11), and the Bot API's
``getChatMemberCount`` (https://core.telegram.org/bots/api#getchatmembercount). The page shows a group's members and how many
of them are online, and a channel's subscribers; only channels have a preview with the times of their newest messages. Who
may be asked is a bare name: the host is always ours, and no redirect is followed.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import httpx
import msgspec

from megatron.clients.counting import MOST, Count
from megatron.clients.errors import ClientError, Malformed, Refused, TryLater
from megatron.clients.http import HttpClient
from megatron.clients.jsonrpc import sounds_passing
from megatron.clients.ports import SocialHandles, SocialReading

PAGES: Final = "https://t.me"
API: Final = "https://api.telegram.org"
PER_SECOND: Final = 1.0
MOST_BYTES: Final = 1 << 20
HOUR: Final = timedelta(hours=1)

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{4,31}", re.ASCII)
_EXTRA: Final = re.compile(r'<div class="tgme_page_extra">([^<]{1,200})</div>')
_COUNTED: Final = re.compile(r"(members?|subscribers?|online)\b", re.IGNORECASE)
_FIGURE: Final = re.compile(r"-?\d[\d.,\s\u00a0\u202f]*[KMB]?", re.IGNORECASE)
_TIME: Final = re.compile(r'<time datetime="(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00)"')


class _Members(msgspec.Struct):
    ok: bool
    result: Count | None = None
    description: str = ""


class Telegram:
    """A :class:`~megatron.clients.ports.SocialSource`. With a bot's ``token`` the bot API's count of members takes the place
    of the page's, where the bot may see the chat."""

    name = "telegram"
    needs = "telegram"
    at_once = 1

    def __init__(
        self,
        *,
        token: str = "",
        timeout: httpx.Timeout,
        pages: str = PAGES,
        api: str = API,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._token = token
        self._pages = HttpClient(
            "telegram",
            base_url=pages,
            per_second=PER_SECOND,
            timeout=timeout,
            attempts=1,
            most_bytes=MOST_BYTES,
            pages=True,
            transport=transport,
        )
        self._api = HttpClient(
            "telegram",
            base_url=api,
            per_second=PER_SECOND,
            timeout=timeout,
            attempts=1,
            secrets=[token] if token else [],
            transport=transport,
        )

    def get_readings(self, handles: Sequence[SocialHandles], *, now: datetime) -> Mapping[str, SocialReading]:
        """Return the counts of each group or channel: its page, a channel's preview, and the bot API with a token."""
        return {one.mint: self._ask(one.telegram, now) for one in handles if one.telegram}

    def _ask(self, name: str, now: datetime) -> SocialReading:
        if not _NAME.fullmatch(name):
            raise Refused(f"telegram: {name[:64]!r} is no public name")
        members, online, is_channel = parse_page(self._pages.read("GET", f"/{name}", endpoint="page"))
        raw: dict[str, object] = {"channel": is_channel}
        if self._token:
            try:
                members = self._count(name)
            except ClientError as error:
                # A bot does not see every chat; the page's figure stands.
                raw["bot"] = str(error)[:200]
        messages = None
        if is_channel:
            try:
                messages = parse_preview(self._pages.read("GET", f"/s/{name}", endpoint="preview"), now=now)
            except ClientError as error:
                # A channel may close its preview; its subscribers are known all the same.
                raw["preview"] = str(error)[:200]
        return SocialReading(
            telegram_members=members, telegram_active_users=online, telegram_messages_1h=messages, raw=raw
        )

    def _count(self, name: str) -> int:
        path, chat = f"/bot{self._token}/getChatMemberCount", {"chat_id": f"@{name}"}
        return parse_members(self._api.read("GET", path, params=chat, endpoint="getChatMemberCount"))


def parse_page(body: bytes) -> tuple[int, int | None, bool]:
    """Return members, those online (``None`` when the page does not say) and whether it is a channel.

    Raises ``Refused`` for a page that is a person's, a bot's, private or nobody's, and ``Malformed`` for a figure that makes
    no sense.
    """
    text = body.decode("utf-8", "replace")
    found = _EXTRA.search(text)
    figures = _figures(found[1]) if found else {}
    kind = next((kind for kind in ("member", "subscriber") if kind in figures), None)
    if kind is None:
        raise Refused("telegram: the page shows no group and no channel")
    online = _number(figures["online"]) if "online" in figures else None
    return _number(figures[kind]), online, kind == "subscriber"


def _figures(text: str) -> dict[str, str]:
    """Return what stands between the words that say what is counted, by these words in the singular."""
    found, read = {}, 0
    for word in _COUNTED.finditer(text):
        figure = text[read : word.start()].strip().lstrip(",").strip()
        if _FIGURE.fullmatch(figure):
            found[word[1].lower().rstrip("s")] = figure
        read = word.end()
    return found


def parse_members(body: bytes) -> int:
    """Return the count of a ``getChatMemberCount`` reply. Raises ``Malformed``, ``Refused``, ``TryLater``."""
    try:
        reply = msgspec.json.decode(body, type=_Members)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"telegram: not a count: {error}") from error
    if not reply.ok or reply.result is None:
        told = f"telegram: {reply.description[:200] or 'the bot may not see the chat'}"
        raise TryLater(told) if sounds_passing(told) else Refused(told)
    return reply.result


def parse_preview(body: bytes, *, now: datetime) -> int | None:
    """Return how many of the messages in a channel's preview came in the hour before ``now``: at least so many, as a preview
    holds about twenty. ``None`` when it shows none at all."""
    times = [datetime.fromisoformat(at) for at in _TIME.findall(body.decode("utf-8", "replace"))]
    return sum(now - HOUR <= at <= now for at in times) if times else None


def _number(text: str) -> int:
    """Return the whole number that a page writes as ``12 345``. Raises ``Malformed``."""
    digits = re.sub(r"[\s,\u00a0\u202f]", "", text)
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10 or int(digits) > MOST:
        raise Malformed(f"telegram: {text.strip()[:40]!r} is no count")
    return int(digits)
