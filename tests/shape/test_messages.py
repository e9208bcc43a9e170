"""The messages that the dashboard says in another language are messages of the sources."""

import ast
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
BOOK: Final = ROOT / "ui" / "src" / "i18n" / "messages-hi.ts"
MESSAGE: Final = re.compile(r'\["((?:[^"\\]|\\.)*)", "')
# A shorter piece is a unit or a sign, which the sources put between two values.
LEAST_PIECE: Final = 4


def sources() -> str:
    """All text constants of the package, one behind the other."""
    trees = (
        ast.parse(each.read_text(encoding="utf-8")) for each in (ROOT / "src/ic3").rglob("*.py")
    )
    nodes = (node for tree in trees for node in ast.walk(tree))
    return "\n".join(
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def test_every_message_of_the_book_is_said_by_the_sources() -> None:
    said = sources()
    messages = MESSAGE.findall(BOOK.read_text(encoding="utf-8"))
    pieces = {
        piece: message for message in messages for piece in re.split(r"\{\d\}", message)
        if len(piece.strip()) >= LEAST_PIECE
    }  # fmt: skip
    assert len(messages) > 100
    assert [(piece, of) for piece, of in pieces.items() if piece.strip() not in said] == []
