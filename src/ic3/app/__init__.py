"""The program as a whole; `serve` is the composition root."""
