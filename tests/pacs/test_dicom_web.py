"""Sending to DICOMweb: what the server gets, and what becomes of its answers."""

from __future__ import annotations

import logging
import socket
import ssl

import pytest
from support.archives import STORED, WORDS, answer, dicom_web, write_object
from support.certificates import write_certificates

from tfadvpath import send_results
from tfadvpath.pacs.archive import State
from tfadvpath.serving import Access
from tfadvpath.studies.readers import quiet

NATIVE = (
    b'<?xml version="1.0"?><NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">'
    b'<DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence"><Item number="1">'
    b'<DicomAttribute tag="00081197" vr="US" keyword="FailureReason"><Value number="1">%d</Value>'
    b"</DicomAttribute></Item></DicomAttribute></NativeDicomModel>"
)


def lines(summary):
    return [str(each.error) for each in summary.failures]


def states(summary):
    return [each.state for each in summary.sent]


def test_the_server_gets_the_files_byte_for_byte(results):
    with dicom_web() as (root, seen):
        summary = send_results(results, root)
    assert [path for path, _, _ in seen] == ["/dicom-web/studies"] * 3
    assert [file for _, _, files in seen for file in files] == [
        (results / name).read_bytes() for name in ("a.dcm", "b.dcm", "c.dcm")
    ]
    assert states(summary) == [State.STORED] * 3
    assert summary.failures == []
    assert summary.megabytes == pytest.approx(sum(len(files[0]) for _, _, files in seen) / 1e6)
    port = root.split(":")[2].partition("/")[0]
    for _, headers, _ in seen:
        assert headers["Host"] == f"127.0.0.1:{port}"
        assert headers["Accept"] == "application/dicom+json"
        assert "authorization" not in {name.lower() for name in headers}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (answer(409, failure=0xC000), "the archive cannot understand it (C000)"),
        (answer(202, failure=0x0122), "the archive does not take its class of objects (0122)"),
        (answer(200, failure=0xA900), "not as its class demands (A900)"),
        (answer(409), "the archive could not process it (0110)"),
        ((409, "application/dicom+xml", NATIVE % 0xC122), "does not take its transfer syntax (C122)"),
        ((409, "application/dicom+json", b'{"00081198": 7}'), "could not process it (0110)"),
        ((409, "application/dicom+xml", b"<a"), "could not process it (0110)"),
        ((400, "text/plain", b"Zebra^Quagga is a wrong name"), "the archive does not take it (400)"),
        ((403, "text/plain", b""), "this client may not store it (403)"),
        ((413, "text/plain", b""), "it is too large (413)"),
        ((415, "text/plain", b""), "the archive does not take it (415)"),
    ],
)
def test_a_refusal_is_not_repeated_and_keeps_no_other_from_it(results, waits, given, reason):
    with dicom_web(STORED, given) as (root, seen):
        summary = send_results(results, root)
    assert len(seen) == 3
    assert waits == []
    assert [each.path.name for each in summary.sent] == ["a.dcm", "c.dcm"]
    [line] = lines(summary)
    assert line.startswith(f"{results / 'b.dcm'}: was refused: ")
    assert reason in line
    assert not [word for word in WORDS if word in line.lower()]


@pytest.mark.parametrize(
    "busy",
    [
        (503, "text/html", b"Zebra"),
        (500, "text/html", b""),
        (429, "text/html", b""),
        (507, "text/html", b""),
        answer(409, failure=0xA700),
        answer(202, failure=0xA7FF),
    ],
)
def test_a_busy_archive_is_asked_again_after_growing_waits(results, waits, busy):
    with dicom_web(busy, busy, busy) as (root, seen):
        summary = send_results(results, root)
    assert len(seen) == 3 + 3
    assert states(summary) == [State.STORED] * 3
    assert [0.25 <= waits[0] <= 0.5, 0.5 <= waits[1] <= 1, 1 <= waits[2] <= 2] == [True] * 3


def test_waits_are_capped_and_later_files_do_not_wait_in_vain(results, waits):
    busy = (503, "text/html", b"")
    with dicom_web(*[busy] * 9) as (root, seen):
        summary = send_results(results, root, attempts=8)
    # Eight attempts for the first file, one for the second, which fails, and one for the third.
    assert len(seen) == 8 + 1 + 1
    assert max(waits) <= 8
    assert min(waits[4:]) >= 4
    assert [each.path.name for each in summary.sent] == ["c.dcm"]
    assert lines(summary)[0] == (
        f"{results / 'a.dcm'}: was not sent: {root} answers 503. "
        "Check that it runs and its address, and give the same command again."
    )


def test_an_archive_that_nobody_reaches_is_one_line_a_file(results, waits):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    summary = send_results(results, f"http://127.0.0.1:{port}/dicom-web", attempts=3)
    assert len(waits) == 2
    assert len(summary.failures) == 3
    assert all("/dicom-web cannot be reached (Connection refused). Check" in line for line in lines(summary))
    [line, *_] = lines(send_results(results, "http://no-such-machine.invalid/dicom-web", attempts=1))
    assert "no-such-machine.invalid/dicom-web cannot be reached (" in line


