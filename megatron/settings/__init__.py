"""Settings, one subject a file. Everything an operator may set comes from the environment; docs/runbook.md lists it."""

# Tasks find their application wherever Django is set up; what only starts or stops services never pays for the import.
from megatron.celery import app as celery_app  # noqa: F401
from megatron.settings.apps import *  # noqa: F403
from megatron.settings.base import *  # noqa: F403
from megatron.settings.clients import *  # noqa: F403
from megatron.settings.console import *  # noqa: F403
from megatron.settings.database import *  # noqa: F403
from megatron.settings.http import *  # noqa: F403
from megatron.settings.logs import *  # noqa: F403
from megatron.settings.metrics import *  # noqa: F403
from megatron.settings.storage import *  # noqa: F403
from megatron.settings.wiring import *  # noqa: F403
