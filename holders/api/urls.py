"""Addresses of this room below ``/api/v1/``."""

from django.urls import path

from holders.api import balances, jobs, views, wallets

urlpatterns = [
    path("credits/", views.CreditsView.as_view(), name="credits"),
    path("holder-jobs/", jobs.JobListView.as_view(), name="holder-job-list"),
    path("tokens/<str:mint>/distribution/", balances.DistributionView.as_view(), name="token-distribution"),
    path("tokens/<str:mint>/holders/", balances.HolderListView.as_view(), name="token-holders"),
    path("tokens/<str:mint>/snapshots/", balances.SnapshotListView.as_view(), name="token-snapshots"),
    path("wallets/<str:wallet>/", wallets.WalletView.as_view(), name="wallet"),
]
