from app.web.datasets.routes import bp

__all__ = ["bp"]
