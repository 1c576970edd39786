"""Sending by C-STORE: what the application gets, and what becomes of its answers."""

from __future__ import annotations

import logging
import socket
import ssl

import pytest
from pydicom.uid import CTImageStorage, ImplicitVRLittleEndian
from support.archives import CLASSES, WORDS, data_sets, dicom_node, write_object
from support.certificates import write_certificates

import tfadvpath.pacs.dicom_node
from tfadvpath import send_results
from tfadvpath.pacs.archive import State
from tfadvpath.serving import Access


def lines(summary):
    return [str(each.error) for each in summary.failures]


def states(summary):
    return [each.state for each in summary.sent]


def test_the_application_gets_the_data_sets_byte_for_byte(results):
    with dicom_node() as (address, got):
        summary = send_results(results, address)
    assert got == data_sets(results)
    assert states(summary) == [State.STORED] * 3
    assert summary.failures == []


def test_the_setting_of_other_users_of_the_library_stays_as_it_was(results):
    with dicom_node() as (address, _):
        send_results(results / "a.dcm", address)
    assert tfadvpath.pacs.dicom_node._config.STORE_SEND_CHUNKED_DATASET is False


@pytest.mark.parametrize("status", [0x0110, 0x0124, 0xA900, 0xC000])
def test_a_refusal_is_not_repeated_and_keeps_no_other_from_it(results, waits, status):
    with dicom_node(0, status) as (address, got):
        summary = send_results(results, address)
    assert len(got) == 3
    assert waits == []
    assert [each.path.name for each in summary.sent] == ["a.dcm", "c.dcm"]
    [line] = lines(summary)
    assert line.startswith(f"{results / 'b.dcm'}: was refused: the archive ")
    assert f"({status:04X})" in line


def test_a_class_that_the_application_does_not_take_is_named(results, waits):
    write_object(results / "b.dcm", SOPClassUID=CTImageStorage)
    with dicom_node() as (address, got):
        summary = send_results(results, address)
    assert len(got) == 2
    assert lines(summary) == [
        f"{results / 'b.dcm'}: was refused: the archive takes no CT Image Storage in Explicit VR Little "
        "Endian. Let it take these, or send to its DICOMweb."
    ]
    assert waits == []


def test_nothing_is_converted_to_what_the_application_takes(results):
    with dicom_node(syntaxes=[ImplicitVRLittleEndian]) as (address, got):
        summary = send_results(results, address)
    assert got == []
    assert len(summary.failures) == 3
    assert "takes no Secondary Capture Image Storage in Explicit VR Little Endian" in lines(summary)[2]


def test_an_application_out_of_resources_is_asked_again(results, waits):
    with dicom_node(0xA700, 0xA701) as (address, got):
        summary = send_results(results, address)
    assert len(got) == 2 + 3
    assert states(summary) == [State.STORED] * 3
    assert [0.25 <= waits[0] <= 0.5, 0.5 <= waits[1] <= 1] == [True] * 2


def test_where_the_application_breaks_off_the_file_is_sent_again(results, waits):
    with dicom_node(0, None) as (address, got):
        summary = send_results(results, address)
    assert got == data_sets(results)
    assert states(summary) == [State.STORED] * 3
    assert len(waits) == 1


@pytest.mark.parametrize(
    ("status", "state"),
    [(0xB000, State.CHANGED), (0xB007, State.CHANGED), (0x0107, State.CHANGED), (0x0111, State.THERE)],
)
def test_what_the_application_has_counts_as_sent(results, status, state):
    with dicom_node(status) as (address, _):
        summary = send_results(results, address)
    assert states(summary) == [state, State.STORED, State.STORED]


def test_titles_that_the_application_does_not_know_are_said_with_a_remedy(results, waits):
    with dicom_node(known="WARD") as (address, got):
        summary = send_results(results, address)
        assert len(summary.failures) == 3
        assert "does not know this side's AE title. Enter it there, or" in lines(summary)[2]
        assert states(send_results(results / "a.dcm", address, calling_aet="WARD")) == [State.STORED]
        other = send_results(results, address.replace("ARCHIVE", "OTHER"), calling_aet="WARD")
        assert "has another AE title. Write its title before the @." in lines(other)[0]
    assert len(got) == 1
    assert waits == []


def test_an_application_that_nobody_reaches_is_one_line_a_file(results, waits):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    summary = send_results(results, f"A@127.0.0.1:{port}", attempts=3)
    assert len(waits) == 2
    assert len(summary.failures) == 3
    assert all(
        f"A@127.0.0.1:{port} cannot be reached (Connection refused). Check" in each for each in lines(summary)
    )
    [line, *_] = lines(send_results(results, "A@no-such-machine.invalid:104", attempts=1))
    assert "no-such-machine.invalid:104 cannot be reached (" in line


def test_an_application_that_does_not_answer_is_given_up(results):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"A@127.0.0.1:{silent.getsockname()[1]}"
        summary = send_results(results / "a.dcm", address, attempts=1, timeout=0.3)
    assert f"{address} does not answer as DICOM does, or asks for TLS" in lines(summary)[0]


def test_more_kinds_than_an_association_holds_take_several(results, monkeypatch):
    monkeypatch.setattr(tfadvpath.pacs.dicom_node, "_MOST_CONTEXTS", 2)
    classes = [*CLASSES, CTImageStorage]
    for number in range(10):
        write_object(results / f"d{number}.dcm", SOPClassUID=classes[number % 5])
    with dicom_node(classes=classes) as (address, got):
        summary = send_results(results, address)
    assert summary.failures == []
    assert got == data_sets(results)
    assert len(got) == 13


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def test_both_sides_show_certificates(results, files, waits):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files / "ca.pem"))
    context.load_cert_chain(files / "server.pem", files / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    client = {"certificate": files / "client.pem", "key": files / "client.key"}
    with dicom_node(context=context) as (address, got):
        whole = send_results(results, address, access=Access(ca=files / "ca.pem", **client))
        assert states(whole) == [State.STORED] * 3
        for fewer in (client, {"ca": files / "ca.pem"}):
            summary = send_results(results, address, access=Access(**fewer))
            assert "makes no secure connection. Check the certificates" in lines(summary)[0]
            assert len(summary.failures) == 3
        assert waits == []
        plain = send_results(results / "a.dcm", address, attempts=1, timeout=2)
        assert "does not answer as DICOM does, or asks for TLS" in lines(plain)[0]
    assert got == data_sets(results)


def test_nothing_of_the_patient_is_said_or_logged(results, caplog, capfd):
    with caplog.at_level(logging.DEBUG), dicom_node(0xC000, 0xB000) as (address, _):
        summary = send_results(results, address)
    assert len(summary.failures) == 1
    said = "\n".join([caplog.text, *capfd.readouterr(), *lines(summary), str(summary.as_json())]).lower()
    assert "archive@127" in said
    assert not [word for word in WORDS if word in said]
