import hashlib
import json

import cv2
import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfadvpath.datasets.image_folder import ImageFolder, ImageFolderConfig
from tfadvpath.datasets.prepare import described, prepare
from tfadvpath.datasets.prepared import Prepared
from tfadvpath.datasets.splits import Shares
from tfadvpath.errors import InputError

CONFIG = ImageFolderConfig(size=32, shares=Shares(2, 1, 1))


@pytest.fixture
def source(tmp_path):
    """Eight patients with an image each; the last is of one value."""
    folder = tmp_path / "source"
    (folder / "images").mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(8):
        pixels = random.integers(0, 255, (32, 32), np.uint8) * (number < 7)
        cv2.imwrite(str(folder / "images" / f"{number}.png"), pixels)
    rows = [f"{number}.png,p{number},{number % 2}" for number in range(8)]
    (folder / "table.csv").write_text("\n".join(["file,patient,label", *rows]))
    return folder


def contents(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_summary_says_what_each_part_holds_and_what_was_left_out(source, tmp_path):
    summary = prepare(ImageFolder, source, tmp_path / "out", CONFIG)
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    total = {"images": 0, "class_1": 0, "patients": 0}
    for part in ("train", "validation", "test"):
        stored = Prepared(tmp_path / "out", "image-folder").load(part, 32)
        count = summary["parts"][part]
        assert count["images"] == len(stored.images)
        assert count["class_1"] == stored.labels.sum()
        assert count["patients"] == len(set(stored.patients))
        assert count["annotated"] == ((stored.labels == 1) & stored.masks.any(axis=(1, 2))).sum()
        total = {key: total[key] + count[key] for key in total}
    assert total == {"images": 7, "class_1": 3, "patients": 7}
    assert [dropped["case"] for dropped in summary["dropped"]] == ["7.png"]
    assert described(summary)[-1] == "left out: 1 image of 1 case: is blank: all its pixels are the same"


def digests(summary):
    return {part: count["sha256"] for part, count in summary["parts"].items()}


def test_the_digests_are_of_the_images_masks_and_labels_alone(source, tmp_path):
    first = digests(prepare(ImageFolder, source, tmp_path / "one", CONFIG))
    assert len(set(first.values())) == 3
    (source / "later.txt").touch()
    assert digests(prepare(ImageFolder, source, tmp_path / "two", CONFIG)) == first
    pixels = cv2.imread(str(source / "images" / "0.png"), cv2.IMREAD_UNCHANGED)
    pixels[5, 5] ^= 64
    cv2.imwrite(str(source / "images" / "0.png"), pixels)
    changed = digests(prepare(ImageFolder, source, tmp_path / "three", CONFIG))
    assert sum(changed[part] != first[part] for part in first) == 1
    table = (source / "table.csv").read_text()
    (source / "table.csv").write_text(table.replace("0.png,p0,0", "0.png,p0,1"))
    relabelled = digests(prepare(ImageFolder, source, tmp_path / "four", CONFIG))
    assert sum(relabelled[part] != changed[part] for part in first) == 1


def test_the_records_are_tensorflow_datasets_own(source, tmp_path):
    prepare(ImageFolder, source, tmp_path / "out", CONFIG)
    stored = Prepared(tmp_path / "out", "image-folder").load("train", 32)
    builder = tfds.builder_from_directory(
        tmp_path / "out" / "records" / "image_folder" / "prepared" / "1.0.0"
    )
    examples = list(tfds.as_numpy(builder.as_dataset(split="train")))
    np.testing.assert_allclose([e["image"] / 65535 for e in examples], stored.images, atol=1e-7)
    assert [e["label"] for e in examples] == stored.labels.tolist()
    assert [e["case"].decode() for e in examples] == [f"{p[1:]}.png" for p in stored.patients]


def test_another_run_takes_the_place_of_the_earlier_and_of_nothing_else(source, tmp_path):
    out = tmp_path / "out"
    prepare(ImageFolder, source, out, CONFIG)
    Prepared(out, "image-folder").load("train", 32)  # leaves a cache
    (out / "notes.txt").write_text("mine")
    (out / f".tfadvpath-{16 * '0'}").mkdir()  # of a killed run
    prepare(ImageFolder, source, out, ImageFolderConfig(size=64, shares=Shares(1, 0, 0)))
    assert (out / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in out.iterdir()) == ["notes.txt", "records", "summary.json"]
    assert Prepared(out, "image-folder").load("train", 32).images.shape == (7, 32, 32, 1)


def test_a_run_that_fails_leaves_the_earlier_whole(source, tmp_path):
    out = tmp_path / "out"
    prepare(ImageFolder, source, out, CONFIG)
    before = contents(out)
    for path in (source / "images").iterdir():
        path.write_bytes(b"no image")
    errors = []
    with pytest.raises(InputError, match="leaves no image for the part train"):
        prepare(ImageFolder, source, out, CONFIG, errors.append)
    assert len(errors) == 4
    assert contents(out) == before


def test_a_source_that_is_no_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="is no folder"):
        prepare(ImageFolder, tmp_path / "none", tmp_path / "out", CONFIG)


def test_many_reasons_are_summed_up():
    dropped = [
        {"case": str(n), "reason": f"reason {n % 7}", "part": None, "indexes": [0, 1]} for n in range(20)
    ]
    lines = described({"parts": {}, "dropped": dropped})
    assert lines[0] == "left out: 6 images of 3 cases: reason 0"
    assert lines[-1] == "left out: more, for 2 other reasons, in summary.json"
    assert len(lines) == 6
