"""Celery: it wakes workers; the rows are the queue."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "megatron.settings")
app = Celery("megatron")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
