"""The recognition core: no web framework, no database, no global state."""
