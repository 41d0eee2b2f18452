from app.web.predictions import correcting, explained, routes, uploading, workspace
from app.web.predictions.blueprint import bp

__all__ = ["bp", "correcting", "explained", "routes", "uploading", "workspace"]
