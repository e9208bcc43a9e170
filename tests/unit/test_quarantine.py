from ic3.domain.envelope import Reject
from ic3.domain.quarantine import readable, words_for
from ic3.gateway import errors


def test_every_reason_for_quarantine_has_plain_words() -> None:
    kinds = [
        each for each in vars(errors).values()
        if isinstance(each, type) and issubclass(each, errors.ContentError)
        and each is not errors.ContentError
    ]  # fmt: skip
    reasons = [*Reject, *(each.reason for each in kinds), "refused_by_database", "key_conflict"]
    assert len(kinds) == 6
    assert [each for each in reasons if "no words" in words_for(each)] == []


def test_bytes_are_shown_as_one_line_that_steers_no_terminal() -> None:
    raw = "a\r\n\x1b[31m\0‮é".encode() + b"\xff"
    assert readable(raw) == "a\\r\\n\\x1b[31m\\x00\\u202eé\\xff"
