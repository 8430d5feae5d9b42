"""The API's own door: what there is to read, and where."""

from typing import Any

from django.urls import path, reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from megatron.core.access import CanRead
from megatron.core.api import openapi, queries


class AddressSerializer(serializers.Serializer[Any]):
    """One address; what stands in braces in ``url`` is for you to fill in."""

    url = serializers.CharField(help_text="Where it is, names in braces left open")
    what = serializers.CharField(help_text="What it answers with")
    parameters = serializers.ListField(child=serializers.CharField(), help_text="What may follow the question mark")


class IndexSerializer(serializers.Serializer[Any]):
    """What the API offers: every address once, as a list or as a document."""

    schema = serializers.URLField(help_text="The OpenAPI document")
    docs = serializers.URLField(help_text="The same to try out, for people")
    lists = AddressSerializer(many=True, help_text="What answers with `results` and `next`")
    documents = AddressSerializer(many=True, help_text="What answers with all it has at once")


class IndexView(APIView):
    """Answers at the API's root, to whoever may read."""

    permission_classes = (CanRead,)

    @extend_schema(operation_id="get_index", responses=IndexSerializer)
    def get(self, request: Request) -> Response:
        """Every address of the API: its lists and its documents, with links."""
        queries.asked(request)
        here = request.build_absolute_uri("/").rstrip("/")
        every = openapi.addresses()
        found = {
            "schema": here + reverse("schema"),
            "docs": here + reverse("docs"),
            "lists": [_link(here, one) for one in every if one.is_list],
            "documents": [_link(here, one) for one in every if not one.is_list],
        }
        return Response(IndexSerializer(found).data)


def _link(here: str, one: openapi.Address) -> dict[str, Any]:
    return {"url": here + one.path, "what": one.what, "parameters": one.parameters}


urlpatterns = [path("", IndexView.as_view(), name="api-index")]
