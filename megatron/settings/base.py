"""Where we are, which mode we are in, and the secret key."""

import os
import secrets
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parents[2]
STATE_DIR = BASE_DIR / ".megatron"

env = environ.Env()
environ.Env.read_env(BASE_DIR / ".env", overwrite=False)

DEBUG = env.bool("DEBUG", default=False)
MODE = env.str("MODE", default="simulation")
"""``simulation`` (the default: no signer is ever asked) or ``live``."""
if MODE not in ("simulation", "live"):
    raise environ.ImproperlyConfigured(f"MODE is {MODE!r}; set MODE=simulation or MODE=live.")


def _secret_key() -> str:
    """Return SECRET_KEY, or one kept in the project's own folder so that sessions survive a restart."""
    if key := env.str("SECRET_KEY", default=""):
        if len(key) < 50:
            raise environ.ImproperlyConfigured("SECRET_KEY is shorter than 50 characters; set a long random one.")
        return key
    path = STATE_DIR / "secret_key"
    try:
        STATE_DIR.mkdir(exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    except OSError as error:
        raise environ.ImproperlyConfigured(f"SECRET_KEY is not set and {path} cannot be written: {error}") from error
    key = secrets.token_urlsafe(64)
    with os.fdopen(handle, "w") as file:
        file.write(key)
    return key


SECRET_KEY = _secret_key()

ROOT_URLCONF = "megatron.urls"
WSGI_APPLICATION = "megatron.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False
