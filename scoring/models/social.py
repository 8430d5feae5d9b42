from decimal import Decimal

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Coalesce, Now

from megatron.core.models import Row
from megatron.core.timescale.fields import HypertableTimeField
from scoring.choices import SocialOrigin

_POINTS = models.DecimalField(max_digits=5, decimal_places=2)
_BLOCKS = ("twitter_score", "community_score", "virality_score")


def _sum_of_known() -> Expression:
    """Return the sum of the blocks that are known; NULL when none is."""
    nothing = Value(Decimal(0), output_field=_POINTS)
    total: Combinable = Coalesce(F(_BLOCKS[0]), nothing, output_field=_POINTS)
    for block in _BLOCKS[1:]:
        total = total + Coalesce(F(block), nothing, output_field=_POINTS)
    unknown = Q(**dict.fromkeys(_BLOCKS))
    return Case(When(unknown, then=None), default=total, output_field=_POINTS)


def _between(name: str, least: int, most: int) -> Q:
    return Q(**{name: None}) | Q(**{f"{name}__range": (least, most)})


def _count(help_text: str = "") -> "models.PositiveIntegerField[int | None, int | None]":
    return models.PositiveIntegerField(null=True, help_text=help_text)


class SocialMetric(models.Model):
    """One row is what one source said of one token at one time. Unique by token, source and time, of which ``id`` is
    derived. Written by ``social.poll_due``. Kept 60 days.

    Each figure is NULL where the source does not say; no policy has a part in it.
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(timestamp, token_id, source)")
    # Without a key in the database: a token that only a dropped fork created goes, whatever was asked about it meanwhile.
    token = models.ForeignKey("tokens.Token", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    timestamp = HypertableTimeField(interval="7 days", help_text="When it was asked")
    source = models.CharField(max_length=20, choices=SocialOrigin)

    twitter_followers = _count()
    twitter_mentions_1h = _count("Posts of others; at least so many where raw_data says they are not all")
    twitter_mentions_24h = _count("Posts of others; at least so many where raw_data says they are not all")
    twitter_engagement_rate = models.DecimalField(
        max_digits=5, decimal_places=2, null=True, help_text="Percent of the views of its own posts that did something"
    )
    twitter_sentiment_score = models.DecimalField(max_digits=3, decimal_places=2, null=True, help_text="−1 to 1")
    influencer_mentions = _count("Distinct authors with 10,000 followers or more, of 24 hours")
    influencer_reach = _count("Their followers together")

    telegram_members = _count("Members of a group or subscribers of a channel")
    telegram_active_users = _count("Members online")
    telegram_messages_1h = _count("At least: a preview holds about twenty")
    discord_members = _count("Discord's approximation")
    discord_active_users = _count("Members online, Discord's approximation")

    total_social_mentions = _count("Mentions of 24 hours on all networks that tell")
    social_growth_rate_1h = models.DecimalField(
        max_digits=16, decimal_places=2, null=True, help_text="Percent by which its followers or members grew, signed"
    )
    social_growth_rate_24h = models.DecimalField(
        max_digits=16, decimal_places=2, null=True, help_text="Percent by which its followers or members grew, signed"
    )

    boosts_active = _count("Boosts that were paid for and still run")
    links = models.JSONField(null=True, help_text="Addresses by network, as strangers wrote them, safe to show")
    raw_data = models.JSONField(null=True, help_text="What else the source said")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "social_metrics"
        verbose_name, verbose_name_plural = "what a source says", "what sources say"
        indexes = (models.Index(F("token"), F("timestamp").desc(), name="idx_social_metrics_token_time"),)
        constraints = (
            models.CheckConstraint(condition=Q(source__in=SocialOrigin.values), name="social_metric_source_known"),
            models.CheckConstraint(
                condition=_between("twitter_engagement_rate", 0, 100), name="social_engagement_0_to_100"
            ),
            models.CheckConstraint(
                condition=_between("twitter_sentiment_score", -1, 1), name="social_sentiment_minus_1_to_1"
            ),
            models.CheckConstraint(
                condition=(Q(social_growth_rate_1h=None) | Q(social_growth_rate_1h__gte=-100))
                & (Q(social_growth_rate_24h=None) | Q(social_growth_rate_24h__gte=-100)),
                name="social_loses_all_at_most",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.token_id} {self.timestamp:%Y-%m-%d %H:%M}"


class SocialScore(models.Model):
    """One row is a token's social points from when they changed. Unique by token and time, of which ``id`` is derived.
    Written by ``social.score``. Kept 60 days.

    A block is NULL when nothing of it is known, and ``available_max`` says what the known lines can give at most.
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(calculated_at, token_id)")
    # Without a key in the database: a token that only a dropped fork created goes, whatever was asked about it meanwhile.
    token = models.ForeignKey("tokens.Token", models.PROTECT, related_name="+", db_index=False, db_constraint=False)
    calculated_at = HypertableTimeField(interval="7 days", help_text="From when on it holds")
    twitter_score = models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text="Points, 0 to 111")
    community_score = models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text="Points, 0 to 111")
    virality_score = models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text="Points, 0 to 111")
    total_score = models.GeneratedField(
        expression=_sum_of_known(),
        output_field=_POINTS,
        db_persist=True,
        help_text="Points of the known blocks, 0 to 333; NULL when none is known",
    )
    available_max = models.DecimalField(
        max_digits=5, decimal_places=2, help_text="What the known lines can give at most, 0 to 333"
    )
    breakdown = models.JSONField(help_text="Every line with its points and the reason")
    inputs = models.JSONField(help_text="Everything that the points follow from, numbers as text")
    policy_version = models.PositiveIntegerField(help_text="The version of the policy that made it")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "social_scores"
        verbose_name, verbose_name_plural = "social points", "social points"
        indexes = (models.Index(F("token"), F("calculated_at").desc(), name="idx_social_scores_token_time"),)
        constraints = (
            models.CheckConstraint(
                condition=_between("twitter_score", 0, 111)
                & _between("community_score", 0, 111)
                & _between("virality_score", 0, 111),
                name="social_blocks_0_to_111",
            ),
            models.CheckConstraint(condition=Q(available_max__range=(0, 333)), name="social_available_0_to_333"),
        )

    def __str__(self) -> str:
        return f"{self.token_id} {self.total_score} of {self.available_max}"


