"""Who holds a token, as its page says it."""

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from holders.admin import panels, words
from holders.models import HolderSnapshot, TokenHolder
from tests import factories
from tests.factories import NOON, address
from tests.holders import shown
from tokens.models import Token

pytestmark = pytest.mark.django_db

EVIDENCE = [{"signal": "rhythm", "weight": "0.3", "numbers": {}, "words": "trades each 7 s"}]


@pytest.fixture
def held() -> Token:
    """A token with a measured snapshot, two holders, a group, and an older snapshot that nobody asks for."""
    token = factories.token(symbol="WIF")
    shown.snapshot(token, snapshot_time=NOON.replace(hour=3), total_holders=7, unique_holders=7)
    shown.snapshot(token)
    shown.quality(token)
    shown.holding(token, "small", current_balance=Decimal(5_000_000), flags=None, flagged_at=None)
    shown.holding(token, "large", flags=[{"class": "bot", "score": "0.5", "evidence": EVIDENCE}])
    shown.holding(token, "gone", current_balance=Decimal(0))
    shown.cluster(token, "large", "small")
    return token


def context(token: Token) -> Any:
    """Return what the panel is made of."""
    return panels.of(token=token, now=NOON).context


def test_the_newest_snapshot_is_shown_with_its_wallets(held: Token, django_assert_num_queries: Any) -> None:
    """Two queries read the distribution, the quality, the groups and the holders."""
    with django_assert_num_queries(2):
        it = context(held)
    assert it["snapshot"].total_holders == 200
    assert it["quality"]["wallets_enriched"] == 60
    assert [(bar.label, bar.part, bar.whole) for bar in it["classes"]] == [
        ("Bot", 9, 200),
        ("Whale", 2, 200),
        ("Retail", 40, 200),
    ]
    assert [(bar.label, bar.said) for bar in it["top"]][:3] == [
        ("Top 1", "12.0 %"),
        ("Top 5", "—"),
        ("Top 10", "45.0 %"),
    ]
    assert [(bar.label, bar.part) for bar in it["sizes"] if bar.part] == [("below 100", 20), ("100K and more", 180)]


def test_the_largest_are_listed_with_their_share_and_what_they_are(held: Token) -> None:
    """Share of what circulates, most first; a class with its evidence, and not judged is not the same as nothing."""
    largest = context(held)["largest"]
    assert [(holding.row.wallet_address, holding.share_pct) for holding, *_ in largest] == [
        (address("large"), Decimal(12)),
        (address("small"), Decimal(1)),
    ]
    assert [tags for _, tags, _ in largest] == [[words.Tag("Bot", "trades each 7 s")], None]


def test_groups_and_left_out_accounts_say_why(held: Token) -> None:
    """A group says what ties it and who paid; an account that no measure counts says its reason."""
    it = context(held)
    (group,), (left,) = it["groups"], it["excluded"]
    assert (group.tie, group.size, group.share_pct) == ("Funded by one another or by one wallet", 2, 18)
    assert (group.funders, group.more) == ([address("funder")], 0)
    assert (left.reason, left.balance) == ("Launch curve", Decimal(500_000_000))


def test_the_curve_is_told_in_words(held: Token) -> None:
    """What the drawing shows is said too: shares of the poorer half and of the richest tenth."""
    it = context(held)
    assert it["curve"] == "0.00,100.00 50.00,90.00 90.00,60.00 100.00,0.00"
    assert it["curve_words"] == "The half of the holders with the least has 10.0 %, the tenth with the most 60.0 %."


def test_a_page_without_a_snapshot_says_so_and_lists_own_trades(client: Client, held: Token) -> None:
    """Nobody's holders are unknown, not none; holders by our own trades have no share."""
    client.force_login(User.objects.create_superuser("operator"))
    other = factories.token()
    empty = client.get(reverse("admin:tokens_token_change", args=[other.pk])).content.decode()
    shown.holding(other, "trader")
    traded = client.get(reverse("admin:tokens_token_change", args=[other.pk])).content.decode()
    full = client.get(reverse("admin:tokens_token_change", args=[held.pk])).content.decode()
    assert "Its holders were not measured yet" in empty
    assert "Who holds most?" not in empty
    assert "by our own trades" in traded
    assert 'aria-label="Lorenz curve, Gini 0.710.' in full
    assert 'title="trades each 7 s"' in full


def test_truth_19_a_page_says_what_is_not_measured(held: Token, client: Client) -> None:
    """Where too little of what circulates is known the page says so, counts "at least" and draws no sizes; a program's vault is
    told from a wallet, and who is left out has no share."""
    vault = "Hq2wp8uJ9jCPsYgNHex8RtqdvMPfVGoYwjvF1ATiwn2Y"
    excluded = [{"wallet": address("large"), "reason": "curve", "balance": "9"}]
    HolderSnapshot.objects.filter(snapshot_time=NOON).update(
        judged_percentage=Decimal("0.0079"), raw_distribution={"excluded": excluded}, gini_coefficient=None
    )
    shown.holding(held, "vault", current_balance=Decimal(10**9), flags=None, flagged_at=None)
    TokenHolder.objects.filter(wallet_address=address("vault")).update(wallet_address=vault)
    it = context(held)
    assert (bool(it["sizes"]), bool(it["classes"])) == (False, False)
    largest = {holding.row.wallet_address: (holding.share_pct is None, tags) for holding, tags, _ in it["largest"]}
    assert largest[address("large")][0] is True
    assert [tag.label for tag in largest[vault][1]] == ["Program"]
    client.force_login(User.objects.create_superuser("operator"))
    page = client.get(reverse("admin:tokens_token_change", args=[held.pk])).content.decode()
    assert "Not measured: The known owners hold 0.0079 % of what circulates; a measure needs 80 %." in page
    assert "<small>at least</small> 200" in page


def test_truth_23_an_account_that_is_left_out_is_labelled_and_has_no_share(held: Token, client: Client) -> None:
    """A pool, a locker or an exchange that the books know is in the list by what it is; its balance is no share of anything."""
    shown.holding(held, f"curve of {held}", current_balance=Decimal(870_000_000))
    (curve, _, label), (largest, *_), _ = context(held)["largest"]
    assert (curve.share_pct, curve.left_out_as, label) == (None, "curve", "Launch curve")
    assert largest.share_pct == 12
    client.force_login(User.objects.create_superuser("operator"))
    page = client.get(reverse("admin:tokens_token_change", args=[held.pk])).content.decode()
    assert "174.00 %" not in page
    assert ">Launch curve</span>" in page


def test_truth_23_shares_are_of_one_supply_and_never_more_than_all_of_it(held: Token) -> None:
    """Balances are newer than the snapshot: what the holders have by now circulates by now."""
    shown.holding(held, "whale", current_balance=Decimal(870_000_000))
    shown.holding(held, f"curve of {held}", current_balance=Decimal(125_000_000))
    shares = [holding.share_pct for holding, *_ in context(held)["largest"]]
    held_now = Decimal(870_000_000 + 60_000_000 + 5_000_000)
    assert shares == [
        Decimal(870_000_000) / held_now * 100,
        None,
        Decimal(60_000_000) / held_now * 100,
        Decimal(5_000_000) / held_now * 100,
    ]
    assert sum(share for share in shares if share is not None) <= 100
