"""Addresses of this room below ``/api/v1/``."""

from django.urls import path

from tokens.api import alerts, indexing, price_sources, streams, views

urlpatterns = [
    path("tokens/", views.TokenListView.as_view(), name="token-list"),
    path("tokens/hot/", views.HotTokensView.as_view(), name="token-hot"),
    path("tokens/<str:mint>/", views.TokenView.as_view(), name="token"),
    path("tokens/<str:mint>/transactions/", views.TransactionListView.as_view(), name="token-transactions"),
    path("tokens/<str:mint>/candles/", views.CandlesView.as_view(), name="token-candles"),
    path("transactions/<str:signature>/", views.SignatureView.as_view(), name="transaction"),
    path("pools/", views.PoolListView.as_view(), name="pool-list"),
    path("pools/<str:address>/", streams.PoolView.as_view(), name="pool"),
    path("sol-usd/", views.SolUsdView.as_view(), name="sol-usd"),
    path("sol-usd/candles/", views.SolUsdCandlesView.as_view(), name="sol-usd-candles"),
    path("price-sources/", price_sources.PriceSourcesView.as_view(), name="price-sources"),
    path("alerts/", alerts.AlertListView.as_view(), name="alert-list"),
    path("gaps/", streams.GapListView.as_view(), name="gap-list"),
    path("sources/", streams.SourceListView.as_view(), name="source-list"),
    path("reorgs/", streams.ReorgListView.as_view(), name="reorg-list"),
    path("indexing/", indexing.IndexingView.as_view(), name="indexing"),
]
