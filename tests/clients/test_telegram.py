"""The pages are hand-made after what t.me shows, the bot's replies after the Bot API's documentation."""

from datetime import timedelta

import httpx
import pytest

from megatron.clients import meter
from megatron.clients.errors import Malformed, Refused
from megatron.clients.http import TIMEOUT
from megatron.clients.ports import SocialHandles, SocialReading
from megatron.clients.telegram import Telegram, parse_members, parse_page, parse_preview
from tests.clients.recorded import answers
from tests.factories import NOON

HANDLE = SocialHandles(mint="m", telegram="a_coin")


def page(extra: str) -> httpx.Response:
    """Return the public page of a name."""
    text = f'<!DOCTYPE html><html><body><div class="tgme_page_extra">{extra}</div></body></html>'
    return httpx.Response(200, headers={"content-type": "text/html; charset=utf-8"}, content=text.encode())


def preview(*minutes_ago: int) -> httpx.Response:
    """Return a channel's preview with a message at each of ``minutes_ago``."""
    times = "".join(
        f'<time datetime="{(NOON - timedelta(minutes=ago)).isoformat()}" class="time">x</time>' for ago in minutes_ago
    )
    return httpx.Response(200, headers={"content-type": "text/html"}, content=f"<html>{times}</html>".encode())


def test_a_groups_page_tells_members_and_who_is_online() -> None:
    """A group has no preview: nothing is known of its messages."""
    transport, asked = answers(page("12 345 members, 1 678 online"))
    found = Telegram(timeout=TIMEOUT, transport=transport).get_readings([HANDLE, SocialHandles(mint="n")], now=NOON)
    expected = SocialReading(telegram_members=12_345, telegram_active_users=1_678, raw={"channel": False})
    assert found == {"m": expected}
    assert [str(request.url) for request in asked] == ["https://t.me/a_coin"]


def test_a_channels_preview_tells_the_messages_of_the_hour() -> None:
    """Those that are older, or not yet, are not counted."""
    transport, asked = answers(page("10\u00a0612\u00a0280 subscribers"), preview(90, 59, 30, 0, -5))
    source = Telegram(timeout=TIMEOUT, transport=transport)
    source._pages._budget._pause = 0  # the budget itself is tested by itself
    expected = SocialReading(telegram_members=10_612_280, telegram_messages_1h=3, raw={"channel": True})
    assert source.get_readings([HANDLE], now=NOON) == {"m": expected}
    assert asked[1].url.path == "/s/a_coin"


def test_a_closed_preview_leaves_the_subscribers() -> None:
    """Telegram redirects it to the page; a redirect is not followed."""
    transport, _ = answers(page("1 subscriber"), httpx.Response(302, headers={"location": "http://10.0.0.1/"}))
    source = Telegram(timeout=TIMEOUT, transport=transport)
    source._pages._budget._pause = 0
    reading = source.get_readings([HANDLE], now=NOON)["m"]
    assert (reading.telegram_members, reading.telegram_messages_1h) == (1, None)
    assert "HTTP 302" in str(reading.raw["preview"])


def test_a_bot_counts_exactly_and_its_token_is_told_to_nobody() -> None:
    """The bot's figure takes the page's place; where it may not look, the page's stands and the reason hides the token."""
    token = "123456789:AAE-a-secret-of-the-bot"
    meter.take()
    for reply, members in [
        (httpx.Response(200, json={"ok": True, "result": 12_400}), 12_400),
        (httpx.Response(400, json={"ok": False, "description": "Bad Request: chat not found"}), 12_345),
    ]:
        transport, asked = answers(page("12 345 members"), reply)
        reading = Telegram(token=token, timeout=TIMEOUT, transport=transport).get_readings([HANDLE], now=NOON)["m"]
        assert reading.telegram_members == members
        assert asked[1].url.params["chat_id"] == "@a_coin"
    assert "HTTP 400" in str(reading.raw["bot"])
    assert token not in str(reading.raw)
    assert {call.endpoint for call in meter.take()} == {"page", "getChatMemberCount"}


@pytest.mark.parametrize("name", ["joinchat/AAAA", "+invite", "abc", "a_coin/../x", "é_coin", ""])
def test_a_name_that_is_none_is_never_asked(name: str) -> None:
    """Nothing that a stranger writes becomes a path; an empty name is nobody."""
    transport, asked = answers(page("1 members"))
    source = Telegram(timeout=TIMEOUT, transport=transport)
    if name:
        with pytest.raises(Refused, match="is no public name"):
            source.get_readings([SocialHandles(mint="m", telegram=name)], now=NOON)
    else:
        assert source.get_readings([SocialHandles(mint="m", telegram=name)], now=NOON) == {}
    assert asked == []


@pytest.mark.parametrize("extra", ["@a_person", "1 234 monthly users", "members", "", "<b>5 members</b>"])
def test_a_page_that_is_no_group_is_refused(extra: str) -> None:
    """A person, a bot, and what strangers put into their names are no communities."""
    with pytest.raises(Refused, match="no group and no channel"):
        parse_page(page(extra).content)


@pytest.mark.parametrize("extra", ["-5 members", "12.3K subscribers", "99 999 999 999 members"])
def test_a_figure_that_is_no_count_is_malformed(extra: str) -> None:
    """Below zero, rounded, more than there are people; who is online stays unknown when it is no number."""
    assert parse_page(page("9 members, 1e3 online").content) == (9, None, False)
    with pytest.raises(Malformed, match="is no count"):
        parse_page(page(extra).content)


@pytest.mark.parametrize("content", [b"<html>", b"[]", b'{"ok": true, "result": -1}', b'{"ok": true, "result": "9"}'])
def test_a_bots_reply_that_is_no_count_is_malformed(content: bytes) -> None:
    """A page, another shape, a number below zero or as text; ``ok: false`` is a refusal."""
    with pytest.raises(Malformed, match="telegram: not a count"):
        parse_members(content)
    with pytest.raises(Refused, match="Forbidden"):
        parse_members(b'{"ok": false, "description": "Forbidden: bot was kicked"}')


def test_a_preview_without_messages_knows_nothing() -> None:
    """An empty page is not a silent hour; an old message is."""
    assert parse_preview(preview().content, now=NOON) is None
    assert parse_preview(preview(600).content, now=NOON) == 0
