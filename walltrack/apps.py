from django.apps import AppConfig


class WalltrackConfig(AppConfig):
    name = "walltrack"
    verbose_name = "Walltrack"
