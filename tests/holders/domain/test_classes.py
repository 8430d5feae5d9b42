"""Each class of a wallet: who is in it, who just misses it, and the evidence it carries."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from holders.domain import classes, terms
from holders.domain.behaviour import Results, Trade, Wallet
from holders.domain.evidence import Verdict
from tests.factories import NOON, address

DAY, SECOND, SOL = timedelta(days=1), timedelta(seconds=1), 1_000_000_000


def trades(count: int, *, buy: bool = True, sol: str = "1", start: int = 0) -> list[Trade]:
    """Return trades one minute apart, each of another token and of a slightly other amount unless ``sol`` is given."""
    return [
        Trade(NOON - (start + n) * 60 * SECOND, 10_000 - n, 0, f"mint {start + n}", buy, Decimal(sol) + n % 2)
        for n in range(count)
    ]


def seen(count: int, *, every: timedelta = timedelta(hours=1)) -> list[datetime]:
    """Return times before noon with pauses that grow, newest first as providers list them."""
    return [NOON - every * (n + n * n / 7) for n in range(count)]


def wallet(**fields: Any) -> Wallet:
    """Return an unremarkable wallet, 60 days old, with 2.34 SOL and 30 irregular transactions."""
    defaults: dict[str, Any] = {
        "address": address("w"),
        "first_seen_at": NOON - 60 * DAY,
        "from_start": True,
        "is_whole": True,
        "signed_at": seen(30),
        "lamports": 2_340_000_000,
        "lamports_at": NOON,
    }
    return Wallet(**{**defaults, **fields})


def signals(verdict: Verdict) -> set[str]:
    return {item.signal for item in verdict.evidence}


def of_bot(**fields: Any) -> set[str]:
    return signals(classes.bot(wallet(**fields), at=NOON))


def results(**fields: Any) -> Results:
    return Results(at=NOON, **fields)


def test_an_unremarkable_wallet_shows_nothing() -> None:
    """No signal, score zero, no class."""
    verdict = classes.bot(wallet(), at=NOON)
    assert (verdict.holds, verdict.score, verdict.evidence) == (False, 0, ())
    assert not classes.mev_bot(wallet(), at=NOON).holds
    assert not classes.smart_money(wallet(), at=NOON).holds
    assert not classes.known_dumper(wallet(), at=NOON).holds


# A signal, a wallet that shows it, and one that just does not.
SIGNALS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "low_balance": ({"lamports": 9_999_999}, {"lamports": 10_000_001}),
    "suspicious_balance": ({"lamports": SOL}, {"lamports": SOL + 1}),
    "very_new": ({"first_seen_at": NOON - DAY + SECOND}, {"first_seen_at": NOON - DAY}),
    "new": ({"first_seen_at": NOON - DAY}, {"first_seen_at": NOON - 7 * DAY}),
    "high_frequency": (
        {"first_seen_at": NOON - 29 * DAY, "signed_at": seen(1001, every=SECOND / 10)},
        {"first_seen_at": NOON - 29 * DAY, "signed_at": seen(1000, every=SECOND / 10)},
    ),
    "low_activity": ({"signed_at": seen(4)}, {"signed_at": seen(5)}),
    "round_numbers": ({"signed_at": seen(50)}, {"signed_at": seen(51)}),
    "timing": (
        {"signed_at": [NOON - n * 60 * SECOND for n in range(12)]},
        {"signed_at": [NOON - n * 60 * SECOND for n in range(9)]},
    ),
    "only_buys": ({"trades": trades(1)}, {"trades": [*trades(1), *trades(1, buy=False, start=1)]}),
    "identical_trades": (
        {"trades": [*trades(10), *(replace(it, sol=Decimal(9)) for it in trades(5, start=10))]},
        {"trades": trades(4)},
    ),
    "mev": (
        {"signed_at": [NOON - SECOND * n for n in range(20)]},
        {"signed_at": [NOON - SECOND * n for n in range(19)]},
    ),
    "sandwich": (
        {"trades": [Trade(NOON, 5, n, "m", n % 2 == 0, Decimal(n)) for n in range(10)]},
        {"trades": [Trade(NOON, 5 + 2 * n, n, "m", n % 2 == 0, Decimal(n)) for n in range(10)]},
    ),
    "sniper": ({"results": results(tokens=9, sniped=1)}, {"results": results(tokens=9)}),
    "many_new_tokens": (
        {"first_seen_at": NOON - 10 * DAY, "results": results(tokens=51)},
        {"first_seen_at": NOON - 10 * DAY, "results": results(tokens=50)},
    ),
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_each_signal_of_a_bot_is_seen_and_just_missed(signal: str) -> None:
    """The rule's own edge decides, the evidence has the weight of the table, numbers and words."""
    shows, misses = SIGNALS[signal]
    found = [it for it in classes.bot(wallet(**shows), at=NOON).evidence if it.signal == signal]
    assert [it.weight for it in found] == [terms.BOT_WEIGHTS[signal]]
    assert found[0].numbers
    assert found[0].words
    assert signal not in of_bot(**misses)


