from typing import Any

import pgtrigger
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now

from megatron.core.fields import PercentField, PubkeyField
from megatron.core.timescale.fields import HypertableTimeField
from scoring.choices import RiskLevel


def _sign(help_text: str) -> "models.BooleanField[Any, Any]":
    return models.BooleanField(null=True, help_text=f"{help_text}; NULL: not known, which never means no risk")


class RiskMetric(models.Model):
    """One row is what speaks against one token at one holder snapshot. Unique by token and snapshot time, of which
    ``id`` is derived. Written by ``holder.score_measured``, never changed. Kept 60 days.

    Scores run from 0 to 100, more is worse, and are NULL when nothing they are made of is known. A score of which only
    a part is known is what that part gives: at least so bad. ``risk_completeness`` says how much was known (G8).
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(timestamp, token_mint)")
    token_mint = PubkeyField(hot=True)
    timestamp = HypertableTimeField(interval="7 days", key=("token_mint",), help_text="Time of the holder snapshot")

    concentration_risk = PercentField(null=True, help_text="0 to 100, from the Gini coefficient")
    single_wallet_dominance = _sign("The largest holder has more than the policy's share")
    whale_coordination_detected = _sign("Whales traded the same side within a minute")

    bot_activity_score = PercentField(null=True, help_text="0 to 100, from the part of bots")
    bot_swarm_detected = _sign("More than the policy's part of the wallets are bots")
    mev_bot_percentage = PercentField(null=True, help_text="Percent of the analysed wallets")

    rug_risk_score = PercentField(null=True, help_text="0 to 100, from the largest holder, new wallets and Gini")
    creator_dumping = _sign("The creator sold more than the policy's part of his peak within an hour")
    insider_selling = _sign("Insiders sold more than the policy's part of their peak within an hour")
    liquidity_removal_risk = PercentField(null=True, help_text="Percent of the quote that was taken out within a day")

    wash_trading_score = PercentField(null=True, help_text="0 to 100")
    pump_dump_pattern = _sign("The price doubled and halved again, each within half an hour")
    coordinated_buying = _sign("Wallets bought first within seconds of each other, for nearly the same amount")

    liquidity_risk = PercentField(null=True, help_text="0 to 100, from the number of holders")
    volatility_risk = PercentField(null=True, help_text="0 to 100, from those who sell")
    pump_dump_risk = PercentField(null=True, help_text="0 to 100: pump 30, joint buying 20, insiders 20, dump 30")

    overall_risk_score = models.GeneratedField(
        # GREATEST passes over NULL: alone this may look safe when little is known, see risk_completeness (G8).
        expression=Greatest("concentration_risk", "bot_activity_score", "rug_risk_score", "wash_trading_score"),
        output_field=models.DecimalField(max_digits=7, decimal_places=4),
        db_persist=True,
        help_text="The worst of concentration, bots, rug and wash trading that are known, 0 to 100",
    )
    overall_risk_weighted = PercentField(null=True, help_text="Weighted mean of the known scores, 0 to 100")
    risk_completeness = PercentField(help_text="Percent of the weights that was known")
    risk_level = models.CharField(max_length=10, choices=RiskLevel, help_text="Low only when enough was known")
    confidence_level = PercentField(null=True, help_text="risk_completeness times the holder data's confidence")

    alerts = models.JSONField(help_text="What an operator should read: level, code, words")
    red_flags = models.JSONField(help_text="Reasons not to buy: code and words")
    yellow_flags = models.JSONField(help_text="Reasons to look: code and words")
    evidence = models.JSONField(help_text="By boolean: the figures, wallets and times behind it")
    policy_version = models.PositiveIntegerField(help_text="The ScorePolicy that made the figures")
    breakdown = models.JSONField(help_text="Each score's lines with reasons and inputs")
    inputs = models.JSONField(help_text="What the row is computed from again; numbers as text, null unknown")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "risk_metrics"
        verbose_name, verbose_name_plural = "risk", "risks"
        triggers = (pgtrigger.Protect(name="never_edited", operation=pgtrigger.Update),)
        indexes = (models.Index(F("timestamp").desc(), F("id").desc(), name="idx_risk_metrics_time"),)
        constraints = (
            models.CheckConstraint(condition=Q(risk_level__in=RiskLevel.values), name="risk_level_known"),
            models.CheckConstraint(
                condition=~Q(risk_level=RiskLevel.LOW) | Q(overall_risk_weighted__isnull=False),
                name="risk_unknown_is_not_low",
            ),
        )

    def __str__(self) -> str:
        return f"{self.token_mint} {self.timestamp:%Y-%m-%d %H:%M:%S}: {self.risk_level}"
