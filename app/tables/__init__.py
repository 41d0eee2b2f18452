"""The tables. Signals and models are files; the database knows where they are and whose."""

from app.tables.correction import Calibration, Consent, Correction, PersonalHead
from app.tables.dataset import Dataset
from app.tables.failed_attempts import FailedAttempts
from app.tables.login_session import LoginSession
from app.tables.mapping import SavedMapping
from app.tables.model_version import ModelVersion
from app.tables.one_time_address import OneTimeAddress
from app.tables.promotion import Promotion
from app.tables.recording import Prediction, StoredRecording, UploadAttempt
from app.tables.recovery_code import RecoveryCode
from app.tables.site import Site
from app.tables.training_run import TrainingRun
from app.tables.user import Role, User

__all__ = [
    "Calibration",
    "Consent",
    "Correction",
    "Dataset",
    "FailedAttempts",
    "LoginSession",
    "ModelVersion",
    "OneTimeAddress",
    "PersonalHead",
    "Prediction",
    "Promotion",
    "RecoveryCode",
    "Role",
    "SavedMapping",
    "Site",
    "StoredRecording",
    "TrainingRun",
    "UploadAttempt",
    "User",
]
