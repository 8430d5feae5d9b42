"""Retention policies that cannot exist."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from tokens.models import RetentionPolicy

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
BROKEN = (
    ("retention_table_is_an_identifier", {"table_name": "tokens; DROP TABLE tokens"}),
    ("retention_columns_are_identifiers", {"order_by": "block_time DESC) --"}),
    ("retention_columns_are_identifiers", {"segment_by": "token_id'"}),
    ("retention_drop_after_positive", {"drop_after": timedelta(0), "compress_after": None}),
    ("retention_compression_has_an_order", {"order_by": ""}),
    ("retention_compression_has_an_order", {"compress_after": timedelta(0)}),
    ("retention_export_before_some_drop", {"export_before_drop": True, "drop_after": None}),
    ("retention_compress_before_drop", {"compress_after": 30 * DAY}),
)


@pytest.mark.parametrize(("constraint", "fields"), BROKEN)
def test_a_policy_that_makes_no_sense_cannot_be_stored(constraint, fields):
    """The database refuses each policy that could not be obeyed, by the name of the broken rule."""
    sound = {
        "table_name": "measurements",
        "drop_after": 30 * DAY,
        "compress_after": 7 * DAY,
        "segment_by": "token_id, source",
        "order_by": "block_time DESC, id",
    }
    assert RetentionPolicy.objects.create(**sound).pk
    with transaction.atomic(), pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        RetentionPolicy.objects.create(**{**sound, "table_name": "others", **fields})


def test_one_policy_a_table():
    """A table has one policy."""
    RetentionPolicy.objects.create(table_name="measurements")
    with pytest.raises(IntegrityError, match="table_name"), transaction.atomic():
        RetentionPolicy.objects.create(table_name="measurements")


def test_a_policy_reads_as_a_sentence():
    """A policy's text is its table and how long it is kept."""
    texts = str(RetentionPolicy(table_name="a", drop_after=90 * DAY)), str(RetentionPolicy(table_name="b"))
    assert texts == ("a: 90 days", "b: for ever")
