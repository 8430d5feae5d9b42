import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from prometheus_client import REGISTRY

from megatron.core import api_keys, metrics

pytestmark = pytest.mark.django_db


def get(address: str = "203.0.113.5", **headers: str) -> Any:
    return Client().get("/metrics", REMOTE_ADDR=address, headers=headers)


def key_with(scope: str) -> str:
    return api_keys.issue(name=scope, scopes=[scope], actor="ann", now=datetime.now(UTC))[1]


def test_what_services_count_is_shown() -> None:
    """A counter's value is on the page under its name and label."""
    before = REGISTRY.get_sample_value("megatron_messages_rejected_total", {"reason": "truncated"}) or 0
    metrics.rejected.labels(reason="truncated").inc(3)
    assert f'megatron_messages_rejected_total{{reason="truncated"}} {before + 3}' in get("127.0.0.1").content.decode()


def test_a_stranger_sees_nothing() -> None:
    """Without a key the answer is 401."""
    assert get().status_code == 401


def test_a_caller_on_this_machine_needs_no_key() -> None:
    """Loopback may read, over IPv4 and IPv6."""
    assert get("127.0.0.1").status_code == 200
    assert get("::1").status_code == 200


def test_behind_a_proxy_on_this_machine_everybody_needs_a_key() -> None:
    """A forwarded request comes from elsewhere, whatever the socket says."""
    assert get("127.0.0.1", **{"X-Forwarded-For": "203.0.113.5"}).status_code == 401


def test_a_key_needs_the_scope() -> None:
    """A key with the scope metrics reads; one that only reads the API does not, not even from here."""
    assert get(Authorization=f"Api-Key {key_with('metrics')}").status_code == 200
    assert get("127.0.0.1", Authorization=f"Api-Key {key_with('read')}").status_code == 401


def test_processes_that_share_a_folder_are_added_up(tmp_path: Path) -> None:
    """With PROMETHEUS_MULTIPROC_DIR any web process shows what all of them counted, and the readings once."""
    script = """
import os, sys
os.environ["PROMETHEUS_MULTIPROC_DIR"] = sys.argv[1]
import django
django.setup()
from megatron.core import metrics, scrape
metrics.stored.inc(2)
if sys.argv[2] == "show":
    from prometheus_client import generate_latest
    print(generate_latest(scrape._counted()).decode())
"""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "megatron.settings"}
    for last in ("count", "show"):
        shown = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), last],
            env=environment,
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert "megatron_events_stored_total 4.0" in shown


def test_shield_09_where_there_is_a_token_this_machine_needs_it_too(settings: Any) -> None:
    """A proxy here that says nothing of forwarding would open the numbers to everybody."""
    settings.METRICS_TOKEN = "scrape-me-0123456789"
    assert get("127.0.0.1").status_code == 401
    assert get("127.0.0.1", Authorization="Bearer scrape-me-0123456788").status_code == 401
    assert get("127.0.0.1", Authorization="Bearer scrape-me-0123456789").status_code == 200
    assert get("127.0.0.1", Authorization=f"Api-Key {key_with('metrics')}").status_code == 200


@pytest.mark.parametrize("name", ["HTTPS", "TRUSTED_PROXIES"])
def test_shield_09_behind_a_proxy_there_is_no_open_door(name: str, settings: Any) -> None:
    """Without a token only a key opens then."""
    settings.SECURE_SSL_REDIRECT = False
    setattr(settings, name, 1)
    assert get("127.0.0.1").status_code == 401


@pytest.mark.parametrize("header", ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-IP"])
def test_shield_09_what_was_forwarded_does_not_come_from_here(header: str) -> None:
    """Whichever of its headers a proxy sets."""
    assert get("127.0.0.1", **{header: "x"}).status_code == 401


def series() -> set[str]:
    """Return all series of all metrics, without their values."""
    return {f"{sample.name}{sample.labels}" for metric in REGISTRY.collect() for sample in metric.samples}


def test_shield_09_unusual_methods_paths_and_hosts_make_no_new_series() -> None:
    """The first odd request of a kind is counted as odd; the next hundred, odd in other ways, are counted with it."""
    client = Client(raise_request_exception=False)

    def odd(number: int) -> None:
        for path in ("/health/live", "/console/login/", "/api/v1/tokens/", f"/nowhere/{number}"):
            client.generic(f"BREW{number}", path)
        client.get(f"/nowhere/{number}/x")
        client.get(f"/api/v1/tokens/{number}/")
        client.get(f"/health/live?x={number}")
        client.get("/health/live", HTTP_HOST=f"host{number}.example")
        client.generic("POST", "/console/login/", b"x", content_type=f"text/x-{number}; charset=odd-{number}")

    odd(0)
    before = series()
    for number in range(1, 26):
        odd(number)
    assert series() - before == set()


def test_the_token_of_the_settings_opens(settings: Any) -> None:
    """METRICS_TOKEN works as a bearer; another one does not; an empty setting opens nothing."""
    settings.METRICS_TOKEN = "scrape-me-0123456789"
    assert get(Authorization="Bearer scrape-me-0123456789").status_code == 200
    assert get(Authorization="Bearer scrape-me").status_code == 401
    settings.METRICS_TOKEN = ""
    assert get(Authorization="Bearer ").status_code == 401
