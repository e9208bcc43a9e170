"""What all CSV answers have in common: they are files to be saved, written page by page."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from litestar.response import Stream

from ic3.domain.spreadsheets import Cell, csv_text

Page = TypeVar("Page")


def csv_file(content: AsyncIterator[str] | Iterator[str], name: str) -> Stream:
    """An answer that a browser saves under a name.

    Args:
        content: What `csv_text` makes, piece by piece.
        name: Of the file; plain letters.
    """
    return Stream(
        content, media_type="text/csv",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip


async def csv_pages(
    headings: Sequence[Cell],
    rows: Callable[[Page], Iterable[Sequence[Cell]]],
    first: Page,
    rest: AsyncIterator[Page],
) -> AsyncIterator[str]:
    """Headings and pages as CSV.

    Args:
        headings: First row.
        rows: The rows of a page.
        first: Read before the answer begins: a database that is away is still a 503.
        rest: The other pages.
    """
    yield csv_text([headings, *rows(first)])
    async for page in rest:
        yield csv_text(rows(page))
