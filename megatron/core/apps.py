from django.apps import AppConfig


class CoreConfig(AppConfig):
    name = "megatron.core"
    label = "core"
    verbose_name = "Core"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the API schema how callers sign in."""
        from megatron.core.api import openapi  # noqa: F401, PLC0415  # registers itself; models must be loaded first
