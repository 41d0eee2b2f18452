from app.web.predictions.routes import bp

__all__ = ["bp"]
