"""Who the holders of a snapshot are: counted, judged with evidence, and with nothing later in it."""

import dataclasses
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from holders.models import HolderSnapshot, TokenHolder, WalletCluster, WalletQualityMetric
from holders.selectors import measures
from holders.services import quality
from tests import factories
from tests.factories import NOON, address
from tests.holders import people
from tests.holders.people import DAY
from tests.query_counts import assert_query_count
from tokens.models import Pool

pytestmark = pytest.mark.django_db

CREATOR = address("creator")
BORN = NOON - 2 * DAY
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)


@pytest.fixture
def curve() -> Pool:
    """A token that was created two days before noon."""
    return factories.pool(factories.token(creator_address=CREATOR, creation_timestamp=BORN))


def measure(of: Pool, **fields: Any) -> Any:
    people.snapshot(of, **fields)
    quality.measure(token_mint=of.token.mint_address, snapshot_time=NOON, now=NOON + SECOND)
    return WalletQualityMetric.objects.get(token_mint=of.token.mint_address)


def hold(of: Pool, name: str, balance: int, *, bought_at: Any = NOON - HOUR, **trade: Any) -> str:
    """Let a wallet buy ``balance`` whole tokens and keep them."""
    wallet = address(name)
    people.holding(of, wallet, balance, held_since=bought_at)
    people.trade(of, wallet, balance, at=bought_at, **trade)
    return wallet


def flags(of: Pool, wallet: str) -> list[str]:
    row = TokenHolder.objects.get(token_mint=of.token.mint_address, wallet_address=wallet)
    return [item["class"] for item in row.flags or []]


def test_ratios_are_of_the_wallets_that_were_looked_up(curve: Pool) -> None:
    """Of four holders three were analysed and two of them looked up: one bot in two, one dumper in three."""
    bot, smart, dumper = (hold(curve, name, 100) for name in ("bot", "smart", "dumper"))
    hold(curve, "stranger", 100)
    people.judged(bot, "bot", bot_score=Decimal("0.5"))
    people.judged(smart, "smart_money")
    people.judged(dumper, "known_dumper", source="own", from_start=False, first_seen_at=NOON - DAY)
    row = measure(curve)
    assert (row.wallets_sampled, row.wallets_enriched) == (3, 2)
    assert (row.bot_ratio, row.bot_percentage, row.confirmed_bots) == (Decimal("0.5"), 50, 1)
    assert (row.smart_money_ratio, row.smart_money_holdings, row.mev_ratio) == (Decimal("0.5"), 100, 0)
    assert (row.known_dumper_ratio, row.known_dumpers) == (Decimal("0.333333"), 1)
    assert row.data_completeness == Decimal("86.6667")
    assert row.classes == {"bot": 1, "known_dumper": 1, "smart_money": 1, "whale": 4}
    held: Any = TokenHolder.objects.get(wallet_address=bot)
    assert (held.is_bot, held.is_smart_money, held.is_mev_bot, held.flagged_at) == (True, False, False, NOON)
    assert [item["evidence"][0]["words"] for item in held.flags] == ["is bot", "holds 10.0 % of what circulates"]


def test_what_nobody_looked_up_is_not_known(curve: Pool) -> None:
    """No ratio, no age, no organic score; hands and holding times come from our own trades."""
    hold(curve, "patient", 100, bought_at=NOON - 25 * HOUR)
    hold(curve, "quick", 100, bought_at=NOON - HOUR)
    row = measure(curve)
    unknown = (row.bot_ratio, row.smart_money_ratio, row.known_dumper_ratio, row.avg_wallet_age_days, row.organic_score)
    assert unknown == (None,) * 5
    assert (row.diamond_hands_ratio, row.avg_hold_duration_hours) == (Decimal("0.5"), 13)
    assert row.velocity_score == Decimal("0.690361")


def test_a_token_without_trades_of_ours_has_unknown_hands(curve: Pool) -> None:
    """A listed holder that we never saw trade is neither patient nor silent."""
    people.holding(curve, address("listed"), 100, last_transaction_time=None)
    row = measure(curve, has_trades=False)
    assert (row.diamond_hands_ratio, row.velocity_score, row.paper_hands_count) == (None, None, None)


