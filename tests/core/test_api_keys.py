import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import IntegrityError

from megatron.core import api_keys
from megatron.core.models import ApiKey, AuditEntry

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 7, 3, 12, tzinfo=UTC)


def issue(**options: Any) -> tuple[ApiKey, str]:
    return api_keys.issue(**{"name": "grafana", "scopes": ["read"], "actor": "ann", "now": NOON, **options})


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("api_key", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def test_only_a_hash_of_the_secret_is_kept() -> None:
    """The full key is in no column and in no audit entry."""
    row, key = issue()
    secret = key.split("_", 2)[2]
    assert key == f"mgt_{row.prefix}_{secret}"
    assert secret not in str(ApiKey.objects.values().get())
    assert secret not in str(AuditEntry.objects.values().get())


def test_a_genuine_key_is_found() -> None:
    """The key that was shown once opens its row."""
    row, key = issue()
    found = api_keys.find_valid(key, now=NOON)
    assert found == row


SPOILT: tuple[Callable[[str], str], ...] = (
    lambda key: key[:-1],
    lambda key: key + "x",
    lambda key: key.replace("mgt", "abc"),
    lambda key: f"mgt_00000000_{key.split('_', 2)[2]}",
    lambda _: "",
    lambda _: "mgt__",
    lambda _: "mgt_\x00_a",
)


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_key_that_differs_anywhere_is_not_found(spoil: Callable[[str], str]) -> None:
    """Shortened, lengthened, of another kind, empty, with a NUL, or with another prefix."""
    _, key = issue()
    assert api_keys.find_valid(spoil(key), now=NOON) is None


def test_an_expired_key_is_not_found() -> None:
    """A key is valid until the moment it expires."""
    _, key = issue(expires_at=NOON + timedelta(days=1))
    assert api_keys.find_valid(key, now=NOON + timedelta(hours=23)) is not None
    assert api_keys.find_valid(key, now=NOON + timedelta(days=1)) is None


def test_a_revoked_key_is_not_found() -> None:
    """Revoking ends a key at once, once, and leaves its reason."""
    row, key = issue()
    api_keys.revoke(row, actor="ann", reason="leaked", now=NOON)
    assert api_keys.find_valid(key, now=NOON) is None
    with pytest.raises(api_keys.AlreadyRevoked):
        api_keys.revoke(row, actor="ann", reason="again", now=NOON)
    assert [(it.action, it.reason) for it in AuditEntry.objects.order_by("sequence")] == [
        ("api_key.issue", ""),
        ("api_key.revoke", "leaked"),
    ]


def test_the_last_use_is_noted_every_five_minutes() -> None:
    """Reading does not become writing: within five minutes the first note stays."""
    row, _ = issue()
    seen = []
    for minutes in (0, 4, 5):
        api_keys.note_use(row, now=NOON + timedelta(minutes=minutes))
        seen.append(ApiKey.objects.get().last_used_at)
    assert seen == [NOON, NOON, NOON + timedelta(minutes=5)]


def test_a_scope_that_does_not_exist_is_refused() -> None:
    """No key is made for it."""
    with pytest.raises(ValueError, match="everything"):
        issue(scopes=["everything"])
    assert ApiKey.objects.count() == 0


def test_a_name_is_used_once() -> None:
    """Two keys never share a name."""
    issue()
    with pytest.raises(IntegrityError, match="api_keys_name_key"):
        issue()


def test_the_command_prints_a_key_that_works() -> None:
    """`api_key create` prints the key alone, with the scopes that were asked for."""
    key = run("create", "grafana", "--scope", "read", "--scope", "metrics", "--rate", "60", "--days", "30").strip()
    row = api_keys.find_valid(key, now=datetime.now(UTC))
    assert row is not None
    assert (row.name, row.scopes, row.rate_per_minute) == ("grafana", ["metrics", "read"], 60)
    assert row.expires_at is not None


def test_the_command_lists_keys_without_secrets() -> None:
    """`api_key list --json` is one object a line."""
    key = run("create", "grafana").strip()
    told = run("list", "--json")
    assert json.loads(told)["name"] == "grafana"
    assert key.split("_", 2)[2] not in told
    assert "name=grafana" in run("list")


def test_the_command_revokes_by_name_or_prefix() -> None:
    """`api_key revoke` ends a key; what is not there, or was revoked, is said."""
    run("create", "grafana")
    run("revoke", ApiKey.objects.get().prefix, "--reason", "unused")
    assert ApiKey.objects.get().revoked_at is not None
    with pytest.raises(CommandError, match="revoked before"):
        run("revoke", "grafana", "--reason", "unused")
    with pytest.raises(CommandError, match="no key nobody"):
        run("revoke", "nobody", "--reason", "unused")


def test_the_command_refuses_what_makes_no_sense() -> None:
    """A taken name and a rate of nothing are told in one sentence."""
    run("create", "grafana")
    with pytest.raises(CommandError, match="named grafana already"):
        run("create", "grafana")
    with pytest.raises(CommandError, match="no whole number from 1 to 1,000,000"):
        run("create", "other", "--rate", "0")


@pytest.mark.parametrize(
    "arguments",
    [
        ("x" * 300,),
        ("a\nb",),
        ("\x1b[31mred",),
        ("",),
        ("a", "--rate", "99999999999"),
        ("a", "--rate", "-1"),
        ("a", "--days", "99999999999"),
        ("a", "--days", "36501"),
        ("a", "--days", "nan"),
    ],
)
def test_shield_08_an_absurd_key_is_a_sentence(arguments: tuple[str, ...]) -> None:
    """A name, rate or age that cannot be is refused in one line, and no key is made."""
    with pytest.raises(CommandError, match="is no ") as refusal:
        run("create", *arguments)
    assert "\n" not in str(refusal.value)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "fields", [{"name": "a\x00b"}, {"name": "x" * 101}, {"rate_per_minute": 1_000_001}, {"name": ""}]
)
def test_shield_08_an_absurd_key_is_refused_by_whoever_issues_it(fields: dict[str, Any]) -> None:
    """The console's form and every other door get the same rules."""
    given = {"name": "a", "scopes": ["read"], "actor": "test", "now": NOON, **fields}
    with pytest.raises(ValidationError):
        api_keys.issue(**given)
    assert not ApiKey.objects.exists()
