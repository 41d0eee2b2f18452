from app.web.training.routes import bp

__all__ = ["bp"]
