"""Structured logs, without secrets."""

from urllib.parse import unquote, urlsplit

from megatron.core.logging import config
from megatron.settings import clients
from megatron.settings.base import SECRET_KEY, env
from megatron.settings.database import DATABASE_URL, REDIS_URL

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()

_passwords = [urlsplit(url).password or "" for url in (DATABASE_URL, REDIS_URL)]
_keys = [
    clients.HELIUS_API_KEY,
    clients.PUMPPORTAL_API_KEY,
    clients.YELLOWSTONE_TOKEN,
    clients.HERMES_API_KEY,
    clients.JUPITER_API_KEY,
    clients.BIRDEYE_API_KEY,
    clients.TWEETSCOUT_API_KEY,
    clients.TELEGRAM_BOT_TOKEN,
]
LOGGING = config(
    level=LOG_LEVEL,
    secrets=[SECRET_KEY, env.str("METRICS_TOKEN", default=""), *_keys, *_passwords, *map(unquote, _passwords)],
)
# A line for every heartbeat would bury the ones that matter; what fails is a warning or worse.
LOGGING.setdefault("loggers", {}).setdefault(
    "celery", {"level": env.str("CELERY_LOG_LEVEL", default="WARNING").upper()}
)
