from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Case, ExpressionWrapper, F, Q, Value, When
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Cast, Coalesce, Least, Now, NullIf, Round

from megatron.core import ids
from megatron.core.fields import PercentField
from tokens.models import Token

_PARTS = ("technical_score", "holder_score", "social_score")
_SUM = models.DecimalField(max_digits=6, decimal_places=2)
_RATIO = models.DecimalField(max_digits=5, decimal_places=4)
_WHOLE = models.IntegerField()


def _sum() -> Expression:
    """Return the sum of the known parts."""
    nothing = Value(0, output_field=_SUM)
    total: Combinable = Coalesce(F(_PARTS[0]), nothing, output_field=_SUM)
    for part in _PARTS[1:]:
        total = total + Coalesce(F(part), nothing, output_field=_SUM)
    return ExpressionWrapper(total, output_field=_SUM)


def _adjusted() -> Expression:
    """Return decision G6; PostgreSQL rounds a numeric half away from zero, as the domain does."""
    product = Cast(_sum(), models.DecimalField(max_digits=12, decimal_places=4)) * F("score_multiplier")
    rounded = Cast(Round(product, precision=0), _WHOLE)
    return Case(
        When(is_disqualified=True, then=Value(0)), default=Least(F("available_max"), rounded), output_field=_WHOLE
    )


def _within(name: str, low: int, most: int) -> Q:
    return Q(**{name: None}) | Q(**{f"{name}__gte": low, f"{name}__lte": most})


def _points(help_text: str) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=6, decimal_places=2, null=True, help_text=help_text)


def _sort_key() -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=6, decimal_places=2, null=True, help_text="As in token_scores")


