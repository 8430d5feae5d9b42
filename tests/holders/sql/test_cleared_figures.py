"""Figures of before, which were gross or of too few holders, are cleared by the migration."""

from decimal import Decimal
from importlib import import_module

import pytest
from django.db import connection

from holders.models import HolderSnapshot, TokenHolder, WalletAnalysis
from megatron.core import clock
from tests import factories
from tests.factories import address
from tests.holders import people

pytestmark = pytest.mark.django_db

MIGRATION = import_module("holders.migrations.0007_net_profit_and_judged_holders")


def run(statements: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statements)


def test_truth_22_gross_profits_are_unknown_until_they_are_derived_anew() -> None:
    """Profit and what follows from it go, and who was called smart money for it is to be looked at again; balances stay."""
    pool = factories.pool()
    gross = {"realized_pnl_sol": 1, "realized_pnl": 150, "cost_sol": 1, "cost_usd": 150, "unrealized_pnl_sol": 2}
    people.holding(pool, address("ann"), transaction_count=1, buy_count=1, is_smart_money=True, **gross)
    people.judged(address("ann"), "smart_money", win_rate=Decimal(90), total_profit_usd=150, unique_tokens_traded=9)
    run(MIGRATION.GROSS_IS_UNKNOWN)
    row, known = TokenHolder.objects.get(), WalletAnalysis.objects.get()
    assert {getattr(row, name) for name in gross} == {None}
    assert (row.current_balance, row.is_smart_money) == (100, False)
    assert (known.win_rate, known.total_profit_usd, known.wallet_type, known.classes) == (None, None, None, [])
    assert (known.valid_until - known.last_analyzed).microseconds == 1


@pytest.mark.parametrize(
    ("holders", "mean", "judged", "gini"),
    [(1, "0.08", "0.0080", None), (8, "100", "80.0000", Decimal("0.4")), (1, "1000", "100.0000", None)],
)
def test_truth_19_measures_of_too_few_go_from_the_newest_lists(
    holders: int, mean: str, judged: str, gini: Decimal | None
) -> None:
    """Number times mean is what a list's holders held together, of 1,000 tokens that circulate; of one alone there is no Gini."""
    pool, now = factories.pool(), clock.utc_now()
    old = {"gini_coefficient": Decimal("0.4"), "top_1_percentage": 7, "judged_percentage": None, "snapshot_time": now}
    people.snapshot(pool, total_holders=holders, unique_holders=9, average_holding_size=Decimal(mean), **old)
    run(MIGRATION.MEASURES_OF_FEW_ARE_UNKNOWN)
    row = HolderSnapshot.objects.get()
    assert (row.judged_percentage, row.gini_coefficient) == (Decimal(judged), gini)
    assert row.top_1_percentage == (7 if row.is_measured else None)