def test_ages_are_those_at_the_snapshot(curve: Pool) -> None:
    """Six days, 60 days and half a year that is cut; a cut one of yesterday has no age. Ages spread over three of five
    buckets, but four equal balances are suspicious."""
    for name, days, whole in (("a", 6, True), ("b", 60, True), ("c", 180, False), ("d", 1, False)):
        people.analysis(hold(curve, name, 100), first_seen_at=NOON - days * DAY, from_start=whole)
    row = measure(curve)
    assert (row.aged_wallets, row.avg_wallet_age_days, row.median_wallet_age_days) == (3, 82, 60)
    assert (row.new_wallet_ratio, row.new_wallets_percentage) == (Decimal("0.333333"), Decimal("33.3333"))
    assert row.details["ages"] == [1, 0, 1, 0, 1]
    assert row.organic_score == Decimal("0.251303")


def test_insiders_snipers_bundlers_and_the_creator_are_told_with_why(curve: Pool) -> None:
    """One wallet each, and three that bought in the slot of the creation."""
    hold(curve, "creator", 50, bought_at=BORN)
    for name in ("b1", "b2"):
        hold(curve, name, 20, bought_at=BORN)
    sniper = hold(curve, "sniper", 20, bought_at=BORN + 60 * SECOND)
    late = hold(curve, "late", 20, bought_at=BORN + 61 * SECOND)
    insider = hold(curve, "insider", 30, bought_at=BORN + HOUR)
    people.analysis(insider, **people.funding(insider, by=CREATOR, at=BORN - DAY))
    row = measure(curve)
    assert flags(curve, CREATOR) == ["dev", "bundler", "whale", "diamond_hands"]
    assert flags(curve, address("b1")) == ["bundler", "sniper", "diamond_hands"]
    assert flags(curve, sniper) == ["sniper", "diamond_hands"]
    assert flags(curve, late) == ["diamond_hands"]
    assert flags(curve, insider) == ["insider", "diamond_hands"]
    assert row.classes == {"dev": 1, "insider": 1, "bundler": 3, "sniper": 3, "whale": 1, "diamond_hands": 6}
    assert row.insider_percentage == 3
    assert TokenHolder.objects.get(wallet_address=insider).is_insider


@pytest.mark.parametrize(("is_looked_up", "share"), [(False, None), (True, 0)])
def test_truth_23_without_a_look_up_the_share_of_insiders_is_unknown(
    curve: Pool, is_looked_up: bool, share: int | None
) -> None:
    """Trades do not tell who funded a wallet: none found by them is not none there; one look-up is an answer."""
    buyer = hold(curve, "buyer", 30, bought_at=BORN + HOUR)
    if is_looked_up:
        people.analysis(buyer)
    row = measure(curve)
    assert (row.wallets_enriched, row.insider_percentage) == (int(is_looked_up), share)


def test_one_transaction_with_two_buyers_has_one_payer(curve: Pool) -> None:
    """The same signature, another place in it."""
    one = hold(curve, "one", 10, signature=factories.signature("both"), event_index=0)
    two = hold(curve, "two", 10, signature=factories.signature("both"), event_index=1)
    alone = hold(curve, "alone", 10)
    measure(curve)
    assert (flags(curve, one), flags(curve, two), flags(curve, alone)) == (["bundler"], ["bundler"], [])
    group: Any = WalletCluster.objects.get()
    assert (group.kind, group.members, group.balance, group.share_pct) == ("bundle", sorted([one, two]), 20, 2)


def test_groups_of_one_funder_are_found_and_replaced(curve: Pool) -> None:
    """Measured again after one of them left, the group is gone; an earlier snapshot does not bring it back."""
    rich = address("rich")
    one, two = hold(curve, "one", 10), hold(curve, "two", 30)
    for wallet in (one, two):
        people.analysis(wallet, **people.funding(wallet, by=rich, at=NOON - DAY))
    row = measure(curve)
    group: Any = WalletCluster.objects.get()
    assert (group.kind, group.members, group.funders, group.share_pct) == ("funding", sorted([one, two]), [rich], 4)
    assert (row.clusters, row.clustered_percentage) == (1, 4)
    people.trade(curve, two, 30, at=NOON + HOUR, buy=False)
    TokenHolder.objects.filter(wallet_address=two).update(current_balance=0, last_transaction_time=NOON + HOUR)
    people.snapshot(curve, snapshot_time=NOON + 2 * HOUR)
    mint = curve.token.mint_address
    quality.measure(token_mint=mint, snapshot_time=NOON + 2 * HOUR, now=NOON + 2 * HOUR)
    assert not WalletCluster.objects.exists()
    quality.measure(token_mint=mint, snapshot_time=NOON, now=NOON + 3 * HOUR)
    assert not WalletCluster.objects.exists()
    assert WalletQualityMetric.objects.get(snapshot_time=NOON).clusters == 1


