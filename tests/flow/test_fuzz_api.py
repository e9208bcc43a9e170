"""Every operation of the OpenAPI document, with requests made from it; see `make fuzz-api`."""

from fuzz_api import run


def test_s24_no_request_of_the_document_is_an_error_of_ours() -> None:
    found, report = run(examples=2, seed=20261126)
    assert found["cases"] > 100
    assert (found["failures"], found["server_errors"]) == (0, 0), report[-4000:]