def test_an_archive_that_does_not_answer_is_given_up(results, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        root = f"http://127.0.0.1:{silent.getsockname()[1]}/dicom-web"
        summary = send_results(results / "a.dcm", root, attempts=2, timeout=0.2)
    [line] = lines(summary)
    assert f"{root} did not answer in time" in line


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (answer(202, warning=0xB000), State.CHANGED),
        (answer(200, warning=0xB006), State.CHANGED),
        (answer(409, failure=45070), State.THERE),
        (answer(409, failure=0x0111), State.THERE),
        ((409, "application/dicom+xml", NATIVE % 45070), State.THERE),
        (
            (409, "application/json", b'[{"00081198": {"Value": [{"00081197": {"Value": [273]}}]}}]'),
            State.THERE,
        ),
        ((200, "application/dicom+xml", b"<NativeDicomModel/>"), State.STORED),
        ((200, "text/plain", b""), State.STORED),
    ],
)
def test_what_the_archive_has_counts_as_sent(results, given, state):
    with dicom_web(given) as (root, _):
        summary = send_results(results, root)
    assert states(summary) == [state, State.STORED, State.STORED]
    assert summary.count(State.STORED) == 2 + (state is State.STORED)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ((200, "text/html; charset=utf-8", b"<html>Log in, Zebra</html>"), "answers what is no DICOMweb"),
        ((401, "text/html", b""), "asks who this is (401)"),
        ((404, "text/html", b""), "takes nothing at that path (404)"),
        ((405, "text/html", b""), "takes nothing at that path (405)"),
    ],
)
def test_where_nothing_gets_in_nothing_more_is_sent(results, waits, given, problem):
    with dicom_web(STORED, given) as (root, seen):
        summary = send_results(results, root)
    assert len(seen) == 2
    assert waits == []
    assert [line.partition(": ")[0] for line in lines(summary)] == [
        str(results / name) for name in ("b.dcm", "c.dcm")
    ]
    assert all(f"was not sent: {root} {problem}. " in line for line in lines(summary))


@pytest.mark.parametrize("code", [301, 302, 307, 308])
def test_no_file_follows_a_redirect(results, code):
    with dicom_web() as (other, passed):
        leads = (code, "text/html", b"", {"Location": f"{other}/studies"})
        with dicom_web(leads) as (root, seen):
            summary = send_results(results, root, access=Access(token="abc"))
    assert (len(seen), len(passed)) == (1, 0)
    assert len(summary.failures) == 3
    assert "leads elsewhere" in lines(summary)[0]


def test_the_token_and_other_headers_come_with_every_file(results):
    with dicom_web() as (root, seen):
        send_results(results, root, access=Access(token="abc.def", metadata={"x-site": "north"}))
    for _, headers, _ in seen:
        headers = {name.lower(): value for name, value in headers.items()}
        assert headers["authorization"] == "Bearer abc.def"
        assert headers["x-site"] == "north"


def test_files_go_to_the_archive_and_to_a_proxy_only_if_asked(results, monkeypatch, tmp_path):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ward password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    with dicom_web() as (root, seen), dicom_web() as (proxy, passed):
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.removesuffix("/dicom-web"))
        assert states(send_results(results / "a.dcm", root)) == [State.STORED]
        assert (len(seen), len(passed)) == (1, 0)
        send_results(results / "a.dcm", root, access=Access(proxy=True, token="abc"))
        assert (len(seen), len(passed)) == (1, 1)
    assert {name.lower() for name in seen[0][1]}.isdisjoint({"authorization"})
    assert passed[0][1]["authorization"] == "Bearer abc"  # and not what ~/.netrc has


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def server_context(files):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files / "ca.pem"))
    context.load_cert_chain(files / "server.pem", files / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_both_sides_show_certificates(results, files, waits, monkeypatch):
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files / "ca.pem"))  # is none of ours
    client = {"certificate": files / "client.pem", "key": files / "client.key"}
    with dicom_web(context=server_context(files)) as (root, seen):
        whole = send_results(results, root, access=Access(ca=files / "ca.pem", token="abc", **client))
        assert states(whole) == [State.STORED] * 3
        unknown = send_results(results, root, access=Access(**client))
        assert "makes no secure connection. Check the certificates" in lines(unknown)[0]
        assert len(unknown.failures) == 3
        assert waits == []
        nameless = send_results(results, root, access=Access(ca=files / "ca.pem"), attempts=1)
        assert len(nameless.failures) == 3
        assert len(seen) == 3


def test_nothing_of_the_patient_is_said_or_logged(results, caplog, capfd):
    with quiet():  # of what pydicom says while it is written
        write_object(results / "d.dcm", SOPInstanceUID="Zebra.7731894")
    given = (400, "text/plain", b"PatientName Zebra^Quagga is wrong"), (409, "text/html", b"MRN-7731894")
    with caplog.at_level(logging.DEBUG), dicom_web(*given) as (root, _):
        summary = send_results(results, root, access=Access(token="t0p-s3cret"))
    assert len(summary.failures) == 3
    said = "\n".join([caplog.text, *capfd.readouterr(), *lines(summary), str(summary.as_json())]).lower()
    assert "dicom-web" in said
    assert not [word for word in (*WORDS, "t0p-s3cret") if word in said]
