from app.web.training import models, routes
from app.web.training.blueprint import bp

__all__ = ["bp", "models", "routes"]
