import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from megatron.core.display import short_key
from megatron.core.fields import PubkeyField, SignatureField, U64Field
from megatron.core.models import Row
from tokens.choices import Platform


class Token(Row):
    """One row is a mint. Unique by ``mint_address``. Written by ``ingest.store`` and ``metadata``. Kept for ever.

    A mint that is first met in a trade has no creation yet: ``creation_*`` stay NULL until its create event is read.
    """

    mint_address = PubkeyField()
    symbol = models.CharField(max_length=32, blank=True, null=True, help_text="Sanitised; the raw value is in metadata")
    name = models.CharField(max_length=100, blank=True, null=True, help_text="Sanitised; the raw value is in metadata")
    decimals = models.PositiveSmallIntegerField(default=6)
    platform = models.CharField(max_length=20, choices=Platform)
    token_program = PubkeyField(null=True, blank=True, help_text="SPL Token or Token-2022: decides account addresses")
    creation_signature = SignatureField(null=True, blank=True)
    creation_timestamp = models.DateTimeField(null=True, blank=True, help_text="Block time of the creation")
    creator_address = PubkeyField(null=True, blank=True)
    creator_named_slot = models.BigIntegerField(
        null=True,
        blank=True,
        help_text="Slot of the trade that named the creator; NULL when the creation did, or nothing has",
    )
    launch_wallets = ArrayField(
        models.CharField(max_length=44),
        default=list,
        blank=True,
        db_default=[],
        help_text="Who bought in the transaction that created the token: dev wallets beside the creator",
    )
    initial_supply = U64Field(null=True, blank=True, help_text="Base units at creation")
    is_graduated = models.BooleanField(default=False)
    graduation_timestamp = models.DateTimeField(
        null=True, blank=True, help_text="Block time at which the curve was complete"
    )
    graduation_signature = SignatureField(null=True, blank=True)
    graduation_platform = models.CharField(max_length=50, null=True, blank=True, help_text="Where the liquidity went")
    uri = models.CharField(max_length=500, null=True, blank=True)
    image_url = models.CharField(max_length=500, null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    last_holder_score_progress = models.DecimalField(
        max_digits=5, decimal_places=2, null=True, blank=True, help_text="Percent at which holders were last scored"
    )

    class Meta(Row.Meta):
        db_table = "tokens"
        # Transactions name their parents without a foreign key of their own: a parent that cannot go leaves no orphan.
        triggers = (*Row.Meta.triggers, pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete))
        indexes = (
            models.Index(F("creation_timestamp").desc(nulls_last=True), name="idx_tokens_creation_timestamp"),
            models.Index(fields=["creator_address"], name="idx_tokens_creator"),
            GinIndex(fields=["launch_wallets"], name="idx_tokens_launch_wallets"),
            models.Index(fields=["platform"], name="idx_tokens_platform"),
            models.Index(fields=["symbol"], name="idx_tokens_symbol"),
            models.Index(fields=["graduation_timestamp"], condition=Q(is_graduated=True), name="idx_tokens_graduated"),
        )
        constraints = (
            # Not unique=True: that adds a second index for LIKE, which nobody asks of a key.
            models.UniqueConstraint(fields=["mint_address"], name="token_mint_once"),
            models.CheckConstraint(condition=Q(platform__in=Platform.values), name="token_platform_known"),
            models.CheckConstraint(condition=Q(decimals__lte=18), name="token_decimals_0_to_18"),
            models.CheckConstraint(
                condition=Q(is_graduated=True)
                | Q(graduation_timestamp=None, graduation_signature=None, graduation_platform=None),
                name="token_graduation_facts_only_when_graduated",
            ),
        )

    @property
    def dev_wallets(self) -> list[str]:
        """The wallets that stand for the maker: the named creator, and whoever bought in the creation, sorted."""
        named = [] if self.creator_address is None else [self.creator_address]
        return sorted({*named, *self.launch_wallets})

    @property
    def is_mayhem(self) -> bool:
        """Whether the token is known to be a mayhem coin: then nobody knows its supply but for a day (T15)."""
        return bool(self.metadata.get("is_mayhem_mode"))

    @property
    def short_name(self) -> str:
        """What people see it called: its symbol, or without one its mint in short (``Gao4…pump``)."""
        return self.symbol or short_key(self.mint_address)

    def __str__(self) -> str:
        return f"{self.symbol} {self.mint_address}" if self.symbol else self.mint_address
