from app.web.predictions import uploading
from app.web.predictions.routes import bp

__all__ = ["bp", "uploading"]
