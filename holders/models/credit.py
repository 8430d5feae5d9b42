from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from megatron.core import ids
from megatron.core.timescale.fields import HypertableTimeField


class ApiCreditUsage(models.Model):
    """One row is the calls of one second to one endpoint that ended alike. Unique by ``id``: the seed's key of time,
    provider and endpoint is that of any two processes (H13). Written by ``credits.store``. Kept 90 days."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    timestamp = HypertableTimeField(interval="7 days", help_text="When the first of the calls was made")
    api_provider = models.CharField(max_length=50, help_text="helius, jupiter, …")
    endpoint = models.CharField(max_length=100, help_text="Method or path, without keys")
    calls = models.IntegerField(default=1, help_text="How many calls the row counts")
    credits_used = models.IntegerField(help_text="Credits of all its calls, as the provider's price list says")
    response_time_ms = models.IntegerField(null=True, help_text="Mean of its calls; NULL for streams")
    status_code = models.IntegerField(null=True, help_text="HTTP status; NULL when no answer came")
    error_message = models.TextField(null=True, help_text="Without secrets; NULL for an answer")
    token_mint = models.CharField(max_length=44, null=True, help_text="Whom the call was about, where it is known")
    request_type = models.CharField(max_length=50, null=True, help_text="What it was for")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "api_credit_usage"
        verbose_name, verbose_name_plural = "credits", "credits"
        constraints = (
            models.CheckConstraint(condition=Q(calls__gt=0), name="credit_row_has_calls"),
            models.CheckConstraint(condition=Q(credits_used__gte=0), name="credits_not_negative"),
        )

    def __str__(self) -> str:
        return f"{self.api_provider} {self.endpoint} {self.credits_used}"
