"""The tables. Signals and models are files; the database knows where they are and whose."""

from app.tables.alarm import Alarm, AlarmRule, AlarmStep, CareConsent, Notice, NoticeTarget
from app.tables.api_token import ApiToken, KeptAnswer
from app.tables.bout_label import BoutLabel
from app.tables.correction import Calibration, Consent, Correction, PersonalHead
from app.tables.dataset import Dataset
from app.tables.erasure import Erasure
from app.tables.failed_attempts import FailedAttempts
from app.tables.identity_link import IdentityLink
from app.tables.keys import InstallationKey, PersonKey
from app.tables.live import Device, LiveSession
from app.tables.login_session import LoginSession
from app.tables.mapping import SavedMapping
from app.tables.model_version import ModelVersion
from app.tables.one_time_address import OneTimeAddress
from app.tables.promotion import Promotion
from app.tables.recording import Prediction, StoredRecording, UploadAttempt
from app.tables.recovery_code import RecoveryCode
from app.tables.retention import Retention
from app.tables.site import Site
from app.tables.training_run import TrainingRun
from app.tables.user import Role, User

__all__ = [
    "Alarm",
    "AlarmRule",
    "AlarmStep",
    "ApiToken",
    "BoutLabel",
    "Calibration",
    "CareConsent",
    "Consent",
    "Correction",
    "Dataset",
    "Device",
    "Erasure",
    "FailedAttempts",
    "IdentityLink",
    "InstallationKey",
    "KeptAnswer",
    "LiveSession",
    "LoginSession",
    "ModelVersion",
    "Notice",
    "NoticeTarget",
    "OneTimeAddress",
    "PersonKey",
    "PersonalHead",
    "Prediction",
    "Promotion",
    "RecoveryCode",
    "Retention",
    "Role",
    "SavedMapping",
    "Site",
    "StoredRecording",
    "TrainingRun",
    "UploadAttempt",
    "User",
]
