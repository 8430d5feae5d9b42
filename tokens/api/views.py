"""The API's doors to tokens, pools, trades, candles and prices. Reading only; docs/api.md tells the rules that all
share."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.db.models.expressions import OrderBy
from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param
from rest_framework.views import APIView

from megatron.core.access import CanRead
from megatron.core.api import CursorPagination, conditional, etag, queries
from megatron.core.clock import utc_now
from megatron.core.timescale.newest import Lifetime
from tokens.api import filters
from tokens.api import serializers as shapes
from tokens.models import Token
from tokens.selectors import prices, tokens, trades
from tokens.services import cache


def _token(mint: str) -> Token:
    try:
        return tokens.get_token(queries.checked_address(mint))
    except Token.DoesNotExist as error:
        raise NotFound(f"No token {mint} is known.") from error


def _markets(shown: Sequence[Token]) -> dict[str, Any]:
    return {"markets": cache.markets(ids=[token.pk for token in shown], now=utc_now())}


class ReadView(APIView):
    """A door that only reads."""

    permission_classes = (CanRead,)


class ListView(ReadView, GenericAPIView[Any]):
    """A list in pages."""

    pagination_class = CursorPagination
    ordering: Sequence[str | OrderBy] = ()
    known: str | None = None
    lifetime: Lifetime | None = None

    def page(self, found: QuerySet[Any], order: filters.Order) -> Response:
        """Return the page of ``found`` that the caller asked for."""
        self.ordering, self.known = order.terms, order.known
        rows = self.paginate_queryset(found) or []
        return self.get_paginated_response(self.get_serializer(rows, many=True, context=self.beside(rows)).data)

    def beside(self, rows: Sequence[Any]) -> dict[str, Any]:  # noqa: ARG002  # some lists need nothing
        """Return what the serializer needs to know beside the rows of a page, read for all of them at once."""
        return {}


class TokenListView(ListView):
    serializer_class = shapes.TokenSerializer

    @extend_schema(
        operation_id="list_tokens", parameters=[filters.TokenQuery], responses=shapes.TokenSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Tokens with the state of the pool that prices each."""
        asked = queries.asked(request, filters.TokenQuery)
        order = filters.TOKEN_ORDERS[asked.pop("ordering")]
        wanted = {name: value for name, value in asked.items() if name not in ("cursor", "page_size")}
        return self.page(tokens.tokens(by_current_pool=order.of_pool, **wanted), order)

    def beside(self, rows: Sequence[Any]) -> dict[str, Any]:
        return _markets(rows)


class HotTokensView(ReadView):
    @extend_schema(operation_id="list_hot_tokens", parameters=[filters.HotQuery], responses=shapes.HotTokensSerializer)
    def get(self, request: Request) -> Response:
        """The tokens that traded in the last hour, the highest score first, then those without a score by their volume net
        of wash volume; ranked every half minute."""
        now, limit = utc_now(), queries.asked(request, filters.HotQuery)["limit"]
        hot = cache.hot(now=now, limit=limit)
        context = {"markets": {it.token.pk: it.market for it in hot}}
        return Response(shapes.HotTokensSerializer({"at": now, "results": hot}, context=context).data)


class TokenView(ReadView):
    @extend_schema(operation_id="get_token", parameters=[queries.MINT], responses=shapes.TokenDetailSerializer)
    def get(self, request: Request, mint: str) -> HttpResponseBase:
        """One token with its current pool, all its pools and their milestones."""
        queries.asked(request)
        try:
            token = tokens.get_token_with_pools(queries.checked_address(mint))
        except Token.DoesNotExist as error:
            raise NotFound(f"No token {mint} is known.") from error
        shown = shapes.TokenDetailSerializer(token, context=_markets([token])).data
        return conditional(request, etag(shown), lambda: Response(shown))


class TransactionListView(ListView):
    serializer_class = shapes.TransactionSerializer

    @extend_schema(
        operation_id="list_token_transactions",
        parameters=[queries.MINT, filters.TransactionQuery],
        responses=shapes.TransactionSerializer(many=True),
    )
    def get(self, request: Request, mint: str) -> Response:
        """Trades and liquidity events of a token on all its pools, newest first."""
        asked = queries.asked(request, filters.TransactionQuery)
        token = _token(mint)
        self.lifetime = trades.lifetime(token)
        found = trades.transactions(
            token=token,
            kind=asked.get("type"),
            user=asked.get("user"),
            after=asked.get("after"),
            before=asked.get("before"),
        )
        return self.page(found, filters.Order(trades.NEWEST_FIRST))


