from app.web.training import exports, models, past_runs, routes
from app.web.training.blueprint import bp

__all__ = ["bp", "exports", "models", "past_runs", "routes"]
