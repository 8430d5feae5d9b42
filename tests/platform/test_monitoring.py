"""Prometheus' and Grafana's files: they parse, name metrics that exist, and lead to paragraphs that exist."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from megatron.embedded import postgres
from tests import factories, feeds
from tests.factories import NOON
from tests.holders.building import usage
from tokens.choices import AlertKind, AlertSeverity, GapCause, Program
from tokens.models import SlotGap
from tokens.selectors import upkeep
from tokens.services import alerts

ROOT = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"][0]["rules"]
BOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/megatron.json").read_text())
PROMETHEUS: dict[str, Any] = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
NAME = re.compile(r"\b(?:megatron|django)_\w+")
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]


@pytest.fixture
def shown(db: None, redis_url: str, settings: Any, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of all samples that /metrics shows of a house where everything happened once."""
    from megatron.core import health, metrics, readings

    factories.cursor(verified_slot=1)
    factories.rejected()
    factories.sol_usd()
    usage()
    gap = {"slot_from": 1, "slot_to": 2, "detected_at": NOON, "due_at": NOON}
    SlotGap.objects.create(venue=Program.PUMPFUN, cause=GapCause.RESTART, source="solana-logs", **gap)
    alerts.raise_alert(kind=AlertKind.GAP, subject="x", severity=AlertSeverity.WARNING, message="A gap stays", now=NOON)
    settings.CELERY_BROKER_URL = redis_url
    settings.CREDITS_PER_MONTH = {"helius": 1_000_000}
    health.beat(queue="slow", now=NOON)
    feeds.venue()
    job = upkeep.Job(1000, "policy_compression", "transactions", True, False, 0, "", timedelta(0))
    monkeypatch.setattr(upkeep, "jobs", lambda *, now: [job])  # lane none has no TimescaleDB
    metrics.frames.labels(source="a", venue="b").inc(0)
    metrics.decoded.labels(venue="b").inc(0)
    metrics.rejected.labels(reason="truncated").inc(0)
    metrics.gaps_opened.labels(venue="b", cause="c").inc(0)
    metrics.gaps_healed.labels(venue="b").inc(0)
    metrics.reorganisations.labels(venue="b").inc(0)
    metrics.cache_reads.labels(cache="a", outcome="hit").inc(0)
    metrics.provider_calls.labels(provider="a", outcome="answered").inc(0)
    metrics.provider_credits.labels(provider="a").inc(0)
    readings.READINGS._until = 0.0
    Client().get("/health/live")
    text = Client().get("/metrics").content.decode()
    readings.READINGS._until = 0.0
    return {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}


def test_every_metric_that_an_alert_or_a_panel_names_is_shown(shown: set[str]) -> None:
    """No alert waits for a metric that nobody counts, and no panel stays empty for ever."""
    asked = [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]
    named = {name for expression in asked for name in NAME.findall(expression)}
    assert len(named) > 25
    assert named - shown == set()


def test_every_metric_of_ours_is_watched(shown: set[str]) -> None:
    """Each has a place on the dashboard or an alert."""
    asked = " ".join(
        [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]
    )
    ours = {
        name for name in shown if name.startswith("megatron_") and not name.endswith(("_created", "_sum", "_count"))
    }
    assert {name for name in ours if name not in NAME.findall(asked)} == set()


