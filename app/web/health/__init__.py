from app.web.health.routes import bp

__all__ = ["bp"]
