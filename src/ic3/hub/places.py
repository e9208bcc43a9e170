"""How many live clients there may be, over every way in."""

from collections import Counter


class Places:
    """Counts the live clients of each user and of all.

    Args:
        max_clients: All clients at once.
        max_per_user: Clients of one user at once.
    """

    def __init__(self, *, max_clients: int, max_per_user: int) -> None:
        self._max_clients = max_clients
        self._max_per_user = max_per_user
        self._users: Counter[str] = Counter()
        self.taken = 0
        self.closing = False

    def refusal(self, user: str) -> str | None:
        """Why this user cannot have another client now, or None."""
        if self.closing:
            return "the server is stopping"
        if self.taken >= self._max_clients:
            return f"{self._max_clients} clients are connected, which is the limit"
        if self._users[user] >= self._max_per_user:
            return f"{self._max_per_user} clients of this user are connected, which is the limit"
        return None

    def take(self, user: str) -> None:
        """Count one more."""
        self._users[user] += 1
        self.taken += 1

    def give_back(self, user: str) -> None:
        """Count one less."""
        self.taken -= 1
        self._users[user] -= 1
        if not self._users[user]:
            del self._users[user]
