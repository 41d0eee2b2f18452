from app.web.calibration.routes import bp

__all__ = ["bp"]
