"""Who holds a token, listed, measured and compared with our books."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from holders.domain import exclusions
from holders.models import HolderSnapshot, HolderUpdate, TokenHolder
from holders.selectors import distribution, holding, measures, spread
from holders.services import balances, books, snapshots
from megatron.clients.errors import BudgetSpent, Malformed, TryLater
from megatron.clients.ports import HeldAccount, HolderList
from tests import factories
from tests.factories import NOON, address
from tests.holders.listing import Lists, listed, wallet
from tokens.domain import programs
from tokens.domain.programs import MAYHEM_AGENT
from tokens.models import Pool, Token, Transaction

pytestmark = [pytest.mark.django_db, pytest.mark.community]

SLOT = 430_000_000
ANN, BOB, CY = wallet("ann"), wallet("bob"), wallet("cy")
EXCHANGE = "5tzFkiKscXHK5ZXCGbXZxdw7gTjjD1mBwuoFbhUvuAi9"
INCINERATOR = "1nc1nerator11111111111111111111111111111111"
HOUR = timedelta(hours=1)


def pool(**fields: Any) -> Pool:
    token = factories.token(creator_address=CY, initial_supply=10**12)  # a million whole tokens
    return factories.pool(token, **{"base_supply": 10**12, "latest_price_usd": Decimal("0.02"), **fields})


def named(of: Pool, tokens: dict[str, int], *, slot: int = SLOT, missing: str = "") -> HolderList:
    """Return a list of holders that names what the curve itself holds, too: one that does not was cut."""
    return listed({**tokens, of.pool_address: 1_000}, slot=slot, missing=missing)


def take(of: Pool, source: Lists | None, now: Any = NOON) -> snapshots.Taken:
    taken = snapshots.take(token_mint=of.token.mint_address, source=source, now=now)
    assert taken is not None
    return taken


def stored(of: Pool, now: Any = NOON) -> HolderSnapshot:
    return HolderSnapshot.objects.get(token_mint=of.token.mint_address, snapshot_time=now)


def trade(of: Pool, who: str, tokens: int, *, slot: int = SLOT - 100, at: Any = NOON - 2 * HOUR) -> Transaction:
    raw, buys = abs(tokens) * 10**6, tokens > 0
    return factories.transaction(
        of,
        type="buy" if buys else "sell",
        user_address=who,
        amount_in=10**9 if buys else raw,
        amount_out=raw if buys else 10**9,
        block_time=at,
        slot=slot,
    )


def booked(of: Pool) -> dict[str, int]:
    rows = TokenHolder.objects.filter(token_mint=of.token.mint_address)
    return {wallet: int(balance) for wallet, balance in rows.values_list("wallet_address", "current_balance")}


def test_accounts_of_one_owner_are_added_up_and_nobodys_are_left_out() -> None:
    """Curve, pool, burned and exchange accounts are in no measure, each with its reason; shares are of what is left of the
    supply. A program that nobody knows is weighed like a wallet, and shown as one."""
    curve = pool()
    side = factories.pool(curve.token, pool_type="permissionless", platform="pumpswap", base_vault=address("vault"))
    program = "Hq2wp8uJ9jCPsYgNHex8RtqdvMPfVGoYwjvF1ATiwn2Y"
    nobody = {curve.pool_address: 500_000, program: 40_000, EXCHANGE: 50_000, INCINERATOR: 10_000}
    people = listed({ANN: 100_000, BOB: 60_000, CY: 40_000, **nobody})
    more = (
        HeldAccount(address=address("ann's second"), owner=ANN, raw=50_000 * 10**6),
        HeldAccount(address=address("vault"), owner=wallet("authority"), raw=100_000 * 10**6),
        HeldAccount(address=address("empty"), owner=wallet("gone"), raw=0),
    )
    source = Lists(HolderList(slot=SLOT, accounts=(*people.accounts, *more), missing="", credits=20))
    taken = take(curve, source)
    assert (taken.total_holders, taken.holders_fetched, taken.excluded, taken.credits) == (4, 8, 4, 20)
    row = stored(curve)
    assert {one["wallet"]: one["reason"] for one in row.raw_distribution["excluded"]} == {
        curve.pool_address: "curve",
        wallet("authority"): "pool",
        EXCHANGE: "exchange",
        INCINERATOR: "burn",
    }
    assert side.base_vault == address("vault")
    assert (row.circulating_supply, row.excluded_balance) == (340_000, 660_000)
    assert (row.top_1_balance, row.top_1_percentage) == (150_000, Decimal("44.1176"))
    assert (row.top_10_percentage, row.judged_percentage) == (Decimal("85.2941"), Decimal("85.2941"))
    assert (row.gini_coefficient, row.hhi) == (Decimal("0.30172414"), Decimal("3483.9477"))
    assert (row.creator_percentage, row.total_holders, row.unique_holders) == (Decimal("11.7647"), 4, 8)
    assert (row.program_percentage, row.uncounted_holders) == (Decimal("11.7647"), 0)
    assert (row.slot, row.data_source, row.is_complete, row.token_accounts) == (SLOT, "helius_rpc", True, 9)
    assert row.raw_distribution["top"][0] == {"wallet": ANN, "balance": "150000.000000", "percentage": "44.1176"}
    assert [one["wallet"] for one in row.raw_distribution["top"] if one.get("is_program")] == [program]
    assert row.raw_distribution["classes"] == {"whale": 4, "large": 0, "medium": 0, "small": 0}
    assert (row.holders_10k_100k, row.holders_100k_plus, row.median_holding_size) == (3, 1, 50_000)
    assert source.asked == [(None, 10_000)]
    assert set(booked(curve)) == {ANN, BOB, CY, program}


def test_a_complete_list_corrects_the_books_and_keeps_each_difference() -> None:
    """A transfer, somebody who came by one and somebody who left by one: the list is right, and each is a row with what it
    does to concentration."""
    curve = pool()
    trade(curve, ANN, 600)
    trade(curve, BOB, 400)
    assert take(curve, Lists(named(curve, {ANN: 300, CY: 700}))).updates == 3
    assert booked(curve) == {ANN: 300, BOB: 0, CY: 700}
    rows = HolderUpdate.objects.order_by("update_type").values_list(
        "update_type", "wallet_address", "old_balance", "new_balance", "balance_change", "new_holder_count"
    )
    assert list(rows) == [
        ("balance_change", ANN, 600, 300, -300, 2),
        ("holder_exit", BOB, 400, 0, -400, 2),
        ("new_holder", CY, 0, 700, 700, 2),
    ]
    impact = HolderUpdate.objects.get(wallet_address=BOB).impact_on_concentration
    assert impact == 4800  # 600 of 600 instead of 600 of 1,000 beside 400
    assert TokenHolder.objects.get(wallet_address=BOB).traded_balance == 400
    assert take(curve, Lists(named(curve, {ANN: 300, CY: 700}, slot=SLOT + 5)), NOON + HOUR).updates == 0


def test_trades_after_the_list_count_on_top_of_it() -> None:
    """A list is as of its slot: what is traded later moves the balance, whether it is known before or after the list."""
    curve = pool()
    trade(curve, ANN, 600)
    trade(curve, ANN, 50, slot=SLOT + 1)
    assert take(curve, Lists(named(curve, {ANN: 600}))).updates == 0
    assert booked(curve) == {ANN: 650}
    trade(curve, ANN, -100, slot=SLOT + 2)
    balances.derive(mints=[curve.token.mint_address], now=NOON)
    assert booked(curve) == {ANN: 550}


@pytest.mark.parametrize(
    ("missing", "slot"),
    [("Only the first 1 accounts were asked for", SLOT), ("", SLOT - 1)],
    ids=["page limit", "lagging node"],
)
def test_who_is_missing_from_an_incomplete_list_has_not_left(missing: str, slot: int) -> None:
    """A list that was cut short, or stands before one that is known, is kept as incomplete and corrects nothing."""
    curve = pool()
    take(curve, Lists(named(curve, {ANN: 600, BOB: 400})), NOON - HOUR)
    answer = named(curve, {ANN: 1}, slot=slot, missing=missing)
    taken = take(curve, Lists(answer))
    assert (taken.is_complete, taken.updates, HolderUpdate.objects.count()) == (False, 0, 0)
    assert booked(curve) == {ANN: 600, BOB: 400}
    assert stored(curve).incomplete_reason == (answer.missing or snapshots.LAG)


def test_a_source_that_fails_leaves_nothing() -> None:
    """What the source raises is raised, and nobody's balance is taken for gone."""
    curve = pool()
    trade(curve, ANN, 600)
    with pytest.raises(TryLater):
        take(curve, Lists(TryLater("busy")))
    assert not HolderSnapshot.objects.exists()


