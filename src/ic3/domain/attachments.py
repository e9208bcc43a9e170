"""Files that people hand in: which kinds, how their content is known, and harmless names."""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

PER_ORDER: Final = 100
NAME_LIMIT: Final = 120

# Content type to the ending its files get.
ENDINGS: Final[Mapping[str, str]] = {
    "image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "application/pdf": ".pdf",
    "text/plain": ".txt", "text/csv": ".csv",
}  # fmt: skip
_SEPARATORS: Final = re.compile(r"[/\\]")
_UNSAFE: Final = re.compile(r'[<>:"|?*;%\x00-\x1f\x7f-\x9f]')
# Control characters that text has.
_NOT_TEXT: Final = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_ALSO: Final = {"image/jpeg": {".jpeg", ".jpe"}, "text/plain": {".log"}}


def content_type_of(header: str) -> str | None:
    """The allowed type that a Content-Type header names; None for any other."""
    given = header.partition(";")[0].strip().lower()
    return given if given in ENDINGS else None


def looks_like(content_type: str, content: bytes) -> bool:
    """Whether content is what its type says, by its first bytes; of text by all of it."""
    match content_type:
        case "image/jpeg":
            return content.startswith(b"\xff\xd8\xff")
        case "image/png":
            return content.startswith(b"\x89PNG\r\n\x1a\n")
        case "image/webp":
            return content[:4] == b"RIFF" and content[8:12] == b"WEBP"
        case "application/pdf":
            return content.startswith(b"%PDF-")
        case _:
            return bool(content) and _is_text(content)


def _is_text(content: bytes) -> bool:
    if _NOT_TEXT.search(content):
        return False
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def safe_name(given: str, content_type: str) -> str:
    """A file name without path, control characters or marks of direction, with the type's ending.

    Args:
        given: As the client calls it.
        content_type: One of `ENDINGS`.
    """
    ending = ENDINGS[content_type]
    last = _SEPARATORS.split(unicodedata.normalize("NFC", given))[-1]
    shown = "".join(each for each in last if unicodedata.category(each) not in {"Cf", "Cs", "Co"})
    cleaned = _UNSAFE.sub("_", shown).strip(" .")
    stem, dot, tail = cleaned.rpartition(".")
    if dot and "." + tail.lower() in {ending, *_ALSO.get(content_type, ())}:
        cleaned = stem
    cleaned = cleaned[: NAME_LIMIT - len(ending)].strip(" .") or "attachment"
    return cleaned + ending
