"""Looking up who wallets are: what is asked, what it costs, what is written down, and what our own books tell."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from holders.choices import WalletClass, WalletOrigin
from holders.models import WalletAnalysis
from holders.selectors import wallets as wallet_reads
from holders.services import wallets
from megatron.clients.errors import BudgetSpent, ClientError, Malformed, Refused, TryLater
from megatron.clients.ports import UNREAD, FirstFunding, Landed, WalletHistory
from tests import factories, recordings
from tests.factories import NOON, address, signature
from tests.holders import people
from tests.holders.people import DAY, Chain
from tests.query_counts import assert_query_count
from tests.tokens.services.capture import play
from tokens.models import Token, Transaction

pytestmark = pytest.mark.django_db(transaction=False)

W = address("somebody")
MINUTE = timedelta(minutes=1)


def stored(wallet: str = W) -> Any:
    return WalletAnalysis.objects.get(wallet_address=wallet)


def analyse(*names: str, source: Any = None, now: datetime = NOON, budget: int | None = None) -> wallets.Analysed:
    return wallets.analyse(wallets=names or (W,), source=source, now=now, budget=budget)


def test_a_wallet_is_looked_up_and_written_down() -> None:
    """Age, balance, first funding and what it cost."""
    given = FirstFunding(funder=address("rich"), lamports=10**9, at=NOON - 60 * DAY, signature=signature("first"))
    done = analyse(source=Chain({W: [NOON - 60 * DAY, NOON - DAY]}, funding={W: given}))
    assert (done.looked_up, done.credits, done.own, done.stopped) == (1, 21, 0, "")
    row = stored()
    assert (row.wallet_age_days, row.from_start, row.total_transactions, row.is_whole) == (60, True, 2, True)
    assert (row.funder, row.funded_lamports, row.funded_at) == (address("rich"), 10**9, NOON - 60 * DAY)
    assert (row.sol_lamports, row.source, row.wallet_type) == (2_340_000_000, WalletOrigin.CHAIN, WalletClass.RETAIL)
    assert (row.last_analyzed, row.valid_until) == (NOON, NOON + DAY)
    assert (row.risk_score, row.reputation_score) == (Decimal(30), Decimal(50))


def test_what_is_valid_is_not_asked_again() -> None:
    """Within a day nothing is paid; after it only the newest page is, for the beginning is known."""
    chain = Chain()
    analyse(source=chain)
    assert analyse(source=chain, now=NOON + DAY - MINUTE).fresh == 1
    again = analyse(source=chain, now=NOON + DAY)
    assert (again.looked_up, again.credits) == (1, 11)
    assert chain.asked == [(W, True), (W, False)]
    assert stored().wallet_age_days == 61


def test_a_machine_is_believed_for_a_week() -> None:
    """A young wallet with a transaction a second for a hundred seconds: bot, MEV bot, and both with their evidence."""
    analyse(source=Chain({W: [NOON - timedelta(seconds=n) for n in range(100)]}, lamports=1_000_000))
    row = stored()
    assert (row.wallet_type, row.classes, row.valid_until) == ("mev_bot", ["mev_bot", "bot"], NOON + 7 * DAY)
    assert row.evidence[0]["evidence"][0]["words"] == (
        "100% of three transactions in a row lie less than two seconds apart each"
    )
    assert (row.mev_bot_likelihood, row.bot_score) == (Decimal("54.5455"), Decimal("0.4681"))


def test_without_a_source_our_own_trades_judge_and_soon_give_way() -> None:
    """Its age stays unknown; an hour later, or as soon as there is somebody to ask, it is looked at again."""
    curve = factories.pool()
    people.trade(curve, W, 10, at=NOON - DAY)
    assert analyse().own == 1
    row = stored()
    assert (row.source, row.wallet_age_days, row.sol_lamports, row.total_transactions) == ("own", None, None, None)
    assert (row.unique_tokens_traded, row.first_seen_at, row.valid_until) == (1, NOON - DAY, NOON + timedelta(hours=1))
    assert analyse(now=NOON + MINUTE).fresh == 1
    assert analyse(source=Chain(), now=NOON + MINUTE).looked_up == 1


def test_the_budget_ends_the_asking_and_never_is_exceeded() -> None:
    """60 credits pay for the balances and two wallets; the third is judged by our own trades, the fourth keeps its own."""
    names = [address(f"w{n}") for n in range(4)]
    people.analysis(names[3], valid_until=NOON, last_analyzed=NOON - DAY, last_seen_at=NOON - 2 * DAY)
    chain = Chain()
    done = analyse(*names, source=chain, budget=60)
    assert (done.looked_up, done.own, done.kept, done.credits) == (2, 1, 1, 41)
    assert done.stopped == "The budget of 60 credits is used up: 41 are spent, the next may cost 30."
    assert [name for name, _ in chain.asked] == names[:2]
    assert stored(names[3]).last_analyzed == NOON - DAY


def test_no_budget_asks_nobody() -> None:
    """Zero credits are zero calls."""
    chain = Chain()
    assert analyse(source=chain, budget=0).credits == 0
    assert chain.asked == []


@pytest.mark.parametrize("error", [TryLater("away"), Refused("wrong key"), Malformed("a page")])
def test_a_source_that_is_away_ends_the_asking_not_the_analysis(error: ClientError) -> None:
    """Everybody is judged by our own trades, and the reason is told."""
    done = analyse(W, address("other"), source=Chain(away=error))
    assert (done.looked_up, done.own, done.stopped) == (0, 2, f"{type(error).__name__}: {error}")


def test_a_wallet_that_is_answered_wrongly_loses_only_its_own_look_up() -> None:
    """The next one is asked for; after three in turn it is not the wallet."""
    names = [address(f"w{n}") for n in range(6)]
    broken: Any = {names[0]: Malformed("odd"), **{name: Refused("no") for name in names[2:5]}}
    done = analyse(*names, source=Chain(broken))
    assert (done.looked_up, done.failed, done.own) == (1, 4, 5)
    assert done.stopped == "Refused: no"


def test_hostile_answers_cannot_write_what_is_not_true() -> None:
    """Times to come, funding to come and by itself, and a wallet that has no account."""
    ahead = FirstFunding(funder=address("rich"), lamports=1, at=NOON + DAY, signature=signature("x"))
    analyse(source=Chain({W: [NOON + DAY, NOON - DAY]}, funding={W: ahead}, lamports=None))
    row = stored()
    assert (row.total_transactions, row.last_seen_at, row.funder, row.sol_lamports) == (1, NOON - DAY, None, 0)
    other = address("itself")
    own = FirstFunding(funder=other, lamports=1, at=NOON - DAY, signature=signature("y"))
    analyse(other, source=Chain(funding={other: own}))
    assert stored(other).funder is None


def test_a_long_history_is_at_least_so_old() -> None:
    """Two pages that reach back a day leave the age open; half a year is old enough."""
    young, old = address("young"), address("old")
    histories: Any = {young: [NOON - DAY, NOON], old: [NOON - 200 * DAY, NOON]}
    analyse(young, old, source=Chain(histories, is_whole=False))
    assert (stored(young).wallet_age_days, stored(old).wallet_age_days) == (None, 200)
    assert (stored(old).from_start, stored(old).is_whole) == (False, False)


def test_a_dump_is_over_eighty_percent_within_half_an_hour() -> None:
    """Exactly 80 % is none, and the 31st minute is too late; sniping and graduation are counted with them."""
    for number, (sold, minute) in enumerate([(81, 30), (81, 29), (100, 1), (80, 5), (100, 31)]):
        curve = factories.pool(factories.token(creation_timestamp=NOON - DAY - number * MINUTE))
        people.trade(curve, W, 100, at=NOON - DAY)
        people.trade(curve, W, sold, at=NOON - DAY + minute * MINUTE, buy=False)
    factories.token(creator_address=W)
    analyse()
    row = stored()
    assert (row.unique_tokens_traded, row.dumped_tokens, row.wallet_type) == (5, 3, WalletClass.KNOWN_DUMPER)
    assert [item["words"] for item in row.evidence[0]["evidence"]] == [
        "sold over 80 % within 30 minutes of the first buy in 3 of 5 tokens"
    ]
    assert (row.rug_pull_participation, row.known_scammer) == (0, False)


def test_who_dumps_what_it_created_is_a_scammer() -> None:
    """Three tokens of its own."""
    for number in range(3):
        curve = factories.pool(factories.token(creator_address=W))
        people.trade(curve, W, 100, at=NOON - DAY + number * MINUTE)
        people.trade(curve, W, 90, at=NOON - DAY + (number + 1) * MINUTE, buy=False)
    analyse()
    assert (stored().rug_pull_participation, stored().known_scammer) == (3, True)


def test_performance_comes_from_our_holdings() -> None:
    """Two of three sold with a profit, 30 USD in all; the best doubled what it cost. A holding that moved later is left
    out, one that was never sold is no win."""
    sold: dict[str, Any] = {"total_bought": 100, "total_sold": 50, "sold_cost_sol": Decimal("0.5")}
    sold |= {"buy_count": 1, "sell_count": 1, "transaction_count": 2}
    outcomes: list[dict[str, Any]] = [
        {"realized_pnl": 45, "realized_pnl_sol": Decimal("0.5"), **sold},
        {"realized_pnl": 15, "realized_pnl_sol": Decimal("0.1"), **sold},
        {"realized_pnl": -30, "realized_pnl_sol": Decimal("-0.2"), **sold},
        {"total_bought": 100, "buy_count": 1, "transaction_count": 1},
        {"realized_pnl": 999, "realized_pnl_sol": 9, **sold, "last_transaction_time": NOON + MINUTE},
    ]
    for outcome in outcomes:
        people.holding(factories.pool(), W, **outcome)
    analyse()
    row = stored()
    assert (row.unique_tokens_traded, row.win_rate, row.total_profit_usd) == (4, Decimal("66.6667"), 30)
    assert (row.avg_profit_per_trade, row.best_trade_return) == (10, 100)
    assert row.reputation_score == 60


def test_later_trades_change_nothing_that_was_known() -> None:
    """The same analysis at the same time, before and after a storm of trades that came later."""
    curve = factories.pool()
    people.trade(curve, W, 10, at=NOON - DAY)
    analyse()
    before = {name: value for name, value in vars(stored()).items() if name not in ("_state", "id", "created_at")}
    for second in range(1, 40):
        people.trade(curve, W, 10, at=NOON + timedelta(seconds=second), buy=second % 2 == 0)
    WalletAnalysis.objects.all().delete()
    analyse()
    after = {name: value for name, value in vars(stored()).items() if name not in ("_state", "id", "created_at")}
    assert after == before
    WalletAnalysis.objects.all().delete()
    analyse(now=NOON + DAY)
    assert stored().bot_score != before["bot_score"]


def test_a_hundred_wallets_cost_as_many_queries_as_one() -> None:
    """Four statements for our books, one to read and one to write."""
    people.trade(factories.pool(), W, 10, at=NOON - DAY)
    with assert_query_count("wallets.analyse"):
        analyse(source=Chain())
    WalletAnalysis.objects.all().delete()
    with assert_query_count("wallets.analyse"):
        analyse(*[address(f"w{n}") for n in range(100)], source=Chain())


def test_the_network_is_never_asked_inside_our_own_transaction() -> None:
    """While the source is asked no transaction of the analysis is open."""
    depths = []

    class Watching(Chain):
        def get_history(self, wallet: str, *, with_origin: bool) -> Any:
            depths.append(len(connection.savepoint_ids))
            return super().get_history(wallet, with_origin=with_origin)

    with transaction.atomic(), CaptureQueriesContext(connection):
        outside = len(connection.savepoint_ids)
        analyse(source=Watching())
    assert depths == [outside]


@pytest.mark.parametrize("name", ["c62_launcher_dumps_other.jsonl", "c62_launcher_dumps_self.jsonl"])
def test_truth_08_a_launcher_made_and_dumped_his_own_token(name: str) -> None:
    """The wallet that signed the creation and bought in it made the token and dumped it, whomever it names as creator."""
    play((name, line) for line in recordings.lines(f"cases/{name}"))
    token = Token.objects.get()
    (launcher,) = token.launch_wallets
    dump = Transaction.objects.filter(type="sell", user_address=launcher).latest("block_time")
    own = wallet_reads.own(wallets=[launcher, str(token.creator_address)], at=dump.block_time)
    results = own[launcher].results
    assert (results.created, results.own_dumped, results.dumped, results.sniped) == (1, 1, 1, 0)
    assert own[str(token.creator_address)].results.created == 1


class Told(Chain):
    """A chain that tells histories as they are given, whole or not."""

    def __init__(self, history: WalletHistory, balances: list[Any] | None = None) -> None:
        super().__init__()
        self.history, self.balances = history, balances

    def get_history(self, wallet: str, *, with_origin: bool) -> WalletHistory:
        return self.history

    def get_balances(self, names: Any) -> Any:
        return super().get_balances(names) if self.balances is None else self.balances


def history(*times: datetime | None, is_whole: bool = True) -> WalletHistory:
    """Return a history of transactions at ``times``, newest first."""
    landed = [Landed(signature(f"s{n}"), 400 - n, False, at) for n, at in enumerate(times)]
    return WalletHistory(landed=landed, is_whole=is_whole, funding=None, credits=11)


def test_truth_10_a_trade_of_ours_before_the_beginning_says_that_it_was_none() -> None:
    """A node tells a wallet's first transaction, and our own books have an older one: it is at least so old."""
    curve = factories.pool()
    people.trade(curve, W, 10, at=NOON - 400 * DAY)
    analyse(source=Told(history(NOON - DAY, NOON - 2 * DAY)))
    row = stored()
    assert (row.from_start, row.first_seen_at, row.wallet_age_days) == (False, NOON - 400 * DAY, 400)


