"""The one place that states the version; ``labextension/package.json`` is held equal by a test."""

__version__ = "0.1.0"
