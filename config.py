"""Settings of an installation: the only reader of the environment."""

from __future__ import annotations

import os
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import URL

from app.services import database_address
from app.services.backups import swapping
from app.services.database_address import Server
from app.services.identity.provider_settings import ProviderSettings, checked_issuer, read_roles

ROOT = Path(__file__).resolve().parent
EVERYWHERE = "0.0.0.0"  # noqa: S104  what a site for phones is for


def _home() -> Path:
    return Path(os.environ.get("HAR_HOME") or ROOT).expanduser().resolve()


def _positive(name: str, text: str, unit: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        sys.exit(f"{name} must be a number of {unit} above 0; found {text!r}.")
    return number


def _megabytes(name: str, text: str) -> int:
    return int(_positive(name, text, "megabytes") * 1024 * 1024)


def _max_upload_bytes() -> int:
    return _megabytes("MAX_UPLOAD_MB", os.environ.get("MAX_UPLOAD_MB") or "2048")


def _user_quota_bytes() -> int:
    return _megabytes("USER_QUOTA_MB", os.environ.get("USER_QUOTA_MB") or "5120")


def _disk_reserve_bytes() -> int:
    return _megabytes("DISK_RESERVE_MB", os.environ.get("DISK_RESERVE_MB") or "512")


def _proxies() -> int:
    text = os.environ.get("PROXIES") or "0"
    if not text.isdecimal() or int(text) > 10:
        sys.exit(f"PROXIES must be the number of proxies in front of Kinelab, 0 to 10; found {text!r}.")
    return int(text)


def _https() -> str:
    text = os.environ.get("HTTPS") or ""
    if text not in {"", "0", "1", "own"}:
        sys.exit(f"HTTPS must be 1 behind a proxy with TLS, own to serve it, or nothing; found {text!r}.")
    return text


def _tls_names() -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in os.environ.get("TLS_NAMES", "").split(",") if part.strip())


def _session_hours() -> float:
    return _positive("SESSION_HOURS", os.environ.get("SESSION_HOURS") or "12", "hours")


def _session_idle_minutes() -> float:
    return _positive("SESSION_IDLE_MINUTES", os.environ.get("SESSION_IDLE_MINUTES") or "30", "minutes")


def _valid_day_hours() -> float:
    hours = _positive("VALID_DAY_HOURS", os.environ.get("VALID_DAY_HOURS") or "10", "hours")
    if hours > 24:
        sys.exit(f"VALID_DAY_HOURS must be a number of hours above 0, 24 at most; found {hours:g}.")
    return hours


def _data_folders(home: Path) -> tuple[Path, ...]:
    """Return the folders from which administrators may add data sets by their path."""
    if not (text := os.environ.get("DATA_FOLDERS")):
        recordings = Path(os.environ.get("HAR_DATA_DIR") or os.devnull).expanduser()
        return (recordings.resolve(),) if recordings.is_dir() else ()
    folders = tuple(Path(part).expanduser() for part in text.split(os.pathsep) if part)
    for folder in folders:
        if not (folder.is_absolute() and folder.is_dir()):
            sys.exit(
                f"DATA_FOLDERS must name folders, from the root, with {os.pathsep!r} between; found {str(folder)!r}."
            )
        if home != ROOT and folder.resolve().is_relative_to(home):
            sys.exit(f"DATA_FOLDERS must not name a folder inside HAR_HOME ({home}); found {str(folder)!r}.")
    return tuple(folder.resolve() for folder in folders)


def _audit_days() -> int:
    text = os.environ.get("AUDIT_DAYS") or "365"
    days = int(text) if text.isdecimal() and len(text) < 6 else 0
    if not 0 < days <= 36_500:
        sys.exit(f"AUDIT_DAYS must be a whole number of days from 1 to 36,500; found {text!r}.")
    return days


def _whole(setting: str, text: str, low: int, high: int) -> int:
    """Return a whole number within bounds, or end with a message."""
    if not (text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high):
        sys.exit(f"{setting} must be a whole number from {low:,} to {high:,}; found {text!r}.")
    return int(text)


SMTP_PORTS = {"starttls": "587", "tls": "465", "none": "25"}


