from app.web.predictions import correcting, routes, uploading, workspace
from app.web.predictions.blueprint import bp

__all__ = ["bp", "correcting", "routes", "uploading", "workspace"]
