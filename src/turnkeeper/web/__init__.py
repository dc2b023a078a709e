"""The way in over HTTP: an ASGI application that any server runs and any framework mounts (extra `web`)."""

from importlib.util import find_spec

from turnkeeper.errors import ConfigurationError

if find_spec("starlette") is None:
    raise ConfigurationError('serving over HTTP needs the extra "web": pip install "turnkeeper[web]"')