def _smtp_security() -> str:
    text = os.environ.get("SMTP_SECURITY") or "starttls"
    if text not in SMTP_PORTS:
        sys.exit(f"SMTP_SECURITY must be one of {', '.join(SMTP_PORTS)}; found {text!r}.")
    if text == "none" and os.environ.get("SMTP_USER"):
        sys.exit("SMTP_SECURITY must not be none where SMTP_USER is set: the password would travel open.")
    return text


def _smtp_from() -> str:
    text = os.environ.get("SMTP_FROM") or ""
    if os.environ.get("SMTP_HOST") and ("@" not in text or not text.isprintable()):
        sys.exit(f"SMTP_FROM must be the address that e-mails come from, where SMTP_HOST is set; found {text!r}.")
    return text


def _vapid_contact() -> str:
    """Return where those who run push services reach the administrator; they refuse what cannot be real."""
    text = os.environ.get("VAPID_CONTACT") or ""
    address = text.removeprefix("mailto:")
    is_mail = text != address and "@" in address and "." in address.rpartition("@")[2]
    invented = address.rpartition("@")[2].lower().removeprefix("https://").split("/")[0]
    if text and (
        not (is_mail or text.startswith("https://"))
        or invented == "localhost"
        or invented.endswith((".invalid", ".test", "example.com", "example.org", "example.net"))
    ):
        sys.exit(f"VAPID_CONTACT must be a real address such as mailto:lab@university.edu; found {text!r}.")
    return text


def _site_url() -> str:
    text = (os.environ.get("SITE_URL") or "").rstrip("/")
    if text and not text.startswith(("https://", "http://")):
        sys.exit(f"SITE_URL must be the address by which others reach Kinelab, with https://; found {text!r}.")
    return text


def _metrics_token() -> str:
    text = os.environ.get("METRICS_TOKEN") or ""
    if text and len(text) < 20:
        sys.exit(f"METRICS_TOKEN must have at least 20 letters; found {len(text)}.")
    return text


def _readable_file(name: str, text: str) -> Path | None:
    path = Path(text).expanduser()
    if text and not os.access(path, os.R_OK):
        sys.exit(f"{name} must be a file that can be read; found {text!r}.")
    return path if text else None


def _usual_key_file() -> Path:
    """Return where this account's keys are, outside of what is stored and of its backups."""
    try:
        return Path.home() / ".config" / "kinelab" / "keys"
    except RuntimeError:
        sys.exit("ENCRYPTION_KEY_FILE must be set where the account that runs Kinelab has no home.")


def _key_file() -> Path:
    text = os.environ.get("ENCRYPTION_KEY_FILE")
    path = Path(text).expanduser() if text else _usual_key_file()
    if not path.is_absolute():
        sys.exit(f"ENCRYPTION_KEY_FILE must be a path from the root; found {str(path)!r}.")
    return path


def _one_key() -> None:
    names = ("ENCRYPTION_KEY", "ENCRYPTION_PASSPHRASE", "ENCRYPTION_KEY_FILE")
    if len(found := [name for name in names if os.environ.get(name)]) > 1:
        sys.exit(f"{found[0]} must be set alone; found {' and '.join(found)}.")


def _oidc_secret() -> str:
    text, file = os.environ.get("OIDC_CLIENT_SECRET") or "", os.environ.get("OIDC_CLIENT_SECRET_FILE") or ""
    if text and file:
        sys.exit("OIDC_CLIENT_SECRET must be set alone; found OIDC_CLIENT_SECRET_FILE as well.")
    path = _readable_file("OIDC_CLIENT_SECRET_FILE", file)
    return path.read_text(encoding="utf-8").strip() if path else text


def _oidc_flag() -> bool:
    text = os.environ.get("OIDC_NEW_ACCOUNTS") or "1"
    if text not in {"0", "1"}:
        sys.exit(f"OIDC_NEW_ACCOUNTS must be 1 or 0; found {text!r}.")
    return text == "1"


