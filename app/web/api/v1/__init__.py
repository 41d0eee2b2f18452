from app.web.api.v1 import alarms, datasets, days, live, me, models, reading, recordings, subscriptions, training_runs
from app.web.api.v1.registry import bp

__all__ = [
    "alarms",
    "bp",
    "datasets",
    "days",
    "live",
    "me",
    "models",
    "reading",
    "recordings",
    "subscriptions",
    "training_runs",
]
