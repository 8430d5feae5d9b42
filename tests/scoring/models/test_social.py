"""Each rule of the tables of followings refuses the row that breaks it, whoever writes."""

from decimal import Decimal

import pytest

from scoring.models import SocialMetric, SocialPoll, SocialScore
from tests import breaking
from tests.breaking import Build, Case
from tests.scoring.following import metric, poll, score

pytestmark = pytest.mark.django_db

BROKEN: list[Case] = [
    ("social_metric_source_known", metric, {"source": "friendster"}),
    ("social_engagement_0_to_100", metric, {"twitter_engagement_rate": Decimal("100.01")}),
    ("social_engagement_0_to_100", metric, {"twitter_engagement_rate": -1}),
    ("social_sentiment_minus_1_to_1", metric, {"twitter_sentiment_score": Decimal("1.01")}),
    ("social_sentiment_minus_1_to_1", metric, {"twitter_sentiment_score": Decimal("-1.01")}),
    ("social_loses_all_at_most", metric, {"social_growth_rate_1h": Decimal("-100.01")}),
    ("social_loses_all_at_most", metric, {"social_growth_rate_24h": Decimal("-100.01")}),
    ("social_blocks_0_to_111", score, {"twitter_score": Decimal("111.01")}),
    ("social_blocks_0_to_111", score, {"community_score": -1}),
    ("social_blocks_0_to_111", score, {"virality_score": 112}),
    ("social_available_0_to_333", score, {"available_max": Decimal("333.01")}),
    ("social_available_0_to_333", score, {"available_max": -1}),
    ("social_poll_source_known", poll, {"source": "friendster"}),
    ("social_poll_fails_with_a_reason", poll, {"error": ""}),
    ("social_poll_fails_with_a_reason", poll, {"failures": 0}),
]
FIELDS: list[Case] = [
    *breaking.field_cases(metric, SocialMetric),
    *breaking.field_cases(score, SocialScore),
    *breaking.field_cases(poll, SocialPoll),
]
TWINS: dict[str, tuple[Build, tuple[str, ...]]] = {
    "social_metrics_pkey": (metric, ("id", "timestamp")),
    "social_scores_pkey": (score, ("id", "calculated_at")),
    "social_poll_once_a_token_and_source": (poll, ("token_id", "source")),
}


@pytest.mark.parametrize(("name", "build", "change"), BROKEN + FIELDS, ids=[case[0] for case in BROKEN + FIELDS])
def test_a_row_that_cannot_be_is_refused(name: str, build: Build, change: breaking.Change) -> None:
    """Each rule refuses, by its own name, the change that breaks only it."""
    assert breaking.refusal(build, change) == name


@pytest.mark.parametrize("name", TWINS)
def test_two_rows_of_the_same_thing_are_refused(name: str) -> None:
    """No two rows have one id, which is derived from what makes them one; one turn a token and source."""
    assert breaking.refusal_of_second(*TWINS[name]) == name


def test_the_total_is_the_sum_of_the_known_blocks() -> None:
    """NULL when none is known, and never the same as zero."""
    assert score().total_score == Decimal("37.00")
    full = dict.fromkeys(("twitter_score", "community_score", "virality_score"), Decimal(111))
    assert score(**full).total_score == 333
    assert score(**dict.fromkeys(full, None), available_max=0).total_score is None
    assert score(**dict.fromkeys(full, Decimal(0))).total_score == 0
