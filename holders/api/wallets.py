"""The API's door to what is known of one wallet. Reading only."""

from typing import Any

from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from holders.choices import ClusterKind, WalletClass, WalletOrigin
from holders.models import WalletAnalysis, WalletCluster
from holders.selectors import wallets
from megatron.core.access import CanRead
from megatron.core.api import Amount, DecimalText, conditional, etag, queries

_WALLET = queries.address_in_path("wallet", "Address of the wallet")
GROUPS = 20


class EvidenceSerializer(serializers.Serializer[Any]):
    """One signal that was seen."""

    signal = serializers.CharField()
    weight = serializers.CharField(allow_null=True, help_text="Of the class's weights; null where it alone decides")
    numbers = serializers.DictField(child=serializers.CharField(), help_text="What was measured")
    words = serializers.CharField()


class ClassSerializer(serializers.Serializer[Any]):
    """A class that the wallet belongs to, and why."""

    kind = serializers.ChoiceField(WalletClass.choices, source="class", help_text="The class")
    score = serializers.CharField(
        allow_null=True, help_text="Part of all weights, 0 to 1; null where nothing is weighed"
    )
    evidence = EvidenceSerializer(many=True)


class GroupSerializer(serializers.Serializer[WalletCluster]):
    """A group of a token's holders that the wallet belongs to."""

    token_mint = serializers.CharField()
    kind = serializers.ChoiceField(ClusterKind.choices)
    size = serializers.IntegerField(help_text="How many wallets")
    share_pct = DecimalText(help_text="What they hold of what circulates, percent")
    members = serializers.ListField(child=serializers.CharField())
    funders = serializers.ListField(child=serializers.CharField(), help_text="Who sent members their first SOL")
    snapshot_time = serializers.DateTimeField(help_text="Snapshot in which it was found")


class WalletSerializer(serializers.Serializer[WalletAnalysis]):
    """What is known of one wallet; null is unknown."""

    wallet_address = serializers.CharField()
    type = serializers.ChoiceField(
        WalletClass.choices, source="wallet_type", allow_null=True, help_text="Its first class"
    )
    classes = ClassSerializer(many=True, source="evidence", help_text="Its classes over all tokens, with why")
    origin = serializers.ChoiceField(WalletOrigin.choices, source="source", help_text="What it rests on")
    age_days = serializers.IntegerField(source="wallet_age_days", allow_null=True, help_text="At last_analyzed")
    first_seen_at = serializers.DateTimeField(allow_null=True, help_text="Oldest known transaction")
    from_start = serializers.BooleanField(help_text="first_seen_at is its very first transaction")
    last_seen_at = serializers.DateTimeField(allow_null=True)
    transactions = serializers.IntegerField(source="total_transactions", allow_null=True)
    transactions_are_all = serializers.BooleanField(source="is_whole", help_text="False: there are at least so many")
    sol = Amount("sol_lamports", 9)
    funder = serializers.CharField(allow_null=True, help_text="Who sent its first SOL")
    funded = Amount("funded_lamports", 9)
    funded_at = serializers.DateTimeField(allow_null=True)
    tokens_traded = serializers.IntegerField(source="unique_tokens_traded", allow_null=True)
    tokens_graduated = serializers.IntegerField(source="graduated_tokens", allow_null=True)
    tokens_dumped = serializers.IntegerField(source="dumped_tokens", allow_null=True)
    win_rate_pct = DecimalText(
        source="win_rate", help_text="Tokens sold with a profit net of fees, of those whose profit is known"
    )
    profit_usd = DecimalText(source="total_profit_usd", help_text="Realised, against average cost, net of fees")
    best_return_pct = DecimalText(source="best_trade_return", help_text="Of one token, net of fees")
    bot_score = DecimalText(help_text="Part of all weights, 0 to 1; a bot from 0.45")
    smart_money_score = DecimalText(source="smart_score", help_text="Part of all weights, 0 to 1; from 0.6")
    risk = DecimalText(source="risk_score", help_text="0 to 100")
    reputation = DecimalText(source="reputation_score", help_text="0 to 100, 50 for nothing special")
    is_known_scammer = serializers.SerializerMethodField(
        help_text="True is bad: it dumped at least three tokens of its own; null: no trade of it is known"
    )
    last_analyzed = serializers.DateTimeField(help_text="As of when; nothing later is in it")
    valid_until = serializers.DateTimeField()
    groups = GroupSerializer(many=True, help_text="Groups of holders it belongs to, the largest first, 20 at most")

    def get_is_known_scammer(self, row: WalletAnalysis) -> bool | None:
        return row.known_scammer if row.unique_tokens_traded else None


class WalletView(APIView):
    permission_classes = (CanRead,)

    @extend_schema(operation_id="get_wallet", parameters=[_WALLET], responses=WalletSerializer)
    def get(self, request: Request, wallet: str) -> HttpResponseBase:
        """Who a wallet is, as far as it was looked at: its classes with their evidence, its record, who funded it and
        the groups it belongs to."""
        queries.asked(request)
        try:
            row = wallets.get_analysis(wallet=queries.checked_address(wallet))
        except WalletAnalysis.DoesNotExist as error:
            raise NotFound(f"Nobody has looked at the wallet {wallet}.") from error
        row.__dict__["groups"] = list(wallets.clusters(wallets=[wallet])[:GROUPS])
        shown = WalletSerializer(row).data
        return conditional(request, etag(shown), lambda: Response(shown))
