"""The way out, live."""
