from app.web.live import here
from app.web.live.routes import bp

__all__ = ["bp", "here"]
