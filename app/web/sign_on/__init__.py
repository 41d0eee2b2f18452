from app.web.sign_on.routes import bp

__all__ = ["bp"]
