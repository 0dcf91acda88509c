"""Settings: one file, typed readers of the environment, no silent default for a secret."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from doudi.house import logs
from doudi.house.keyring import write_aside
from doudi.house.paths import home

HOME = home()
PROJECT = Path(__file__).resolve().parents[3]
PACKAGE = Path(__file__).resolve().parents[1]


def _flag(name: str, default: bool) -> bool:
    raw = os.environ.get(name, "").strip().lower()
    if raw in ("", "1", "true", "yes", "0", "false", "no"):
        return default if raw == "" else raw in ("1", "true", "yes")
    raise ImproperlyConfigured(f"{name}={raw!r} 不是开关值（true/false） is not a switch (true/false)")


def _count(name: str, default: int) -> int:
    raw = os.environ.get(name, "").strip()
    if raw == "" or (raw.isascii() and raw.isdigit()):
        return int(raw or default)
    raise ImproperlyConfigured(f"{name}={raw!r} 不是非负整数 is not a whole number")


def _words(name: str, default: str) -> list[str]:
    return [word.strip() for word in os.environ.get(name, default).split(",") if word.strip()]


def _database(url: str) -> dict[str, object]:
    """SQLite in the state folder for one office, PostgreSQL by ``DOUDI_DATABASE_URL`` for many."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(HOME.database),
            # a file, so that tests of two people at once have two real connections
            "TEST": {"NAME": str(HOME.root / "test.sqlite3")},
            "OPTIONS": {
                # IMMEDIATE: a writer waits at the door and not in the middle of its work
                "transaction_mode": "IMMEDIATE",
                "timeout": 30,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ImproperlyConfigured(
            f"DOUDI_DATABASE_URL 只认 postgresql://，收到 {parts.scheme!r} must begin with postgresql://"
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.lstrip("/"),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
    }


def _level(name: str) -> str:
    raw = os.environ.get(name, "").strip().lower()
    if raw not in ("", "info", "warning"):
        raise ImproperlyConfigured(f"{name}={raw!r} 只能是 info 或 warning is neither info nor warning")
    return (raw or "warning").upper()


def _address(name: str) -> str:
    """An http(s) address, or '' where none is declared."""
    given = os.environ.get(name, "").strip()
    if given and (urlsplit(given).scheme not in ("http", "https") or not urlsplit(given).hostname):
        raise ImproperlyConfigured(f"{name}={given!r} 不是 http(s) 地址 is not an http(s) address")
    return given


def _of_sign_on(name: str) -> str:
    """An address of the single sign-on, which must be there once its issuer is named, and say nothing in the clear."""
    given = _address(name)
    if OIDC_ISSUER and not given:
        raise ImproperlyConfigured(
            f"设了 DOUDI_OIDC_ISSUER 就必须设 {name} {name} is needed beside DOUDI_OIDC_ISSUER"
        )
    parts = urlsplit(given)
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise ImproperlyConfigured(f"{name}={given!r} 必须是 https 地址 must begin with https://")
    return given


def _origins(*addresses: str) -> list[str]:
    """Where the addresses lie, each place once."""
    parts = (urlsplit(address) for address in addresses if address)
    return list(dict.fromkeys(f"{one.scheme}://{one.netloc}" for one in parts))


def _signature_way(name: str) -> str:
    given = os.environ.get(name, "").strip() or "RS256"
    if given not in ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512"):
        raise ImproperlyConfigured(
            f"{name}={given!r} 只能是 RS256/384/512 或 ES256/384/512 is none of RS256/384/512, ES256/384/512"
        )
    return given


def _secret_key() -> str:
    """The signing key of sessions: given, or made once and kept with the other keys."""
    given = os.environ.get("DOUDI_SECRET_KEY", "").strip()
    if given:
        return given
    path = HOME.keys / "django.key"
    if not path.exists():
        write_aside(path, secrets.token_urlsafe(64).encode())
    return path.read_text()


DEBUG = _flag("DOUDI_DEBUG", False)
SECRET_KEY = _secret_key()
ALLOWED_HOSTS = _words("DOUDI_HOSTS", "127.0.0.1,localhost,[::1],testserver")
CSRF_TRUSTED_ORIGINS = _words("DOUDI_ORIGINS", "")
BEHIND_TLS = _flag("DOUDI_TLS", False)
PACK = Path(os.environ.get("DOUDI_PACK", "").strip() or PROJECT / "packs" / "reference")
# the map of the dashboard (GeoJSON): the deployer's own, with its 审图号, takes the place of the demonstration's
BOUNDARIES = os.environ.get("DOUDI_BOUNDARIES", "").strip() or None
# how many proxies of the office's own stand before this server: only what they add to X-Forwarded-For is believed
PROXIES = _count("DOUDI_PROXIES", 0)
OPEN_SCORES_SECONDS = _count("DOUDI_OPEN_SCORES_SECONDS", 60)
"""For how long the public's board of meal places stands before it is reckoned again."""
# days that tasks and sent visits stay on an officer's telephone
FIELD_DAYS = _count("DOUDI_FIELD_DAYS", 7)
DEMONSTRATION = _flag("DOUDI_DEMO", False)

# the gateway that takes messages out of the house (短信、政务通知): one HTTP POST each; none by default
PUSH_URL = _address("DOUDI_PUSH_URL")
WEBHOOK_HOSTS = frozenset(_words("DOUDI_WEBHOOK_HOSTS", ""))
"""Hosts that events of departments may be sent to; none declared: none leave."""
PUSH_TOKEN = os.environ.get("DOUDI_PUSH_TOKEN", "").strip()

# the government's single sign-on (统一身份认证, OpenID Connect), in the names of mozilla-django-oidc; off without an issuer
OIDC_ISSUER = os.environ.get("DOUDI_OIDC_ISSUER", "").strip()
OIDC_NAME = os.environ.get("DOUDI_OIDC_NAME", "").strip() or "统一身份认证"
OIDC_CLAIM = os.environ.get("DOUDI_OIDC_CLAIM", "").strip() or "sub"
OIDC_OP_AUTHORIZATION_ENDPOINT = _of_sign_on("DOUDI_OIDC_AUTHORIZE_URL")
OIDC_OP_TOKEN_ENDPOINT = _of_sign_on("DOUDI_OIDC_TOKEN_URL")
OIDC_OP_JWKS_ENDPOINT = _of_sign_on("DOUDI_OIDC_KEYS_URL")
OIDC_OP_USER_ENDPOINT = _of_sign_on("DOUDI_OIDC_USERINFO_URL")
OIDC_LOGOUT_URL = _address("DOUDI_OIDC_LOGOUT_URL")
OIDC_RP_CLIENT_ID = os.environ.get("DOUDI_OIDC_CLIENT_ID", "").strip()
OIDC_RP_CLIENT_SECRET = os.environ.get("DOUDI_OIDC_CLIENT_SECRET", "").strip()
if OIDC_ISSUER and not (OIDC_RP_CLIENT_ID and OIDC_RP_CLIENT_SECRET):
    raise ImproperlyConfigured(
        "设了 DOUDI_OIDC_ISSUER 就必须设 DOUDI_OIDC_CLIENT_ID 和 DOUDI_OIDC_CLIENT_SECRET "
        "both are needed beside DOUDI_OIDC_ISSUER"
    )
OIDC_RP_SCOPES = os.environ.get("DOUDI_OIDC_SCOPES", "").strip() or "openid"
OIDC_RP_SIGN_ALGO = _signature_way("DOUDI_OIDC_ALGORITHM")
OIDC_USE_PKCE = True
OIDC_TIMEOUT = 10
OIDC_MAX_STATES = 10
OIDC_AUTHENTICATION_CALLBACK_URL = "sign_on_back"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "axes",
    "doudi.contexts.accounts",
    "doudi.contexts.registry",
    "doudi.contexts.verification",
    "doudi.contexts.monitoring",
    "doudi.contexts.assistance",
    "doudi.contexts.charity",
    "doudi.contexts.meals",
    "doudi.web",
]

