"""Addresses of this room below ``/api/v1/``."""

from django.urls import path

from holders.api import jobs, views, wallets

urlpatterns = [
    path("credits/", views.CreditsView.as_view(), name="credits"),
    path("holder-jobs/", jobs.JobListView.as_view(), name="holder-job-list"),
    path("wallets/<str:wallet>/", wallets.WalletView.as_view(), name="wallet"),
]
