"""PostgreSQL, Redis and Celery: from the environment, else the embedded services that `make run` starts."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured

from megatron.embedded.state import is_address, not_an_address, service_urls
from megatron.settings.base import STATE_DIR, env

_services = service_urls(STATE_DIR.parent)
DATABASE_URL = env.str("DATABASE_URL", default=_services.get("DATABASE_URL", ""))
REDIS_URL = env.str("REDIS_URL", default=_services.get("REDIS_URL", ""))

for _variable, _url in (("DATABASE_URL", DATABASE_URL), ("REDIS_URL", REDIS_URL)):
    if not is_address(_url):
        raise ImproperlyConfigured(not_an_address(_variable))

_parsed: dict[str, Any] = env.db_url_config(DATABASE_URL) if DATABASE_URL else {"NAME": ""}
DATABASES = {
    "default": {
        **_parsed,
        "ENGINE": "megatron.core.timescale",
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {
            # A server that was cut off without a word must be noticed in seconds, not after the kernel's hours.
            "connect_timeout": 10,
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 30_000,
            **_parsed.get("OPTIONS", {}),
            "application_name": "megatron",
        },
    }
}
if env.bool("DATABASE_POOL", default=False):
    DATABASES["default"]["OPTIONS"]["pool"] = {"min_size": 1, "max_size": env.int("DATABASE_POOL_SIZE", default=10)}
else:
    DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", default=60)

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL or "redis://127.0.0.1:6379/0",
        "KEY_PREFIX": "megatron",
        # A Redis that drops packets must not hold up a page that does not need it.
        "OPTIONS": {"socket_connect_timeout": 0.5, "socket_timeout": 0.5},
    }
}

CACHE_URL = env.str("CACHE_URL", default=REDIS_URL)
"""Where the seeds' keys live (megatron/core/cache.py). A server of its own may evict what it likes; the broker's may not."""

CELERY_BROKER_URL = REDIS_URL or "redis://127.0.0.1:6379/0"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "slow"
CELERY_TASK_TIME_LIMIT = 300
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_keepalive": True,
    "socket_connect_timeout": 1,
    # Of who sends: a bell without a broker fails at once, not after six seconds in which nothing is ingested.
    "max_retries": 0,
}
# A broker that is away is asked again for ever, at the start and later: a worker that gave up would have to be started by hand.
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = CELERY_BROKER_CONNECTION_RETRY = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CHANNEL_ERROR_RETRY = True
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False

INGEST_COPY = env.bool("INGEST_COPY", default=True)
"""Off for servers that cannot take COPY FROM STDIN: rows then go by INSERT."""
