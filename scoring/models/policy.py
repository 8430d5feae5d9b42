from django.db import models
from django.db.models import Q

from megatron.core.models import PolicyVersion


class ScorePolicy(PolicyVersion):
    """One row is one version of the rules by which tokens are scored. Unique by ``version``; one is active. Written by
    the first migration and ``policies.publish``, never changed. Kept for ever: every score points to its version."""

    terms = models.JSONField(
        help_text="Every breakpoint and weight: sections technical, holder, risk, social and total; numbers as text"
    )

    class Meta(PolicyVersion.Meta):
        db_table = "score_policies"
        verbose_name_plural = "score policies"
        constraints = (
            *PolicyVersion.Meta.constraints,
            models.CheckConstraint(condition=~Q(terms={}), name="scorepolicy_has_terms"),
        )

    def __str__(self) -> str:
        return f"version {self.version}"
