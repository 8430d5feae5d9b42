from django.apps import AppConfig
from django.core.checks import Tags, register

from megatron.core.checks import trusted_proxies


class CoreConfig(AppConfig):
    name = "megatron.core"
    label = "core"
    verbose_name = "Core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the API schema how callers sign in, and what a deployment's settings must say."""
        from megatron.core.api import openapi  # noqa: F401, PLC0415  # registers itself; models must be loaded first

        register(trusted_proxies, Tags.security, deploy=True)
