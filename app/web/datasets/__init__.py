from app.web.datasets import contents, labelling, shared  # whose routes belong to the blueprint
from app.web.datasets.routes import bp

__all__ = ["bp", "contents", "labelling", "shared"]
