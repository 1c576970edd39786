"""Image folders with files outside, odd names, masks off the grid, and faults of the package."""

import csv
import os
import shutil

import nibabel as nib
import numpy as np
import pytest
from support.image_folders import config, write

from tfadvpath.datasets.image_folder import ImageFolder
from tfadvpath.datasets.prepare import prepare
from tfadvpath.datasets.prepared import Prepared
from tfadvpath.errors import InputError, UnforeseenError
from tfadvpath.studies.pictures import reader
from tfadvpath.studies.reader_process import ReaderProcess

ROW = {"patient": "p", "label": 1}


def prepared_without(folder, errors=None, **options):
    """The labels that are stored, and the reasons of what is left out."""
    errors = [] if errors is None else errors
    summary = prepare(ImageFolder, folder, folder.parent / "out", config(**options), errors.append)
    assert not any("\n" in str(error) or len(str(error)) > 1500 for error in errors)
    reasons = {dropped["case"]: dropped["reason"] for dropped in summary["dropped"]}
    return summary["parts"]["train"]["images"], reasons


def test_nothing_outside_the_source_is_read(tmp_path):
    """Names with .., absolute ones, links of files and of folders: one line each, and the others go on."""
    source, outside = tmp_path / "source", tmp_path / "outside"
    outside.mkdir()
    source.mkdir()
    write(outside, [{"file": name, **ROW} for name in ("x.png", "y.png")], ".")
    table = [{"file": name, **ROW} for name in ("first.png", "link.png", "up/x.png", "mask.png", "good.png")]
    write(source, table, masks="masks")
    images = source / "images"
    (images / "link.png").unlink()
    (images / "link.png").symlink_to(outside / "x.png")
    shutil.rmtree(images / "up")
    (images / "up").symlink_to(outside)
    (source / "masks" / "mask.png").unlink()
    (source / "masks" / "mask.png").symlink_to(outside / "x.png")
    (images / "inside.png").symlink_to(images / "good.png")
    (source / "masks" / "inside.png").symlink_to("good.png")
    escapes = ["../../outside/x.png", str(outside / "x.png"), "../masks/../../outside/y.png"]
    with (source / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        # The first row does not say where the images are.
        writer.writerows([{"file": name, **ROW} for name in escapes])
        writer.writerows([*table, {"file": "inside.png", **ROW}, {"file": str(images / "good.png"), **ROW}])
    errors = []
    count, reasons = prepared_without(source, errors, masks="masks")
    assert reasons.keys() == {*escapes, "link.png", "up/x.png", "mask.png"}
    assert all("leads out of the folder" in reason for reason in reasons.values())
    assert len(errors) == 6
    assert count == 4


@pytest.mark.parametrize("option", ["images", "masks"])
@pytest.mark.parametrize("name", ["../outside", "absolute", "link"])
def test_folders_outside_the_source_are_refused(tmp_path, option, name):
    source, outside = tmp_path / "source", tmp_path / "outside"
    outside.mkdir()
    source.mkdir()
    write(source, [{"file": "a.png", **ROW}])
    shutil.copy(source / "images" / "a.png", outside)
    (source / "link").symlink_to(outside)
    with pytest.raises(InputError, match="leads out of the folder"):
        prepared_without(source, **{option: str(outside) if name == "absolute" else name})


def test_a_table_outside_the_source_is_not_read(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write(source, [{"file": "a.png", **ROW}])
    (source / "table.csv").rename(tmp_path / "table.csv")
    (source / "table.csv").symlink_to(tmp_path / "table.csv")
    with pytest.raises(InputError, match=r"table\.csv: leads out of the folder"):
        prepared_without(source)


def test_the_other_file_of_a_pair_may_not_lead_out_either(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write(source, [{"file": "a.png", **ROW}])
    for name in ("in", "out"):
        values = np.arange(30, dtype=np.float32).reshape(6, 5, 1)
        nib.save(nib.Nifti1Pair(values, np.eye(4)), source / "images" / f"{name}.hdr")
    (source / "images" / "out.img").rename(tmp_path / "out.img")
    (source / "images" / "out.img").symlink_to(tmp_path / "out.img")
    with (source / "table.csv").open("a", newline="") as file:
        csv.writer(file).writerows([("in.hdr", "p", 1), ("out.hdr", "p", 1)])
    count, reasons = prepared_without(source)
    assert count == 2
    assert list(reasons) == ["out.hdr"]


def read_here(monkeypatch):
    """Files are read in this process, where a test can change the reader."""

    def call(process, sources, function, *arguments):
        return function(*arguments)

    monkeypatch.setattr(ReaderProcess, "call", call)


def test_a_fault_of_the_package_costs_one_case(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    write(source, [{"file": f"{name}.png", **ROW} for name in ("a", "wrong", "b")])
    decode = reader.decode_png

    value = " of a patient".join(("a value", "s header"))

    def fails(path, png):
        if path.stem == "wrong":
            raise RuntimeError(value)
        return decode(path, png)

    read_here(monkeypatch)
    monkeypatch.setattr(reader, "decode_png", fails)
    errors = []
    count, reasons = prepared_without(source, errors)
    assert count == 2
    assert list(reasons) == ["wrong.png"]
    (error,) = errors
    assert isinstance(error, UnforeseenError)
    assert "RuntimeError" in error.problem
    assert value not in str(error) + error.trace


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_an_interrupt_ends_the_preparation(tmp_path, monkeypatch, error):
    source = tmp_path / "source"
    source.mkdir()
    write(source, [{"file": "a.png", **ROW}])

    def interrupted(*args):
        raise error

    read_here(monkeypatch)
    monkeypatch.setattr(reader, "decode_png", interrupted)
    with pytest.raises(error):
        prepared_without(source)


def test_names_of_every_kind_have_a_line(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    names = [
        "n" * 300 + ".png",
        "a\0b.png",
        "a\nb.png",
        "x" * 9000,
        "Röntgen 肺 🫁.png",
        ".",
        "..",
        "\x1b[31m",
        "~",
        "-rf",
    ]
    write(source, [{"file": "good.png", **ROW}])
    with (source / "table.csv").open("a", newline="") as file:
        csv.writer(file).writerows([(name, "p", 1) for name in names])
    count, reasons = prepared_without(source)
    assert count == 1
    assert len(reasons) == len(names)
    assert "is no name that a file can have" in reasons["a\0b.png"]
    assert "is no name that a file can have" in reasons["x" * 9000]
    assert reasons["Röntgen 肺 🫁.png"] == "does not exist"


def test_a_value_without_end_is_cut_in_the_message(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write(source, [{"file": "good.png", **ROW}])
    with (source / "table.csv").open("a", newline="") as file:
        csv.writer(file).writerows([("a.png", "p", "1" * 100_000 + "?"), ("b.png", "p", "9" * 100_000)])
    count, reasons = prepared_without(source)
    assert count == 1
    assert all(len(reason) < 200 for reason in reasons.values())


def test_a_link_to_itself_has_a_line(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write(source, [{"file": name, **ROW} for name in ("good.png", "self.png")])
    (source / "images" / "self.png").unlink()
    (source / "images" / "self.png").symlink_to("self.png")
    count, reasons = prepared_without(source)
    assert count == 1
    assert "link" in reasons["self.png"]


def test_a_volume_takes_masks_of_its_own_grid_only(tmp_path):
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    (source / "mask").mkdir()
    finding = np.zeros((40, 60, 1), np.uint8)
    finding[5:20, 40:55] = 1
    image = np.random.default_rng(0).random(finding.shape, np.float32) + 3 * finding
    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    for name, own in (("same", affine), ("other", np.eye(4))):
        nib.save(nib.Nifti1Image(image, affine), source / "images" / f"{name}.nii.gz")
        nib.save(nib.Nifti1Image(finding, own), source / "mask" / f"{name}.nii.gz")
    (source / "t.csv").write_text("file,patient,label\nsame.nii.gz,a,1\nother.nii.gz,b,1\n")
    _, reasons = prepared_without(source)
    assert reasons == {"other.nii.gz": "lies on another grid than its image: their affines differ"}
    stored = Prepared(tmp_path / "out", "image-folder").load("train", 32)
    bright = stored.images[..., 0][stored.masks].mean()
    assert bright > 0.7
    assert stored.images[..., 0][~stored.masks].mean() < 0.3


@pytest.mark.skipif(os.name != "posix", reason="names of bytes")
def test_files_of_the_source_may_have_any_bytes_in_their_names(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write(source, [{"file": "good.png", **ROW}])
    shutil.copy(source / "images" / "good.png", os.fsencode(source / "images") + b"/\xff.png")
    (source / os.fsdecode(b"\xfe")).mkdir()
    assert prepared_without(source) == (1, {})
