"""One function a use case; each owns its transaction and knows neither request nor session."""
