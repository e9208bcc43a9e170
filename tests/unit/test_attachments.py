"""Which files are taken, and what they are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ic3.domain.attachments import ENDINGS, NAME_LIMIT, content_type_of, looks_like, safe_name

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
JPEG = b"\xff\xd8\xff\xe0" + b"\0" * 20
WEBP = b"RIFF\x10\0\0\0WEBPVP8 "
PDF = b"%PDF-1.7\n\xe2\xe3"
TEXT = "लीक, 3 m³\n".encode()
GOOD = {"image/png": PNG, "image/jpeg": JPEG, "image/webp": WEBP, "application/pdf": PDF}


@pytest.mark.parametrize("kind", ENDINGS)
def test_content_is_checked_against_its_type(kind: str) -> None:
    for other, content in GOOD.items():
        assert looks_like(kind, content) is (kind == other)
    assert looks_like(kind, TEXT) is kind.startswith("text/")
    for bad in (b"", b"MZ\x90\0", b"\x7fELF\0", b"a\0b", b"\xff\xfe", b"\x1b[31m"):
        assert not looks_like(kind, bad)


@pytest.mark.parametrize(
    ("header", "kind"),
    [("image/PNG", "image/png"), ("text/csv; charset=utf-8", "text/csv"), ("text/html", None),
     ("image/svg+xml", None), ("", None), ("application/json", None)],
)  # fmt: skip
def test_only_a_few_types_are_taken(header: str, kind: str | None) -> None:
    assert content_type_of(header) == kind


@pytest.mark.parametrize(
    ("given_name", "name"),
    [
        ("valve.JPG", "valve.jpg"), ("valve.jpeg", "valve.jpg"), ("", "attachment.jpg"),
        ("../../etc/passwd", "passwd.jpg"), ("C:\\x\\a.exe", "a.exe.jpg"), ("..", "attachment.jpg"),
        ("a\r\nSet-Cookie: x=1.jpg", "a__Set-Cookie_ x=1.jpg"), ("a\0b.jpg", "a_b.jpg"),
        ("gpj.\u202eexe.jpg", "gpj.exe.jpg"), ('"><script>.jpg', "___script_.jpg"),
        (".htaccess", "htaccess.jpg"), ("x" * 5000, "x" * (NAME_LIMIT - 4) + ".jpg"),
        ("वाल्व.jpg", "वाल्व.jpg"), ("\ud800x.jpg", "x.jpg"),
    ],
)  # fmt: skip
def test_names_are_made_harmless(given_name: str, name: str) -> None:
    assert safe_name(given_name, "image/jpeg") == name


@given(st.text(), st.sampled_from(sorted(ENDINGS)))
def test_no_name_has_a_path_a_control_character_or_another_ending(word: str, kind: str) -> None:
    name = safe_name(word, kind)
    assert not set(name) & set('/\\\0\r\n"<>|')
    assert name.endswith(ENDINGS[kind])
    assert 1 < len(name) <= NAME_LIMIT
    assert not name.startswith(".")
    name.encode()
