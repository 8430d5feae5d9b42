"""The API's door to the accounts of calls to providers."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from holders import selectors
from holders.api.serializers import CreditsSerializer
from megatron.core.access import CanRead
from megatron.core.api import queries
from megatron.core.clock import utc_now


class CreditsView(APIView):
    permission_classes = (CanRead,)

    @extend_schema(operation_id="get_credits", responses=CreditsSerializer)
    def get(self, request: Request) -> Response:
        """What calls to providers cost, by provider and endpoint, and what is left of this month's budgets."""
        queries.asked(request)
        now = utc_now()
        shown = {"at": now, "budgets": selectors.budgets(now=now), "endpoints": selectors.spent(now=now)}
        return Response(CreditsSerializer(shown).data)
