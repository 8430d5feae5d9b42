from typing import Any

import pgtrigger
from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.db.models.expressions import Combinable, Expression
from django.db.models.functions import Coalesce, Now

from megatron.core.fields import PercentField, PubkeyField
from megatron.core.models import Fact
from megatron.core.timescale.fields import HypertableTimeField
from scoring.choices import Confidence

_POINTS = models.DecimalField(max_digits=6, decimal_places=2)
_BLOCKS = ("distribution_score", "quality_score", "activity_score")


def _sum_of_known() -> Expression:
    """Return the sum of the blocks that are known; NULL when none is."""
    nothing = Value(0, output_field=_POINTS)
    total: Combinable = Coalesce(F("distribution_score"), nothing, output_field=_POINTS)
    for block in _BLOCKS[1:]:
        total = total + Coalesce(F(block), nothing, output_field=_POINTS)
    unknown = Q(**{f"{block}__isnull": True for block in _BLOCKS})
    return Case(When(unknown, then=None), default=total, output_field=_POINTS)


def _within(name: str, most: int) -> Q:
    return Q(**{name: None}) | Q(**{f"{name}__gte": 0, f"{name}__lte": most})


def _ratio(help_text: str) -> "models.DecimalField[Any, Any]":
    return models.DecimalField(max_digits=7, decimal_places=6, null=True, help_text=help_text)


class HolderScore(models.Model):
    """One row is what the holders of one token were worth at one snapshot, at most 333 points. Unique by token and
    snapshot time, of which ``id`` is derived. Written by ``holder.score_measured``; later only ``is_frozen`` changes,
    once, by ``holder.freeze_graduated``. Kept 60 days; a frozen score's copy in ``holder_score_freezes`` for ever.

    A block is NULL when nothing of it is known, and ``available_max`` says what the known lines can give at most.
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(timestamp, token_mint)")
    token_mint = PubkeyField(hot=True)
    timestamp = HypertableTimeField(interval="7 days", key=("token_mint",), help_text="Time of the holder snapshot")

    distribution_score = models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text="Points, 0 to 111")
    gini_coefficient = _ratio("0: all hold the same, 1: one holds everything")
    theil_index = models.DecimalField(max_digits=12, decimal_places=6, null=True, help_text="0 to ln(holders)")
    shannon_entropy = models.DecimalField(
        max_digits=12, decimal_places=6, null=True, help_text="Normalised: 0 one holder, 1 all the same"
    )
    top_10_concentration = PercentField(null=True, help_text="Percent of the circulating supply")

    quality_score = models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text="Points, 0 to 111")
    avg_wallet_age_days = models.DecimalField(max_digits=10, decimal_places=2, null=True, help_text="Days")
    smart_money_ratio = _ratio("Part of the analysed wallets")
    bot_wallet_ratio = _ratio("Part of the analysed wallets")
    known_dumper_ratio = _ratio("Part of the analysed wallets")

    activity_score = models.DecimalField(max_digits=5, decimal_places=2, null=True, help_text="Points, 0 to 111")
    holder_growth_rate = models.DecimalField(
        max_digits=14, decimal_places=4, null=True, help_text="Percent in an hour, signed"
    )
    unique_buyers_1h = models.IntegerField(null=True)
    unique_sellers_1h = models.IntegerField(null=True)
    diamond_hands_ratio = _ratio("Part of the holders: over 24 hours, a tenth sold at most")
    avg_hold_time_hours = models.DecimalField(max_digits=10, decimal_places=2, null=True, help_text="Hours")

    total_score = models.GeneratedField(
        expression=_sum_of_known(),
        output_field=_POINTS,
        db_persist=True,
        help_text="Points of the known blocks, 0 to 333; NULL when none is known",
    )
    available_max = models.DecimalField(
        max_digits=5, decimal_places=2, help_text="What the known lines can give at most, 0 to 333"
    )

    total_holders = models.IntegerField(null=True, help_text="Owners with a balance, without excluded accounts")
    active_holders_24h = models.IntegerField(null=True)
    new_holders_1h = models.IntegerField(null=True)
    confidence_score = PercentField(null=True, help_text="Completeness, less while few wallets were sampled")
    confidence_level = models.CharField(max_length=6, choices=Confidence, help_text="The same in a word")
    data_completeness = PercentField(null=True, help_text="Percent of the holders, wallets and trades that was there")

    bonding_curve_progress = PercentField(null=True, help_text="Percent of the tokens on sale that are sold")
    progress_quote_pct = PercentField(null=True, help_text="Percent of the quote target: what the window asks (G4)")
    is_frozen = models.BooleanField(default=False, help_text="The last score before graduation: it never changes")

    policy_version = models.PositiveIntegerField(help_text="The ScorePolicy that made the points")
    breakdown = models.JSONField(help_text="Each line: points, the most it gives, the reason, its inputs")
    inputs = models.JSONField(help_text="What the score is computed from again; numbers as text, null unknown")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "holder_scores"
        triggers = (
            pgtrigger.Trigger(
                name="score_stays",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func="""
                    IF OLD.is_frozen OR NOT NEW.is_frozen
                        -- A generated column is not computed yet here.
                        OR to_jsonb(NEW) - '{is_frozen,total_score}'::text[]
                            IS DISTINCT FROM to_jsonb(OLD) - '{is_frozen,total_score}'::text[] THEN
                        RAISE EXCEPTION 'A holder score never changes, it is only frozen, once';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="frozen_is_the_last",
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                func="""
                    IF EXISTS (SELECT FROM public.holder_score_freezes WHERE token_mint = NEW.token_mint) THEN
                        RAISE EXCEPTION 'The holder score of % is frozen', NEW.token_mint;
                    END IF;
                    RETURN NULL;
                """,
            ),
        )
        indexes = (models.Index(F("timestamp").desc(), F("id").desc(), name="idx_holder_scores_time"),)
        constraints = (
            # The seed's name. Its own rule let a NULL progress pass; the window's edges are the policy's.
            models.CheckConstraint(
                condition=Q(progress_quote_pct__isnull=False, progress_quote_pct__lt=100, total_holders__gte=1)
                | Q(is_frozen=True),
                name="valid_progress",
            ),
            *(
                models.CheckConstraint(condition=_within(block, 111), name=f"holder_{block}_0_to_111")
                for block in _BLOCKS
            ),
            models.CheckConstraint(condition=_within("available_max", 333), name="holder_score_available_max_0_to_333"),
            models.CheckConstraint(
                condition=Q(total_score=None) | Q(total_score__lte=F("available_max")),
                name="holder_score_at_most_available",
            ),
            models.CheckConstraint(
                condition=Q(confidence_level__in=Confidence.values), name="holder_score_confidence_known"
            ),
        )

    def __str__(self) -> str:
        return f"{self.token_mint} {self.timestamp:%Y-%m-%d %H:%M:%S}: {self.total_score}"


