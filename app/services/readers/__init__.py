"""Child processes that read what people bring: within limits of time and memory, so that no file stops the server."""
