"""How much the database looks at for one analysis, when a token grew faster than anybody counted."""

from datetime import timedelta

import pytest

from holders.selectors import holding
from tests import grown
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("statement", [holding._HOLDERS + holding._EACH, holding._HOLDERS + holding._ALL])
def test_who_holds_a_token_is_read_without_looking_at_all_pairs(statement: str) -> None:
    """No step looks at more than a few times as many rows as there are trades, whatever was foreseen."""
    pool = grown.curve()
    asked = holding._asked(pool.token, [], NOON - timedelta(minutes=10))
    assert grown.rows_seen(statement, asked) <= 4 * grown.TRADES