def test_without_a_source_our_own_trades_say_who_holds() -> None:
    """From trades the shares are of what the curve sold, and the list does not claim to be complete."""
    curve = pool(initial_real_token_reserves=8 * 10**11, real_token_reserves=8 * 10**11 - 1_250 * 10**6)
    trade(curve, ANN, 600)
    trade(curve, BOB, 400, at=NOON - timedelta(minutes=5))
    trade(curve, CY, 10)
    trade(curve, CY, -10, slot=SLOT - 50, at=NOON - timedelta(minutes=1))
    taken = take(curve, None)
    assert (taken.total_holders, taken.is_complete, taken.credits, taken.updates) == (2, False, 0, 0)
    row = stored(curve)
    assert (row.data_source, row.slot, row.has_trades) == ("transactions", None, True)
    assert (row.circulating_supply, row.top_1_percentage, row.creator_percentage) == (1_250, 48, 0)
    assert row.judged_percentage == 80
    assert (row.active_holders, row.new_holders_1h, row.unique_buyers_1h, row.unique_sellers_1h) == (2, 1, 1, 1)
    assert row.holder_growth_rate == 0  # Ann and Cy an hour ago, Ann and Bob now
    assert (row.market_cap_usd, row.progress_quote_pct) == (curve.market_cap_usd, curve.progress_quote_pct)
    assert row.dust_accounts == 0
    assert HolderUpdate.objects.count() == 0