MIDDLEWARE = [
    "doudi.house.logs.RequestLog",
    "doudi.api.metrics.CountRequests",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "doudi.house.urls"
WSGI_APPLICATION = "doudi.web.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "OPTIONS": {
            "loaders": [
                ("doudi.web.wording.Loader", ["django.template.loaders.app_directories.Loader"]),
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "doudi.web.shell.shell",
            ],
        },
    }
]

FORM_RENDERER = "doudi.web.widgets.Renderer"

DATABASES = {"default": _database(os.environ.get("DOUDI_DATABASE_URL", "").strip())}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "doudi.contexts.accounts.passwords.KindsValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = 0.25
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "accounts/locked.html"
AXES_ENABLE_ADMIN = False

# roles that must have a second factor (动态口令), and how long and how many sessions of an account last
SECOND_FACTOR = _words("DOUDI_SECOND_FACTOR", "")
IDLE_MINUTES = _count("DOUDI_IDLE_MINUTES", 30)
SESSION_HOURS = _count("DOUDI_SESSION_HOURS", 8)
SESSIONS = max(1, _count("DOUDI_SESSIONS", 1000 if DEMONSTRATION else 5))  # a demonstration is shared
SESSION_COOKIE_AGE = SESSION_HOURS * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = BEHIND_TLS
CSRF_COOKIE_SECURE = BEHIND_TLS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_TLS else None
SECURE_HSTS_SECONDS = 31_536_000 if BEHIND_TLS else 0
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:"],
        # ECharts and Leaflet place their elements by style attributes; scripts stay strict
        "style-src": ["'self'", "'unsafe-inline'"],
        "script-src": ["'self'"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        # a browser holds the way on from a form to this too: linking begins and logging out ends at the single sign-on
        "form-action": ["'self'", *_origins(OIDC_OP_AUTHORIZATION_ENDPOINT, OIDC_LOGOUT_URL)],
    }
}

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
LOCALE_PATHS = [PACKAGE / "web" / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"

STATIC_URL = "static/"
STATIC_ROOT = HOME.static
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 3600

FILE_UPLOAD_MAX_MEMORY_SIZE = 4 << 20
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 << 20
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

LOGGING = logs.settings(_level("DOUDI_LOG"))
