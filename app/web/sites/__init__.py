"""Sites that learn together, for administrators."""

from app.web.sites.routes import bp as bp
