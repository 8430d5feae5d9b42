"""How tokens, pools, trades, candles and prices look outside. Unknown is ``null``; ids of rows stay inside."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from megatron.core.api import Amount, DecimalText, shown
from tokens.choices import (
    CandleInterval,
    Commitment,
    Platform,
    PoolStatus,
    PoolType,
    PriceOrigin,
    TransactionType,
    Venue,
)
from tokens.models import Pool, Token, TokenMetadata, Transaction
from tokens.selectors import market, tokens

_GIVES_QUOTE = (TransactionType.BUY, TransactionType.ADD_LIQUIDITY)


class MilestoneSerializer(serializers.Serializer[Any]):
    threshold_pct = serializers.IntegerField(help_text="Percent of the tokens on sale that were sold")
    reached_at = serializers.DateTimeField()
    slot = serializers.IntegerField()
    signature = serializers.CharField()


class ReservesSerializer(serializers.Serializer[Pool]):
    """``virtual`` prices the pool, ``real`` is what it holds."""

    virtual_quote = Amount("virtual_sol_reserves", "quote_decimals")
    virtual_token = Amount("virtual_token_reserves", "token.decimals")
    real_quote = Amount("real_sol_reserves", "quote_decimals")
    real_token = Amount("real_token_reserves", "token.decimals")


class PoolSerializer(serializers.Serializer[Pool]):
    address = serializers.CharField(source="pool_address")
    mint = serializers.CharField(source="base_mint")
    quote_mint = serializers.CharField()
    platform = serializers.ChoiceField(Venue.choices, help_text="Which program runs the pool")
    type = serializers.ChoiceField(PoolType.choices, source="pool_type")
    status = serializers.ChoiceField(PoolStatus.choices)
    price = DecimalText(source="latest_price", help_text="Spot after the newest event, quote per whole token")
    price_usd = DecimalText(source="latest_price_usd", help_text="Spot after the newest event, USD per whole token")
    market_cap = DecimalText(help_text="Price times supply, in the quote")
    market_cap_usd = DecimalText(help_text="Price times supply, USD")
    progress_pct = DecimalText(source="bonding_curve_progress", help_text="Percent of the tokens on sale that are sold")
    progress_quote_pct = DecimalText(help_text="Percent of the quote target that is raised")
    quote_target = Amount("quote_target", "quote_decimals")
    supply = Amount("base_supply", "token.decimals")
    reserves = ReservesSerializer(source="*")
    last_event_at = serializers.DateTimeField(source="last_trade_at", allow_null=True)
    last_slot = serializers.IntegerField(allow_null=True)
    last_signature = serializers.CharField(allow_null=True)


class PoolDetailSerializer(PoolSerializer):
    successor = serializers.CharField(
        source="successor.pool_address",
        default=None,
        allow_null=True,
        help_text="The pool into which the curve graduated",
    )
    migration_slot = serializers.IntegerField(
        allow_null=True, help_text="Slot of the earliest known event that shows the migration done"
    )
    migration_signature = serializers.CharField(allow_null=True)
    initial_price = DecimalText(help_text="Spot at creation, quote per whole token")
    milestones = MilestoneSerializer(many=True)


class MarketSerializer(serializers.Serializer[market.Market]):
    """At most half a minute old."""

    price = DecimalText(help_text="Spot, quote per whole token")
    price_usd = DecimalText(help_text="Spot, USD per whole token")
    volume_1h_sol = DecimalText(
        source="volume_1h", help_text="SOL traded in the last hour, net of wash volume; 0 for other quotes"
    )
    volume_1h_usd = DecimalText(
        help_text="USD traded in the last hour, net of wash volume, where the trades have a value"
    )
    change_1h_pct = DecimalText(
        source="change_1h", help_text="Percent since the last close before the hour, or the first price in it"
    )
    last_trade_at = serializers.DateTimeField(source="last_trade", allow_null=True)


class TokenSerializer(serializers.Serializer[Token]):
    mint = serializers.CharField(source="mint_address")
    symbol = serializers.CharField(allow_null=True, help_text="As its maker wrote it, control characters removed")
    name = serializers.CharField(allow_null=True, help_text="As its maker wrote it, control characters removed")
    decimals = serializers.IntegerField()
    platform = serializers.ChoiceField(Platform.choices)
    creator = serializers.CharField(source="creator_address", allow_null=True)
    created_at = serializers.DateTimeField(
        source="creation_timestamp", allow_null=True, help_text="Block time; null when the creation was not observed"
    )
    creation_signature = serializers.CharField(allow_null=True)
    initial_supply = Amount("initial_supply", "decimals")
    graduated = serializers.BooleanField(source="is_graduated")
    graduated_at = serializers.DateTimeField(source="graduation_timestamp", allow_null=True)
    graduated_to = serializers.CharField(source="graduation_platform", allow_null=True)
    uri = serializers.CharField(
        allow_null=True, help_text="Its maker's, not checked: do not fetch it from a trusted network"
    )
    image_url = serializers.CharField(allow_null=True)
    current_pool = serializers.SerializerMethodField(
        help_text="The pool that prices it: the graduated one, else the launch curve"
    )
    market = serializers.SerializerMethodField(
        help_text="Price and the last hour, at most half a minute old; null for a token without a price"
    )

    @extend_schema_field(PoolSerializer(allow_null=True))
    def get_current_pool(self, token: Token) -> Any:
        pool = tokens.current_of(token.pools.all())
        return None if pool is None else shown(PoolSerializer, pool)

    @extend_schema_field(MarketSerializer(allow_null=True))
    def get_market(self, token: Token) -> Any:
        found = self.context["markets"].get(token.pk)
        return None if found is None else shown(MarketSerializer, found)


class TokenMetadataSerializer(serializers.Serializer[TokenMetadata]):
    """A stranger's words and links, made safe to show, never to trust. ``null`` where the document says nothing usable."""

    state = serializers.SerializerMethodField(help_text="waiting, fetched, or failed: an operator has to look")
    uri = serializers.CharField()
    found_at = serializers.CharField(allow_null=True, help_text="Address that answered, after gateways and redirects")
    fetched_at = serializers.DateTimeField(allow_null=True)
    digest = serializers.CharField(allow_null=True, help_text="SHA-256 of the document")
    name = serializers.CharField(allow_null=True)
    symbol = serializers.CharField(allow_null=True)
    description = serializers.CharField(allow_null=True)
    image_url = serializers.CharField(allow_null=True)
    twitter = serializers.CharField(allow_null=True)
    telegram = serializers.CharField(allow_null=True)
    website = serializers.CharField(allow_null=True)
    discord = serializers.CharField(allow_null=True)

    @extend_schema_field({"type": "string", "enum": ["waiting", "fetched", "failed"]})
    def get_state(self, row: TokenMetadata) -> str:
        if row.finished_at is not None:
            return "fetched"
        return "failed" if row.quarantined_at is not None else "waiting"


