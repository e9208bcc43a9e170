"""Saved states: the slice of one asset out of dataclasses of arrays that have the assets first."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any, Final

import msgspec
import numpy as np

from ic3.errors import InputError

VERSION: Final = 1


def pack(parts: Sequence[Any], asset: int, signature: str) -> bytes:
    """The state of an asset; its size depends on the shape of the arrays only.

    Args:
        parts: Dataclasses whose fields are all arrays with the assets first.
        asset: Index of the asset.
        signature: What must be the same where it is restored.
    """
    slices = {name: held[asset].tobytes() for name, held in _arrays(parts)}
    return msgspec.msgpack.encode((VERSION, signature, slices))


def unpack(parts: Sequence[Any], asset: int, signature: str, state: bytes) -> None:
    """Put a saved state into the arrays; they are left alone where it does not fit.

    Args:
        parts: As given to `pack`.
        asset: Index of the asset, whatever it was before.
        signature: As given to `pack`.
        state: What `pack` made.

    Raises:
        InputError: The state is damaged, of another version or of another signature.
    """
    try:
        version, signed, slices = msgspec.msgpack.decode(
            state, type=tuple[int, str, dict[str, bytes]]
        )
    except msgspec.MsgspecError as error:
        raise InputError(f"analytics: the saved state is damaged ({error}); fit anew") from None
    if version != VERSION or signed != signature:
        raise InputError(
            "analytics: the saved state is of another version, other tags or another tuning;"
            " fit anew"
        )
    for name, held in _arrays(parts):
        held[asset] = np.frombuffer(slices[name], held.dtype).reshape(held.shape[1:])


def put(parts: Sequence[Any], asset: int, sources: Sequence[Any]) -> None:
    """Copy the only asset of `sources` to an index of `parts`."""
    for (_, held), (_, source) in zip(_arrays(parts), _arrays(sources), strict=True):
        held[asset] = source[0]


def _arrays(parts: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    for part in parts:
        for field in fields(part):
            yield f"{type(part).__name__}.{field.name}", getattr(part, field.name)
