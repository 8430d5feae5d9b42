from django.db import models
from django.db.models import Func, Q
from django.db.models.functions import Cast
from django.db.models.lookups import LessThanOrEqual

from megatron.core.models import Work
from tokens.domain.metadata import DESCRIPTION_CHARS, DOCUMENT_BYTES, NAME_CHARS, URL_CHARS


class TokenMetadata(Work):
    """One row is the document that a token's URI names, fetched or still to be fetched. Unique by token. Written by
    ``metadata``. Kept for ever.

    Everything but ``uri`` is what a stranger wrote, made safe to show and cut to its limit; NULL where the document says
    nothing usable. A token whose URI changes gets its row due again; what was fetched stays until the next answer.
    """

    token = models.OneToOneField("tokens.Token", models.PROTECT, related_name="document")
    uri = models.CharField(max_length=500, help_text="What is fetched: the token's URI when the row was made due")
    fetched_at = models.DateTimeField(null=True, blank=True, help_text="When the document was read")
    found_at = models.CharField(
        max_length=2000, null=True, blank=True, help_text="Address that answered, after gateways and redirects"
    )
    content_type = models.CharField(max_length=100, null=True, blank=True)
    digest = models.CharField(max_length=64, null=True, blank=True, help_text="SHA-256 of the document's bytes")
    name = models.CharField(max_length=NAME_CHARS, null=True, blank=True, help_text="As the document says")
    symbol = models.CharField(max_length=32, null=True, blank=True, help_text="As the document says")
    description = models.CharField(max_length=DESCRIPTION_CHARS, null=True, blank=True)
    image_url = models.CharField(max_length=URL_CHARS, null=True, blank=True)
    twitter = models.CharField(max_length=URL_CHARS, null=True, blank=True)
    telegram = models.CharField(max_length=URL_CHARS, null=True, blank=True)
    website = models.CharField(max_length=URL_CHARS, null=True, blank=True)
    discord = models.CharField(max_length=URL_CHARS, null=True, blank=True)
    raw = models.JSONField(
        null=True, blank=True, help_text="The document itself, NUL escaped; NULL above 64 KiB of text"
    )

    class Meta(Work.Meta):
        db_table = "token_metadata"
        verbose_name, verbose_name_plural = "metadata", "metadata"
        constraints = (
            *Work.Meta.constraints,
            models.CheckConstraint(condition=~Q(uri=""), name="metadata_uri_not_empty"),
            models.CheckConstraint(
                condition=Q(fetched_at=None, found_at=None, content_type=None, digest=None)
                | Q(fetched_at__isnull=False, found_at__isnull=False, content_type__isnull=False, digest__isnull=False),
                name="metadata_fetched_whole",
            ),
            models.CheckConstraint(
                condition=Q(digest=None) | Q(digest__regex="^[0-9a-f]{64}$"), name="metadata_digest_is_sha256"
            ),
            models.CheckConstraint(
                # NULL passes a CHECK.
                condition=LessThanOrEqual(
                    Func(
                        Cast("raw", models.TextField()),
                        function="octet_length",
                        output_field=models.IntegerField(),
                    ),
                    DOCUMENT_BYTES,
                ),
                name="metadata_raw_at_most_64_kib",
            ),
        )

    def __str__(self) -> str:
        return f"Metadata of {self.token_id}"
