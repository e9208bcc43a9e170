"""Start and stop of the embedded PostgreSQL, for installs without a database of their own."""
