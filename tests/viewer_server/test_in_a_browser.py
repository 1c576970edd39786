"""The page of `tfadvpath view` in Chromium: files are dropped, maps looked at, results downloaded."""

from __future__ import annotations

import json
import os
import re
import tempfile
import time
import zipfile
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
from support.archive import a_series, an_xray
from support.broken_files import jpeg_bytes, picture
from support.browser import CHROMIUM, Browser, Frame
from support.pages import Page

from tfadvpath.batch.options import ExplainOptions
from tfadvpath.viewer_server.server import serving

pytest.importorskip("gradio")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]
ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SCREENS = [(1280, 900, False), (1280, 900, True), (400, 800, False), (400, 800, True)]
MAPS = ["fi_v2_smooth", "fi_v2", "fi_v1", "difference"]
PATIENCE = 240  # seconds, on a machine that does much else
PICTURE = "figure canvas"


@pytest.fixture(scope="module")
def temporary(tmp_path_factory):
    """The system's folder of temporary files, for the time of these tests."""
    folder = tmp_path_factory.mktemp("temporary")
    before, tempfile.tempdir = tempfile.tempdir, str(folder)
    yield folder
    tempfile.tempdir = before


@pytest.fixture(scope="module")
def address(bundle, temporary):
    with serving(bundle, ExplainOptions(batch_size=4, steps=3, time_limit=120), 0) as address:
        yield address


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("dropped")
    values = np.random.default_rng(0).normal(size=(30, 26, 6)).astype(np.float32)
    values[..., 1] = 3  # blank
    for ending in ("nii", "nii.gz"):
        nib.save(nib.Nifti1Image(values, np.diag([-1.5, 1.5, 4, 1])), folder / f"volume.{ending}")
    grey = picture(40, 36).astype(np.uint8)
    cv2.imwrite(str(folder / "picture.png"), grey)
    (folder / "picture.jpg").write_bytes(jpeg_bytes(grey))
    [xray] = an_xray(folder / "xray")
    with zipfile.ZipFile(folder / "series.zip", "w") as archive:
        for path in a_series(folder / "series"):
            archive.write(path, path.name)
        bad = folder / "bad.zip"
    with zipfile.ZipFile(bad, "w") as archive:
        archive.writestr("../a.dcm", b"a")
    (folder / "broken.png").write_bytes((folder / "picture.png").read_bytes()[:90])
    return {path.name: path for path in (*folder.iterdir(), xray) if path.is_file()}


@pytest.fixture
def page(browser, address):
    browser.screen(*SCREENS[0])
    browser.open(address)
    browser.until("document.querySelector('#again')", PATIENCE)
    browser.settle()
    yield browser
    assert outside(browser) == []
    assert browser.complaints == []


def outside(browser: Browser) -> list[str]:
    """What was asked of another machine."""
    here = ("http://127.0.0.1:", "data:", "blob:", "about:")
    return [url for url in browser.requests if not url.startswith(here)]


def said(browser: Browser) -> str:
    return " ".join(browser.text("#said").split())


def drop(browser: Browser, file: Path) -> None:
    """Gives a file to the field as a person chooses one."""
    field = browser.send("Runtime.evaluate", expression="document.querySelector('#study input[type=file]')")
    browser.send("DOM.setFileInputFiles", files=[str(file)], objectId=field["result"]["objectId"])


def explained(browser: Browser, file: Path) -> Frame:
    """Drops a file, and returns the frame with its maps."""
    drop(browser, file)
    return frame_of(browser, file.name)


def frame_of(browser: Browser, name: str) -> Frame:
    browser.until(f"document.querySelector('#said').textContent.includes({name + ':'!r})", PATIENCE)
    assert "explained in" in said(browser), said(browser)
    browser.until("document.querySelector('#frame a[data-format]')", PATIENCE)  # no preview
    frame = browser.frame("#frame iframe")
    frame.until(f"document.querySelector({PICTURE!r})?.dataset.slice !== undefined", PATIENCE)
    frame.settle()
    return frame


