"""A policy's terms are checked before they can score anything."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from scoring.domain.policy import DEFAULT_TERMS, Policy
from scoring.domain.technical.scored import Terms
from scoring.domain.terms import PolicyMalformed


def test_the_defaults_are_a_policy() -> None:
    """What the code comes with can be read whole, as numbers."""
    terms = Terms.of(Policy.of(1, DEFAULT_TERMS).technical)
    health = terms.trading_health
    assert [
        terms.market_cap.base.most + terms.market_cap.velocity.most,
        terms.bonding_curve.most,
        health.ratio.most + health.trend.most + health.largest.most,
        terms.selloff_response.most,
    ] == [100, 83, 75, 75]


def _drop(terms: dict[str, Any]) -> None:
    del terms["technical"]["market_cap"]["base"]


def _extra(terms: dict[str, Any]) -> None:
    terms["technical"]["market_cap"]["bass"] = []


def _float(terms: dict[str, Any]) -> None:
    terms["technical"]["bonding_curve"]["consistency"] = 12.5


def _word(terms: dict[str, Any]) -> None:
    terms["technical"]["selloff_response"]["steep"]["slope"] = "two"


def _table(terms: dict[str, Any]) -> None:
    terms["technical"]["trading_health"]["ratio"].pop()


def _group(terms: dict[str, Any]) -> None:
    terms["technical"]["selloff_response"]["steep"] = "20"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_drop, "technical.market_cap.base is missing: copy it from the version before"),
        (_extra, "technical.market_cap.bass is no term of a policy: take it away"),
        (_float, "technical.bonding_curve.consistency is 12.5: write a number as text"),
        (_word, "technical.selloff_response.steep.slope is 'two': write a number as text"),
        (_table, "technical.trading_health.ratio: end with a row"),
        (_group, "technical.selloff_response.steep: write a group of terms"),
    ],
)
def test_a_malformed_term_is_named(change: Callable[[dict[str, Any]], None], said: str) -> None:
    """Terms that cannot be used are refused by name, with what to write."""
    terms = copy.deepcopy(DEFAULT_TERMS)
    change(terms)
    with pytest.raises(PolicyMalformed, match=f"^{said}"):
        Policy.of(2, terms)
