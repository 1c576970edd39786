"""Addresses: what is taken, and that a password in one is not shown."""

from __future__ import annotations

import pytest

from tfadvpath.errors import InputError
from tfadvpath.pacs.targets import NodeTarget, WebTarget, check_aet, parse_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("https://pacs/dicom-web/", WebTarget("https://pacs/dicom-web", "pacs", True)),
        ("http://127.0.0.1:8042/dicom-web", WebTarget("http://127.0.0.1:8042/dicom-web", "127.0.0.1", False)),
        ("https://[::1]:8443", WebTarget("https://[::1]:8443", "::1", True)),
        ("ORTHANC@pacs.ward-2.example:4242", NodeTarget("ORTHANC", "pacs.ward-2.example", 4242)),
        ("MY PACS 2@10.0.0.7:104", NodeTarget("MY PACS 2", "10.0.0.7", 104)),
        ("A@[fe80::1]:11112", NodeTarget("A", "fe80::1", 11112)),
    ],
)
def test_both_kinds_of_addresses_are_known(text, target):
    assert parse_target(text) == target


@pytest.mark.parametrize(
    "text",
    [
        *("", "pacs", "pacs:4242", "@pacs:4242", "   @pacs:4242", "A@pacs", "A@pacs:0", "A@pacs:65536"),
        *("SEVENTEEN_LETTERS@pacs:104", "A\\B@pacs:104", "A\n@pacs:104", "A@pa cs:104", "A@pacs:104/x"),
        *("ftp://pacs/x", "https://", "https:///dicom-web", "https://pacs:0/", "https://pacs:x/"),
        *("https://pacs/a?b=c", "https://pacs/a#b", "https://pacs/a b", "https://pacs/a\nb"),
    ],
)
def test_what_is_none_is_one_line(text):
    with pytest.raises(InputError, match="is no address of") as error:
        parse_target(text)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["https://ward:S3cret@pacs/dicom-web", "https://S3cret@pacs/dicom-web"])
def test_a_password_in_an_address_is_refused_and_not_shown(text):
    with pytest.raises(InputError, match="holds a user or a password") as error:
        parse_target(text)
    assert "S3cret" not in str(error.value)


@pytest.mark.parametrize("aet", ["", "  ", "SEVENTEEN_LETTERS", "A\\B", "A\tB", "ÄRZTE"])
def test_a_title_that_no_application_has_is_refused(aet):
    with pytest.raises(InputError, match="is no AE title"):
        check_aet(aet)
