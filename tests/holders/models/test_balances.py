"""Each rule of snapshots, holdings and differences refuses the row that breaks it, whoever writes."""

from decimal import Decimal
from typing import Any

import pytest

from holders.models import HolderSnapshot, HolderUpdate, TokenHolder
from tests import breaking, factories
from tests.breaking import Build, Case
from tests.factories import NOON, address
from tests.holders import people

pytestmark = pytest.mark.django_db


def snapshot() -> HolderSnapshot:
    return people.snapshot(factories.pool(), gini_coefficient=Decimal("0.5"), hhi=Decimal(300))


def holding() -> TokenHolder:
    return people.holding(factories.pool(), address("ann"), chain_balance=7, chain_slot=1)


def update(**fields: Any) -> HolderUpdate:
    """Create the difference of a holder whose balance fell from ten to four."""
    defaults = {
        "token_mint": factories.token().mint_address,
        "update_time": NOON,
        "update_type": "balance_change",
        "wallet_address": address("ann"),
        "old_balance": 10,
        "new_balance": 4,
        "balance_change": -6,
    }
    return HolderUpdate.objects.create(**{**defaults, **fields})


BROKEN: list[Case] = [
    ("holder_snapshot_source_known", snapshot, {"data_source": "a friend"}),
    ("holder_snapshot_incomplete_with_reason", snapshot, {"is_complete": False}),
    ("holder_snapshot_incomplete_with_reason", snapshot, {"incomplete_reason": "cut short"}),
    ("holder_snapshot_excludes_only", snapshot, {"total_holders": 6}),
    ("holder_snapshot_measured_then_scored", snapshot, {"scored_at": NOON}),
    ("holder_snapshot_measures_in_range", snapshot, {"gini_coefficient": Decimal("1.1")}),
    ("holder_snapshot_measures_in_range", snapshot, {"hhi": 10_001}),
    ("token_holder_balances_not_negative", holding, {"current_balance": -1}),
    ("token_holder_counts_add_up", holding, {"transaction_count": 1}),
    ("token_holder_chain_balance_with_slot", holding, {"chain_slot": None}),
    ("token_holder_untracked_is_sold", holding, {"untracked_sold": 1}),
    ("token_holder_ratios_in_range", holding, {"sold_ratio": 2}),
    ("token_holder_ratios_in_range", holding, {"diamond_hands_score": 101}),
    ("holder_update_type_known", update, {"update_type": "rumour"}),
    ("holder_update_change_adds_up", update, {"balance_change": 6}),
    ("holder_update_not_negative", update, {"old_balance": -1, "balance_change": 5}),
]
SUMS = (
    "holder_snapshots_unique_holders",
    "token_holders_buy_count",
    "token_holders_sell_count",
    "token_holders_transaction",
)
"""Columns that no value of their own can break before a rule over several columns does."""
FIELDS: list[Case] = [
    *(case for case in breaking.field_cases(snapshot, HolderSnapshot) if not case[0].startswith(SUMS)),
    *(case for case in breaking.field_cases(holding, TokenHolder) if not case[0].startswith(SUMS)),
    *breaking.field_cases(update, HolderUpdate),
    ("token_holders_buy_count_check", holding, {"buy_count": -1, "sell_count": 1}),
    ("token_holders_sell_count_check", holding, {"buy_count": 1, "sell_count": -1}),
]
TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "holder_snapshots_pkey": (snapshot, ("token_mint", "snapshot_time")),
    "token_holder_once": (holding, ("token_mint", "wallet_address")),
    "holder_update_once_a_list": (update, ("token_mint", "wallet_address", "update_time")),
}


@pytest.mark.parametrize(("name", "build", "change"), [*BROKEN, *FIELDS], ids=[case[0] for case in [*BROKEN, *FIELDS]])
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """A token has one snapshot at a time, a wallet one holding of it, and a list one difference of each wallet."""
    assert breaking.refusal_of_second(*TWINS[name]) == name