def test_nobody_is_measured_where_nobody_is_known() -> None:
    """An unknown mint and a token without trades have no snapshot instead of an empty one."""
    curve = pool()
    assert snapshots.take(token_mint=curve.token.mint_address, source=None, now=NOON) is None
    assert snapshots.take(token_mint=address("nothing"), source=Lists(), now=NOON) is None
    assert not HolderSnapshot.objects.exists()


def test_a_token_that_only_its_pool_holds_has_no_measure() -> None:
    """With the liquidity alone there is no holder, and every measure is unknown rather than equal or unequal."""
    curve = pool()
    assert take(curve, Lists(listed({curve.pool_address: 1_000_000}))).total_holders == 0
    row = stored(curve)
    assert (row.gini_coefficient, row.hhi, row.top_1_balance, row.top_1_percentage) == (None, None, None, None)
    assert (row.circulating_supply, row.excluded_balance, row.raw_distribution["lorenz"]) == (0, 1_000_000, [])


def test_a_fresh_list_in_which_nothing_changed_is_not_fetched_again() -> None:
    """Where the source says that no account changed since its last complete list, our books stand for a new one, marked as
    not proven complete; after a change, or an hour, the whole list is asked for."""
    curve = pool()
    nothing = HolderList(slot=SLOT + 9, accounts=(), missing="", credits=1)
    source = Lists(listed({ANN: 600, BOB: 400, curve.pool_address: 9}), changed=nothing)
    take(curve, source)
    again = take(curve, source, NOON + HOUR / 2)
    assert (again.total_holders, again.excluded, again.is_complete, again.credits) == (2, 1, False, 1)
    assert (source.asked_since, stored(curve, NOON + HOUR / 2).slot) == ([SLOT], SLOT + 9)
    changed = Lists(listed({ANN: 1}, slot=SLOT + 20), changed=listed({ANN: 1}, slot=SLOT + 10))
    assert take(curve, changed, NOON + HOUR * 3 / 4).credits == 20
    assert take(curve, Lists(listed({ANN: 2}, slot=SLOT + 30)), NOON + 3 * HOUR).credits == 10


