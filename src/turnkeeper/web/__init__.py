"""The way in over HTTP: an ASGI application that any server runs and any framework mounts (extra `web`)."""
