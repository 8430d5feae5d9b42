"""What a list of the API does for each row: it copies no field, and reads no column that it does not show."""

from typing import Any

import pytest
from django.test import Client
from rest_framework.fields import Field

from megatron.core import api_keys
from megatron.core.choices import Scope
from tests.architecture.test_query_counts import ADDRESSES, fill, named
from tests.factories import NOON

pytestmark = pytest.mark.django_db


@pytest.fixture
def copies(monkeypatch: pytest.MonkeyPatch) -> list[Field[Any, Any, Any, Any]]:
    """Every field that is copied: each serializer that is made copies all of its."""
    made: list[Field[Any, Any, Any, Any]] = []
    copy = Field.__deepcopy__

    def copied(self: Field[Any, Any, Any, Any], memo: Any) -> Any:
        made.append(self)
        return copy(self, memo)

    monkeypatch.setattr(Field, "__deepcopy__", copied)
    return made


def test_endurance_14_a_list_copies_its_fields_once(client: Client, copies: list[Any]) -> None:
    """As many fields are copied for a page of one row as for one of six, in every list."""
    fill(6)
    _, key = api_keys.issue(name="a reader", scopes=[Scope.READ], actor="test", now=NOON)
    headers = {"Authorization": f"Api-Key {key}"}
    counts: dict[str, list[int]] = {}
    for address in ADDRESSES:
        path = f"/api/v1/{named(address)}"
        for size in (6, 1, 6):  # the first makes what is made once for all requests
            copies.clear()
            answer = client.get(path, {"page_size": size}, headers=headers)
            if answer.status_code != 200:
                break  # no list in pages
            counts.setdefault(address, []).append(len(copies))
    assert {"tokens/", "pools/", "tokens/{mint}/transactions/", "risks/", "gaps/"} <= counts.keys()
    assert {address for address, (_, *made) in counts.items() if len(set(made)) > 1} == set()
