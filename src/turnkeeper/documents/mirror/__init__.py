"""A dict that saves itself, for code that keeps its data in a dict."""

from turnkeeper.documents.mirror.health import MirrorHealth
from turnkeeper.documents.mirror.mirror import Mirror

__all__ = ["Mirror", "MirrorHealth"]