class SocialPoll(Row):
    """One row is when one source is asked about one token again. Unique by token and source. Written by
    ``social.poll_due``. Kept for ever: it is small, and its failures make the next question later."""

    token = models.ForeignKey("tokens.Token", models.PROTECT, related_name="+", db_index=False)
    source = models.CharField(max_length=20, choices=SocialOrigin)
    due_at = models.DateTimeField(help_text="It is not asked before; while it is asked, when another may take over")
    asked_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True, help_text="When it last said something")
    failures = models.PositiveIntegerField(default=0, help_text="How often in a row it did not")
    error = models.CharField(max_length=300, blank=True, default="", help_text="Why, the last time; empty: it did")

    class Meta(Row.Meta):
        db_table = "social_polls"
        verbose_name, verbose_name_plural = "turn to be asked", "whose turn it is"
        indexes = (models.Index(fields=["answered_at"], name="idx_social_polls_answered"),)
        constraints = (
            models.UniqueConstraint(fields=["token", "source"], name="social_poll_once_a_token_and_source"),
            models.CheckConstraint(condition=Q(source__in=SocialOrigin.values), name="social_poll_source_known"),
            models.CheckConstraint(
                condition=Q(failures=0, error="") | (~Q(failures=0) & ~Q(error="")),
                name="social_poll_fails_with_a_reason",
            ),
        )

    def __str__(self) -> str:
        return f"{self.source} {self.token_id}"
