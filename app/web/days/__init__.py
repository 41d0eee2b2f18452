from app.web.days.routes import bp as bp
