"""What tabs bring is read, explained and deleted, each tab's apart."""

from __future__ import annotations

import logging
import threading
import zipfile
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pydicom
import pytest
from support.archive import a_series, an_xray
from support.broken_files import jpeg_bytes, picture, write_broken_files

from tfadvpath.batch.options import ExplainOptions
from tfadvpath.batch.run import explain_studies
from tfadvpath.errors import InputError
from tfadvpath.viewer_server import desk as desks
from tfadvpath.viewer_server import downloads
from tfadvpath.viewer_server.desk import Desk
from tfadvpath.viewer_server.uploads import named

MAPS = ("fi_v2_smooth", "fi_v2", "fi_v1", "difference")


def explain(desk: Desk, tab: str = "tab", method: str = "syce", maps=MAPS, steps=3):
    return desk.explain(tab, method, maps, steps)


@pytest.fixture(scope="session")
def files(tmp_path_factory) -> dict[str, Path]:
    """A file of every kind that is dropped, by kind."""
    folder = tmp_path_factory.mktemp("files")
    draw = np.random.default_rng(0)
    values = draw.normal(size=(30, 26, 5)).astype(np.float32)
    values[..., 1] = 3  # blank
    for ending in ("nii", "nii.gz"):
        nib.save(nib.Nifti1Image(values, np.diag([-1.5, 1.5, 4, 1])), folder / f"volume.{ending}")
    grey = picture(40, 36).astype(np.uint8)
    cv2.imwrite(str(folder / "picture.png"), grey)
    (folder / "picture.jpg").write_bytes(jpeg_bytes(grey))
    [xray] = an_xray(folder / "xray")
    with zipfile.ZipFile(folder / "series.zip", "w") as archive:
        for path in a_series(folder / "series"):
            archive.write(path, f"DOE^JANE/{path.name}.x")
    return {
        "nii": folder / "volume.nii",
        "nii.gz": folder / "volume.nii.gz",
        "png": folder / "picture.png",
        "jpeg": folder / "picture.jpg",
        "dicom": xray,
        "zip": folder / "series.zip",
    }


KINDS = ("nii", "nii.gz", "png", "jpeg", "dicom", "zip")
OFFERED = {
    "nii": ["html", "png", "npz", "nifti"],
    "nii.gz": ["html", "png", "npz", "nifti"],
    "png": ["html", "png", "npz"],
    "jpeg": ["html", "png", "npz"],
    "dicom": ["html", "png", "npz", "dicom"],
    "zip": ["html", "png", "npz", "nifti", "dicom"],
}


