"""Settings of every installation; what differs comes from `SCRM_*` variables (docs/operations.md)."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dj_database_url
import django_stubs_ext
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _

from scrm import embedded
from scrm.settings.admin import *
from scrm.settings.env import env_bool, env_int, env_list, env_str

django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parents[2]
EMBEDDED_DATABASE = not env_str("SCRM_DATABASE_URL", "")
EMBEDDED_BROKER = not env_str("SCRM_BROKER_URL", "")

# On embedded services keys are made once and kept in SCRM_DATA_DIR; a server must be given them.
SECRET_KEY = env_str("SCRM_SECRET_KEY", embedded.secret_key() if EMBEDDED_DATABASE else None)
FIELD_KEYS = env_list("SCRM_FIELD_KEYS", embedded.field_keys() if EMBEDDED_DATABASE else None)
DEBUG = env_bool("SCRM_DEBUG", default=False)
ALLOWED_HOSTS = env_list("SCRM_ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env_list("SCRM_TRUSTED_ORIGINS")
if env_bool("SCRM_BEHIND_HTTPS", default=False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_HSTS_SECONDS = 31_536_000

INSTALLED_APPS = [
    "scrm.dashboard",  # before the theme: some of its templates are ours
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "import_export",
    "scrm.tenancy",
    "scrm.audit",
    "scrm.jobs",
    "scrm.channels",
    "scrm.sandbox",
    "scrm.operations",
    "scrm.demo",
    "risk",
    "customers",
    "groups",
    "campaigns",
]

# What WeCom calls: sealed and checked by the view itself.
STRAIGHT_PATHS = ("/wecom/callback/",)

MIDDLEWARE = [
    "scrm.common.middleware.request_id",
    "django.middleware.security.SecurityMiddleware",
    "scrm.common.middleware.straight",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "scrm.common.middleware.language",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

ROOT_URLCONF = "scrm.urls"
WSGI_APPLICATION = "scrm.wsgi.application"

DATABASES: dict[str, Any] = {
    "default": dj_database_url.parse(
        env_str("SCRM_DATABASE_URL", "") or embedded.database_url(),
        conn_max_age=600,
        conn_health_checks=True,
    )
}
# Segments are many small conditions: compiling them takes longer than running them.
DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c jit=off"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CACHES: dict[str, Any] = {
    "default": (
        {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": env_str("SCRM_CACHE_URL"),
        }
        if env_str("SCRM_CACHE_URL", "")
        # Only for what may differ between processes: nothing that must be true is cached.
        else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
    )
}

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
# Served from the packages themselves: a first start needs no collectstatic.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env_str("SCRM_LOG_LEVEL", "WARNING")},
}

# --- Celery: ticks come from the database, tasks only wake workers -----------------------------
CELERY_BROKER_URL = env_str("SCRM_BROKER_URL", "") or embedded.broker_url()
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = (
    embedded.broker_transport_options() if EMBEDDED_BROKER else {}
)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# A wall clock that jumps forward is acted on within ten seconds.
CELERY_BEAT_MAX_LOOP_INTERVAL = 2
CELERY_TIMEZONE = TIME_ZONE
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SEND_TASK_EVENTS = False
# Remote control over files would only leave litter behind.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not EMBEDDED_BROKER

# --- REST -------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["scrm.tenancy.api.authentication.KeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["scrm.tenancy.api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "scrm.common.api.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "scrm.common.api.problems.answer_problem",
    "UNAUTHENTICATED_USER": None,
    "DATETIME_FORMAT": "iso-8601",
}
API_RATE = env_str("SCRM_API_RATE", "600/min")
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "SCRM",
    "VERSION": "1",
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": [],
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "ENUM_NAME_OVERRIDES": {
        "CampaignKind": "campaigns.models.Campaign.Kind",
        "CampaignStatus": "campaigns.models.Campaign.Status",
        "BrandEventStatus": "customers.models.BrandEvent.Status",
        "FollowStatus": "customers.models.Follow.Status",
        "GroupChatStatus": "groups.models.GroupChat.Status",
        "HandoverItemStatus": "customers.models.HandoverItem.Status",
        "HandoverKind": "customers.models.HandoverKind",
        "HandoverPlanStatus": "customers.models.HandoverPlan.Status",
        "IdentityKind": "customers.models.IdentityKind",
        "InboundEventStatus": "scrm.channels.models.InboundEvent.Status",
        "IncidentKind": "risk.models.Incident.Kind",
        "IncidentStatus": "risk.models.Incident.Status",
        "RiskRuleKind": "risk.models.RiskRule.Kind",
        "MediaFileKind": "scrm.channels.models.MediaFile.Kind",
        "JoinCodeStatus": "groups.models.JoinCode.Status",
        "OrderStatus": "customers.models.Order.Status",
        "OperationStatus": "scrm.jobs.models.Job.Status",
        "OutboxOperationStatus": "scrm.channels.models.Operation.Status",
        "RecipientStatus": "campaigns.models.Recipient.Status",
        "MaterialKind": "campaigns.models.Material.Kind",
        "MaterialStatus": "campaigns.models.Material.Status",
        "SegmentKind": "customers.models.Segment.Kind",
        "StaffStatus": "scrm.tenancy.models.Staff.Status",
        "TagKind": "customers.models.TagKind",
        "TaskStatus": "campaigns.models.Task.Status",
    },
}

# --- The channel ------------------------------------------------------------------------------
WECOM_BASE_URL = env_str("SCRM_WECOM_BASE_URL", "https://qyapi.weixin.qq.com/cgi-bin/")
# Connecting and reading; the platform answers within a second or two.
CHANNEL_TIMEOUTS = (5.0, float(env_int("SCRM_CHANNEL_TIMEOUT", 15)))
# Longer than a call can take: a lease that ran out means that its worker is gone.
OUTBOX_LEASE = timedelta(seconds=env_int("SCRM_OUTBOX_LEASE", 30))
OUTBOX_MAX_ATTEMPTS = 8
# What the platform takes from one corp, per endpoint [doc 90312]; an address
# takes twice the minute and four times the hour; exceptions: scrm/channels/limits.py.
CHANNEL_CALLS_PER_MINUTE = env_int("SCRM_CALLS_PER_MINUTE", 10_000)
CHANNEL_CALLS_PER_HOUR = env_int("SCRM_CALLS_PER_HOUR", 150_000)
# Calls of one endpoint under way at a time (45033); the platform does not publish its number.
CHANNEL_CONCURRENCY = env_int("SCRM_CHANNEL_CONCURRENCY", 10)
INBOX_LEASE = timedelta(seconds=60)
INBOX_MAX_ATTEMPTS = 6
# No callback for this long, where there used to be some, means that they do not reach us.
INBOX_SILENCE = timedelta(hours=env_int("SCRM_INBOX_SILENCE_HOURS", 6))
CALLBACK_MAX_BYTES = 1_000_000
# Tencent's library for the chat archive: a path, and how it gets to the platform.
ARCHIVE_SDK = env_str("SCRM_ARCHIVE_SDK", "")
ARCHIVE_PROXY = env_str("SCRM_ARCHIVE_PROXY", "")
ARCHIVE_PROXY_LOGIN = env_str("SCRM_ARCHIVE_PROXY_LOGIN", "")
ARCHIVE_TIMEOUT = env_int("SCRM_ARCHIVE_TIMEOUT", 20)
# How far behind the archive may be before the home page says so; the platform forgets after 5 days.
ARCHIVE_ALARM_AFTER = timedelta(hours=env_int("SCRM_ARCHIVE_ALARM_HOURS", 24))
# Pictures, videos and files of messages; with several hosts, a directory that all of them share.
# Never served by address: the admin shows them to who may see the corp.
MEDIA_ROOT = env_str("SCRM_MEDIA_DIR", "") or embedded.data_dir() / "media"
# A campaign may list 100 000 customers by their ids, about 35 bytes each.
DATA_UPLOAD_MAX_MEMORY_SIZE = 8_000_000

# --- Campaigns --------------------------------------------------------------------------------
# A message that staff have not confirmed by then counts as unsent; nobody looks any more.
CAMPAIGN_OPEN_FOR = timedelta(days=env_int("SCRM_CAMPAIGN_OPEN_DAYS", 7))
CUSTOMERS_PER_TASK = 10_000  # add_msg_template takes no more in one call [doc 92135]
CHATS_PER_TASK = 2_000  # nor more chats [doc 92135]