def test_growth_is_against_the_same_source_an_hour_ago() -> None:
    """Three holders instead of two are fifty percent more; an hour-old list of another origin says nothing."""
    curve = pool(base_supply=1_011 * 10**6)
    take(curve, Lists(named(curve, {ANN: 6, BOB: 4})))
    take(curve, Lists(named(curve, {ANN: 6, BOB: 4, CY: 1}, slot=SLOT + 1)), NOON + HOUR)
    assert stored(curve, NOON + HOUR).holder_growth_rate == 50
    assert stored(curve).holder_growth_rate is None


def test_scoring_reads_a_measured_snapshot_once() -> None:
    """A snapshot is to be scored from when its wallets are measured until scoring says that it is done."""
    curve = pool(base_supply=1_010 * 10**6)
    mint = curve.token.mint_address
    take(curve, Lists(named(curve, {ANN: 6, BOB: 4})))
    assert measures.since(cursor=None, limit=9) == []
    assert snapshots.scored(keys=[(mint, NOON)], now=NOON) == 0
    HolderSnapshot.objects.update(measured_at=NOON)
    found = measures.since(cursor=None, limit=9)
    assert [(one.token_mint, one.snapshot_time, one.total_holders, one.gini) for one in found] == [
        (mint, NOON, 2, Decimal("0.1"))
    ]
    assert measures.since(cursor=(NOON, mint), limit=9) == []
    assert snapshots.scored(keys=[(mint, NOON)], now=NOON) == 1
    assert (measures.since(cursor=None, limit=9), snapshots.scored(keys=[(mint, NOON)], now=NOON)) == ([], 0)
    newest = measures.of(token_mint=mint, at=NOON + HOUR)
    assert newest is not None
    assert (newest.top_1_pct, newest.is_complete) == (60, True)
    assert measures.of(token_mint=mint, at=NOON - HOUR) is None


def test_processed_differences_are_forgotten_after_a_month() -> None:
    """A difference that nobody processed is kept, however old."""
    curve = pool()
    trade(curve, ANN, 600)
    take(curve, Lists(named(curve, {ANN: 1, BOB: 2})))
    HolderUpdate.objects.filter(wallet_address=ANN).update(processed=True)
    assert books.forget(now=NOON + timedelta(days=29)) == 0
    assert books.forget(now=NOON + timedelta(days=31)) == 1
    assert HolderUpdate.objects.get().wallet_address == BOB


def test_truth_08_what_launch_wallets_hold_is_the_creators_share() -> None:
    """Who bought in the creation holds it for the creator, whomever the creation names: Ann's and Cy's are one share."""
    curve = pool(base_supply=1_001_000 * 10**6)
    Token.objects.update(launch_wallets=sorted([ANN, CY]))
    take(curve, Lists(named(curve, {ANN: 600_000, BOB: 300_000, CY: 100_000})))
    assert stored(curve).creator_percentage == 70