def _oidc() -> ProviderSettings | None:
    """Return what is said of the provider of single sign-on, None without one."""
    if not (issuer := os.environ.get("OIDC_ISSUER")):
        return None
    claim, mapping = os.environ.get("OIDC_ROLE_CLAIM") or "", os.environ.get("OIDC_ROLES") or ""
    scopes = (os.environ.get("OIDC_SCOPES") or "openid email profile").split()
    name = (os.environ.get("OIDC_NAME") or "single sign-on").strip()
    if not (client_id := os.environ.get("OIDC_CLIENT_ID")):
        sys.exit("OIDC_CLIENT_ID must be set where OIDC_ISSUER is.")
    if "openid" not in scopes:
        sys.exit(f"OIDC_SCOPES must hold openid; found {' '.join(scopes)!r}.")
    if not name.isprintable() or len(name) > 60:
        sys.exit(f"OIDC_NAME must be a name of at most 60 letters; found {name[:80]!r}.")
    if bool(claim) is not bool(mapping):
        sys.exit("OIDC_ROLE_CLAIM and OIDC_ROLES must be set together, or neither.")
    try:
        issuer = checked_issuer(issuer)
    except ValueError:
        sys.exit(f"OIDC_ISSUER must be the provider's address, with https://; found {issuer!r}.")
    try:
        roles = read_roles(mapping)
    except ValueError as error:
        sys.exit(f"OIDC_ROLES must be pairs such as lab-admins=admin,*=user; found {error.args[0]!r}.")
    return ProviderSettings(
        issuer=issuer,
        client_id=client_id,
        name=name,
        client_secret=_oidc_secret(),
        scopes=tuple(scopes),
        new_accounts=_oidc_flag(),
        role_claim=tuple(claim.split("/")) if claim else (),
        roles=roles,
        second_factors=frozenset(
            filter(None, (os.environ.get("OIDC_SECOND_FACTOR") or "").replace(" ", "").split(","))
        ),
        ca_file=_readable_file("OIDC_CA_FILE", os.environ.get("OIDC_CA_FILE") or ""),
    )


def _database(instance: Path) -> tuple[str | URL, Server | None]:
    """Return where the database is, and which server's it is."""
    text = os.environ.get("DATABASE_URL") or f"sqlite:///{(instance / 'kinelab.sqlite').as_posix()}"
    try:
        return database_address.read(text)
    except ValueError as error:
        sys.exit(f"DATABASE_URL must {error}.")


def _webhook_hosts() -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in os.environ.get("WEBHOOK_HOSTS", "").split(",") if part.strip())


def _secret_key(instance: Path) -> str:
    """Return the installation's own signing key, made at first start and readable by its owner alone."""
    if from_environment := os.environ.get("SECRET_KEY"):
        return from_environment
    path = instance / "secret_key"
    if not path.exists() or not path.stat().st_size:  # where the disk was full, earlier builds left an empty one
        draft = instance / f"secret_key.{secrets.token_hex(4)}"
        try:
            with os.fdopen(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32))
            draft.replace(path)  # whole or not at all
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text(encoding="ascii")