class HolderScoreFreeze(Fact):
    """One row is the holder score with which one token graduated. Unique by ``token_mint``: however many workers
    freeze, one does. Written by ``holder.freeze_graduated``, never changed. Kept for ever: the score's own row goes
    with its chunk."""

    token_mint = PubkeyField()
    graduated_at = models.DateTimeField(
        null=True, help_text="Block time at which the curve was complete; NULL: unknown"
    )
    frozen_at = models.DateTimeField(help_text="When the score was frozen")
    score_time = models.DateTimeField(help_text="Time of the holder snapshot that was scored")
    score = models.JSONField(help_text="The whole row of holder_scores, by its columns")
    risk = models.JSONField(null=True, help_text="The newest row of risk_metrics then, by its columns; NULL: none")

    class Meta(Fact.Meta):
        db_table = "holder_score_freezes"
        verbose_name, verbose_name_plural = "frozen score", "frozen scores"
        indexes = (models.Index(fields=["frozen_at"], name="idx_holder_score_freezes_at"),)
        constraints = (
            models.UniqueConstraint(fields=["token_mint"], name="holder_score_frozen_once"),
            models.CheckConstraint(
                condition=Q(score_time__lte=F("graduated_at")), name="holder_score_frozen_before_graduation"
            ),
        )

    def __str__(self) -> str:
        return f"{self.token_mint}, graduated {self.graduated_at:%Y-%m-%d %H:%M:%S}"
