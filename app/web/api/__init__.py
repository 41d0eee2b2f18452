from app.web.api import v1
from app.web.api.routes import bp

__all__ = ["bp", "v1"]
