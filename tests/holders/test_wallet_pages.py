"""Wallets as operators and programs see them."""

from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from holders import tasks
from holders.models import WalletQualityMetric
from megatron.core import api_keys
from megatron.core.choices import Scope
from tests.factories import NOON, address
from tests.holders import people
from tests.holders.people import DAY
from tests.query_counts import assert_query_count

pytestmark = pytest.mark.django_db

W = address("somebody")


@pytest.fixture(autouse=True)
def noon() -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("operator"))
    return client


def ask(client: Client, path: str, **headers: str) -> Any:
    _, key = api_keys.issue(name=f"a reader of {path[:50]} {len(headers)}", scopes=[Scope.READ], actor="test", now=NOON)
    return client.get(f"/api/v1/wallets/{path}", headers={"Authorization": f"Api-Key {key}", **headers})


def test_the_list_says_what_a_wallet_is_and_why(desk: Client) -> None:
    """The class, the evidence in words, what is only a lower bound, and the group it belongs to."""
    people.judged(W, "mev_bot", "bot", is_whole=False, from_start=False, wallet_age_days=200)
    people.cluster(members=sorted([W, address("twin")]))
    people.analysis(address("quiet"), wallet_type=None, wallet_age_days=None, total_transactions=None)
    page = desk.get(reverse("admin:holders_walletanalysis_changelist")).content.decode()
    assert "MEV bot" in page
    assert "is mev_bot; is bot" in page
    assert "over 200 d" in page
    assert "over 50" in page
    assert "2 wallets" in page
    assert "Not known" in page


def test_the_page_of_a_wallet_tells_each_class(desk: Client) -> None:
    """A line for each, and a sentence when there is none."""
    row, calm = people.judged(W, "bot", "known_dumper"), people.analysis()
    page = desk.get(reverse("admin:holders_walletanalysis_change", args=[row.pk])).content.decode()
    assert "<b>Known dumper</b>: is known_dumper" in page
    other = desk.get(reverse("admin:holders_walletanalysis_change", args=[calm.pk])).content.decode()
    assert "No class holds." in other


def test_a_list_of_wallets_costs_the_same_for_one_and_for_many(desk: Client) -> None:
    """The group comes with the row."""
    people.judged(W, "bot")
    with assert_query_count("console wallets"):
        desk.get(reverse("admin:holders_walletanalysis_changelist"))
    for number in range(12):
        people.analysis(address(f"w{number}"))
    with assert_query_count("console wallets"):
        desk.get(reverse("admin:holders_walletanalysis_changelist"))


def test_groups_and_measurements_have_their_lists(desk: Client) -> None:
    """Who is in a group is named up to three; what nobody knows is a dash."""
    people.cluster(members=sorted(address(f"m{n}") for n in range(5)))
    people.quality(bot_ratio=None, avg_wallet_age_days=None, organic_score=Decimal("0.25"))
    groups = desk.get(reverse("admin:holders_walletcluster_changelist")).content.decode()
    assert "and 2 more" in groups
    assert "Funded by one another or by one wallet" in groups
    measured = desk.get(reverse("admin:holders_walletqualitymetric_changelist")).content.decode()
    assert "0 of 4" in measured
    assert "60.0 %" in measured


def test_a_program_reads_who_a_wallet_is(client: Client) -> None:
    """Classes with their evidence, the record, the groups; unknown is null, amounts have their decimals."""
    people.judged(W, "bot", bot_score=Decimal("0.5"), **people.funding(W, by=address("rich"), at=NOON - DAY))
    people.cluster(members=sorted([W, address("twin")]))
    answer = ask(client, f"{W}/")
    body = answer.json()
    assert (answer.status_code, body["type"], body["bot_score"], body["win_rate_pct"]) == (200, "bot", "0.5", None)
    assert body["classes"] == [
        {
            "kind": "bot",
            "score": None,
            "evidence": [{"signal": "s", "weight": None, "numbers": {}, "words": "is bot"}],
        }
    ]
    assert body["sol"] == {"raw": "2340000000", "decimals": 9, "amount": "2.34"}
    assert (body["funder"], body["funded"]["amount"]) == (address("rich"), "0.5")
    assert [(it["kind"], it["size"], it["share_pct"]) for it in body["groups"]] == [("funding", 2, "4")]
    assert ask(client, f"{W}/", **{"If-None-Match": answer.headers["ETag"]}).status_code == 304


def test_a_wallet_that_nobody_looked_at_is_not_there(client: Client) -> None:
    """Nor is what is no address; an unknown parameter is refused, a stranger turned away."""
    assert ask(client, f"{W}/").status_code == 404
    assert ask(client, "zero0/").status_code == 404
    assert ask(client, f"{W}/?deep=1").status_code == 400
    assert client.get(f"/api/v1/wallets/{W}/").status_code == 401


def test_the_daily_task_ranks_and_forgets() -> None:
    """One old measurement goes, one stays."""
    people.quality(snapshot_time=NOON - 181 * DAY)
    people.quality()
    assert (tasks.rank_smart_money(), WalletQualityMetric.objects.count()) == (1, 1)