@pytest.mark.parametrize("by_list", [True, False])
def test_truth_05_the_mayhem_agent_is_no_holder(by_list: bool) -> None:
    """Neither by a list from the chain nor by our own trades: it is left out with its reason, is nobody who traded, and is in no
    list of the largest."""
    sold = {"initial_real_token_reserves": 8 * 10**11, "real_token_reserves": 8 * 10**11 - 990 * 10**6}
    curve = pool(base_supply=1_990 * 10**6, **sold)
    for who, tokens in ((MAYHEM_AGENT, 700), (ANN, 200), (BOB, 100)):
        trade(curve, who, tokens, at=NOON - timedelta(minutes=5))
    trade(curve, MAYHEM_AGENT, -10, slot=SLOT - 50, at=NOON - timedelta(minutes=4))
    taken = take(curve, Lists(named(curve, {MAYHEM_AGENT: 690, ANN: 200, BOB: 100})) if by_list else None)
    row = stored(curve)
    assert (taken.total_holders, row.circulating_supply, row.top_1_balance) == (2, 300, 200)
    left_out = {"wallet": MAYHEM_AGENT, "reason": "agent", "balance": "690.000000"}
    assert left_out in row.raw_distribution["excluded"]
    assert taken.excluded == (2 if by_list else 1)
    assert (row.unique_buyers_1h, row.unique_sellers_1h, row.active_holders, row.new_holders_1h) == (2, 0, 2, 2)
    found = spread.of(token_mint=curve.token.mint_address)
    assert found is not None
    assert [it.row.wallet_address for it in found.largest] == [ANN, BOB]
    assert set(
        distribution.holders(token_mint=curve.token.mint_address, everybody=True).values_list(
            "wallet_address", flat=True
        )
    ) == {ANN, BOB}
    with connection.cursor() as cursor:
        cursor.execute("SELECT wallet_address FROM top_holders ORDER BY current_balance DESC")
        assert [wallet for (wallet,) in cursor.fetchall()] == [ANN, BOB]


def test_truth_05_whoever_the_agent_bought_beside_is_no_group() -> None:
    """It is not among those who bought in the creation's slot, nor in one transaction with others."""
    curve = pool()
    for who in (MAYHEM_AGENT, ANN):
        factories.transaction(curve, user_address=who, slot=SLOT, signature=factories.signature("one"),
                              event_index=1 + (who == ANN), block_time=NOON)  # fmt: skip
    token = curve.token
    token.creation_signature, token.creation_timestamp = factories.signature("one"), NOON
    began = holding.beginning(token=token, at=NOON)
    assert (began.slot, list(began.launch_buyers), list(began.bundles)) == (SLOT, [ANN], [])


@pytest.mark.parametrize(("supply", "circulating"), [(2 * 10**12, 1_999_295), (None, 300)])
def test_truth_05_a_mayhem_coin_of_unknown_supply_is_measured_against_the_whole_list(
    supply: int | None, circulating: int
) -> None:
    """What it began with is no supply once its agent may have burned some: then a whole list says what there is."""
    curve = pool(base_supply=supply)
    curve.token.metadata, curve.token.initial_supply = {"is_mayhem_mode": True}, 2 * 10**12
    curve.token.creation_timestamp = NOON - timedelta(hours=23)
    curve.token.save()
    answer = {MAYHEM_AGENT: 700, ANN: 200, BOB: 100, curve.pool_address: 5}
    take(curve, Lists(listed(answer)))
    assert stored(curve).circulating_supply == circulating
    take(curve, Lists(listed(answer, slot=SLOT + 9)), NOON + HOUR)
    assert stored(curve, NOON + HOUR).circulating_supply == 300


@pytest.mark.parametrize("missing", ["", "Only the first 2 accounts were asked for"])
def test_truth_13_a_list_that_does_not_name_the_curve_was_cut(missing: str) -> None:
    """Whatever its source says: it is incomplete, for that reason, what circulates and every share of it is unknown, never all
    of the supply, and nobody is taken for gone."""
    curve = pool()
    take(curve, Lists(named(curve, {ANN: 600, BOB: 400})), NOON - HOUR)
    taken = take(curve, Lists(listed({ANN: 600, CY: 300}, missing=missing, slot=SLOT + 9)))
    row = stored(curve)
    assert (taken.is_complete, taken.updates, row.is_complete) == (False, 0, False)
    assert row.incomplete_reason.lower().endswith("the account of the token's own curve or pool")
    assert row.incomplete_reason.startswith(missing)
    shares = (row.top_1_percentage, row.top_10_percentage, row.creator_percentage)
    assert (row.circulating_supply, shares) == (None, (None, None, None))
    assert [one["percentage"] for one in row.raw_distribution["top"]] == [None, None]
    assert row.raw_distribution["classes"] == {}
    assert booked(curve) == {ANN: 600, BOB: 400}


