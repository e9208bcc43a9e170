"""IC³: control-room platform of a water utility."""

__version__ = "0.4.0"
