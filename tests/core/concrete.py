"""Tables that make the abstract rows testable. They exist in the test database only."""

from django.db import models

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


TABLES = (Note, Happening, Errand, Rule)