class TokenDetailSerializer(TokenSerializer):
    metadata = TokenMetadataSerializer(
        source="document", allow_null=True, help_text="What the document at its URI says; null for a token without one"
    )
    graduation_signature = serializers.CharField(allow_null=True)
    token_program = serializers.CharField(allow_null=True)
    pools = PoolDetailSerializer(many=True, help_text="All its pools, side pools included")


class HotTokenSerializer(serializers.Serializer[Any]):
    score = serializers.IntegerField(
        allow_null=True, help_text="Total of at most 999 points; null while the token is not scored"
    )
    token = TokenSerializer()


class HotTokensSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField(help_text="When it was asked; the ranking is at most a minute older")
    results = HotTokenSerializer(
        many=True, help_text="The highest score first; then those without one, the most SOL traded first"
    )


class FeesInTokenSerializer(serializers.Serializer[Any]):
    reads = ("raw_data",)

    protocol = Amount("protocol_fee", "decimals")
    platform = Amount("platform_fee", "decimals")
    creator = Amount("creator_fee", "decimals")
    share = Amount("share_fee", "decimals")

    def to_representation(self, instance: Transaction) -> Any:
        charged = instance.fees_in_token
        if charged is None:
            return None
        return super().to_representation({**charged, "decimals": instance.token_decimals})  # type: ignore[attr-defined]


class FeesSerializer(serializers.Serializer[Transaction]):
    """All in the quote but ``network``, which is in SOL. A pool that has the quote as its base charges fees in the token:
    then those in the quote are null, and ``in_token``, which other events do not have, says what they were."""

    protocol = Amount("protocol_fee", "pool.quote_decimals")
    platform = Amount("platform_fee", "pool.quote_decimals")
    creator = Amount("creator_fee", "pool.quote_decimals")
    share = Amount("share_fee", "pool.quote_decimals")
    network = Amount("transaction_fee", 9)
    in_token = FeesInTokenSerializer(source="*", required=False, help_text="Only where fees are charged in the token")

    def to_representation(self, instance: Transaction) -> dict[str, Any]:
        fees: dict[str, Any] = super().to_representation(instance)
        if fees["in_token"] is None:
            del fees["in_token"]
        return fees


class ReservesAfterSerializer(serializers.Serializer[Transaction]):
    quote = Amount("quote_reserves", "pool.quote_decimals")
    token = Amount("token_reserves", "token_decimals")


