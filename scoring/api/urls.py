"""Addresses of this room below ``/api/v1/``."""

from django.urls import URLPattern, path

from scoring.api import holder, scores, social, technical

urlpatterns: list[URLPattern] = [
    path("holder-scores/", holder.HolderScoreListView.as_view(), name="holder-score-list"),
    path("risks/", holder.RiskListView.as_view(), name="risk-list"),
    path("scores/", scores.RankedView.as_view(), name="score-list"),
    path("tokens/<str:mint>/score/", scores.ScoreView.as_view(), name="token-score"),
    path("tokens/<str:mint>/score/explain/", scores.ExplainView.as_view(), name="token-score-explain"),
    path("tokens/<str:mint>/scores/", scores.ScoreListView.as_view(), name="token-scores"),
    path("selloffs/", technical.SelloffListView.as_view(), name="selloff-list"),
    path(
        "tokens/<str:mint>/scores/technical/",
        technical.TechnicalScoreListView.as_view(),
        name="token-technical-scores",
    ),
    path("tokens/<str:mint>/social/", social.SocialView.as_view(), name="token-social"),
    path("tokens/<str:mint>/social/readings/", social.SocialReadingListView.as_view(), name="token-social-readings"),
]