class CandlesView(ReadView):
    @extend_schema(
        operation_id="list_token_candles",
        parameters=[queries.MINT, filters.CandleQuery],
        responses=shapes.CandlesSerializer,
    )
    def get(self, request: Request, mint: str) -> HttpResponseBase:
        """Candles of a token that start in a half-open window, oldest first.

        Without `end` the window ends right after the newest candle; without `start` it is 24 hours long (30 days for
        `1d`).
        """
        asked = queries.asked(request, filters.CandleQuery)
        token, now, interval = _token(mint), utc_now(), filters.INTERVALS[asked["interval"]]
        newest = None if "end" in asked else trades.find_latest_candle(token=token, interval=interval)
        start, end = _window(asked, newest=newest.bucket if newest else None, step=timedelta(seconds=interval), now=now)
        fill = asked["fill"] == "previous"
        found = trades.series(
            token=token, interval=interval, start=start, end=end, limit=asked["limit"], fill=fill, now=now
        )

        def build() -> Response:
            head = {**_window_shown(request, start, end, found.rest_from), "mint": mint, "interval": asked["interval"]}
            return Response({**head, "results": shapes.CandleSerializer(found.candles, many=True).data})

        return conditional(request, etag(mint, asked, start, end, found), build)


class PoolListView(ListView):
    serializer_class = shapes.PoolSerializer

    @extend_schema(
        operation_id="list_pools", parameters=[filters.PoolQuery], responses=shapes.PoolSerializer(many=True)
    )
    def get(self, request: Request) -> Response:
        """Launch curves and AMM pools with their newest known state."""
        asked = queries.asked(request, filters.PoolQuery)
        found = tokens.pools(
            platform=asked.get("platform"),
            pool_type=asked.get("type"),
            status=asked.get("status"),
            mint=asked.get("mint"),
        )
        return self.page(found, filters.POOL_ORDERS[asked["ordering"]])


class SignatureView(ReadView):
    @extend_schema(
        operation_id="get_transaction", parameters=[queries.SIGNATURE], responses=shapes.TransactionEventsSerializer
    )
    def get(self, request: Request, signature: str) -> Response:
        """Everything stored of one transaction on chain, in the order in which it happened."""
        queries.asked(request)
        events = trades.events_of(queries.checked_signature(signature))
        if not events:
            raise NotFound(f"Nothing is stored of the transaction {signature}.")
        return Response(shapes.TransactionEventsSerializer({"results": events}).data)


class SolUsdView(ReadView):
    @extend_schema(operation_id="get_sol_usd", parameters=[filters.SolUsdQuery], responses=shapes.SolUsdSerializer)
    def get(self, request: Request) -> Response:
        """What SOL costs in USD: the price that held at a time, and the newest sample of each source that is
        not of the future."""
        now = utc_now()
        at = queries.asked(request, filters.SolUsdQuery).get("at") or now
        shown = {"at": at, "price": prices.find_price(at), "latest": prices.latest_by_source(until=now)}
        return Response(shapes.SolUsdSerializer(shown).data)


class SolUsdCandlesView(ReadView):
    @extend_schema(
        operation_id="list_sol_usd_candles",
        parameters=[filters.SolUsdCandleQuery],
        responses=shapes.SolUsdCandlesSerializer,
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Minutes of SOL in USD from one source, oldest first.

        Without `end` the window ends right after the newest minute; without `start` it is 24 hours long.
        """
        asked = queries.asked(request, filters.SolUsdCandleQuery)
        now = utc_now()
        newest = None if "end" in asked else prices.find_newest_minute(source=asked.get("source"), until=now)
        start, end = _window(asked, newest=newest, step=timedelta(minutes=1), now=now)
        source = asked.get("source") or prices.find_source(start=start, end=end)
        limit = asked["limit"]
        found = prices.candles_between(source=source, start=start, end=end, limit=limit + 1) if source else []

        def build() -> Response:
            rest_from = found[limit].bucket if len(found) > limit else None
            head = {**_window_shown(request, start, end, rest_from), "source": source}
            return Response({**head, "results": shapes.SolUsdCandleSerializer(found[:limit], many=True).data})

        return conditional(request, etag(asked, start, end, source, found), build)


def _window(
    asked: dict[str, Any], *, newest: datetime | None, step: timedelta, now: datetime
) -> tuple[datetime, datetime]:
    """Return the half-open window that was asked for, its defaults filled in: it ends right after the newest row."""
    span = timedelta(days=30) if step >= timedelta(days=1) else timedelta(hours=24)
    end: datetime = asked.get("end") or (newest + step if newest else now)
    start: datetime = asked.get("start") or end - span
    return start, max(end, start)


def _window_shown(request: Request, start: datetime, end: datetime, rest_from: datetime | None) -> dict[str, Any]:
    """Return the part of an answer that says which window it is and where its rest is."""
    rest = None
    if rest_from is not None:
        rest = replace_query_param(request.build_absolute_uri(), "start", _text(rest_from))
        rest = replace_query_param(rest, "end", _text(end))
    return {"start": _text(start), "end": _text(end), "next": rest}


def _text(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
