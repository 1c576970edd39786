"""What leaves, what stays, and what is refused before anything is read."""

from __future__ import annotations

import importlib.util

import pytest
from support.archive import a_series, an_xray, explained, written
from support.archives import dicom_web, write_object

from tfadvpath import InputError, send_results
from tfadvpath.pacs.archive import State
from tfadvpath.serving import Access

NOWHERE = "http://127.0.0.1:1/dicom-web"


@pytest.mark.slow
@pytest.mark.parametrize("source", [a_series, an_xray])
def test_generated_images_leave_only_if_asked(tmp_path, source):
    folder = tmp_path / "out"
    names = written(folder, explained(source(tmp_path / "in")))
    with dicom_web() as (root, seen):
        summary = send_results(folder, root)
        left_out = {path.name: reason for path, reason in summary.left_out}
        assert set(left_out) == {"synthetic_start.dcm", "synthetic_adversary.dcm"}
        assert all("is a generated image" in reason for reason in left_out.values())
        assert {each.path.stem for each in summary.sent} == {n for n in names if "synthetic" not in n}
        assert len(seen) == len(names) - 2
        assert not any(b"SYNTHETIC" in file for _, _, files in seen for file in files)
        # Whoever names one, by another name too, hears that it was not sent.
        other = tmp_path / "other.dcm"
        other.write_bytes((folder / "synthetic_start.dcm").read_bytes())
        (failure,) = send_results(other, root).failures
        assert str(failure.error) == (
            f"{other}: is a generated image. Send it by `synthetic`, or leave it out."
        )
        assert len(seen) == len(names) - 2
        assert len(send_results(folder, root, synthetic=True).sent) == len(names)


def test_a_broken_file_in_a_folder_is_one_line_and_the_others_go_on(results):
    (results / "b.dcm").write_bytes((results / "b.dcm").read_bytes()[:-50])
    (results / "text.dcm").write_text("text")
    outcomes, progress = [], []
    with dicom_web() as (root, seen):
        summary = send_results(
            results, root, listener=outcomes.append, on_progress=lambda *given: progress.append(given)
        )
    assert [each.path.name for each in summary.sent] == ["a.dcm", "c.dcm"]
    assert [each.path.name for each in summary.failures] == ["b.dcm", "text.dcm"]
    assert [*summary.failures, *summary.sent] == outcomes
    assert len(seen) == 2
    total = sum((results / name).stat().st_size for name in ("a.dcm", "c.dcm"))
    assert [given[1] for given in progress] == [total, total]
    assert sum(given[0] for given in progress) == total


def test_a_source_is_sent_as_its_results_are(tmp_path):
    [path] = an_xray(tmp_path)
    with dicom_web() as (root, seen):
        summary = send_results([path], root)
    assert [file for _, _, files in seen for file in files] == [path.read_bytes()]
    assert summary.as_json() == {
        "target": root,
        "stored": 1,
        "changed": 0,
        "there": 0,
        "failed": 0,
        "megabytes": round(path.stat().st_size / 1e6, 3),
        "seconds": round(summary.seconds, 3),
        "instances": [{"source": str(path), "sop_instance_uid": summary.sent[0].uid, "state": "stored"}],
        "errors": [],
        "left_out": [],
    }


def test_a_file_that_is_gone_when_its_turn_comes_is_one_line(results):
    def remove(outcome):
        (results / "b.dcm").unlink(missing_ok=True)

    with dicom_web() as (root, _):
        summary = send_results(results, root, listener=remove)
    [failure] = summary.failures
    assert str(failure.error).startswith(f"{results / 'b.dcm'}: cannot be read again (No such file")
    assert len(summary.sent) == 2


def test_a_link_in_a_folder_is_left_out_and_said(results, tmp_path):
    (results / "link.dcm").symlink_to(write_object(tmp_path / "other.dcm"))
    with dicom_web() as (root, seen):
        summary = send_results(results, root)
    assert summary.left_out == [(results / "link.dcm", "is a link")]
    assert len(seen) == 3


