"""Reading the plant's newest values from the Redis REST gateway."""
