"""Small views that show what the cellar gives to every API. ``urlpatterns`` makes this module a URLconf."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import OperationalError
from django.db.models import F
from django.http import Http404, HttpResponse, HttpResponseBase
from django.urls import path
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from megatron import urls as ours
from megatron.core.api import Amount, CursorPagination, DecimalText, HasScope, conditional, etag, idempotent, problems
from megatron.core.choices import Scope
from megatron.core.models import AuditEntry
from tests.core.concrete import Errand

SECRET = "the database's password"
BUILT: list[str] = []


class Body(serializers.Serializer[Any]):
    amount = serializers.IntegerField(min_value=1)
    name = serializers.CharField(max_length=5)


class Inner(serializers.Serializer[Any]):
    parts = Body(many=True)


class Entry(serializers.ModelSerializer[AuditEntry]):
    class Meta:
        model = AuditEntry
        fields = ("sequence", "at", "reason")


class EntryList(ListAPIView[AuditEntry]):
    queryset = AuditEntry.objects.all()
    serializer_class = Entry
    pagination_class = CursorPagination
    ordering = ("-at", "sequence")


class ErrandRow(serializers.ModelSerializer[Errand]):
    class Meta:
        model = Errand
        fields = ("text", "leased_until")


class ErrandList(ListAPIView[Errand]):
    queryset = Errand.objects.all()
    serializer_class = ErrandRow
    pagination_class = CursorPagination
    ordering = (F("leased_until").desc(nulls_last=True), "text")


class Failing(APIView):
    def get(self, request: Request, how: str) -> Response:
        errors: dict[str, Exception] = {
            "missing": Http404("row 5 of table x"),
            "told": NotFound("No token abc is known."),
            "forbidden": PermissionDenied("because of the moon"),
            "conflict": problems.Conflict("It is sent already."),
            "away": OperationalError(SECRET),
            "bug": ZeroDivisionError(SECRET),
        }
        raise errors[how]

    def post(self, request: Request, how: str) -> Response:
        body = (Inner if how == "nested" else Body)(data=request.data)
        body.is_valid(raise_exception=True)
        return Response(body.validated_data)


class Scraping(APIView):
    permission_classes = (HasScope(Scope.METRICS),)

    def get(self, request: Request) -> Response:
        return Response({"ok": True})


class Writing(APIView):
    @idempotent
    def post(self, request: Request) -> Response:
        if request.data.get("fail"):
            raise problems.Conflict
        Errand.objects.create(text=request.data["text"], due_at="2026-07-03T12:00:00Z")
        return Response({"text": request.data["text"], "rows": Errand.objects.count()}, status=201)


class Cached(APIView):
    def get(self, request: Request) -> HttpResponseBase:
        def build() -> Response:
            BUILT.append("once")
            return Response({"version": request.query_params["version"]})

        return conditional(request, etag("row", request.query_params["version"]), build)


class Money(serializers.Serializer[Any]):
    paid = Amount("paid_raw", "quote.decimals")
    fee = Amount("fee_lamports", 9)
    price = DecimalText()


def broken(_request: Any) -> HttpResponse:
    raise ZeroDivisionError(SECRET)


urlpatterns = [
    path("api/v1/entries/", EntryList.as_view()),
    path("api/v1/errands/", ErrandList.as_view()),
    path("api/v1/failing/<str:how>/", Failing.as_view()),
    path("api/v1/scraping/", Scraping.as_view()),
    path("api/v1/writing/", Writing.as_view()),
    path("api/v1/cached/", Cached.as_view()),
    path("api/v1/broken/", broken),
    path("broken/", broken),
]
handler400, handler403, handler404, handler500 = ours.handler400, ours.handler403, ours.handler404, ours.handler500
