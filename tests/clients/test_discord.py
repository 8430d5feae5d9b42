"""The replies are hand-made after Discord's documentation of *Get Invite*."""

import httpx
import pytest

from megatron.clients.discord import Discord, parse_invite
from megatron.clients.errors import Malformed, Refused
from megatron.clients.http import TIMEOUT
from megatron.clients.ports import SocialHandles, SocialReading
from tests.clients.recorded import answers
from tests.factories import NOON

INVITE = {
    "code": "qaQa6M6mN2",
    "guild": {"id": "923267634364153917", "name": "A server"},
    "approximate_member_count": 15_310,
    "approximate_presence_count": 1_204,
}


def test_an_invitation_tells_members_and_who_is_there() -> None:
    """The counts are Discord's; a token without an invitation is not asked about."""
    transport, asked = answers(httpx.Response(200, json=INVITE))
    source = Discord(timeout=TIMEOUT, transport=transport)
    found = source.get_readings([SocialHandles(mint="m", discord="qaQa6M6mN2"), SocialHandles(mint="n")], now=NOON)
    expected = SocialReading(discord_members=15_310, discord_active_users=1_204, raw={"guild": "923267634364153917"})
    assert found == {"m": expected}
    assert [str(request.url) for request in asked] == [
        "https://discord.com/api/v10/invites/qaQa6M6mN2?with_counts=true"
    ]


def test_a_code_that_is_none_is_never_asked() -> None:
    """Nothing that a stranger writes becomes a path."""
    transport, asked = answers(httpx.Response(200, json=INVITE))
    with pytest.raises(Refused, match="is no invitation"):
        Discord(timeout=TIMEOUT, transport=transport).get_readings(
            [SocialHandles(mint="m", discord="../users/@me")], now=NOON
        )
    assert asked == []


def test_an_expired_invitation_is_refused() -> None:
    """Discord answers 404, and a group chat has no server."""
    transport, _ = answers(httpx.Response(404, json={"message": "Unknown Invite", "code": 10006}))
    with pytest.raises(Refused, match="HTTP 404"):
        Discord(timeout=TIMEOUT, transport=transport).get_readings([SocialHandles(mint="m", discord="gone")], now=NOON)
    with pytest.raises(Refused, match="leads to no server"):
        parse_invite(b'{"code": "x", "approximate_member_count": 3}')


@pytest.mark.parametrize(
    "content",
    [
        b"<html>",
        b"[]",
        b'{"guild": {"id": "1"}, "approximate_member_count": -5}',
        b'{"guild": {"id": "1"}, "approximate_member_count": 99999999999}',
        b'{"guild": {"id": "1"}, "approximate_member_count": "many"}',
        b'{"guild": {"id": "1"}, "approximate_member_count": true}',
    ],
)
def test_what_is_no_invitation_is_malformed(content: bytes) -> None:
    """A page, another shape, and counts that are none."""
    with pytest.raises(Malformed, match="discord: not an invitation"):
        parse_invite(content)