def test_truth_13_a_list_names_the_pool_that_prices_the_token() -> None:
    """After graduation the old curve's account is not enough: the pool holds what does not circulate, by its own address or by
    that of its vault."""
    curve = pool(status="migrated")
    amm = factories.pool(
        curve.token, pool_type="graduated", platform="pumpswap", base_vault=address("vault"), base_supply=10**12
    )
    assert not take(curve, Lists(named(curve, {ANN: 600})), NOON - 2 * HOUR).is_complete
    assert take(curve, Lists(listed({ANN: 600, amm.pool_address: 9}, slot=SLOT + 1)), NOON - HOUR).is_complete
    vault = HeldAccount(address=address("vault"), owner=wallet("authority"), raw=5 * 10**6)
    by_vault = HolderList(slot=SLOT + 2, accounts=(*listed({ANN: 600}).accounts, vault), missing="", credits=1)
    assert take(curve, Lists(by_vault)).is_complete
    assert stored(curve).circulating_supply == 999_995


def test_truth_13_a_launchlab_vault_that_nobody_knows_is_the_authoritys_account() -> None:
    """Its owner is the program's one authority; where the vault's address is known, that one is wanted."""
    program = exclusions.LAUNCHLAB_AUTHORITY
    curve = pool(platform="raydium_launchpad")
    assert take(curve, Lists(listed({ANN: 600, program: 900})), NOON - 2 * HOUR).is_complete
    assert not take(curve, Lists(listed({ANN: 600}, slot=SLOT + 1)), NOON - HOUR).is_complete
    Pool.objects.update(base_vault=address("vault"))
    assert not take(curve, Lists(listed({ANN: 600, program: 900}, slot=SLOT + 2))).is_complete


def test_truth_13_more_than_a_mint_can_have_is_no_list() -> None:
    """Each balance is possible, their sum is not: nothing is stored."""
    curve = pool()
    accounts = [HeldAccount(address=address(f"a{n}"), owner=wallet(f"w{n}"), raw=2**63) for n in range(2)]
    with pytest.raises(Malformed, match="than one mint can have"):
        take(curve, Lists(HolderList(slot=SLOT, accounts=accounts, missing="", credits=1)))
    assert not HolderSnapshot.objects.exists()


def test_truth_12_without_the_credits_for_a_page_our_own_trades_tell() -> None:
    """The budget is looked at inside the list; the analysis goes on without it."""
    curve = pool()
    trade(curve, ANN, 600)
    assert take(curve, Lists(BudgetSpent("25 credits"))).total_holders == 1
    assert stored(curve).data_source == "transactions"


VAULT = "Hq2wp8uJ9jCPsYgNHex8RtqdvMPfVGoYwjvF1ATiwn2Y"  # off the curve: the vault of a multisig, or of anything else
UNKNOWN = dict.fromkeys(
    (
        *("gini_coefficient", "theil_index", "shannon_entropy", "hhi", "creator_percentage", "program_percentage"),
        *(f"top_{most}_{of}" for most in (1, 5, 10, 20, 25, 50, 100) for of in ("percentage", "balance")),
        *("active_holders", "holder_growth_rate", "diamond_hands_count", "dust_accounts"),
        *("average_holding_size", "median_holding_size"),
    )
)


def measured(of: Pool, names: Any = UNKNOWN) -> dict[str, Any]:
    return {name: getattr(stored(of), name) for name in names}


def test_truth_19_of_one_known_holder_of_a_sliver_nothing_is_measured() -> None:
    """One wallet of which we saw a trade holds 0.0079 % of what left the curve: not "evenly spread", but unknown, wherever it is
    stored; his own share stays to be seen."""
    curve = pool(initial_real_token_reserves=8 * 10**11, real_token_reserves=4 * 10**11)
    trade(curve, ANN, 32)
    take(curve, None)
    row = stored(curve)
    assert (row.judged_percentage, row.is_measured, row.total_holders) == (Decimal("0.0080"), False, 1)
    assert measured(curve) == UNKNOWN
    assert (row.raw_distribution["lorenz"], row.raw_distribution["classes"]) == ([], {})
    assert row.raw_distribution["top"] == [{"wallet": ANN, "balance": "32.000000", "percentage": "0.0080"}]
    HolderSnapshot.objects.update(measured_at=NOON)
    (found,) = measures.since(cursor=None, limit=9)
    assert (found.total_holders, found.gini, found.top_1_pct, found.active_holders) == (None, None, None, None)
    assert found.why_not_measured == ("The known owners hold 0.0080 % of what circulates; a measure needs 80 %")