def test_excluded_accounts_and_pools_are_no_holders(curve: Pool) -> None:
    """What the snapshot left out, and the token's own pool."""
    hold(curve, "holder", 10)
    people.holding(curve, curve.pool_address, 500)
    people.holding(curve, address("exchange"), 500)
    row = measure(curve, raw_distribution={"excluded": [{"wallet": address("exchange"), "reason": "exchange"}]})
    assert row.details["holders"] == 1


def test_what_comes_later_changes_nothing_that_was_measured(curve: Pool) -> None:
    """Trades, exits, new holders, analyses and fundings after the snapshot: the same row, the same flags, the same groups."""
    keeper, leaver = hold(curve, "keeper", 100, bought_at=NOON - 30 * HOUR), hold(curve, "leaver", 50)
    people.analysis(keeper, first_seen_at=NOON - 20 * DAY)
    first = row_of(measure(curve)), flags(curve, keeper), flags(curve, leaver)
    for wallet, tokens, buy in ((leaver, 50, False), (keeper, 40, False), (address("newcomer"), 70, True)):
        people.trade(curve, wallet, tokens, at=NOON + HOUR, buy=buy)
    late = {"last_transaction_time": NOON + HOUR, "held_since": NOON + HOUR}
    TokenHolder.objects.filter(wallet_address=leaver).update(current_balance=0, **late)
    TokenHolder.objects.filter(wallet_address=keeper).update(
        current_balance=60, **late | {"held_since": NOON - 30 * HOUR}
    )
    people.holding(curve, address("newcomer"), 70, **late)
    people.judged(leaver, "bot", last_analyzed=NOON + HOUR)
    again = quality.measure(token_mint=curve.token.mint_address, snapshot_time=NOON, now=NOON + DAY)
    stored = WalletQualityMetric.objects.get()
    assert (row_of(stored), flags(curve, keeper), flags(curve, leaver)) == first
    assert again.holders == 2


def row_of(row: WalletQualityMetric) -> dict[str, Any]:
    return {name: value for name, value in vars(row).items() if name not in ("_state", "id", "created_at")}


def test_flags_of_a_later_snapshot_stay(curve: Pool) -> None:
    """An old snapshot that is measured late does not take them away."""
    wallet = hold(curve, "holder", 10, bought_at=NOON - 2 * HOUR)
    TokenHolder.objects.filter(wallet_address=wallet).update(flags=[], is_bot=True, flagged_at=NOON + HOUR)
    people.judged(wallet, "smart_money")
    measure(curve)
    held = TokenHolder.objects.get(wallet_address=wallet)
    assert (held.is_bot, held.is_smart_money, held.flags) == (True, False, [])


@pytest.mark.community
def test_a_measured_snapshot_is_ready_to_be_scored(curve: Pool) -> None:
    """It is marked, and the room above reads spread and quality together; measured again it is scored again."""
    people.judged(hold(curve, "bot", 100), "bot")
    measure(curve)
    read: Any = measures.since(cursor=None, limit=9)[0]
    assert (read.measured_at, read.bot_ratio, read.wallets_enriched, read.total_holders) == (NOON + SECOND, 1, 1, 4)
    assert read.classes == {"bot": 1, "whale": 1}
    HolderSnapshot.objects.update(scored_at=NOON)
    quality.measure(token_mint=curve.token.mint_address, snapshot_time=NOON, now=NOON + HOUR)
    assert len(measures.since(cursor=None, limit=9)) == 1
    assert WalletQualityMetric.objects.count() == 1


def measured(balances: Sequence[int]) -> Any:
    curve = factories.pool(factories.token(creation_timestamp=BORN))
    for number, balance in enumerate(balances):
        wallet = hold(curve, f"{number} of {len(balances)} {balances[0]}", balance)
        people.analysis(wallet, first_seen_at=NOON - (number + 1) * 20 * DAY)
    people.snapshot(curve, circulating_supply=Decimal(10 * sum(balances)))
    quality.measure(token_mint=curve.token.mint_address, snapshot_time=NOON, now=NOON)
    return WalletQualityMetric.objects.get(token_mint=curve.token.mint_address)


def test_scaling_all_balances_changes_no_measure() -> None:
    """A thousand times as many tokens are spread over the same people."""
    small, large = measured([1, 5, 40, 200, 900]), measured([1_000, 5_000, 40_000, 200_000, 900_000])
    assert (small.organic_score, small.velocity_score) == (large.organic_score, large.velocity_score)
    assert (small.classes, small.details["sizes"]) == (large.classes, large.details["sizes"])


def test_splitting_a_wallet_into_twins_never_looks_more_organic() -> None:
    """Nine equal balances share one number, and that is suspicious."""
    assert (measured([90, 7, 3]).details["alike"], measured([10] * 9).details["alike"]) == (0, 1)


