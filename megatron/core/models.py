"""Abstract rows that the rooms build on."""

from django.db import models
from django.db.models.functions import Now

from megatron.core import ids


class Row(models.Model):
    """A row with a UUID key and audit times.

    ``created_at`` and ``updated_at`` are for people only: no decision in the house reads them.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only: when the row was written")
    updated_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only: set by trigger")

    class Meta:
        abstract = True