def test_truth_10_a_beginning_stands_where_our_clock_is_a_little_off() -> None:
    """The same first trade, by the program's clock some seconds before the block's."""
    curve = factories.pool()
    people.trade(curve, W, 10, at=NOON - 2 * DAY - timedelta(seconds=5))
    analyse(source=Told(history(NOON - DAY, NOON - 2 * DAY)))
    assert stored().from_start


def test_truth_10_a_beginning_that_is_not_proven_is_an_age_of_at_least() -> None:
    """A wallet of two known days is not young: its age stays unknown. Nor is one whose first transaction has no time."""
    analyse(source=Told(history(NOON - DAY, NOON - 2 * DAY, is_whole=False)))
    assert (stored().from_start, stored().wallet_age_days) == (False, None)
    analyse("x" * 40, source=Told(history(NOON - DAY, None)))
    assert (stored("x" * 40).from_start, stored("x" * 40).wallet_age_days) == (False, None)


def test_truth_13_a_balance_that_cannot_be_read_is_unknown() -> None:
    """Not zero, as of a wallet without an account; the other's is known."""
    other = address("other")
    analyse(W, other, source=Told(history(NOON - DAY), [UNREAD, 7]))
    assert (stored().sol_lamports, stored(other).sol_lamports) == (None, 7)


def test_truth_12_credits_that_do_not_reach_end_the_asking_and_nobody_has_failed() -> None:
    """The rest are judged by our own trades."""
    done = analyse(W, address("other"), source=Chain(away=BudgetSpent("60 credits are used up")))
    assert (done.looked_up, done.own, done.failed) == (0, 2, 0)
    assert done.stopped == "BudgetSpent: 60 credits are used up"
