"""Celery: it wakes workers; the rows are the queue."""

import os
from typing import Any

import structlog
from celery import Celery
from celery.signals import setup_logging, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
app = Celery("megatron")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_our_logging(**_: Any) -> None:
    """Leave logging as Django configured it: a receiver of this signal keeps Celery from configuring its own."""


@task_prerun.connect
def name_the_task(task_id: str, task: Any, **_: Any) -> None:
    """Put the task's name and id on each of its log lines."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task=task.name, task_id=task_id)
