"""The database's measures of inequality are Python's."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from holders.domain import concentration
from tests import recordings

pytestmark = pytest.mark.django_db

MEASURES = """
    SELECT calculate_gini_coefficient(balances), calculate_theil_index(balances), calculate_shannon_entropy(balances)
    FROM (SELECT %s::numeric[] AS balances) AS given
"""


def by_sql(balances: list[int]) -> tuple[Any, ...]:
    """Return Gini, Theil and entropy as the database has them."""
    with connection.cursor() as cursor:
        cursor.execute(MEASURES, [balances])
        row: tuple[Any, ...] = cursor.fetchone()
        return row


def test_the_functions_are_pythons() -> None:
    """For any balances, zeros among them, the three functions and the domain agree to nine decimals."""

    @given(st.lists(st.integers(0, 2**57), max_size=40))
    def agree(balances: list[int]) -> None:
        found = concentration.measure(concentration.order(balances))
        for ours, theirs in zip((found.gini, found.theil, found.shannon), by_sql(balances), strict=True):
            assert (ours is None) == (theirs is None)
            assert ours is None or abs(ours - theirs) < Decimal("1E-9")

    agree()


@pytest.mark.parametrize("case", recordings.loaded("vectors/distribution_metrics.json"), ids=lambda case: case["name"])
def test_the_functions_give_the_vectors(case: dict[str, Any]) -> None:
    """Each worked example gives its numbers in the database, too."""
    gini, theil, shannon = by_sql(case["balances"])
    assert float(gini) == case["gini"]
    assert float(theil) == pytest.approx(case["theil"], abs=5e-10)
    assert float(shannon) == case["entropy"]


def test_the_functions_take_null_and_nobody(sql: Callable[..., list[tuple[Any, ...]]]) -> None:
    """Nulls among the balances count for nobody; without a balance the answer is unknown."""
    assert by_sql([]) == (None, None, None)
    assert sql("SELECT calculate_gini_coefficient(ARRAY[NULL, 1, 3]::numeric[])") == [(Decimal("0.25"),)]
    assert sql("SELECT calculate_theil_index(NULL), calculate_shannon_entropy(NULL)") == [(None, None)]