class TransactionSerializer(serializers.Serializer[Transaction]):
    """One event. ``event_index`` tells its place in the transaction; from 2³⁰ on its source did not know the place."""

    signature = serializers.CharField()
    event_index = serializers.IntegerField()
    type = serializers.ChoiceField(TransactionType.choices)
    block_time = serializers.DateTimeField()
    slot = serializers.IntegerField()
    commitment = serializers.ChoiceField(
        [level.name.lower() for level in Commitment], help_text="How settled the slot was"
    )
    mint = serializers.CharField(source="pool.base_mint")
    pool = serializers.CharField(source="pool.pool_address")
    platform = serializers.ChoiceField(Venue.choices, source="pool.platform")
    quote_mint = serializers.CharField(source="pool.quote_mint")
    user = serializers.CharField(source="user_address")
    token_amount = Amount("token_raw", "token_decimals")
    quote_amount = Amount("quote_raw", "quote_decimals")
    price = DecimalText(source="price_per_token", help_text="Execution price, quote per whole token")
    price_usd = DecimalText(source="price_per_token_usd", help_text="Execution price, USD per whole token")
    value_usd = DecimalText(source="sol_amount_usd", help_text="What moved against the pool, USD")
    fees = FeesSerializer(source="*")
    reserves_after = ReservesAfterSerializer(source="*", help_text="Virtual reserves after the event")

    def to_representation(self, instance: Transaction) -> dict[str, Any]:
        given = instance.amount_in, instance.amount_in_decimals
        got = instance.amount_out, instance.amount_out_decimals
        quote, token = (given, got) if instance.type in _GIVES_QUOTE else (got, given)
        instance.quote_raw, instance.quote_decimals = quote  # type: ignore[attr-defined]
        instance.token_raw, instance.token_decimals = token  # type: ignore[attr-defined]
        event: dict[str, Any] = super().to_representation(instance)
        event["commitment"] = Commitment(instance.commitment).name.lower()
        return event


class TransactionEventsSerializer(serializers.Serializer[Any]):
    results = TransactionSerializer(many=True)


class CandleSerializer(serializers.Serializer[Any]):
    bucket = serializers.DateTimeField(help_text="Start of the candle")
    open = DecimalText(help_text="Prices are null when no trade was large enough to form one")
    high = DecimalText()
    low = DecimalText()
    close = DecimalText()
    open_usd = DecimalText()
    high_usd = DecimalText()
    low_usd = DecimalText()
    close_usd = DecimalText()
    volume_token = DecimalText(help_text="Whole tokens bought and sold")
    volume_sol = DecimalText(help_text="SOL; 0 for pools in other quotes")
    volume_usd = DecimalText(help_text="Null when no trade had a USD price")
    trade_count = serializers.IntegerField()
    buyer_count = serializers.IntegerField(help_text="Distinct wallets")
    seller_count = serializers.IntegerField(help_text="Distinct wallets")
    filled = serializers.BooleanField(help_text="True when nothing was traded and the candle is made up flat")


class WindowSerializer(serializers.Serializer[Any]):
    """The window that was answered, half-open, and the address of the rest of what was asked for."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    next = serializers.CharField(allow_null=True, help_text="Address of the rest of the window; null when this is all")


class CandlesSerializer(WindowSerializer):
    mint = serializers.CharField()
    interval = serializers.ChoiceField([interval.label for interval in CandleInterval])
    results = CandleSerializer(many=True, help_text="Oldest first")


class SolUsdCandleSerializer(serializers.Serializer[Any]):
    bucket = serializers.DateTimeField(help_text="Start of the minute")
    open = DecimalText()
    high = DecimalText()
    low = DecimalText()
    close = DecimalText()
    average = DecimalText(help_text="Each sample weighs alike")
    sample_count = serializers.IntegerField()


class SolUsdCandlesSerializer(WindowSerializer):
    source = serializers.ChoiceField(PriceOrigin.choices, allow_null=True)  # type: ignore[assignment]  # a declared field, not Field.source
    results = SolUsdCandleSerializer(many=True, help_text="Oldest first")


class SolUsdSampleSerializer(serializers.Serializer[Any]):
    source = serializers.ChoiceField(PriceOrigin.choices)  # type: ignore[assignment]  # a declared field, not Field.source
    price_usd = DecimalText(help_text="USD for one SOL")
    confidence_usd = DecimalText(source="confidence", help_text="Plus or minus, USD")
    price_time = serializers.DateTimeField(help_text="When the source says the price held")


class SolUsdSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    price = SolUsdSampleSerializer(
        allow_null=True,
        help_text="What priced SOL then: the most believed source's newest sample of the last 120 seconds",
    )
    latest = SolUsdSampleSerializer(many=True, help_text="The newest sample of each source, the most believed first")
