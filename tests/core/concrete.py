"""Tables that make the abstract rows testable. They exist in the test database only."""

from django.db import models

from megatron.core import ids
from megatron.core.models import Fact, PolicyVersion, Row, Work


class Note(Row):
    text = models.CharField(max_length=100)

    class Meta(Row.Meta):
        app_label = "core_tests"


class Happening(Fact):
    text = models.CharField(max_length=100)

    class Meta(Fact.Meta):
        app_label = "core_tests"


class Errand(Work):
    text = models.CharField(max_length=100)

    class Meta(Work.Meta):
        app_label = "core_tests"


class Rule(PolicyVersion):
    limit_lamports = models.BigIntegerField()

    class Meta(PolicyVersion.Meta):
        app_label = "core_tests"


class Sorted(models.Model):
    """One column of each kind that a list may be ordered by, each of them without a value in some rows."""

    id = models.UUIDField(primary_key=True, default=ids.new_id)
    amount = models.DecimalField(max_digits=60, decimal_places=30, null=True)
    at = models.DateTimeField(null=True)
    day = models.DateField(null=True)
    flag = models.BooleanField(null=True)
    key = models.UUIDField(null=True)
    slot = models.BigIntegerField(null=True)
    text = models.CharField(max_length=100, null=True)
    note = models.ForeignKey(Note, models.CASCADE, null=True)

    class Meta:
        app_label = "core_tests"


TABLES = (Note, Happening, Errand, Rule, Sorted)
