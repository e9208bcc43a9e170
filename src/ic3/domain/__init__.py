"""Types and rules of the trade; no I/O."""
