"""Discord: how many people a server has, as its public invitation says.

Source: Discord developer documentation, *Get Invite* (https://discord.com/developers/docs/resources/invite), read 2026-11.
Needs no key; the counts are Discord's own approximations.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import httpx
import msgspec

from megatron.clients.counting import Count
from megatron.clients.errors import Malformed, Refused
from megatron.clients.http import HttpClient
from megatron.clients.ports import SocialHandles, SocialReading
from megatron.clients.replies import refuse_error

URL: Final = "https://discord.com/api/v10"
PER_SECOND: Final = 1.0
_CODE: Final = re.compile(r"[A-Za-z0-9-]{2,64}", re.ASCII)


class _Guild(msgspec.Struct):
    id: str


class _Invite(msgspec.Struct):
    guild: _Guild | None = None
    approximate_member_count: Count | None = None
    approximate_presence_count: Count | None = None


class Discord:
    """A :class:`~megatron.clients.ports.SocialSource`."""

    name = "discord"
    needs = "discord"
    at_once = 1

    def __init__(self, *, timeout: httpx.Timeout, url: str = URL, transport: httpx.BaseTransport | None = None) -> None:
        self._http = HttpClient(
            "discord", base_url=url, per_second=PER_SECOND, timeout=timeout, attempts=1, transport=transport
        )

    def get_readings(
        self,
        handles: Sequence[SocialHandles],
        *,
        now: datetime,  # noqa: ARG002  # the port's word; these figures have no window
    ) -> Mapping[str, SocialReading]:
        """Return the counts behind each invitation, one call each."""
        return {one.mint: self._ask(one.discord) for one in handles if one.discord}

    def _ask(self, code: str) -> SocialReading:
        if not _CODE.fullmatch(code):
            raise Refused(f"discord: {code[:64]!r} is no invitation")
        params = {"with_counts": "true"}
        return parse_invite(self._http.read("GET", f"/invites/{code}", params=params, endpoint="/invites"))


def parse_invite(body: bytes) -> SocialReading:
    """Return the counts of an invitation. Raises ``Malformed``, and ``Refused`` for one that leads to no server."""
    refuse_error(body, "discord")
    try:
        invite = msgspec.json.decode(body, type=_Invite)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed(f"discord: not an invitation: {error}") from error
    if invite.guild is None:
        raise Refused("discord: the invitation leads to no server")
    return SocialReading(
        discord_members=invite.approximate_member_count,
        discord_active_users=invite.approximate_presence_count,
        raw={"guild": invite.guild.id[:32]},
    )
