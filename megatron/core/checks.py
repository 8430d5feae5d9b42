"""What must be true of a deployment's settings: told by ``manage.py check --deploy``."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error


def trusted_proxies(**_: Any) -> list[CheckMessage]:
    """Return the error of a house behind TLS that believes no proxy."""
    if not settings.HTTPS or settings.TRUSTED_PROXIES > 0:
        return []
    return [
        Error(
            "HTTPS=1 without TRUSTED_PROXIES: every visitor has the address of the proxy.",
            hint=(
                "Thirty wrong logins of one visitor would shut everybody out, and all without a key would share one limit. "
                "Set TRUSTED_PROXIES to the number of proxies of yours that stand in front, 1 for one."
            ),
            id="megatron.E001",
        )
    ]
