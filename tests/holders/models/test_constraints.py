"""Each rule of this room's tables refuses the row that breaks it, whoever writes."""

import pytest

from holders.models import ApiCreditUsage
from tests import breaking
from tests.breaking import Build, Case
from tests.holders.building import usage

pytestmark = pytest.mark.django_db

BROKEN: list[Case] = [
    ("credit_row_has_calls", usage, {"calls": 0}),
    ("credits_not_negative", usage, {"credits_used": -1}),
]
FIELDS: list[Case] = [*breaking.field_cases(usage, ApiCreditUsage)]
TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {"api_credit_usage_pkey": (usage, ("id", "timestamp"))}


@pytest.mark.parametrize(("name", "build", "change"), BROKEN, ids=[name for name, _, _ in BROKEN])
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """No two rows have one id."""
    assert breaking.refusal_of_second(*TWINS[name]) == name