def test_every_weight_has_its_signal() -> None:
    """The table of weights is the list of rules, and its sum is what scores are divided by."""
    assert set(SIGNALS) == set(terms.BOT_WEIGHTS)
    assert (sum(terms.BOT_WEIGHTS.values()), sum(terms.SMART_WEIGHTS.values())) == (Decimal("2.35"), Decimal("2.05"))


BOT: dict[str, Any] = {
    "first_seen_at": NOON - 20 * 60 * SECOND,
    "lamports": 5_000_000,
    "signed_at": [NOON - SECOND * n for n in range(20)],
    "results": results(tokens=30, sniped=12),
}
"""Young, nearly empty, a transaction a second: .20 + .15 + .10 + .15 + .20 + .30 + .25 + .20 of 2.35."""


def test_a_bot_is_one_from_045_of_all_weights() -> None:
    """1.55 of 2.35 is 0.66; without sniping, bursts and its round count it misses the threshold by little."""
    verdict = classes.bot(wallet(**BOT), at=NOON)
    assert signals(verdict) == {
        *("very_new", "low_balance", "suspicious_balance", "round_numbers", "timing", "mev", "sniper"),
        "many_new_tokens",
    }
    assert (verdict.holds, verdict.score) == (True, Decimal("0.6596"))
    near = wallet(**BOT | {"results": results(tokens=30), "signed_at": [NOON - 60 * SECOND * n for n in range(20)]})
    missed = classes.bot(near, at=NOON)
    assert (missed.holds, missed.score) == (False, Decimal("0.4255"))


def test_what_is_not_known_speaks_for_nothing() -> None:
    """No history, no balance, no trades: no signal, and no risk either."""
    stranger = Wallet(address=address("w"))
    assert classes.bot(stranger, at=NOON).evidence == ()
    assert classes.smart_money(stranger, at=NOON).evidence == ()
    assert classes.risk(stranger, at=NOON) is None
    assert "new" not in of_bot(first_seen_at=NOON - 2 * DAY, from_start=False)