def test_a_fault_of_this_package_is_one_line_and_the_others_go_on(results, monkeypatch):
    from tfadvpath.pacs import dicom_web as module

    real = module._state

    def fail_once(instance, response):
        if instance.path.name == "b.dcm":
            raise KeyError("Zebra^Quagga")
        return real(instance, response)

    monkeypatch.setattr(module, "_state", fail_once)
    with dicom_web() as (root, _):
        summary = send_results(results, root)
    [failure] = summary.failures
    assert "led to an unforeseen error (KeyError)" in str(failure.error)
    assert "Zebra" not in str(failure.error)
    assert len(summary.sent) == 2


@pytest.mark.parametrize(
    ("target", "options", "problem"),
    [
        ("http://pacs/dicom-web", {"access": Access(token="abc")}, "would get `token` unencrypted.*https://"),
        (
            "http://pacs/dicom-web",
            {"access": Access(ca="ca.pem")},
            "is not encrypted, as the options ask for",
        ),
        ("http://pacs/dicom-web", {"access": Access(tls=True)}, "is not encrypted, as the options ask for"),
        ("A@pacs:104", {"access": Access(token="abc")}, "knows no `token`"),
        ("A@pacs:104", {"access": Access(proxy=True)}, "knows no `proxy`"),
        ("A@pacs:104", {"access": Access(metadata={"x-site": "north"})}, "knows no `metadata`"),
        ("A@pacs:104", {"calling_aet": "SEVENTEEN_LETTERS"}, "`calling_aet`: .* is no AE title"),
        ("A@pacs:104", {"access": Access(ca="missing.pem")}, "`ca` missing.pem: cannot be used"),
        ("https://pacs/dicom-web", {"access": Access(ca="missing.pem")}, "`ca` missing.pem: cannot be used"),
    ],
)
def test_options_that_do_not_go_with_the_address_are_refused(results, target, options, problem):
    with pytest.raises(InputError, match=problem) as error:
        send_results(results, target, **options)
    assert len(str(error.value).splitlines()) == 1
    assert "abc" not in str(error.value)


def test_a_token_crosses_a_network_as_plain_text_only_if_asked(results):
    summary = send_results(
        results / "a.dcm",
        "http://no-such-machine.invalid/dicom-web",
        access=Access(token="abc"),
        unencrypted_token=True,
        attempts=1,
    )
    assert "cannot be reached" in str(summary.failures[0].error)
    with dicom_web() as (root, seen):  # of the loopback interface nobody else reads
        assert send_results(results / "a.dcm", root, access=Access(token="abc")).failures == []
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("module", "name"), [("pynetdicom", "pynetdicom"), ("dicomweb_client", "dicomweb_client")]
)
def test_a_missing_package_is_said_with_its_extra(results, monkeypatch, module, name):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda each: None if each == module else found(each))
    with pytest.raises(InputError, match=rf"{name}: is not installed. Run: pip install 'tfadvpath\[pacs\]'"):
        send_results(results, NOWHERE)


def test_a_folder_without_dicom_is_an_error(tmp_path):
    with pytest.raises(InputError, match="`results`: hold no DICOM file"):
        send_results(tmp_path, NOWHERE)


@pytest.mark.parametrize("options", [{"attempts": 0}, {"timeout": 0}])
def test_numbers_that_make_no_sense_are_refused(results, options):
    with pytest.raises(ValueError, match="must be positive"):
        send_results(results, NOWHERE, **options)


def test_sending_twice_gives_the_archive_the_same_identifiers(results):
    with dicom_web() as (root, seen):
        first, second = send_results(results, root), send_results(results, root)
    assert [each.uid for each in first.sent] == [each.uid for each in second.sent]
    assert [files for _, _, files in seen[:3]] == [files for _, _, files in seen[3:]]
    assert first.count(State.STORED) == 3