class TokenScore(models.Model):
    """One row is what one token scored of 999 points from a time on, until its next row. Unique by ``id``: two changes
    may come within one moment, and ids are in order. Written by ``totals.refresh`` when something changed. Kept 60 days
    by ``cleanup_old_scores``; of graduated tokens for ever.

    A part that nobody knows is NULL and brings nothing to ``available_max``; what a total is worth is its ratio of that.
    The three shapes that the documents gave this table are all here (G7).
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    token = models.ForeignKey(Token, on_delete=models.PROTECT, db_index=False, related_name="scores")
    calculated_at = models.DateTimeField(help_text="From when on it holds")

    technical_score = _points("Points, 0 to 333: what technical_scores counts signed is at least 0 here (G1)")
    holder_score = _points("Points, 0 to 333")
    social_score = _points("Points, 0 to 333")
    total_raw = models.GeneratedField(
        expression=_sum(), output_field=_SUM, db_persist=True, help_text="Sum of the known parts, 0 to 999"
    )
    total_score = models.GeneratedField(
        expression=Cast(Round(_sum(), precision=0), _WHOLE),
        output_field=_WHOLE,
        db_persist=True,
        help_text="The same, in whole points",
    )

    market_cap_score = _points("Points, 0 to 100")
    bonding_curve_score = _points("Points, 0 to 83")
    trading_health_score = _points("Points, 0 to 75")
    selloff_response_score = _points("Points, −60 to 75")
    liquidity_score = models.GeneratedField(
        expression=F("market_cap_score") + F("bonding_curve_score"),
        output_field=_SUM,
        db_persist=True,
        help_text="Market cap and bonding curve; NULL when one is unknown",
    )
    trading_score = models.GeneratedField(
        expression=F("trading_health_score") + F("selloff_response_score"),
        output_field=_SUM,
        db_persist=True,
        help_text="Trading health and sell-off response; NULL when one is unknown",
    )
    contract_score = _points("The seed's; no document says how it is counted, so it stays unknown")

    distribution_score = _points("Points, 0 to 111")
    quality_score = _points("Points, 0 to 111")
    activity_score = _points("Points, 0 to 111")
    twitter_score = _points("Points, 0 to 111")
    community_score = _points("Points, 0 to 111")
    virality_score = _points("Points, 0 to 111")

    available_max = models.IntegerField(help_text="Points that were to be had: 999, 666 without one part, 333 …")
    completeness = PercentField(help_text="Percent of the data for all 999 points that was there")
    score_multiplier = models.DecimalField(
        max_digits=6, decimal_places=4, default=1, db_default=1, help_text="Product of the multipliers that hold"
    )
    is_disqualified = models.BooleanField(default=False, db_default=False, help_text="A hard red flag is raised")
    red_flags = ArrayField(
        models.CharField(max_length=40), default=list, db_default=[], help_text="Names of the raised flags"
    )
    has_red_flags = models.GeneratedField(
        expression=ExpressionWrapper(Q(red_flags__len__gt=0), output_field=models.BooleanField()),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    total_adjusted = models.GeneratedField(
        expression=_adjusted(),
        output_field=_WHOLE,
        db_persist=True,
        help_text="min(available_max, total_raw · score_multiplier) in whole points; 0 under a hard red flag (G6)",
    )
    total_ratio = models.GeneratedField(
        expression=Round(
            Cast(_adjusted(), models.DecimalField(max_digits=12, decimal_places=4))
            / NullIf(F("available_max"), Value(0)),
            precision=4,
        ),
        output_field=_RATIO,
        db_persist=True,
        help_text="total_adjusted of available_max, 0 to 1: what thresholds are compared with (G5)",
    )

    ml_graduation_probability = models.DecimalField(max_digits=5, decimal_places=4, null=True, help_text="0 to 1")
    ml_confidence_score = models.DecimalField(max_digits=5, decimal_places=4, null=True, help_text="0 to 1")
    ml_model_version = models.CharField(max_length=20, null=True)

    policy_version = models.PositiveIntegerField(help_text="The ScorePolicy that made the total")
    inputs = models.JSONField(help_text="What the total is computed from again; numbers as text, null unknown")
    score_details = models.JSONField(help_text="Multipliers that hold and raised flags with reasons; what is unknown")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "token_scores"
        verbose_name, verbose_name_plural = "score in history", "score history"
        indexes = (
            models.Index(F("token"), F("calculated_at").desc(), F("id").desc(), name="idx_token_scores_token_time"),
            models.Index(F("total_score").desc(), name="idx_token_scores_total"),
            models.Index(
                F("ml_graduation_probability").desc(),
                name="idx_token_scores_ml_prob",
                condition=Q(ml_graduation_probability__isnull=False),
            ),
            models.Index(fields=["calculated_at"], name="idx_token_scores_time"),
        )
        constraints = (
            *(
                models.CheckConstraint(condition=_within(part, 0, 333), name=f"token_{part}_0_to_333")
                for part in _PARTS
            ),
            models.CheckConstraint(
                condition=~Q(technical_score=None, holder_score=None, social_score=None),
                name="token_score_has_a_known_part",
            ),
            models.CheckConstraint(
                condition=Q(available_max__gte=0, available_max__lte=999), name="token_score_available_max_0_to_999"
            ),
            models.CheckConstraint(condition=Q(score_multiplier__gt=0), name="token_score_multiplier_positive"),
            models.CheckConstraint(
                condition=Q(is_disqualified=False) | Q(red_flags__len__gt=0), name="token_score_disqualified_by_a_flag"
            ),
            models.CheckConstraint(
                condition=_within("ml_graduation_probability", 0, 1), name="token_score_probability_0_to_1"
            ),
            models.CheckConstraint(
                condition=_within("ml_confidence_score", 0, 1), name="token_score_confidence_0_to_1"
            ),
        )

    def __str__(self) -> str:
        return f"{self.total_adjusted} of {self.available_max}"


class LatestTokenScore(models.Model):
    """One row is the newest score of one token, with what lists are sorted by. Unique by token. Written by
    ``totals.refresh`` in the transaction of the score itself; its lock lets one worker at a time score a token. Kept as
    long as the score it points to.

    ``score`` is empty only inside the transaction that scores a token for the first time.
    """

    token = models.OneToOneField(Token, on_delete=models.PROTECT, primary_key=True, related_name="latest_score")
    score = models.OneToOneField(TokenScore, on_delete=models.PROTECT, null=True, related_name="latest")
    calculated_at = models.DateTimeField(null=True, help_text="As in token_scores")
    technical_score = _sort_key()
    holder_score = _sort_key()
    social_score = _sort_key()
    total_adjusted = models.IntegerField(null=True, help_text="As in token_scores")
    total_ratio = models.DecimalField(max_digits=5, decimal_places=4, null=True, help_text="As in token_scores")

    class Meta:
        db_table = "latest_token_scores"
        verbose_name, verbose_name_plural = "score", "scores"
        indexes = tuple(
            models.Index(F(column).desc(nulls_last=True), F("token").desc(), name=f"idx_latest_scores_{name}")
            for column, name in (
                ("total_ratio", "ratio"),
                ("total_adjusted", "total"),
                ("technical_score", "technical"),
                ("holder_score", "holder"),
                ("social_score", "social"),
            )
        )

    def __str__(self) -> str:
        return f"{self.total_adjusted}"
