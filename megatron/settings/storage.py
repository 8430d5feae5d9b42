"""Where old data go before they are dropped."""

from pathlib import Path

from megatron.settings.base import env

_export_dir = env.str("RETENTION_EXPORT_DIR", default="")
RETENTION_EXPORT_DIR = Path(_export_dir) if _export_dir else None
"""Folder for the Parquet files of policies that export before they drop; without one those drop nothing."""