def contents(path: Path, form: str) -> dict[str, bytes]:
    """The files of a download by name."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    return {path.name: path.read_bytes()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_downloads_are_what_explain_studies_writes(desk, bring, bundle, files, tmp_path, kind):
    bring("tab", files[kind])
    shown = explain(desk)
    assert [offer.name for offer in shown.offers] == OFFERED[kind]
    assert [offer.reason for offer in shown.offers] == [""] * len(shown.offers)
    source = files[kind]
    if kind == "zip":
        source = tmp_path / "series"
        with zipfile.ZipFile(files[kind]) as archive:
            archive.extractall(source)
    names = tuple(OFFERED[kind])
    options = ExplainOptions(formats=names, steps=3, batch_size=4)
    explain_studies(bundle, source, tmp_path / "out", options)
    [record] = (tmp_path / "out").rglob("study.json")
    written = {path.name: path.read_bytes() for path in record.parent.iterdir() if path != record}
    downloaded = {}
    for name in names:
        downloaded |= contents(desk.file(shown.token, name), name)
    assert downloaded.keys() == written.keys()
    for name, content in written.items():
        if name.endswith(".dcm"):
            assert same_object(content, downloaded[name]), name
        else:
            assert downloaded[name] == content, name
    assert desk.file(shown.token, "page").read_bytes() == written["explanation.html"]


def same_object(one: bytes, other: bytes) -> bool:
    """Whether DICOM objects are equal but for their identifiers and the time at which they were made."""
    differing = []
    for content in (one, other):
        dataset = pydicom.dcmread(pydicom.filebase.DicomBytesIO(content))
        kept = [
            (element.tag, element.value)
            for element in dataset.iterall()
            if element.VR not in ("UI", "DA", "TM", "DT", "SQ")
        ]
        differing.append(kept)
    return len(differing[0]) > 30 and differing[0] == differing[1]


def test_a_map_that_is_not_chosen_is_in_no_file(desk, bring, files):
    bring("tab", files["png"])
    shown = explain(desk, maps=["fi_v1"])
    with np.load(desk.file(shown.token, "npz")) as arrays:
        assert set(MAPS) & set(arrays) == {"fi_v1"}
    assert "Importance v1" in shown.page.read_text(encoding="utf-8")


def test_another_method_explains_the_same_study(desk, bring, files):
    bring("tab", files["png"])
    first = explain(desk)
    second = explain(desk, method="gradient", maps=desk.explaining.maps("gradient"), steps=None)
    assert list(second.result.explanation.maps) == list(desk.explaining.maps("gradient"))
    assert first.result.study is second.result.study
    assert desk.file(first.token, "npz").exists()
    third = explain(desk)
    assert third.folder.exists()
    with pytest.raises(InputError, match="This explanation: is no longer kept"):
        desk.file(first.token, "npz")
    assert not first.folder.exists()


def test_the_same_study_gets_the_same_maps_each_time(desk, bring, files):
    """Without the seeds being set anew, by which TensorFlow forgets what it has compiled, for seconds."""
    bring("tab", files["nii"])
    for method, steps in (("syce", 3), ("mask_perturbation", None)):
        maps = desk.explaining.maps(method)
        one, other = (explain(desk, "tab", method, maps, steps).result.explanation.maps for _ in range(2))
        for name in maps:
            np.testing.assert_array_equal(one[name], other[name])


def test_steps_are_those_that_were_asked_for(desk, bring, files):
    bring("tab", files["png"])
    assert explain(desk, steps=2).result.made_with["steps"] == 2
    assert explain(desk, steps=None).result.made_with["steps"] == 50


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ({"method": "none"}, "'none' is no method of this bundle"),
        ({"maps": []}, "nothing is named"),
        ({"maps": ["none"]}, "nothing is named"),
        ({"method": "gradient", "maps": ["gradient"], "steps": 7}, "'gradient' has no such option"),
    ],
)
def test_a_wrong_choice_has_a_line_and_the_next_one_works(desk, bring, files, choice, words):
    bring("tab", files["png"])
    with pytest.raises(InputError, match=words):
        explain(desk, **choice)
    assert explain(desk).page.exists()


def test_a_tab_without_a_study_is_told_so(desk):
    with pytest.raises(InputError, match="has no study"):
        explain(desk)


@pytest.mark.slow
def test_a_broken_file_has_a_line_that_calls_it_by_its_name(desk, bring, tmp_path):
    broken = write_broken_files(tmp_path / "broken")
    for name, words in sorted(broken.items()):
        file = tmp_path / "broken" / name
        if not file.is_file() or "channel" in words:  # the bundle names the channel
            continue
        with pytest.raises(InputError) as caught:
            bring("tab", file)
        said = str(caught.value)
        assert said.startswith(f"{Path(name).name}: "), said
        assert words in said, name
        assert str(tmp_path) not in said, said
    assert list((tmp_path / "desk").iterdir()) == []


def test_a_zip_file_of_no_study_and_of_two_has_a_line(desk, bring, files, tmp_path):
    for names, words in (({}, "holds no"), ({"png": "a.png", "jpeg": "b.jpg"}, "holds 2 studies")):
        with zipfile.ZipFile(tmp_path / "JANE.zip", "w") as archive:
            archive.writestr("readme.txt", "text")
            for kind, name in names.items():
                archive.write(files[kind], name)
        with pytest.raises(InputError, match=f"^JANE.zip: {words}"):
            bring("tab", tmp_path / "JANE.zip")


def test_a_broken_slice_in_a_zip_file_is_called_by_its_name(desk, bring, files, tmp_path):
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as archive:
        archive.writestr("deep/broken.png", files["png"].read_bytes()[:200])
    with pytest.raises(InputError, match=r"^s.zip, broken.png: "):
        bring("tab", tmp_path / "s.zip")


def test_a_zip_attack_is_refused_in_the_process_that_reads(desk, bring, tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("../../escaped.dcm", b"a")
    with pytest.raises(InputError, match=r"^a.zip: holds a file whose name leads out"):
        bring("tab", tmp_path / "a.zip")
    assert list(tmp_path.rglob("escaped*")) == []
    assert list((tmp_path / "desk").iterdir()) == []


def test_tabs_do_not_see_each_other(desk, bring, files):
    bring("one", files["png"])
    bring("two", files["nii"])
    one, two = explain(desk, "one"), explain(desk, "two")
    assert one.token != two.token
    with np.load(desk.file(one.token, "npz")) as first, np.load(desk.file(two.token, "npz")) as second:
        assert (len(first["images"]), len(second["images"])) == (1, 5)
    desk.forget("one")
    assert desk.file(two.token, "png").exists()
    with pytest.raises(InputError, match="no longer kept"):
        desk.file(one.token, "png")


def test_tabs_at_once_get_their_own_results(desk, bring, files):
    brought = {tab: bring(tab, files[kind]) for tab, kind in (("a", "png"), ("b", "nii"), ("c", "dicom"))}
    found = {}

    def work(tab):
        for _ in range(3):
            shown = explain(desk, tab)
            with np.load(desk.file(shown.token, "npz")) as arrays:
                found.setdefault(tab, []).append(arrays["images"])

    threads = [threading.Thread(target=work, args=(tab,)) for tab in brought]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for tab, upload in brought.items():
        assert len(found[tab]) == 3
        for images in found[tab]:
            np.testing.assert_array_equal(images, upload.study.images)


def test_the_last_studies_alone_are_kept(desk, bring, files, tmp_path, monkeypatch):
    monkeypatch.setattr(desks, "MOST_TABS", 2)
    for tab in "abc":
        bring(tab, files["png"])
    assert len(list((tmp_path / "desk").iterdir())) == 2
    bring("c", files["jpeg"])
    assert len(list((tmp_path / "desk").iterdir())) == 2
    with pytest.raises(InputError, match="has no study"):
        explain(desk, "a")
    for tab in "bc":
        desk.forget(tab)
    assert list((tmp_path / "desk").iterdir()) == []


def test_the_upload_is_moved_away_whether_it_is_read_or_not(desk, bring, files, tmp_path):
    bring("tab", files["png"], "a.png")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(InputError):
        bring("tab", tmp_path / "bad.png")
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_name_is_in_no_path_and_in_no_log(desk, bring, files, tmp_path, caplog, capfd):
    with caplog.at_level(logging.DEBUG):
        bring("tab", files["dicom"], "DOE^JANE.dcm")
        shown = explain(desk)
        for offer in shown.offers:
            assert "JANE" not in desk.file(shown.token, offer.name).name
        (tmp_path / "bad.dcm").write_bytes(b"no image")
        with pytest.raises(InputError, match="JANE"):
            bring("other", tmp_path / "bad.dcm", "DOE^JANE.dcm")
    assert [path for path in (tmp_path / "desk").rglob("*") if "JANE" in path.name] == []
    said = capfd.readouterr()
    assert "JANE" not in caplog.text + said.out + said.err


def test_of_many_slices_one_is_shown_first(desk, bring, tmp_path):
    values = np.random.default_rng(0).normal(size=(30, 20, 9))
    nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / "v.nii")
    bring("tab", tmp_path / "v.nii")
    preview = desk.preview("tab", "syce", MAPS, 3)
    text = preview.page.read_text(encoding="utf-8")
    assert "This is slice 4 of 0 to 8. The others are being explained." in text
    assert '"count": 1' in text
    whole = explain(desk)
    assert desk.file(preview.token, "page") == preview.page
    assert '"count": 9' in whole.page.read_text(encoding="utf-8")
    np.testing.assert_allclose(
        preview.result.explanation.maps["fi_v1"][0], whole.result.explanation.maps["fi_v1"][4], atol=1e-6
    )


def test_a_page_does_not_wait_for_what_is_computed(desk, bring, files):
    bring("tab", files["png"])
    shown = explain(desk)
    found = []
    with desk.explaining.busy:
        thread = threading.Thread(target=lambda: found.append(desk.file(shown.token, "page")))
        thread.start()
        thread.join(10)
    assert found == [shown.page]


def test_a_batch_of_slices_needs_no_preview(desk, bring, files):
    bring("tab", files["nii"])
    assert desk.preview("tab", "syce", MAPS, 3) is None


def test_a_study_of_one_value_has_a_page(desk, bring, tmp_path):
    cv2.imwrite(str(tmp_path / "black.png"), np.zeros((9, 9), np.uint8))
    bring("tab", tmp_path / "black.png")
    assert "is blank" in explain(desk).page.read_text(encoding="utf-8")


def test_phantoms_are_those_of_the_demonstration(desk):
    upload = desk.bring_phantom("tab", 0)
    first = upload.study.images
    assert upload.name == "Phantom 1.nii.gz"
    assert len(first) > 10
    np.testing.assert_array_equal(desk.bring_phantom("tab", 0).study.images, first)
    assert not np.array_equal(desk.bring_phantom("tab", 1).study.images, first)


def test_what_is_not_installed_is_said_in_a_sentence(desk, bring, files, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    bring("tab", files["dicom"])
    offers = {offer.name: offer.reason for offer in downloads.offers(desk._tab("tab").upload.study)}
    assert offers["dicom"] == "highdicom: is not installed. Run: pip install 'tfadvpath[dicom]'."
    assert offers["npz"] == ""


def test_a_format_that_does_not_apply_has_a_line(desk, bring, files):
    bring("tab", files["png"])
    shown = explain(desk)
    for name in ("nifti", "dicom", "none", "../npz"):
        with pytest.raises(InputError, match="is no format of this study"):
            desk.file(shown.token, name)


def test_an_error_of_a_parameter_keeps_its_name():
    error = InputError("`steps`", "is wrong", "Mend it")
    assert str(named(error, {}, "scan.dcm")) == "`steps`: is wrong. Mend it."
    assert str(named(InputError("/tmp/x", "is wrong", "Mend it"), {}, "a.dcm")) == "a.dcm: is wrong. Mend it."
