"""What a wallet is in one token: who is in each class, who just misses it, and the evidence."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from holders.domain.behaviour import Wallet
from holders.domain.roles import Funding, Launch, Stake, roles
from tests.factories import NOON, address

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
CREATOR, AT = address("creator"), NOON + 30 * HOUR
LAUNCH = Launch(mint="m", creator=CREATOR, created_at=NOON, slot=500, circulating_raw=1_000_000)
GIFT = Funding(funder=CREATOR, lamports=100_000_000, at=NOON - 7 * DAY)


def stake(**fields: Any) -> Stake:
    """Return one per cent that was bought two hours after the launch, and kept for a day less two hours."""
    defaults: dict[str, Any] = {
        "wallet": address("w"),
        "balance_raw": 10_000,
        "bought_raw": 10_000,
        "buys": 1,
        "first_buy_at": NOON + 8 * HOUR,
        "first_buy_slot": 900,
    }
    return Stake(**{**defaults, **fields})


def restless(**fields: Any) -> Wallet:
    """Return a wallet of 29 days with 21 transactions and hardly any SOL."""
    defaults: dict[str, Any] = {
        "address": address("w"),
        "first_seen_at": AT - 29 * DAY,
        "from_start": True,
        "signed_at": [AT] * 21,
        "lamports": 99_999_999,
        "lamports_at": AT,
    }
    return Wallet(**{**defaults, **fields})


def found(of: Stake, *, wallet: Wallet | None = None, buyers: int = 2, launch: Launch = LAUNCH) -> dict[str, Any]:
    """Return the signals of each class that ``of`` belongs to."""
    verdicts = roles(of, launch=launch, wallet=wallet, launch_buyers=buyers, at=AT)
    return {str(verdict.kind): [item.signal for item in verdict.evidence] for verdict in verdicts}


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, list[str]]]] = {
    "dev": ({"of": stake(wallet=CREATOR)}, {"of": stake()}, {"dev": ["creator"]}),
    "insider": (
        {"of": stake(funding=GIFT)},
        {"of": stake(funding=replace(GIFT, lamports=99_999_999))},
        {"insider": ["funded_by_creator"]},
    ),
    "insider too early": (
        {"of": stake(funding=replace(GIFT, at=NOON))},
        {"of": stake(funding=replace(GIFT, at=NOON - 7 * DAY - SECOND))},
        {"insider": ["funded_by_creator"]},
    ),
    "insider after the launch": (
        {"of": stake(funding=replace(GIFT, at=NOON - HOUR))},
        {"of": stake(funding=replace(GIFT, at=NOON + SECOND))},
        {"insider": ["funded_by_creator"]},
    ),
    "insider of another": (
        {"of": stake(funding=GIFT)},
        {"of": stake(funding=replace(GIFT, funder=address("somebody")))},
        {"insider": ["funded_by_creator"]},
    ),
    "insider by tokens": (
        {"of": stake(from_creator_raw=1)},
        {"of": stake(from_creator_raw=0)},
        {"insider": ["tokens_from_creator"]},
    ),
    "bundler": (
        {"of": stake(first_buy_slot=500), "buyers": 3},
        {"of": stake(first_buy_slot=500), "buyers": 2},
        {"bundler": ["creation_slot"]},
    ),
    "bundler a slot later": (
        {"of": stake(first_buy_slot=500), "buyers": 9},
        {"of": stake(first_buy_slot=501), "buyers": 9},
        {"bundler": ["creation_slot"]},
    ),
    "bundler by fee payer": (
        {"of": stake(with_buyers=(address("x"),))},
        {"of": stake()},
        {"bundler": ["one_fee_payer"]},
    ),
    "sniper": (
        {"of": stake(first_buy_at=NOON + 60 * SECOND, sold_raw=1_000)},
        {"of": stake(first_buy_at=NOON + 61 * SECOND, sold_raw=1_000)},
        {"sniper": ["first_buy"]},
    ),
    "whale": ({"of": stake(balance_raw=50_000)}, {"of": stake(balance_raw=49_999)}, {"whale": ["share"]}),
    "whale by capital": (
        {"of": stake(), "wallet": restless(lamports=100_000_000_001)},
        {"of": stake(), "wallet": restless(lamports=100_000_000_000)},
        {"whale": ["capital"]},
    ),
    "diamond hands": (
        {"of": stake(first_buy_at=AT - DAY - SECOND, sold_raw=999)},
        {"of": stake(first_buy_at=AT - DAY, sold_raw=999)},
        {"diamond_hands": ["hold"]},
    ),
    "diamond hands that sold": (
        {"of": stake(first_buy_at=AT - DAY - SECOND, sold_raw=999)},
        {"of": stake(first_buy_at=AT - DAY - SECOND, sold_raw=1_000)},
        {"diamond_hands": ["hold"]},
    ),
    "diamond hands that came back": (
        {"of": stake(first_buy_at=NOON + HOUR, held_since=NOON + HOUR)},
        {"of": stake(first_buy_at=NOON + HOUR, held_since=AT - HOUR)},
        {"diamond_hands": ["hold"]},
    ),
    "paper hands": ({"of": stake(buys=2, sells=4)}, {"of": stake(buys=2, sells=3)}, {"paper_hands": ["sells"]}),
    "paper hands that are restless": (
        {"of": stake(), "wallet": restless()},
        {"of": stake(), "wallet": restless(signed_at=[AT] * 20)},
        {"paper_hands": ["restless"]},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_class_has_its_edge(case: str) -> None:
    """One step inside the wallet belongs to the class and says why; one step outside it belongs to none."""
    inside, outside, expected = CASES[case]
    assert (found(**inside), found(**outside)) == (expected, {})


def test_the_evidence_is_in_words_with_its_numbers() -> None:
    """A person reads why, a program reads how much."""
    (verdict,) = roles(stake(funding=GIFT), launch=LAUNCH, wallet=None, launch_buyers=0, at=AT)
    assert verdict.as_json() == {
        "class": "insider",
        "score": None,
        "evidence": [
            {
                "signal": "funded_by_creator",
                "weight": None,
                "numbers": {"sol": "0.1", "hours_before": "168.0"},
                "words": "its first 0.1 SOL came from the creator 168.0 hours before the launch",
            }
        ],
    }


def test_the_creator_is_no_sniper_and_no_insider_of_its_own() -> None:
    """Its first buy is part of the creation."""
    own = stake(wallet=CREATOR, first_buy_at=NOON, first_buy_slot=500, funding=GIFT, sold_raw=1_000)
    assert found(own) == {"dev": ["creator"]}


def test_an_unknown_launch_makes_nobody_anything() -> None:
    """Without creator, time, slot and supply nobody is dev, insider, sniper, bundler or whale."""
    unknown = Launch(mint="m", creator=None, created_at=None, slot=None, circulating_raw=None)
    early = stake(first_buy_at=NOON + SECOND, first_buy_slot=500, balance_raw=900_000, funding=GIFT, sold_raw=1_000)
    assert set(found(early, buyers=9)) == {"insider", "bundler", "sniper", "whale"}
    assert found(early, buyers=9, launch=unknown) == {}


def test_funding_that_is_still_to_come_is_not_known() -> None:
    """A creator who funds a wallet before a launch that is still ahead is no evidence yet."""
    ahead = replace(LAUNCH, created_at=AT + DAY)
    assert found(stake(funding=replace(GIFT, at=AT + HOUR)), launch=ahead) == {}


def test_truth_08_who_bought_in_the_creation_is_a_dev_wallet_beside_the_named_creator() -> None:
    """The launcher signed the creation: he is no insider and no sniper of his own coin, and whom he funded is an insider."""
    launcher = address("launcher")
    launch = replace(LAUNCH, launch_wallets=frozenset({launcher}))
    at_once = {"first_buy_at": NOON, "first_buy_slot": 500}
    assert found(stake(wallet=launcher, funding=GIFT, **at_once), launch=launch)["dev"] == ["launch_wallet"]
    assert not {"insider", "sniper"} & found(stake(wallet=launcher, funding=GIFT, **at_once), launch=launch).keys()
    assert found(stake(wallet=CREATOR), launch=launch)["dev"] == ["creator"]
    both = replace(launch, creator=launcher)
    assert found(stake(wallet=launcher), launch=both)["dev"] == ["creator", "launch_wallet"]
    funded = stake(funding=replace(GIFT, funder=launcher))
    assert found(funded, launch=launch)["insider"] == ["funded_by_creator"]
    assert "insider" not in found(funded)
