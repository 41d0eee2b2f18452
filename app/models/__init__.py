"""The tables. Signals and models are files; the database knows where they are and whose."""

from app.models.dataset import Dataset
from app.models.mapping import SavedMapping
from app.models.model_version import ModelVersion
from app.models.recording import Prediction, StoredRecording
from app.models.training_run import TrainingRun
from app.models.user import Role, User

__all__ = ["Dataset", "ModelVersion", "Prediction", "Role", "SavedMapping", "StoredRecording", "TrainingRun", "User"]
