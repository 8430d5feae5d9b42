"""Web: middleware, templates, security headers, API."""

from contextlib import suppress

from csp.constants import NONCE, NONE, SELF

from megatron.settings.base import BASE_DIR, DEBUG, STATE_DIR, env

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "megatron.core.logging.request_ids",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "megatron.core.request_metrics.RequestMetrics",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "megatron" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
            ]
        },
    }
]

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
with suppress(OSError):
    # WhiteNoise warns of a folder that is not there, and without `collectstatic` there is none.
    STATIC_ROOT.mkdir(parents=True, exist_ok=True)
STATICFILES_DIRS = [BASE_DIR / "megatron" / "static"]
WHITENOISE_USE_FINDERS = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

AUTHENTICATION_BACKENDS = ["megatron.core.logins.GuardedBackend"]

HTTPS = env.bool("HTTPS", default=False)
"""Set behind a TLS proxy: secure cookies, HSTS, redirect."""
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
if HTTPS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [SELF],
    }
}

API_ANONYMOUS_READ = env.bool("API_ANONYMOUS_READ", default=False)
"""Whether anybody may read the API without a key."""
API_ANONYMOUS_RATE = env.int("API_ANONYMOUS_RATE", default=60)
"""Requests a minute of one address without a key."""
PROMETHEUS_LATENCY_BUCKETS = (0.01, 0.05, 0.25, 1.0, 5.0, float("inf"))
"""Bounds in seconds of the latency histograms. Each is a line of /metrics for every view and method, so there are few."""
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)
"""How many proxies of ours stand in front: so many last hops of X-Forwarded-For are believed."""
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
"""Opens /metrics as ``Authorization: Bearer …``, for scrapers that cannot send another scheme. Where it is set nobody reads
them without it (or a key), from this machine neither."""

REST_FRAMEWORK = {
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "megatron.core.access.ApiKeyAuthentication",
        "megatron.core.access.OperatorSession",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["megatron.core.access.CanRead"],
    "DEFAULT_THROTTLE_CLASSES": ["megatron.core.limits.PerMinute"],
    "EXCEPTION_HANDLER": "megatron.core.api.problems.handle",
    "COERCE_DECIMAL_TO_STRING": True,
    "URL_FORMAT_OVERRIDE": None,
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Megatron",
    "DESCRIPTION": "Launchpad tokens: pools, trades, candles, holders, wallets and scores.",
    "DEFAULT_GENERATOR_CLASS": "megatron.core.api.openapi.KeptSchemaGenerator",
    "VERSION": "1.0.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],  # schema and docs are for everybody, and open while the database is away
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "Platform": "tokens.choices.Platform.choices",
        "Venue": "tokens.choices.Venue.choices",
        "PoolType": "tokens.choices.PoolType.choices",
        "PoolStatus": "tokens.choices.PoolStatus.choices",
        "PriceOrigin": "tokens.choices.PriceOrigin.choices",
        "AlertKind": "tokens.choices.AlertKind.choices",
        "ClusterKind": "holders.choices.ClusterKind.choices",
        "HolderOrigin": "holders.choices.HolderOrigin.choices",
        "WalletClass": "holders.choices.WalletClass.choices",
        "WalletOrigin": "holders.choices.WalletOrigin.choices",
        "SocialOrigin": "scoring.choices.SocialOrigin.choices",
        "TransactionType": "tokens.choices.TransactionType.choices",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "megatron.core.api.openapi.document_problems",
    ],
}
if DEBUG:
    INTERNAL_IPS = ["127.0.0.1"]
