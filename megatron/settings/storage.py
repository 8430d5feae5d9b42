"""Where old data go before they are dropped, and where reads may go beside the primary."""

from pathlib import Path

from megatron.settings.base import env
from megatron.settings.database import DATABASES
from megatron.settings.http import MIDDLEWARE

_export_dir = env.str("RETENTION_EXPORT_DIR", default="")
RETENTION_EXPORT_DIR = Path(_export_dir) if _export_dir else None
"""Folder for the Parquet files of policies that export before they drop; without one those drop nothing."""

REPLICATED_ROOMS = ("tokens", "holders", "scoring", "rewards", "walltrack")
"""Whose rows may be read from a replica; accounts, sessions, keys and the audit log never are."""
DATABASE_REPLICA_MAX_LAG = env.float("DATABASE_REPLICA_MAX_LAG", default=5.0)
"""A replica that is more seconds behind is left out."""
DATABASE_REPLICA_PIN_SECONDS = env.int("DATABASE_REPLICA_PIN_SECONDS", default=10)
"""So long who wrote reads from the primary."""

_primary = DATABASES["default"]
_replicas = {
    f"replica_{number}": {
        **_primary,
        **(parsed := env.db_url_config(url)),
        "ENGINE": _primary.get("ENGINE"),
        "OPTIONS": {**_primary.get("OPTIONS", {}), **parsed.get("OPTIONS", {}), "connect_timeout": 2},
        "TEST": {"MIRROR": "default"},
    }
    for number, url in enumerate(env.list("DATABASE_REPLICA_URLS", default=[]), start=1)
}
DATABASE_REPLICAS = tuple(_replicas)
"""Aliases of DATABASE_REPLICA_URLS; without any neither router nor middleware is installed."""
if _replicas:
    DATABASES |= _replicas
    DATABASE_ROUTERS = ["megatron.core.replicas.Router"]
    MIDDLEWARE = [*MIDDLEWARE[:-1], "megatron.core.replicas.middleware", MIDDLEWARE[-1]]
