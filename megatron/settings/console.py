"""The operator's console (django-unfold)."""

from megatron.settings.base import MODE

UNFOLD = {
    "SITE_TITLE": "Megatron",
    "SITE_HEADER": "Megatron",
    "SITE_SYMBOL": "radar",
    "SHOW_HISTORY": True,
}
CONSOLE_MODE = MODE
