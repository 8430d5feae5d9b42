import pgtrigger
from django.contrib.postgres.indexes import HashIndex
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.functions import Now

from megatron.core.fields import PriceField, PubkeyField, RawAmountField, SignatureField, U64Field
from megatron.core.timescale.fields import HypertableTimeField
from tokens.choices import Commitment, TransactionType
from tokens.domain.events import POSITIONLESS

FEE_COLUMNS = ("protocol_fee", "platform_fee", "creator_fee", "share_fee")
FEES_IN_TOKEN = "fees_in_token"
"""The member of ``raw_data`` that holds fees charged in the token instead of the quote."""


class Transaction(models.Model):
    """One row is one trade or liquidity event of one pool. Unique by (signature, event_index, block_time), of which
    ``id`` is derived. Written by ``ingest.store``. Kept 90 days, compressed after 7 (the retention policy).

    A hypertable and a leaf: nothing points here. The raw integers are the truth; the normalised columns follow from
    them.
    """

    id = models.UUIDField(primary_key=True, editable=False, help_text="event_id(block_time, signature:event_index)")
    signature = SignatureField(hot=True)
    event_index = models.IntegerField(help_text="Place in the transaction, see tokens.domain.events.event_index")
    # Checked set-based by ingest.store, row by row by a trigger for any other writer; tokens and pools refuse DELETE. A
    # foreign key's own trigger would more than double the price of a row.
    pool = models.ForeignKey(
        "tokens.Pool", models.PROTECT, related_name="transactions", db_index=False, db_constraint=False
    )
    token = models.ForeignKey(
        "tokens.Token", models.PROTECT, related_name="transactions", db_index=False, db_constraint=False
    )
    block_time = HypertableTimeField(interval="1 day", help_text="The slot's time on chain")
    slot = models.BigIntegerField()
    commitment = models.PositiveSmallIntegerField(choices=Commitment, default=Commitment.CONFIRMED)
    type = models.CharField(max_length=20, choices=TransactionType)
    user_address = PubkeyField(hot=True)
    amount_in = RawAmountField(help_text="Base units that the trader gave, without fees")
    amount_in_decimals = models.PositiveSmallIntegerField(null=True, help_text="NULL while not known")
    amount_out = RawAmountField(help_text="Base units that the trader got, before fees")
    amount_out_decimals = models.PositiveSmallIntegerField(null=True, help_text="NULL while not known")
    sol_amount = models.DecimalField(
        max_digits=30,
        decimal_places=9,
        null=True,
        help_text="SOL moved against the pool, without fees; NULL for other quotes",
    )
    token_amount = models.DecimalField(max_digits=39, decimal_places=18, null=True, help_text="Whole tokens")
    price_per_token = PriceField(null=True, help_text="Execution price, quote per whole token")
    price_per_token_usd = PriceField(
        usd=True, null=True, help_text="Execution price, USD; NULL without a fresh price of the quote"
    )
    sol_amount_usd = PriceField(usd=True, null=True, help_text="The quote moved, in USD; NULL without a fresh price")
    # NULL where they were charged in the token (pools with the quote as their base): raw_data has them then.
    protocol_fee = U64Field(null=True, help_text="Base units of the quote")
    platform_fee = U64Field(null=True, help_text="Base units of the quote (LaunchLab platform, PumpSwap LP)")
    creator_fee = U64Field(null=True, help_text="Base units of the quote, cashback included")
    share_fee = U64Field(null=True, help_text="Base units of the quote (LaunchLab referral)")
    transaction_fee = models.BigIntegerField(null=True, help_text="Lamports paid to the network")
    quote_reserves = U64Field(null=True, help_text="Virtual quote reserves after the event, base units")
    token_reserves = U64Field(null=True, help_text="Virtual token reserves after the event, base units")
    real_quote_reserves = U64Field(
        null=True,
        help_text="Real quote reserves after the event, base units, where they do not follow from the virtual (mayhem coins)",
    )
    real_token_reserves = U64Field(
        null=True,
        help_text="Real token reserves after the event, base units, where they do not follow from the virtual (mayhem coins)",
    )
    transaction_index = models.IntegerField(
        null=True, help_text="Place of the transaction in its block, where the source tells"
    )
    slot_place = models.IntegerField(
        null=True,
        help_text="Place among several trades of a mayhem coin in one slot; NULL: the reserves' product tells it",
    )
    success = models.BooleanField(
        default=True, db_default=True, help_text="Always true: failed transactions yield no rows"
    )
    error_code = models.CharField(max_length=50, null=True)
    raw_data = models.JSONField(null=True, help_text="Layout name and the few fields that no column holds")
    created_at = models.DateTimeField(db_default=Now(), editable=False, help_text="Audit only")

    class Meta:
        db_table = "transactions"
        triggers = (
            pgtrigger.Trigger(
                name="parents_exist",
                # AFTER, like every row trigger here: a BEFORE trigger stops COPY from writing pages at a time even when
                # its condition is false.
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.UpdateOf("pool_id", "token_id"),  # type: ignore[no-untyped-call]  # pgtrigger has none
                # ingest.store proves the parents of a whole batch at once and says so.
                condition=pgtrigger.Condition("current_setting('megatron.usd_known', true) IS DISTINCT FROM 'on'"),
                func="""
                    IF NOT EXISTS (SELECT FROM public.pools WHERE id = NEW.pool_id AND token_id = NEW.token_id) THEN
                        RAISE foreign_key_violation USING
                            MESSAGE = format('There is no pool %s of token %s', NEW.pool_id, NEW.token_id),
                            CONSTRAINT = 'transaction_parents_exist';
                    END IF;
                    RETURN NEW;
                """,
            ),
        )
        # Each index is paid for on every insert, so there are few and each serves a named query:
        # the key (dedupe), a token's trades by time, a wallet's trades by time, one signature.
        indexes = (
            models.Index(F("token"), F("block_time").desc(), name="idx_transactions_token_time"),
            models.Index(F("user_address"), F("block_time").desc(), name="idx_transactions_user_time"),
            HashIndex(fields=["signature"], name="idx_transactions_signature"),
            # Nearly always empty: rows whose source does not say where in the transaction they happened.
            models.Index(
                fields=["signature"], condition=Q(event_index__gte=POSITIONLESS), name="idx_transactions_loose"
            ),
        )
        constraints = (
            models.CheckConstraint(condition=Q(type__in=TransactionType.values), name="transaction_type_known"),
            models.CheckConstraint(condition=Q(success=True), name="transaction_succeeded"),
            models.CheckConstraint(
                condition=Q(amount_in__gte=0, amount_out__gte=0), name="transaction_amounts_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(
                    id=Func(
                        F("block_time"),
                        F("signature"),
                        F("event_index"),
                        function="event_id",
                        output_field=models.UUIDField(),
                    )
                ),
                name="transaction_id_is_derived",
            ),
        )

    @property
    def fees_in_token(self) -> dict[str, int | None] | None:
        """The fees that were charged in base units of the token, by the names of the columns, which are then NULL; ``None``
        where they were charged in the quote."""
        charged = (self.raw_data or {}).get(FEES_IN_TOKEN)
        if charged is None:
            return None
        return {name: int(charged[name]) if name in charged else None for name in FEE_COLUMNS}

    def __str__(self) -> str:
        return f"{self.type} {self.signature} #{self.event_index}"
