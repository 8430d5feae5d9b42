"""The API's doors to who holds a token: the newest distribution, those before it, and the holders one by one."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from holders.choices import Exclusion, HolderOrigin
from holders.models import HolderSnapshot, TokenHolder
from holders.selectors import distribution
from megatron.core.access import CanRead
from megatron.core.api import CursorPagination, DecimalText, conditional, etag, queries


class SnapshotSerializer(serializers.Serializer[HolderSnapshot]):
    """How a token was spread over its holders; null is unknown. Balances are whole tokens, shares percent of what
    circulated."""

    token_mint = serializers.CharField()
    snapshot_time = serializers.DateTimeField()
    slot = serializers.IntegerField(allow_null=True, help_text="The list holds at this slot")
    origin = serializers.ChoiceField(HolderOrigin.choices, source="data_source")
    is_complete = serializers.BooleanField(help_text="No holder is missing from the list")
    incomplete_reason = serializers.CharField(help_text="Why somebody may be; empty for a complete list")
    judged_pct = DecimalText(
        source="judged_percentage",
        help_text="What the counted owners hold of what circulates: below 80 nothing is measured",
    )
    why_not_measured = serializers.CharField(help_text="Why no measure of the holders is known; empty where they are")
    total_holders = serializers.IntegerField(
        help_text="Owners of more than dust, without the excluded; at least so many"
    )
    uncounted_holders = serializers.IntegerField(
        allow_null=True,
        help_text="Owners of less than a millionth of what circulates: in no other count and no measure",
    )
    unique_holders = serializers.IntegerField(help_text="With the excluded")
    active_holders_24h = serializers.IntegerField(source="active_holders", allow_null=True)
    new_holders_1h = serializers.IntegerField(allow_null=True)
    holder_growth_pct = DecimalText(source="holder_growth_rate", help_text="Against an hour earlier")
    dust_holders = serializers.IntegerField(source="dust_accounts", allow_null=True, help_text="Of less than one USD")
    diamond_hands = serializers.IntegerField(source="diamond_hands_count", allow_null=True)
    gini = DecimalText(source="gini_coefficient", help_text="0 (all equal) to 1")
    theil = DecimalText(source="theil_index", help_text="0 to ln n")
    shannon = DecimalText(source="shannon_entropy", help_text="0 to 1 (all equal)")
    hhi = DecimalText(help_text="10,000/n to 10,000")
    circulating_supply = DecimalText(help_text="The supply without excluded accounts")
    excluded_balance = DecimalText()
    top_1_pct = DecimalText(source="top_1_percentage")
    top_5_pct = DecimalText(source="top_5_percentage")
    top_10_pct = DecimalText(source="top_10_percentage")
    top_20_pct = DecimalText(source="top_20_percentage")
    top_50_pct = DecimalText(source="top_50_percentage")
    top_100_pct = DecimalText(source="top_100_percentage")
    creator_pct = DecimalText(source="creator_percentage")
    program_pct = DecimalText(source="program_percentage", help_text="What owners that are programs hold")
    progress_quote_pct = DecimalText(help_text="Of the curve, at that time")
    market_cap_usd = DecimalText()


class ExcludedSerializer(serializers.Serializer[Any]):
    """An account that is no holder, and why."""

    wallet = serializers.CharField()
    reason = serializers.ChoiceField(Exclusion.choices)
    balance = serializers.CharField(help_text="Whole tokens")
    name = serializers.CharField(required=False, help_text="Of an exchange or a market")


class DistributionSerializer(SnapshotSerializer):
    """The newest snapshot with its Lorenz curve and the accounts that were left out."""

    average = DecimalText(source="average_holding_size", help_text="Whole tokens")
    median = DecimalText(source="median_holding_size", help_text="Whole tokens")
    sizes = serializers.SerializerMethodField(help_text="Holders by whole tokens")
    lorenz = serializers.SerializerMethodField(help_text="Parts of the holders, smallest first, and what they hold")
    excluded = serializers.SerializerMethodField()

    def get_sizes(self, row: HolderSnapshot) -> dict[str, int]:
        return {
            "below_100": row.holders_1_100,
            "below_1k": row.holders_100_1k,
            "below_10k": row.holders_1k_10k,
            "below_100k": row.holders_10k_100k,
            "from_100k": row.holders_100k_plus,
        }

    def get_lorenz(self, row: HolderSnapshot) -> list[list[str]]:
        curve: list[list[str]] = row.raw_distribution.get("lorenz", [])
        return curve

    def get_excluded(self, row: HolderSnapshot) -> list[dict[str, str]]:
        excluded: list[dict[str, str]] = row.raw_distribution.get("excluded", [])
        return excluded


class JudgedField(serializers.BooleanField):
    """What a wallet was found to be in this token; null while nobody judged it, whatever the column's default says."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"allow_null": True, **options})

    def get_attribute(self, instance: TokenHolder) -> Any:
        return None if instance.flags is None else super().get_attribute(instance)


