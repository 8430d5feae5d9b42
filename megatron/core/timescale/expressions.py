"""Time series functions for the ORM, the same at every level of the server."""

from datetime import timedelta
from typing import Any

from django.db import models
from timescale.db.models import aggregates
from timescale.db.models import expressions as timescale_expressions


class TimeBucket(timescale_expressions.TimeBucket):
    """The start of the bucket of ``width`` that holds a time: ``TimeBucket("block_time", timedelta(minutes=1))``."""

    def __init__(self, expression: Any, width: timedelta) -> None:
        super().__init__(expression, models.Value(width, models.DurationField()))
        self.output_field: Any = models.DateTimeField()


class _AtTime(models.Aggregate):
    """Keeps the type of the value; django-timescaledb turns every value into a float."""

    def __init__(self, expression: Any, time: Any, **options: Any) -> None:
        # django-timescaledb's own __init__ takes no filter.
        models.Aggregate.__init__(self, expression, time, **options)

    @property
    def output_field(self) -> Any:
        return self.get_source_expressions()[0].output_field


class First(_AtTime, aggregates.First):
    """The value at the earliest time: ``First("price_usd", "price_time")``. Of two at the same time, either."""


class Last(_AtTime, aggregates.Last):
    """The value at the latest time: ``Last("price_usd", "price_time")``. Of two at the same time, either."""
