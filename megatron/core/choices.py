"""The words of the cellar."""

from django.db.models import TextChoices


class Scope(TextChoices):
    """What an API key may do."""

    READ = "read", "Read the API"
    METRICS = "metrics", "Read the metrics"