@dataclass
class Config:
    """What the application reads at start; ``app.config.from_object`` takes the upper-case names."""

    HAR_HOME: Path = field(default_factory=_home)
    OWN_TLS: bool = field(default_factory=lambda: _https() == "own")
    TLS_NAMES: tuple[str, ...] = field(default_factory=_tls_names)
    HOST: str = field(
        default_factory=lambda: os.environ.get("HOST") or (EVERYWHERE if _https() == "own" else "127.0.0.1")
    )
    PORT: str = field(default_factory=lambda: os.environ.get("PORT") or "5000")
    DATA_FOLDERS: tuple[Path, ...] = field(init=False)
    PROXIES: int = field(default_factory=_proxies)
    MAX_CONTENT_LENGTH: int = field(default_factory=_max_upload_bytes)
    SESSION_HOURS: float = field(default_factory=_session_hours)
    SESSION_IDLE_MINUTES: float = field(default_factory=_session_idle_minutes)
    AUDIT_DAYS: int = field(default_factory=_audit_days)
    VALID_DAY_HOURS: float = field(default_factory=_valid_day_hours)
    USER_QUOTA: int = field(default_factory=_user_quota_bytes)
    DISK_RESERVE: int = field(default_factory=_disk_reserve_bytes)
    API_REQUESTS_A_MINUTE: int = field(
        default_factory=lambda: _whole(
            "API_REQUESTS_A_MINUTE", os.environ.get("API_REQUESTS_A_MINUTE") or "1200", 1, 10_000_000
        )
    )
    THREADS: int = field(default_factory=lambda: _whole("THREADS", os.environ.get("THREADS") or "12", 2, 200))
    MAX_CONNECTIONS: int = field(
        default_factory=lambda: _whole("MAX_CONNECTIONS", os.environ.get("MAX_CONNECTIONS") or "200", 10, 10_000)
    )
    MAX_STREAMS: int = field(  # live pages that are open, besides MAX_CONNECTIONS
        default_factory=lambda: _whole("MAX_STREAMS", os.environ.get("MAX_STREAMS") or "300", 1, 10_000)
    )
    CONNECTION_TIMEOUT_S: int = field(
        default_factory=lambda: _whole("CONNECTION_TIMEOUT_S", os.environ.get("CONNECTION_TIMEOUT_S") or "120", 5, 3600)
    )
    READ_TIMEOUT_S: int = field(
        default_factory=lambda: _whole("READ_TIMEOUT_S", os.environ.get("READ_TIMEOUT_S") or "300", 1, 86_400)
    )
    READ_MEMORY_MB: int = field(
        default_factory=lambda: _whole("READ_MEMORY_MB", os.environ.get("READ_MEMORY_MB") or "3072", 256, 1_000_000)
    )
    READERS: int = field(default_factory=lambda: _whole("READERS", os.environ.get("READERS") or "2", 1, 64))
    READ_QUEUE: int = field(default_factory=lambda: _whole("READ_QUEUE", os.environ.get("READ_QUEUE") or "4", 0, 100))
    ADD_TIMEOUT_S: int = field(
        default_factory=lambda: _whole("ADD_TIMEOUT_S", os.environ.get("ADD_TIMEOUT_S") or "21600", 1, 604_800)
    )
    FEDERATION_MIN_WINDOWS: int = field(
        default_factory=lambda: _whole(
            "FEDERATION_MIN_WINDOWS", os.environ.get("FEDERATION_MIN_WINDOWS") or "4000", 1, 1_000_000
        )
    )
    FEDERATION_MIN_PEOPLE: int = field(
        default_factory=lambda: _whole(
            "FEDERATION_MIN_PEOPLE", os.environ.get("FEDERATION_MIN_PEOPLE") or "5", 2, 10_000
        )
    )
    ENCRYPTION_KEY: str = field(default_factory=lambda: os.environ.get("ENCRYPTION_KEY") or "", repr=False)
    ENCRYPTION_PASSPHRASE: str = field(
        default_factory=lambda: os.environ.get("ENCRYPTION_PASSPHRASE") or "", repr=False
    )
    ENCRYPTION_KEY_FILE: Path = field(default_factory=_key_file)
    ENCRYPTION_USUAL_FILE: bool = field(default_factory=lambda: not os.environ.get("ENCRYPTION_KEY_FILE"))
    SITE_URL: str = field(default_factory=_site_url)
    SMTP_HOST: str = field(default_factory=lambda: os.environ.get("SMTP_HOST") or "")
    SMTP_SECURITY: str = field(default_factory=_smtp_security)
    SMTP_PORT: int = field(
        default_factory=lambda: _whole(
            "SMTP_PORT", os.environ.get("SMTP_PORT") or SMTP_PORTS[_smtp_security()], 1, 65_535
        )
    )
    SMTP_USER: str = field(default_factory=lambda: os.environ.get("SMTP_USER") or "")
    SMTP_PASSWORD: str = field(default_factory=lambda: os.environ.get("SMTP_PASSWORD") or "", repr=False)
    SMTP_FROM: str = field(default_factory=_smtp_from)
    BACKUP_KEY_FILE: Path | None = field(
        default_factory=lambda: _readable_file("BACKUP_KEY_FILE", os.environ.get("BACKUP_KEY_FILE") or "")
    )
    OIDC: ProviderSettings | None = field(default_factory=_oidc)
    METRICS_TOKEN: str = field(default_factory=_metrics_token, repr=False)
    WEBHOOK_HOSTS: tuple[str, ...] = field(default_factory=_webhook_hosts)
    VAPID_CONTACT: str = field(default_factory=_vapid_contact)
    SESSION_COOKIE_HTTPONLY: bool = True
    SESSION_COOKIE_SAMESITE: str = "Lax"
    # A lab serves plain http on its own machine by default; behind TLS this must be on.
    SESSION_COOKIE_SECURE: bool = field(default_factory=lambda: _https() in {"1", "own"})
    SESSION_COOKIE_NAME: str = field(init=False)
    REMEMBER_COOKIE_NAME: str = field(init=False)
    DEVICE_COOKIE_NAME: str = field(init=False)  # the mark of a browser in which an account was open before
    REMEMBER_COOKIE_HTTPONLY: bool = True
    REMEMBER_COOKIE_SAMESITE: str = "Lax"
    BOOTSTRAP_SERVE_LOCAL: bool = True
    RATELIMIT_STORAGE_URI: str = "memory://"
    RATELIMIT_HEADERS_ENABLED: bool = True
    WTF_CSRF_TIME_LIMIT: None = None  # as long as the session lives: a training page stays open for hours
    SECRET_KEY: str = field(init=False, repr=False)
    SQLALCHEMY_DATABASE_URI: str | URL = field(init=False, repr=False)
    DATABASE_SERVER: Server | None = field(init=False)
    KEPT_FOLDERS: tuple[Path, ...] = field(init=False)
    INSTANCE: Path = field(init=False)
    TLS_FOLDER: Path = field(init=False)
    UPLOADS: Path = field(init=False)
    MODEL_STORE: Path = field(init=False)
    MIGRATIONS: Path = ROOT / "migrations"
    REFERENCE_MODELS: Path = ROOT / "reference_models"

    def __post_init__(self) -> None:
        _one_key()
        os.umask(0o077)  # what is written from here on, by children too, is for this account alone
        swapping.finish(self.HAR_HOME)  # a restore that was cut short, before anything of it is read
        self.INSTANCE = self.HAR_HOME / "instance"
        self.TLS_FOLDER = self.INSTANCE / "tls"
        self.UPLOADS = self.HAR_HOME / "uploads"
        self.MODEL_STORE = self.HAR_HOME / "model_store"
        try:
            for folder in (self.INSTANCE, self.UPLOADS, self.MODEL_STORE):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            sys.exit(f"HAR_HOME must be a folder that can be written; found {self.HAR_HOME} ({error.strerror}).")
        self.DATA_FOLDERS = _data_folders(self.HAR_HOME)
        # What the server keeps is not for reading by path, wherever links lead. In the program's own folder,
        # recordings may lie beside it
        around = () if self.HAR_HOME == ROOT else (self.HAR_HOME,)
        self.KEPT_FOLDERS = (*around, self.INSTANCE, self.UPLOADS, self.MODEL_STORE)
        self.REMEMBER_COOKIE_SECURE = self.SESSION_COOKIE_SECURE
        # A browser takes a cookie of such a name over https only, and from this very host.
        prefix = "__Host-" if self.SESSION_COOKIE_SECURE else ""
        self.SESSION_COOKIE_NAME = f"{prefix}kinelab_session"
        self.REMEMBER_COOKIE_NAME = f"{prefix}kinelab_remember"
        self.DEVICE_COOKIE_NAME = f"{prefix}kinelab_device"
        self.SECRET_KEY = _secret_key(self.INSTANCE)
        # A connection for each thread that answers, and for trainings, imports and the server itself. The error of
        # a statement goes to the log, without the hashes and addresses in it
        self.SQLALCHEMY_ENGINE_OPTIONS: dict[str, Any] = {
            "pool_size": self.THREADS,
            "max_overflow": 20,
            "hide_parameters": True,
        }
        self.SQLALCHEMY_DATABASE_URI, self.DATABASE_SERVER = _database(self.INSTANCE)
        if self.DATABASE_SERVER is not None:
            self.SQLALCHEMY_ENGINE_OPTIONS["pool_pre_ping"] = True  # it may be started anew, or cut what is idle
