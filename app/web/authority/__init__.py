from app.web.authority.routes import bp, insist_on_tls

__all__ = ["bp", "insist_on_tls"]
