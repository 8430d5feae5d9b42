"""Addresses of this room below ``/api/v1/``."""

from django.urls import path

from holders.api import views

urlpatterns = [path("credits/", views.CreditsView.as_view(), name="credits")]