class HolderSerializer(serializers.Serializer[TokenHolder]):
    """One wallet's holding of the token; null is unknown. Costs and profits are net of fees, against average cost; prices are
    without them."""

    reads = ("flags",)

    wallet = serializers.CharField(source="wallet_address")
    balance = DecimalText(source="current_balance", help_text="Whole tokens that it holds")
    traded_balance = DecimalText(help_text="Whole tokens that its trades leave")
    listed_balance = DecimalText(source="chain_balance", help_text="By the newest complete list of holders")
    peak_balance = DecimalText()
    bought = DecimalText(source="total_bought")
    sold = DecimalText(source="total_sold")
    untracked_sold = DecimalText(help_text="Of what it sold, what it had not bought here")
    buys = serializers.IntegerField(source="buy_count")
    sells = serializers.IntegerField(source="sell_count")
    avg_buy_price_sol = DecimalText(source="avg_buy_price")
    avg_sell_price_sol = DecimalText(source="avg_sell_price")
    cost_sol = DecimalText(help_text="Of the traded balance")
    sold_cost_sol = DecimalText(help_text="What it sold of what it had bought had cost")
    fees_sol = DecimalText(help_text="That are in costs and profits")
    network_fees_unknown = serializers.IntegerField(
        help_text="Trades whose network fee is not known, and not in the profit"
    )
    realized_sol = DecimalText(source="realized_pnl_sol")
    unrealized_sol = DecimalText(source="unrealized_pnl_sol")
    realized_usd = DecimalText(source="realized_pnl")
    unrealized_usd = DecimalText(source="unrealized_pnl")
    first_trade_at = serializers.DateTimeField(source="first_transaction_time", allow_null=True)
    last_trade_at = serializers.DateTimeField(source="last_transaction_time", allow_null=True)
    hold_hours = DecimalText(help_text="Of its newest holding")
    diamond_hands_score = DecimalText(help_text="0 to 100")
    sold_ratio = DecimalText(help_text="Part of what it bought that it sold")
    is_smart_money = JudgedField(help_text="True is good; null: the wallet was not judged in this token")
    is_bot = JudgedField(help_text="True is bad; null: the wallet was not judged in this token")
    is_mev_bot = JudgedField(help_text="True is bad; null: the wallet was not judged in this token")
    is_insider = JudgedField(help_text="True is bad; null: the wallet was not judged in this token")
    as_of = serializers.DateTimeField(source="last_updated")


class DistributionView(APIView):
    permission_classes = (CanRead,)

    @extend_schema(operation_id="get_token_distribution", parameters=[queries.MINT], responses=DistributionSerializer)
    def get(self, request: Request, mint: str) -> HttpResponseBase:
        """How the token is spread over its holders, as last listed."""
        queries.asked(request)
        queries.checked_address(mint)
        row = distribution.newest(token_mint=mint)
        if row is None:
            raise NotFound(f"Nobody has listed the holders of {mint}.")
        shown = DistributionSerializer(row).data
        return conditional(request, etag(shown), lambda: Response(shown))


class SnapshotListView(GenericAPIView[Any]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = SnapshotSerializer
    ordering = ("-snapshot_time",)

    @extend_schema(
        operation_id="list_token_snapshots",
        parameters=[queries.MINT, queries.PageQuery],
        responses=SnapshotSerializer(many=True),
    )
    def get(self, request: Request, mint: str) -> Response:
        """The token's distributions, newest first."""
        queries.asked(request, queries.PageQuery)
        queries.checked_address(mint)
        rows = self.paginate_queryset(distribution.snapshots(token_mint=mint)) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)


class HolderListView(GenericAPIView[Any]):
    permission_classes = (CanRead,)
    pagination_class = CursorPagination
    serializer_class = HolderSerializer
    ordering = ("-current_balance", "-id")

    @extend_schema(
        operation_id="list_token_holders",
        parameters=[queries.MINT, queries.PageQuery],
        responses=HolderSerializer(many=True),
    )
    def get(self, request: Request, mint: str) -> Response:
        """Who holds the token, the largest first, with what they paid and earned."""
        queries.asked(request, queries.PageQuery)
        queries.checked_address(mint)
        rows = self.paginate_queryset(distribution.holders(token_mint=mint)) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)
