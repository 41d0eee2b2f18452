from app.web.training import models, past_runs, routes
from app.web.training.blueprint import bp

__all__ = ["bp", "models", "past_runs", "routes"]
