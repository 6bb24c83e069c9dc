"""Django's settings, all from the environment (docs/running.md lists the variables).

There is no unsafe default: DEBUG is off unless said, and outside of the demo and the tests a
secret key, the allowed hosts and a database have to be given.
"""

import sys
from pathlib import Path

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from studio import embedded, logs
from studio.conf import STUDIO

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()

TESTING = "pytest" in sys.modules
DEBUG = env.bool("DEBUG", default=False)
# Set by `manage.py demo` for its children: plain http on this machine, mail into files.
DEMO = env.bool("ATELIER_DEMO", default=False)
DATA_DIR = embedded.data_directory(BASE_DIR)

# Without DATABASE_URL the embedded cluster is meant, and with it this machine only.
LOCAL = TESTING or not env.str("DATABASE_URL", default="")

if TESTING:
    SECRET_KEY = "only-for-tests"
elif LOCAL and not env.str("SECRET_KEY", default=""):
    SECRET_KEY = embedded.secret_key(DATA_DIR)
else:
    SECRET_KEY = env.str("SECRET_KEY", default="")
    if len(SECRET_KEY) < 32:
        raise ImproperlyConfigured("SECRET_KEY has to be set to a random text of 50 letters or so.")

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
if LOCAL and not (TESTING or DEMO) and set(ALLOWED_HOSTS) - {"127.0.0.1", "localhost", "[::1]"}:
    raise ImproperlyConfigured("To be served to others (ALLOWED_HOSTS), Atelier needs a DATABASE_URL.")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Own packages first: their templates win over those of the libraries.
INSTALLED_APPS = [
    "sessions_app",
    "payments",
    "scheduling",
    "catalog",
    "studio",
    # Django's admin with our site, which is for Admins only.
    "studio.apps.AtelierAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "guardian",
    "axes",
    "csp",
    "django_htmx",
    "django_q",
    "crispy_forms",
    "crispy_bootstrap5",
]

MIDDLEWARE = [
    "studio.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    # As early as that: what is refused below keeps its headers, too.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    # Before CSRF: it reads request.POST, which then holds what the JSON body said.
    "studio.middleware.JsonBodyMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # After authentication: the language is the person's own choice.
    "studio.middleware.LanguageMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    # After the language: it explains itself.
    "studio.middleware.RoleGateMiddleware",
    # Last: the first to see what a view raises.
    "studio.middleware.StudioErrorMiddleware",
]

ROOT_URLCONF = "studio.urls"
WSGI_APPLICATION = "studio.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "studio.context.shell",
            ],
        },
    },
]

# --- Database -----------------------------------------------------------------------------

DATABASES = {"default": env.db_url_config(env.str("DATABASE_URL", default="") or embedded.Cluster(DATA_DIR).url())}
if DATABASES["default"].get("ENGINE") != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL has to name a PostgreSQL database.")
# A connection is kept: twice the requests a second, and seven times the tasks.
DATABASES["default"]["CONN_MAX_AGE"] = 600
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = env.str("REDIS_URL", default="")

# --- People, sign-in, permissions ---------------------------------------------------------

AUTH_USER_MODEL = "studio.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
GUARDIAN_MONKEY_PATCH_USER = False
ANONYMOUS_USER_NAME = None  # nobody is let in who has not signed in

CSRF_FAILURE_VIEW = "studio.views.csrf_failure"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
PASSWORD_RESET_TIMEOUT = 3 * 24 * 3600

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
if TESTING:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Throttle by person and address together: nobody can lock out a colleague from elsewhere.
# In tests the client signs in without a request, which axes refuses; its own tests turn it on.
AXES_ENABLED = not TESTING
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_CLIENT_IP_CALLABLE = "studio.accounts.views.client_address"
AXES_RESET_ON_SUCCESS = True
# The sign-in form's field. Axes would take the model's (e-mail), find nothing there and lock nobody.
AXES_USERNAME_FORM_FIELD = "username"
AXES_VERBOSE = False
AXES_HTTP_RESPONSE_CODE = 429
AXES_LOCKOUT_CALLABLE = "studio.accounts.views.locked_out"

# --- Transport and browser ----------------------------------------------------------------

SECURE = not (DEBUG or DEMO or LOCAL)
SESSION_COOKIE_SECURE = SECURE
CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = SECURE and env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=365 * 24 * 3600) if SECURE else 0
# Other services may live beside the studio's under its domain: theirs to decide, not ours.
SECURE_HSTS_INCLUDE_SUBDOMAINS = env.bool("SECURE_HSTS_INCLUDE_SUBDOMAINS", default=False)
SECURE_HSTS_PRELOAD = False
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]
# A load balancer asks by plain http, from within.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
# Only where a proxy in front always sets these headers: otherwise a client could claim https, or to be elsewhere.
TRUST_PROXY_HEADERS = env.bool("TRUST_PROXY_HEADERS", default=False)
if TRUST_PROXY_HEADERS:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        # Bootstrap draws some of its icons from data: addresses.
        "img-src": [SELF, "data:"],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

DATA_UPLOAD_MAX_MEMORY_SIZE = 2_500_000
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

# --- Files --------------------------------------------------------------------------------

STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
# The demo and the tests serve straight from the source, so that nothing has to be collected.
STATIC_ROOT = BASE_DIR / "staticfiles" if SECURE else None
WHITENOISE_USE_FINDERS = not SECURE
# Looked for when asked for. Otherwise every browser of a test would first go through all the files there are.
WHITENOISE_AUTOREFRESH = DEBUG or TESTING
if SECURE:
    _STATIC_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
else:
    _STATIC_STORAGE = "django.contrib.staticfiles.storage.StaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": _STATIC_STORAGE},
}

# --- Language and time --------------------------------------------------------------------

LANGUAGE_CODE = STUDIO.language
LANGUAGES = [("es", _("Spanish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["studio.formats"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = STUDIO.time_zone

# --- Forms --------------------------------------------------------------------------------

CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# --- Mail ---------------------------------------------------------------------------------

if DEMO:
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = DATA_DIR / "mail"
else:
    vars().update(env.email_url("EMAIL_URL", default="smtp://localhost:25"))
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", default=10)  # seconds
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="atelier@localhost")
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- Jobs ---------------------------------------------------------------------------------

_WORKERS = env.int("WORKERS", default=2)
Q_CLUSTER = {
    "name": "atelier",
    "label": "django-q2",
    "workers": _WORKERS,
    # A prefetched task runs twice when `retry` is short: take no more than the workers can start,
    # and wait far longer than any task may last.
    "queue_limit": _WORKERS,
    "timeout": 60,
    "retry": 600,
    # A missed minute is made up by the tick itself, which knows what is due.
    "catch_up": False,
    "save_limit": 1000,
    **({"redis": REDIS_URL} if REDIS_URL else {"orm": "default"}),
}

# --- Backups ------------------------------------------------------------------------------

# A directory makes the worker back up each night (docs/running.md); the newest of its backups are kept.
_BACKUPS = env.str("ATELIER_BACKUPS", default="")
BACKUPS = Path(_BACKUPS).absolute() if _BACKUPS else None
BACKUPS_KEPT = env.int("ATELIER_BACKUPS_KEPT", default=14)
if BACKUPS_KEPT < 1:
    raise ImproperlyConfigured("ATELIER_BACKUPS_KEPT has to be 1 or more.")

# --- Log ----------------------------------------------------------------------------------

try:
    LOGGING = logs.configuration(env.str("LOG_FORMAT", default="line"), env.str("LOG_LEVEL", default="INFO"))
except ValueError as wrong:
    raise ImproperlyConfigured(str(wrong)) from wrong