@pytest.mark.parametrize(("known", "is_measured"), [(800_000, True), (799_999, False)])
def test_truth_19_measures_begin_at_four_fifths_of_what_circulates(known: int, is_measured: bool) -> None:
    """At 80 % exactly, not one token below; the denominator is the supply without what is left out."""
    curve = pool(base_supply=11 * 10**11)
    answer = listed({ANN: known - 300_000, BOB: 300_000, curve.pool_address: 100_000}, missing="Cut")
    take(curve, Lists(answer))
    row = stored(curve)
    assert (row.is_measured, row.circulating_supply) == (is_measured, 1_000_000)
    assert (row.gini_coefficient is not None, row.top_1_percentage is not None) == (is_measured, is_measured)
    if is_measured:
        assert (row.top_1_percentage, row.top_5_percentage) == (50, 80)


def test_truth_19_a_vault_that_holds_everything_is_the_largest_holder() -> None:
    """Wallets hold dust beside a program's vault: no even spread, but one holder of nearly all, shown as a program. Dust is
    counted apart."""
    curve = pool()
    dust = {wallet(f"dust {number}"): 1 for number in range(40)}
    take(curve, Lists(listed({VAULT: 999_000 - 40, **dust, curve.pool_address: 1_000})))
    row = stored(curve)
    assert (row.total_holders, row.uncounted_holders, row.unique_holders) == (41, 0, 42)
    assert (row.top_1_percentage, row.program_percentage) == (Decimal("99.9960"), Decimal("99.9960"))
    assert row.gini_coefficient > Decimal("0.97")
    assert row.raw_distribution["top"][0]["is_program"] is True
    fine = pool(base_supply=10**12 + 1)
    accounts = (
        HeldAccount(address=fine.pool_address, owner=fine.pool_address, raw=1),
        HeldAccount(address=address("vault"), owner=VAULT, raw=10**12 - 40 * 999_999),
        *(HeldAccount(address=address(f"a{who}"), owner=who, raw=999_999) for who in dust),
    )
    take(fine, Lists(HolderList(slot=SLOT, accounts=accounts, missing="", credits=0)))
    row = stored(fine)
    assert (row.total_holders, row.uncounted_holders, row.top_1_percentage) == (1, 40, Decimal("99.9960"))
    assert (row.gini_coefficient, row.theil_index) == (None, None)  # one alone is not evenly spread
    assert row.hhi == 10_000


def test_truth_19_a_multisigs_vault_is_people_and_a_known_locker_is_not(settings: Any) -> None:
    """60 % in a vault is the largest holding; once an operator names it a locker it is left out, with that reason."""
    curve = pool(base_supply=1_000_001 * 10**6)
    answer = {VAULT: 600_000, ANN: 250_000, BOB: 150_000, curve.pool_address: 1}
    take(curve, Lists(listed(answer)))
    assert (stored(curve).top_1_percentage, stored(curve).total_holders) == (60, 3)
    settings.HOLDER_LOCKERS = [VAULT]
    take(curve, Lists(listed(answer, slot=SLOT + 1)), NOON + 2 * HOUR)
    row = stored(curve, NOON + 2 * HOUR)
    assert (row.top_1_percentage, row.total_holders, row.circulating_supply) == (Decimal("62.5000"), 2, 400_000)
    left_out = {one["wallet"]: one["reason"] for one in row.raw_distribution["excluded"]}
    assert left_out == {VAULT: "locker", curve.pool_address: "curve"}


