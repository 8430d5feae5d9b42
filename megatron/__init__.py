"""How the house is put together, and the cellar that every room stands on."""

from megatron.celery import app as celery_app

__all__ = ["celery_app"]
