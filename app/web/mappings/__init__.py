from app.web.mappings.routes import bp

__all__ = ["bp"]