def test_truth_19_when_all_of_it_is_in_the_curve_nobody_is_unevenly_anything() -> None:
    """A complete list says that nobody holds any: the number is known, and no measure is."""
    curve = pool()
    take(curve, Lists(listed({curve.pool_address: 1_000_000})))
    row = stored(curve)
    assert (row.total_holders, row.circulating_supply, row.judged_percentage) == (0, 0, 100)
    assert measured(curve, ("gini_coefficient", "hhi", "top_1_percentage")) == {
        "gini_coefficient": None,
        "hhi": None,
        "top_1_percentage": None,
    }


def test_truth_19_what_circulates_is_not_guessed_from_who_is_known() -> None:
    """Without a supply an incomplete list, and without reserves our own trades, do not say what circulates: nothing is a share
    of it, and nothing is measured."""
    for number, source in enumerate((Lists(listed({ANN: 5, BOB: 5}, missing="Cut")), None)):
        token = factories.token(initial_supply=None)
        curve = factories.pool(token, base_supply=None, real_token_reserves=None)
        trade(curve, ANN, 5)
        take(curve, source, NOON + number * HOUR)
        row = stored(curve, NOON + number * HOUR)
        assert (row.circulating_supply, row.judged_percentage, row.is_measured) == (None, 0, False)
        assert (row.gini_coefficient, row.top_1_percentage, row.uncounted_holders) == (None, None, None)
        assert row.why_not_measured == "What circulates is not known"


def test_truth_19_the_canonical_curve_and_pool_of_a_pump_coin_are_known_without_a_trade() -> None:
    """Their addresses follow from the mint: they are left out though we never saw them."""
    mint = "HcN4rDycUdKVkk5L5d8FXvSDA3TuM4LL7GuGXUjmpump"
    token = factories.token(mint_address=mint, initial_supply=10**12)
    factories.pool(token, base_supply=10**12, pool_address=programs.bonding_curve(mint))
    own = {programs.bonding_curve(mint): 300_000, programs.graduated_pool(mint, programs.WRAPPED_SOL): 200_000}
    snapshots.take(token_mint=mint, source=Lists(listed({ANN: 300_000, BOB: 200_000, **own})), now=NOON)
    row = HolderSnapshot.objects.get()
    assert {one["wallet"]: one["reason"] for one in row.raw_distribution["excluded"]} == dict(
        zip(own, ("curve", "pool"), strict=True)
    )
    assert (row.top_1_percentage, row.circulating_supply) == (60, 500_000)


@pytest.mark.parametrize(("sold", "is_measured"), [(500, True), (1_000, True), (480, True), (479, False)])
def test_truth_19_holders_of_more_than_was_sold_are_not_believed(sold: int, is_measured: bool) -> None:
    """Ann sent away what she bought and another sold it: our trades leave her with it still. Where so much is held that was never
    sold, or was sold back, nothing is measured."""
    curve = pool(initial_real_token_reserves=8 * 10**11, real_token_reserves=8 * 10**11 - sold * 10**6)
    trade(curve, ANN, 400)
    trade(curve, BOB, 200 if sold < 1_000 else 400)
    take(curve, None)
    row = stored(curve)
    assert row.is_measured is is_measured
    assert row.circulating_supply == max(sold, 600 if sold < 1_000 else 800)


def test_truth_19_nobody_holds_more_than_there_is() -> None:
    """Our trades leave two wallets with more than the supply, which others brought and sold: what circulates is unknown."""
    curve = pool(initial_real_token_reserves=8 * 10**11, real_token_reserves=2 * 10**11)
    trade(curve, ANN, 600_000)
    trade(curve, BOB, 500_000)
    take(curve, None)
    row = stored(curve)
    assert (row.circulating_supply, row.is_measured, row.top_1_percentage) == (None, False, None)


def test_truth_19_reserves_above_what_was_on_sale_say_nothing_of_what_was_sold() -> None:
    """A curve cannot hold more than it began with: what circulates is unknown then, not what we happen to know."""
    curve = pool(initial_real_token_reserves=8 * 10**11, real_token_reserves=9 * 10**11)
    trade(curve, ANN, 400)
    take(curve, None)
    assert (stored(curve).circulating_supply, stored(curve).is_measured) == (None, False)
