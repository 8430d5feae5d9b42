from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

from django.apps import apps
from django.core import checks
from django.core.exceptions import ValidationError
from django.db import connections, models
from django.db.models import F, Q

from megatron.core.models import Row
from megatron.core.timescale import policies
from megatron.core.timescale.fields import HypertableTimeField
from tokens.domain import retention

_IDENTIFIER = r"^[a-z_][a-z0-9_]*$"
_COLUMNS = r"^([a-z_][a-z0-9_]*( (ASC|DESC))?(, [a-z_][a-z0-9_]*( (ASC|DESC))?)*)?$"


class RetentionPolicy(Row):
    """One row is how long one time series is kept and when it is compressed. Unique by ``table_name``. Written by
    migrations and edited by operators, obeyed by ``retention.apply``. Kept for ever."""

    table_name = models.CharField(max_length=63, unique=True, help_text="A hypertable or a continuous aggregate")
    drop_after = models.DurationField(null=True, blank=True, help_text="Rows older than this are dropped; empty: never")
    compress_after = models.DurationField(
        null=True,
        blank=True,
        help_text="Chunks older than this are compressed; empty: never. Needs TimescaleDB community",
    )
    segment_by = models.CharField(
        max_length=200, blank=True, default="", help_text="Columns that a compressed batch shares"
    )
    order_by = models.CharField(max_length=200, blank=True, default="", help_text="Order inside a compressed batch")
    export_before_drop = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Write whole days as Parquet below RETENTION_EXPORT_DIR before they are dropped; no folder, no drop",
    )
    note = models.CharField(max_length=300, blank=True, default="", help_text="Why these figures")
    applied_at = models.DateTimeField(null=True, editable=False, help_text="When retention.apply last obeyed it")
    outcome = models.CharField(
        max_length=300, blank=True, default="", editable=False, help_text="What it did then, or why it did not"
    )

    class Meta(Row.Meta):
        db_table = "retention_policies"
        verbose_name, verbose_name_plural = "retention policy", "storage and retention"
        constraints = (
            models.CheckConstraint(condition=Q(table_name__regex=_IDENTIFIER), name="retention_table_is_an_identifier"),
            models.CheckConstraint(
                condition=Q(segment_by__regex=_COLUMNS, order_by__regex=_COLUMNS),
                name="retention_columns_are_identifiers",
            ),
            models.CheckConstraint(
                condition=Q(drop_after=None) | Q(drop_after__gt=timedelta(0)), name="retention_drop_after_positive"
            ),
            models.CheckConstraint(
                condition=Q(compress_after=None) | (Q(compress_after__gt=timedelta(0)) & ~Q(order_by="")),
                name="retention_compression_has_an_order",
            ),
            models.CheckConstraint(
                condition=Q(export_before_drop=False) | Q(drop_after__isnull=False),
                name="retention_export_before_some_drop",
            ),
            models.CheckConstraint(
                condition=Q(compress_after=None) | Q(drop_after=None) | Q(compress_after__lt=F("drop_after")),
                name="retention_compress_before_drop",
            ),
        )

    def __str__(self) -> str:
        return f"{self.table_name}: {f'{self.drop_after.days} days' if self.drop_after else 'for ever'}"

    def clean(self) -> None:
        """Refuse what could not be obeyed: rows dropped that an aggregate still refreshes from, columns that the table has not,
        and what cannot be done with an aggregate or with a table of another room."""
        model = next((model for model in apps.get_models() if model._meta.db_table == self.table_name), None)
        fields = model._meta.concrete_fields if model else ()
        problems = retention.compression_problems(
            segment_by=self.segment_by,
            order_by=self.order_by,
            columns=[str(field.column) for field in fields],
            time=next((str(field.column) for field in fields if isinstance(field, HypertableTimeField)), ""),
        )
        if model is None and self.compress_after is not None:
            problems["compress_after"] = "Only a table of ours can be compressed, no aggregate."
        if self.export_before_drop and (model is None or model._meta.app_label != self._meta.app_label):
            problems["export_before_drop"] = "Only tables of tokens, trades, candles and prices can be exported."
        if problems:
            raise ValidationError(problems)
        if retention.too_short(self.table_name, self.drop_after):
            least = retention.shortest_keep(self.table_name)
            raise ValidationError(
                {"drop_after": f"An aggregate refreshes from the last {least}; keep longer than that."}
            )

    @classmethod
    def check(cls, *, databases: Sequence[str] | None = None, **options: Any) -> list[checks.CheckMessage]:
        """Compare the stored figures with what the aggregates read (decision C5), where a database may be asked."""
        messages: list[checks.CheckMessage] = super().check(databases=databases, **options)
        for alias in databases or ():
            if cls._meta.db_table not in connections[alias].introspection.table_names():
                continue  # the migrations that create it are still to run
            kept = {policy.table_name: policy for policy in cls._default_manager.using(alias).all()}
            messages.extend(_too_short(kept))
            messages.extend(_reaches_too_far(kept, alias))
        return messages


def _too_short(kept: "dict[str, RetentionPolicy]") -> Iterator[checks.CheckMessage]:
    """Yield an error for each policy that is shorter than a refresh of ours, on any server."""
    for table, policy in kept.items():
        if retention.too_short(table, policy.drop_after):
            yield checks.Error(
                f"{table} is dropped after {policy.drop_after}, but an aggregate refreshes from the "
                f"last {retention.shortest_keep(table)}.",
                hint="Set a longer drop_after in the retention policies.",
                obj=policy,
                id="tokens.E001",
            )


def _reaches_too_far(kept: "dict[str, RetentionPolicy]", alias: str) -> Iterator[checks.CheckMessage]:
    """Yield an error for each refresh job of the server, whoever made it, that reaches past a drop: of the table it
    reads, whose absence would empty the aggregate, or of the aggregate itself, whose dropped rows would come back."""
    for aggregate, source, reach in policies.refreshes(connections[alias]):
        for table in (source, aggregate):
            policy = kept.get(table)
            if policy is None or policy.drop_after is None or retention.too_short(table, policy.drop_after):
                continue
            if reach is None or reach >= policy.drop_after:
                yield checks.Error(
                    f"The job of {aggregate} refreshes {f'the last {reach}' if reach else 'all of it'}, but {table} is "
                    f"dropped after {policy.drop_after}.",
                    hint="Give the job a shorter start_offset, or the policy a longer drop_after.",
                    obj=policy,
                    id="tokens.E002",
                )
