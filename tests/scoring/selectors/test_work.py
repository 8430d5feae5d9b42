"""How much the database looks at for the signs of risk, when a token grew faster than anybody counted."""

import pytest

from scoring.domain.rescoring import Rules
from scoring.selectors import signs
from scoring.services import policies
from tests import grown
from tests.factories import NOON

pytestmark = pytest.mark.django_db


def test_signs_are_read_without_looking_at_all_pairs() -> None:
    """No step looks at more than some tens of times as many rows as there are trades, whatever was foreseen."""
    pool = grown.curve()
    asked = signs._parameters([(pool.token.mint_address, NOON)], Rules.of(policies.active()).risk)
    assert grown.rows_seen(signs._ALL, asked) <= 30 * grown.TRADES