def download(browser: Browser, name: str, folder: Path) -> Path:
    folder.mkdir()
    browser._send("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(folder)})
    browser.click(f"#frame a[data-format='{name}']")
    end = time.monotonic() + PATIENCE
    while True:
        files = [path for path in folder.iterdir() if path.suffix != ".crdownload"]
        if files:
            return files[0]
        assert time.monotonic() < end, f"no {name} was downloaded: {browser.text('#frame')}"
        time.sleep(0.1)


def keep(content: bytes, name: str) -> None:
    """Leaves a picture for a person to look at, where VIEWER_PICTURES names a folder."""
    if os.environ.get("VIEWER_PICTURES"):
        folder = Path(os.environ["VIEWER_PICTURES"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


FORMATS = {
    "volume.nii": ["html", "png", "npz", "nifti"],
    "volume.nii.gz": ["html", "png", "npz", "nifti"],
    "picture.png": ["html", "png", "npz"],
    "picture.jpg": ["html", "png", "npz"],
    "xray.dcm": ["html", "png", "npz", "dicom"],
    "series.zip": ["html", "png", "npz", "nifti", "dicom"],
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_dropped_file_is_shown_with_the_values_of_its_npz_file(page, files, tmp_path, name):
    frame = explained(page, files[name])
    offered = page.evaluate("[...document.querySelectorAll('#frame a')].map(it => it.dataset.format)")
    assert offered == FORMATS[name]
    got = {form: download(page, form, tmp_path / form) for form in offered}
    check_downloads(got)
    with np.load(got["npz"]) as stored:
        arrays = {key: stored[key] for key in stored.files}
    check_frame(frame, arrays)


def check_downloads(got: dict[str, Path]) -> None:
    """Each is a file of its kind, with what belongs into it."""
    assert "count" in Page(got["html"].read_text(encoding="utf-8")).text
    for form, ending, wanted in (("png", ".png", 5), ("nifti", ".nii.gz", 4), ("dicom", ".dcm", 5)):
        if form in got:
            with zipfile.ZipFile(got[form]) as archive:
                names = archive.namelist()
                assert archive.testzip() is None
            assert all(name.endswith(ending) for name in names)
            assert len(names) >= wanted, names


def check_frame(frame: Frame, arrays: dict[str, np.ndarray]) -> None:
    """Flags, probabilities and values under the cursor are those of the arrays; mouse and keys move it."""
    count = len(arrays["blank"])
    frame.click(PICTURE, across=0.31, down=0.42)
    # The mouse reaches the frame through the page, too.
    frame.until("/\\d/.test(document.querySelector('#place').textContent)")
    if count > 1:
        frame.press("Home")
        frame.until(f"document.querySelector({PICTURE!r}).dataset.slice === '0'")
    for index in range(count):
        flags = frame.text("#flags")
        assert ("nothing to explain" in flags) == arrays["blank"][index]
        if not arrays["blank"][index]:
            assert ("did not change the decision: do not read" in flags) == (not arrays["crossed"][index])
            assert ("did not keep the decision: do not read" in flags) == (not arrays["kept"][index])
            for image, key in {
                "input": "score",
                "start": "score_start",
                "adversary": "score_adversary",
            }.items():
                assert frame.text(f"#score-{image}").startswith(f"{arrays[key][index]:.4f} ")
            row, column = map(int, re.findall(r"\d+", frame.text("#place")))
            assert abs(float(frame.text("#value-input")) - arrays["images"][index, row, column, 0]) < 0.002
            for place, name in enumerate(MAPS):
                shown, largest = float(frame.text(f"#value-map-{place}")), arrays[name].max()
                assert abs(shown - arrays[name][index, row, column, 0]) <= 1e-3 * largest
            frame.press("ArrowRight")
            frame.press("ArrowDown", times=2)
            # Keys reach the frame through the page, and a slice has to be decoded: that may take a while.
            frame.until(
                f"document.querySelector('#place').textContent === 'row {row + 2}, column {column + 1}'"
            )
        if index + 1 < count:
            frame.press("PageDown")
            frame.until(f"document.querySelector({PICTURE!r}).dataset.slice === '{index + 1}'")
    frame.click("#show-adversary")
    assert frame.text("figcaption").startswith("Adversary")
    frame.press("s")
    assert frame.text("figcaption").startswith("Start image")


def test_a_phantom_is_explained_by_keys_alone(page):
    page.focus("#phantom-0")
    page.press("Enter")
    frame = frame_of(page, "Phantom 1.nii.gz")
    assert int(frame.evaluate("document.querySelector('#slice').max")) > 10


def test_method_maps_and_steps_are_as_chosen(page, files, tmp_path):
    explained(page, files["picture.png"])
    first = page.evaluate("document.querySelector('#frame iframe').src")
    for label in ("fi_v2", "difference"):
        page.evaluate(
            "[...document.querySelectorAll('#maps label')].find(it => it.textContent.trim() === "
            f"{label!r}).setAttribute('id', 'label-{label}')"
        )
        page.click(f"#label-{label} input")
    page.click("#steps input")
    page.evaluate("document.querySelector('#steps input').select()")
    page.press("2")
    page.press("Tab")
    page.click("#again")
    page.until(f"![{first!r}, undefined].includes(document.querySelector('#frame iframe')?.src)", PATIENCE)
    frame = frame_of(page, "picture.png")
    titles = frame.evaluate("[...document.querySelectorAll('.map b')].map(it => it.textContent)")
    assert titles == ["Importance v2, smoothed", "Importance v1"]
    assert re.search(r"Steps\s*2\b", frame.text("footer"))
    with np.load(download(page, "npz", tmp_path / "npz")) as arrays:
        assert set(MAPS) & set(arrays.files) == {"fi_v2_smooth", "fi_v1"}
    # Another method has other maps, and no steps.
    page.click("#method input")
    page.evaluate("document.querySelector('#method input').select()")
    for letter in "gradient":
        page.press(letter)
    page.press("Enter")
    page.until("document.querySelector('#maps').textContent.includes('gradient')", PATIENCE)
    page.until("!document.querySelector('#steps')?.offsetParent", PATIENCE)
    page.click("#again")
    page.until("document.querySelector('#said').textContent.includes('Explaining')", PATIENCE)
    frame = frame_of(page, "picture.png")
    assert "This method makes no adversary" in frame.text("#flags")


@pytest.mark.parametrize(
    ("name", "words"),
    [("broken.png", "broken.png: "), ("bad.zip", "bad.zip: holds a file whose name leads out of its folder")],
)
def test_a_broken_file_has_its_line_and_the_next_one_is_explained(page, files, name, words):
    drop(page, files[name])
    page.until("document.querySelector('#said [role=alert]')", PATIENCE)
    assert said(page).startswith(words)
    assert len(page.evaluate("document.querySelector('#said').innerText").strip().splitlines()) == 1
    assert "/tmp" not in said(page)
    assert page.evaluate("document.querySelector('#frame iframe')") is None
    explained(page, files["picture.png"])


def test_a_tab_sees_its_own_study_alone(page, address, files):
    explained(page, files["picture.png"])
    with Browser() as other:
        other.open(address)
        other.until("document.querySelector('#again')", PATIENCE)
        assert said(other) == "No study yet."
        explained(other, files["picture.jpg"])
        assert said(page).startswith("picture.png:")
    frame_of(page, "picture.png")


def test_a_download_that_fails_says_so_and_the_page_stays(page, files):
    explained(page, files["picture.png"])
    page.evaluate("document.querySelector('#frame a').href = 'explanations/gone/npz'")
    page.click("#frame a")
    page.until("!document.querySelector('#frame .trouble').hidden", PATIENCE)
    assert page.text("#frame .trouble") == ("This explanation: is no longer kept. Explain the study again.")
    page.complaints.clear()  # of the browser, that it was not found


def test_a_closed_tab_leaves_nothing(address, temporary, files):
    [folder] = temporary.glob("tfadvpath-view-*")
    with Browser() as other:
        other.open(address)
        other.until("document.querySelector('#again')", PATIENCE)
        before = set(folder.iterdir())
        explained(other, files["picture.png"])
        [own] = set(folder.iterdir()) - before
        other.open("about:blank")
        end = time.monotonic() + PATIENCE
        while own.exists():
            assert time.monotonic() < end, "it is kept"
            time.sleep(0.2)
    assert [path for path in (folder / "uploads").rglob("*") if path.is_file()] == []


def test_a_request_to_elsewhere_would_be_seen_and_is_refused(browser, address):
    """Without this the checks of requests could not fail."""
    browser.screen(*SCREENS[0])
    browser.open(address)
    browser.until("document.querySelector('#again')", PATIENCE)
    browser.evaluate("document.body.append(Object.assign(new Image(), {src: 'http://192.0.2.1/a.png'})), 1")
    browser.until("true")
    browser.evaluate("new Promise(go => setTimeout(go, 500))")
    complaints = " ".join(browser.complaints)
    assert "192.0.2.1" in " ".join(outside(browser)) + complaints
    assert "violates the following Content Security Policy" in complaints
    browser.complaints.clear()


@pytest.mark.parametrize(
    "screen", SCREENS, ids=lambda screen: f"{screen[0]}-{'dark' if screen[2] else 'light'}"
)
def test_the_page_fits_its_window_and_axe_finds_no_fault(page, files, tmp_path, screen):
    page.screen(*screen)
    page.open(page.evaluate("location.href"))
    page.until("document.querySelector('#again')", PATIENCE)
    explained(page, files["volume.nii.gz"])
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) == screen[2]
    assert page.evaluate("document.documentElement.scrollWidth") <= screen[0]
    page.evaluate("window.scrollTo(0, 0)")
    name = f"server_{screen[0]}_{'dark' if screen[2] else 'light'}"
    page.screenshot(tmp_path / "top.png", whole=False)
    keep((tmp_path / "top.png").read_bytes(), f"{name}_top.png")
    page.evaluate("document.querySelector('#frame iframe').scrollIntoView()")
    page.settle()
    page.screenshot(tmp_path / "frame.png", whole=False)
    keep((tmp_path / "frame.png").read_bytes(), f"{name}_frame.png")
    drop(page, files["broken.png"])
    page.until("document.querySelector('#said [role=alert]')", PATIENCE)
    page.evaluate("window.scrollTo(0, 0)")
    page.screenshot(tmp_path / "broken.png", whole=False)
    keep((tmp_path / "broken.png").read_bytes(), f"{name}_broken.png")
    explained(page, files["xray.dcm"])
    if not AXE.exists():
        pytest.skip(f"axe-core is not in {AXE.relative_to(ROOT)}: make viewer-check")
    page.evaluate(AXE.read_text(encoding="utf-8") + "; 1")
    found = page.evaluate(
        "axe.run(document, {resultTypes: ['violations'], iframes: false}).then(got => JSON.stringify("
        "got.violations.map(one => [one.impact, one.id, one.nodes.map(node => node.html)])))"
    )
    assert json.loads(found) == []