def test_a_thousand_holders_cost_as_many_queries_as_one(curve: Pool) -> None:
    """The statements are the same; only their answers grow. Two of them write flags where somebody has one."""
    hold(curve, "one", 100)
    people.snapshot(curve)
    with assert_query_count("quality.measure"):
        quality.measure(token_mint=curve.token.mint_address, snapshot_time=NOON, now=NOON)
    for number in range(50):
        hold(curve, f"n{number}", number + 1)
    with assert_query_count("quality.measure"):
        quality.measure(token_mint=curve.token.mint_address, snapshot_time=NOON, now=NOON)


def test_measurements_are_forgotten_with_their_snapshots() -> None:
    """After 180 days, not a second earlier."""
    people.quality(snapshot_time=NOON - 180 * DAY)
    people.quality(snapshot_time=NOON - 180 * DAY - SECOND)
    assert (quality.forget(now=NOON), WalletQualityMetric.objects.count()) == (1, 1)


def test_a_snapshot_that_is_not_there_cannot_be_measured(curve: Pool) -> None:
    """The caller named another time."""
    people.snapshot(curve)
    with pytest.raises(HolderSnapshot.DoesNotExist):
        quality.measure(token_mint=curve.token.mint_address, snapshot_time=NOON + SECOND, now=NOON)


def smart(name: str, **fields: Any) -> str:
    defaults = {"win_rate": Decimal(61), "unique_tokens_traded": 11, "total_profit_usd": Decimal(5)}
    return people.judged(address(name), "smart_money", **{**defaults, **fields}).wallet_address


@pytest.mark.community
def test_the_database_knows_smart_money_and_ranks_the_best() -> None:
    """Above 60 % and 10 tokens, those that earned most first; an unknown wallet is none."""
    best, second = smart("best", total_profit_usd=Decimal(9)), smart("second")
    unknown = smart("unknown profit", total_profit_usd=None)
    smart("wins too little", win_rate=Decimal(60))
    smart("too few", unique_tokens_traded=10)
    people.judged(address("bot"), "bot", win_rate=Decimal(90), unique_tokens_traded=99)
    quality.refresh_smart_money()
    with connection.cursor() as cursor:
        cursor.execute("SELECT wallet_address FROM smart_money_wallets ORDER BY total_profit_usd DESC NULLS LAST")
        assert [address for (address,) in cursor.fetchall()] == [best, second, unknown]
        cursor.execute(
            "SELECT is_smart_money_wallet(%s), is_smart_money_wallet(%s), is_smart_money_wallet(%s)",
            [best, address("bot"), address("nobody")],
        )
        assert cursor.fetchone() == (True, False, False)


def test_what_is_measured_is_told() -> None:
    """The figures that a job keeps."""
    curve = factories.pool(factories.token(creation_timestamp=BORN))
    people.judged(hold(curve, "bot", 100), "bot")
    people.snapshot(curve)
    told = quality.measure(token_mint=curve.token.mint_address, snapshot_time=NOON, now=NOON)
    assert dataclasses.asdict(told) == {
        "holders": 1,
        "sampled": 1,
        "enriched": 1,
        "flagged": 1,
        "clusters": 0,
        "completeness": Decimal(100),
    }


def test_truth_19_the_quality_of_too_few_is_no_quality_of_all(curve: Pool) -> None:
    """No part of the holders is known where those who are known hold too little; what was counted stays."""
    bot = hold(curve, "bot", 100)
    people.judged(bot, "bot", bot_score=Decimal("0.5"))
    row = measure(curve, judged_percentage=Decimal("79.9999"))
    assert (row.wallets_sampled, row.confirmed_bots) == (1, 1)
    parts = [name for name in vars(row) if name.endswith(("_ratio", "_percentage"))]
    assert {name: getattr(row, name) for name in parts} == dict.fromkeys(parts)
    assert (row.organic_score, row.velocity_score, row.avg_wallet_age_days) == (None, None, None)
    assert row.avg_hold_duration_hours is None
    assert row.data_completeness == 60  # nothing of the holders


def test_truth_19_owners_of_dust_are_not_judged(curve: Pool) -> None:
    """Of 1,000 circulating tokens a thousandth is the least that makes a holder of a millionth: what is below is in no count."""
    hold(curve, "ann", 999)
    people.holding(curve, address("dust"), "0.000999", held_since=NOON - HOUR)
    people.holding(curve, address("holder"), "0.001", held_since=NOON - HOUR)
    assert measure(curve).details["holders"] == 2
