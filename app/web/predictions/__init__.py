from app.web.predictions import uploading, workspace
from app.web.predictions.routes import bp

__all__ = ["bp", "uploading", "workspace"]
