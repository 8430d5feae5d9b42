"""Each rule of totals and score policies refuses the row that breaks it, whoever writes."""

from itertools import count

import pgtrigger
import pytest

from scoring.domain.policy import DEFAULT_TERMS
from scoring.models import LatestTokenScore, ScorePolicy, TokenScore
from tests import breaking, factories
from tests.breaking import Build, Case
from tests.scoring import shown

pytestmark = pytest.mark.django_db

_version = count(100)


def total() -> TokenScore:
    """Create a score of a new token of which a part is known."""
    return shown.token_score(factories.token())


def newest() -> LatestTokenScore:
    """Create the place of a new token's newest score."""
    return LatestTokenScore.objects.get(score=shown.newest_score(factories.token()))


def policy() -> ScorePolicy:
    """Create a version that does not hold."""
    return ScorePolicy.objects.create(version=next(_version), terms=DEFAULT_TERMS, reason="Test", created_by="test")


BROKEN: list[Case] = [
    ("token_technical_score_0_to_333", total, {"technical_score": -1}),
    ("token_technical_score_0_to_333", total, {"technical_score": 334}),
    ("token_holder_score_0_to_333", total, {"holder_score": 334}),
    ("token_social_score_0_to_333", total, {"social_score": -1}),
    ("token_score_has_a_known_part", total, {"technical_score": None}),
    ("token_score_available_max_0_to_999", total, {"available_max": 1000}),
    ("token_score_multiplier_positive", total, {"score_multiplier": 0}),
    ("token_score_disqualified_by_a_flag", total, {"is_disqualified": True}),
    ("token_score_probability_0_to_1", total, {"ml_graduation_probability": 2}),
    ("token_score_confidence_0_to_1", total, {"ml_confidence_score": -1}),
    ("scorepolicy_version_from_1", policy, {"version": 0}),
    ("scorepolicy_has_terms", policy, {"terms": "{}"}),
]
FIELDS: list[Case] = [
    *breaking.field_cases(total, TokenScore),
    *breaking.field_cases(newest, LatestTokenScore),
    *breaking.field_cases(policy, ScorePolicy),
]
TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "latest_token_scores_score_id_key": (newest, ("score_id",)),
    "score_policies_version_key": (policy, ("version",)),
}
ALONE = "scorepolicy_one_active"


@pytest.mark.parametrize(("name", "build", "change"), [*BROKEN, *FIELDS])
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    with pgtrigger.ignore("scoring.ScorePolicy:terms_never_change"):
        assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """A score is the newest of one token; a version is one."""
    with pgtrigger.ignore("scoring.ScorePolicy:terms_never_change"):
        assert breaking.refusal_of_second(*TWINS[name]) == name


def test_one_version_holds_at_a_time() -> None:
    """A second active version is refused."""
    assert breaking.refusal(policy, {"active": True}) == ALONE
