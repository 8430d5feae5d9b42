"""What is wired is there, and what is there is wired: tasks, heartbeats, nudges and queues."""

import re
from pathlib import Path

from celery import current_app
from django.conf import settings
from django.utils.module_loading import import_string

from megatron.celery import app
from megatron.embedded.house import OUTSIDE, QUEUES
from tests import sources

ROOT = Path(__file__).parents[2]


def _tasks() -> set[str]:
    app.loader.import_default_modules()
    return {name for name in current_app.tasks if name.split(".")[0] in ("megatron", *sources.ROOMS)}


def test_every_task_has_its_heartbeat() -> None:
    """Each task of ours is woken by the beat, and the beat wakes nothing else."""
    assert _tasks() == set(settings.BEAT)


def test_every_nudge_is_rung() -> None:
    """Each nudge that is wired is rung by some service, and none is rung that is not wired."""
    rung = {
        name
        for path in sources.production()
        for name in re.findall(r"nudges\.ring\(\s*\"(\w+)\"\s*\)", path.read_text())
    }
    assert rung == set(settings.NUDGES)


def test_every_queue_has_a_worker() -> None:
    """The beat's queues are those of `make run`'s workers, and each of these has a worker in compose.yaml."""
    queues = (*QUEUES, OUTSIDE)
    assert sorted(settings.QUEUES) == sorted(queues)
    assert {settings.BEAT[f"megatron.core.tasks.heartbeat_{queue}"][0] for queue in queues} == set(queues)
    assert {queue for queue, _, _ in settings.BEAT.values()} <= set(queues)
    workers = re.findall(r"celery -A megatron worker --queues (\w+)", (ROOT / "compose.yaml").read_text())
    assert sorted(workers) == sorted(queues)


def test_every_name_on_the_wiring_page_is_there() -> None:
    """Who reads gauges, brings a panel or ranks is a function, each named once."""
    named = [*settings.READINGS, *settings.TOKEN_PANELS, settings.HOT_RANKING]
    assert len(set(named)) == len(named)
    assert all(callable(import_string(name)) for name in named)


def test_every_compose_command_exists() -> None:
    """What compose.yaml runs without a profile are commands that exist."""
    ready = (ROOT / "compose.yaml").read_text().split("monitor-pumpfun:", 1)[0]
    assert set(re.findall(r"manage\.py (\w+)", ready)) <= {"migrate", "check", *sources.commands()}