MEV: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mev": (
        {"signed_at": [NOON - SECOND * n for n in range(100)]},
        {"signed_at": [NOON - SECOND * n for n in range(99)]},
    ),
    "quick": ({"signed_at": [NOON - SECOND * (n // 2) for n in range(100)]}, {"signed_at": seen(100)}),
    "very_many": (
        {"signed_at": seen(10_001, every=SECOND / 100), "first_seen_at": NOON - 89 * DAY},
        {"signed_at": seen(10_001, every=SECOND / 100), "first_seen_at": NOON - 90 * DAY},
    ),
}


@pytest.mark.parametrize("sign", MEV)
def test_each_sign_of_a_mev_bot_is_seen_and_just_missed(sign: str) -> None:
    """A hundred signatures and one sign."""
    shows, misses = MEV[sign]
    verdict = classes.mev_bot(wallet(**shows), at=NOON)
    assert verdict.holds
    assert sign in signals(verdict)
    assert sign not in signals(classes.mev_bot(wallet(**misses), at=NOON))


SMART: dict[str, Any] = {
    "first_seen_at": NOON - 181 * DAY,
    "lamports": 101 * SOL,
    "signed_at": seen(501),
    "trades": [*trades(6), *trades(4, buy=False, start=6)],
    "results": results(
        tokens=51, closed=10, wins=7, profit_usd=Decimal("1.5"), volume_usd=Decimal(100_001), graduated=4
    ),
}


def test_smart_money_earns_its_name_by_all_that_is_known() -> None:
    """Every signal at its higher step is 1.55 of 2.05."""
    verdict = classes.smart_money(wallet(**SMART), at=NOON)
    assert (verdict.holds, verdict.score) == (True, Decimal("0.7561"))
    assert signals(verdict) == {
        *("age_180", "profit", "wins_60", "volume_100k", "tokens_50", "graduated_3", "sol_100", "transactions_500"),
        "balanced_trades",
    }


@pytest.mark.parametrize(
    ("changes", "lost", "gained"),
    [
        ({"first_seen_at": NOON - 180 * DAY}, {"age_180"}, {"age_90"}),
        ({"first_seen_at": NOON - 90 * DAY}, {"age_180"}, set()),
        ({"lamports": 100 * SOL}, {"sol_100"}, {"sol_10"}),
        ({"lamports": 10 * SOL}, {"sol_100"}, set()),
        ({"signed_at": seen(500)}, {"transactions_500"}, set()),
        ({"trades": trades(8)}, {"balanced_trades"}, set()),
        ({"results": replace(SMART["results"], profit_usd=Decimal(0))}, {"profit"}, set()),
        ({"results": replace(SMART["results"], wins=6)}, {"wins_60"}, {"wins_50"}),
        ({"results": replace(SMART["results"], wins=5)}, {"wins_60"}, set()),
        ({"results": replace(SMART["results"], volume_usd=Decimal(100_000))}, {"volume_100k"}, {"volume_10k"}),
        ({"results": replace(SMART["results"], volume_usd=Decimal(10_000))}, {"volume_100k"}, set()),
        ({"results": replace(SMART["results"], tokens=50)}, {"tokens_50"}, set()),
        ({"results": replace(SMART["results"], graduated=3)}, {"graduated_3"}, set()),
    ],
)
def test_each_signal_of_smart_money_is_just_missed(changes: dict[str, Any], lost: set[str], gained: set[str]) -> None:
    """At the edge the higher step is lost, and the lower one takes its place where there is one."""
    whole = signals(classes.smart_money(wallet(**SMART), at=NOON))
    assert signals(classes.smart_money(wallet(**SMART | changes), at=NOON)) == whole - lost | gained


def test_smart_money_misses_its_threshold_by_one_signal() -> None:
    """Without graduated tokens and profit 1.10 of 2.05 is left."""
    less = replace(SMART["results"], graduated=0, profit_usd=None)
    verdict = classes.smart_money(wallet(**SMART | {"results": less}), at=NOON)
    assert (verdict.holds, verdict.score) == (False, Decimal("0.5366"))


def test_a_known_dumper_has_dumped_three_tokens() -> None:
    """Two are not yet a habit."""
    verdict = classes.known_dumper(wallet(results=results(tokens=8, dumped=3)), at=NOON)
    assert [it.words for it in verdict.evidence] == [
        "sold over 80 % within 30 minutes of the first buy in 3 of 8 tokens"
    ]
    assert not classes.known_dumper(wallet(results=results(tokens=8, dumped=2)), at=NOON).holds


def test_a_whale_has_more_than_a_hundred_sol() -> None:
    """Exactly a hundred is not more."""
    assert classes.whale(wallet(lamports=100 * SOL + 1), at=NOON).holds
    assert not classes.whale(wallet(lamports=100 * SOL), at=NOON).holds


def test_risk_adds_what_is_known_of_a_wallet() -> None:
    """A new, empty, regular bot with 20 transactions has 20 + 20 + 10 + 20 + 10 + 10 of 100, our example 5 + 5 + 10."""
    worst, calm = classes.risk(wallet(**BOT), at=NOON), classes.risk(wallet(), at=NOON)
    assert worst is not None
    assert calm is not None
    assert (worst.points, worst.most) == (90, 100)
    assert (calm.points, [it.signal for it in calm.evidence]) == (20, ["age", "sol", "transactions"])


def later(of: Wallet, moments: Iterable[datetime]) -> Wallet:
    """Return ``of`` as it is known after it went on like a machine, grew poor and won everything."""
    more = list(moments)
    return replace(
        of,
        signed_at=[*more, *of.signed_at],
        trades=[Trade(at, 1, n, "m", n % 2 == 0, Decimal(1)) for n, at in enumerate(more)] + list(of.trades),
    )


@pytest.mark.parametrize("fields", [{}, BOT, SMART], ids=["calm", "bot", "smart"])
def test_what_comes_later_changes_no_verdict(fields: dict[str, Any]) -> None:
    """A hundred trades a second apart after the time leave every verdict at the time as it was."""
    before = wallet(**fields)
    after = later(before, [NOON + SECOND * n for n in range(1, 101)])
    for judge in (classes.bot, classes.mev_bot, classes.smart_money, classes.known_dumper, classes.whale):
        assert judge(after, at=NOON) == judge(before, at=NOON)
    assert classes.risk(after, at=NOON) == classes.risk(before, at=NOON)
    assert classes.bot(after, at=NOON + 200 * SECOND) != classes.bot(before, at=NOON)