def test_every_alert_leads_to_its_paragraph() -> None:
    """A runbook link names a heading that is there, and each alert has a severity, a pause and a sentence."""
    headings = re.findall(r"^#+ (.+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for rule in RULES:
        document, anchor = rule["annotations"]["runbook"].split("#")
        assert (document, anchor in anchors) == ("docs/runbook.md", True), rule["alert"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"]["summary"]
        assert re.fullmatch(r"\d+[mh]", rule["for"])


def test_what_is_asked_for_is_watched() -> None:
    """Lag over 30 s, gaps over 5 minutes, prices, queues, drift, cache, credits, disk, workers and Redis."""
    expressions = {rule["alert"]: rule["expr"] for rule in RULES}
    assert expressions["StreamLags"].endswith("> 30")
    assert expressions["GapsOpen"].endswith("> 300")
    assert "< 0.8" in expressions["CacheMisses"]
    assert expressions["CreditsRunLow"].endswith("> 0.8")
    assert {"NoHealthyPrice", "QueueGrows", "Drift", "DiskFull", "WorkerSilent", "RedisDown"} <= set(expressions)
    assert len(expressions) == len(RULES)


def test_endurance_07_jobs_aggregates_and_retention_have_alerts() -> None:
    """A job that fails or is not run, an aggregate that is behind and a policy that fails each lead to a paragraph."""
    rules = {rule["alert"]: rule for rule in RULES}
    told = {name: rules[name]["annotations"]["runbook"].split("#")[1] for name in rules if rules[name]["expr"].startswith(
        ("megatron_timescale_job", "megatron_aggregates", "megatron_retention"))}  # fmt: skip
    assert told == {
        "DatabaseJobFails": "a-job-of-the-database-fails",
        "DatabaseJobNotRun": "a-job-of-the-database-fails",
        "AggregatesBehind": "an-aggregate-is-behind",
        "RetentionFails": "a-retention-policy-fails",
    }


def test_endurance_09_composes_database_has_the_settings_that_were_measured() -> None:
    """What compose.yaml says of the server is what the embedded one has, on which the figures were measured: no JIT."""
    command = COMPOSE["services"]["timescaledb"]["command"]
    said = dict(part.split("=") for part in command[1:] if part != "-c")
    assert command[0] == "postgres"
    assert said["jit"] == "off"
    assert said == {name: postgres.SETTINGS[name] for name in said}


def test_parentheses_and_braces_of_every_expression_close() -> None:
    """Each query is at least balanced, and every range has a unit."""
    asked = [rule["expr"] for rule in RULES] + [target["expr"] for panel in PANELS for target in panel["targets"]]
    for expression in asked:
        for opening, closing in ("()", "[]", "{}"):
            assert expression.count(opening) == expression.count(closing), expression
        assert re.findall(r"\[(?!\d+[smh]\])", expression) == []


def test_the_dashboard_asks_for_its_data_source() -> None:
    """Every panel uses the variable, has a title, and none lies upon another."""
    assert [variable["name"] for variable in BOARD["templating"]["list"]] == ["datasource"]
    assert {target["datasource"]["uid"] for panel in PANELS for target in panel["targets"]} == {"${datasource}"}
    assert len({panel["title"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    places = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        covered = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not covered & places, panel["title"]
        assert at["x"] + at["w"] <= 24
        places |= covered


def test_prometheus_finds_its_rules_its_target_and_its_token() -> None:
    """The rules lie beside the configuration, the target is compose's web server, the token is a secret."""
    (job,) = PROMETHEUS["scrape_configs"]
    assert [(ROOT / "deploy/prometheus" / name).is_file() for name in PROMETHEUS["rule_files"]] == [True]
    assert job["static_configs"] == [{"targets": ["web:8000"]}]
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics_token"
    services = COMPOSE["services"]
    assert services["prometheus"]["secrets"] == ["metrics_token"]
    assert {name for name in services if services[name].get("profiles") == ["monitoring"]} == {"prometheus", "grafana"}


def test_what_grafana_mounts_is_there() -> None:
    """Data source, provider and dashboard lie where compose takes them from."""
    mounted = [volume.split(":")[0] for volume in COMPOSE["services"]["grafana"]["volumes"]]
    assert [path for path in mounted if not (ROOT / path).is_file()] == []
    (source,) = yaml.safe_load((ROOT / "deploy/grafana/datasource.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")


def test_all_our_containers_count_in_one_folder() -> None:
    """A stream's frames are shown by the web server: both have the folder of counts."""
    for name in ("web", "monitor-pumpfun", "worker-stream", "worker-money", "beat"):
        service = COMPOSE["services"][name]
        assert service["environment"]["PROMETHEUS_MULTIPROC_DIR"] == "/metrics"
        assert "metrics:/metrics" in service["volumes"], name
