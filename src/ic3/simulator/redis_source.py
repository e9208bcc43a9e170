"""Newest values in a real Redis server instead of in memory: for tests against the real thing."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import redis

PREFIX = "ic3:latest:"


class RedisSource:
    """Writes the plant's envelopes to a Redis and answers from it.

    Args:
        url: redis://host:port/number; loopback.

    Raises:
        redis.RedisError: It cannot be reached.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
        self._redis.ping()

    def publish(self, fresh: Iterable[tuple[str, str]]) -> None:
        """Set the keys of what has news."""
        self._redis.mset({PREFIX + serial: text for serial, text in fresh})

    def keys(self, pattern: str) -> list[str]:
        """The keys that match, by SCAN."""
        found = self._redis.scan_iter(match=pattern, count=1000)
        return sorted({cast("bytes", key).decode("utf-8", "replace") for key in found})

    def get(self, key: str) -> tuple[str, str | None] | None:
        """Type and value of a key; the value of another type than string is null."""
        kind = cast("bytes", self._redis.type(key)).decode()
        if kind == "none":
            return None
        value = self._redis.get(key) if kind == "string" else None
        return kind, None if value is None else cast("bytes", value).decode("utf-8", "replace")

    def mget(self, keys: Sequence[str]) -> list[str | None]:
        """The values of keys, null where there is none."""
        found = self._redis.mget(keys) if keys else []
        return [None if value is None else value.decode("utf-8", "replace") for value in found]
