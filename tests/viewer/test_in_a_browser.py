"""The page in Chromium: every control by mouse and by keys, what it says and draws, and no request."""

from __future__ import annotations

import html
import json
import os
import re
from pathlib import Path

import cv2
import nibabel as nib
import numpy as np
import pytest
from PIL import Image
from support.browser import CHROMIUM, Browser
from support.viewer_pages import explanation_to_show

from tfadvpath.explanation import Explanation, PathExplanation, StudyExplanation
from tfadvpath.studies.study import read_study
from tfadvpath.viewer.encoding import FINE
from tfadvpath.writers.html import study_scene, write_viewer
from tfadvpath.writers.npz import write_npz

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium"),
]
ROOT = Path(__file__).resolve().parents[2]
AXE = ROOT / "build" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
SCREENS = [(1280, 900, False), (1280, 900, True), (400, 800, False), (400, 800, True)]
SIZE = (48, 40)
PICTURE = "figure canvas"


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pages of a volume, of an X-ray, of a batch with masks, and of a method without a path."""
    folder = tmp_path_factory.mktemp("pages")
    values = np.random.default_rng(0).normal(size=(60, 72, 9))
    values[..., 3] = 5.0  # blank
    nib.save(nib.Nifti1Image(values, np.diag([-2.0, 2, 3, 1])), folder / "volume.nii.gz")
    bright = cv2.GaussianBlur(np.random.default_rng(1).random((300, 250)), (0, 0), 6)
    grey = cv2.normalize(bright, None, 0, 255, cv2.NORM_MINMAX)
    cv2.imwrite(str(folder / "xray.png"), grey.astype(np.uint8))
    for name in ("volume.nii.gz", "xray.png"):
        study = read_study(folder / name, SIZE)
        result = StudyExplanation(study, explanation_to_show(int((~study.blank).sum()), SIZE))
        place = folder / name.split(".")[0]
        place.mkdir()
        write_viewer(place, result)
        write_npz(place / "explanation.npz", result.explanation, study.blank)
        assert study_scene(result).detail is not None
    batch = explanation_to_show(3, SIZE)
    masks = {"finding": batch.maps["difference"][..., 0] > 0.6, "lung": batch.images[..., 0] > 0.9}
    (folder / "batch.html").write_text(batch.page(masks), encoding="utf-8")
    plain = Explanation(batch.images, {"gradient": batch.maps["fi_v1"]}, batch.score)
    (folder / "plain.html").write_text(plain.page(), encoding="utf-8")
    maps = {"both_signs": signed_map(), "fi_v1": batch.maps["fi_v1"][:1]}
    signed = Explanation(batch.images[:1], maps, batch.score[:1])
    (folder / "signed.html").write_text(signed.page(), encoding="utf-8")
    return folder


def signed_map() -> np.ndarray:
    """float32 [1, rows, columns, 1] of both signs, with a corner of no numbers."""
    values = np.random.default_rng(5).normal(size=(1, *SIZE, 1)).astype(np.float32)
    values[0, :7, :5] = np.nan
    return values


@pytest.fixture
def shown(browser):
    """A function that opens a page and waits for its picture."""

    def show(path: Path, screen=SCREENS[0]) -> Browser:
        browser.screen(*screen)
        browser.open(path)
        browser.until(f"document.querySelector({PICTURE!r})?.dataset.slice !== undefined")
        browser.settle()
        return browser

    yield show
    assert browser.complaints == []


@pytest.fixture
def volume(shown, folder):
    return shown(folder / "volume" / "explanation.html")


def picture(browser: Browser, down: float = 0.5, right: float = 0.5) -> np.ndarray:
    """uint8 [rows, columns, 4]: what the canvas shows at a place of each pixel of the image, its centre."""
    browser.settle()
    known = browser.evaluate(
        f"(() => {{ const c = document.querySelector({PICTURE!r});"
        f"const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, out = [];"
        f"for (let r = 0; r < {SIZE[0]}; r++) for (let k = 0; k < {SIZE[1]}; k++) {{"
        f"const y = Math.min(Math.floor((r + {down}) * c.height / {SIZE[0]}), c.height - 1);"
        f"const x = Math.min(Math.floor((k + {right}) * c.width / {SIZE[1]}), c.width - 1);"
        "const at = 4 * (y * c.width + x);"
        "out.push(...d.subarray(at, at + 4)); } return out; })()"
    )
    return np.array(known, np.uint8).reshape(*SIZE, 4)


def fingerprint(browser: Browser) -> str:
    """Text that differs where what the canvases, bars and captions show differs."""
    browser.settle()
    return browser.evaluate(
        "[...document.querySelectorAll('figure canvas, .bar canvas')].map(c => { let sum = 0;"
        "const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
        "for (const one of new Uint32Array(d.buffer)) sum = (Math.imul(sum, 31) + one) | 0;"
        "return sum; }).join()"
        " + document.querySelector('#panes').textContent + document.querySelector('#bars').textContent"
    )


def state(browser: Browser, selector: str) -> object:
    """What a control holds."""
    return browser.evaluate(
        f"(() => {{ const it = document.querySelector({selector!r}); if (it.tagName === 'SUMMARY')"
        "return it.parentElement.open; if (['checkbox', 'radio'].includes(it.type)) return it.checked;"
        "return it.getAttribute('aria-pressed') ?? it.value; })()"
    )


def exact(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "explanation.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def controls(browser: Browser) -> set[str]:
    """The ids of all controls; those without one by what they are."""
    found = browser.evaluate(
        "[...document.querySelectorAll('main button, main input, main select, #more > details > summary')]"
        ".map(it => it.id || it.tagName + it.textContent)"
    )
    return set(found)


def open_settings(browser: Browser) -> None:
    browser.evaluate("document.querySelectorAll('.map details').forEach(it => (it.open = true))")


# === What the page says ===


def test_no_request_leaves_the_machine(volume, folder):
    for selector in ("#animate", "#save", "#next", "#beside"):
        volume.click(selector)
    assert [url for url in volume.requests if not url.startswith(("file:", "data:", "blob:"))] == []
    assert [url for url in volume.requests if url.startswith("file:")] == [
        (folder / "volume" / "explanation.html").as_uri()
    ]


def test_a_request_would_be_seen_and_the_pages_policy_refuses_it(browser, folder, tmp_path):
    """Without this the test above could not fail."""
    (tmp_path / "free.html").write_text("<img src='http://192.0.2.1/a.png'>")
    browser.open(tmp_path / "free.html")
    assert "http://192.0.2.1/a.png" in browser.requests
    text = (folder / "batch.html").read_text(encoding="utf-8")
    bad = text.replace(
        "</main>", "<img src='http://192.0.2.1/a.png'><script>document.title = 1</script></main>"
    )
    (tmp_path / "bad.html").write_text(bad, encoding="utf-8")
    browser.open(tmp_path / "bad.html")
    browser.until(f"document.querySelector({PICTURE!r})")
    assert browser.evaluate("document.title") != "1"
    complaints = " ".join(browser.complaints)
    assert "192.0.2.1" in complaints
    assert "violates the following Content Security Policy" in complaints
    browser.complaints.clear()


def test_flags_and_probabilities_are_those_of_the_npz_file(volume, folder):
    arrays = exact(folder / "volume")
    volume.focus(PICTURE)
    volume.press("Home")
    for index in range(9):
        assert volume.text("#slice-number") == f"{index} (0 to 8)"
        said = volume.text("#flags")
        assert ("nothing to explain" in said) == arrays["blank"][index]
        if not arrays["blank"][index]:
            assert ("did not change the decision: do not read" in said) == (not arrays["crossed"][index])
            assert ("did not keep the decision: do not read" in said) == (not arrays["kept"][index])
            residual = arrays["completeness_residual"][index]
            assert ("misses" in said) == (residual > 0.1)
            names = {"input": "score", "start": "score_start", "adversary": "score_adversary"}
            for name, key in names.items():
                assert volume.text(f"#score-{name}").startswith(f"{arrays[key][index]:.4f} ")
            assert volume.text("#residual") == f"{100 * residual:.2f} %"
        volume.press("PageDown")
    unreadable = int((~arrays["blank"] & ~(arrays["crossed"] & arrays["kept"])).sum())
    assert f"Maps of {unreadable} of 8 explained slices must not be read" in volume.text("#unreadable")
    volume.until("document.querySelector('#spoken').textContent.startsWith('slice 8.')")


def test_values_under_the_cursor_are_those_of_the_npz_file(volume, folder):
    arrays = exact(folder / "volume")
    index = int(volume.evaluate(f"document.querySelector({PICTURE!r}).dataset.slice"))
    maps = [name for name in arrays if name in ("fi_v1", "difference")]

    def check(row, column):
        assert volume.text("#place") == f"row {row}, column {column}"
        for name, key in {"input": "images", "start": "start", "adversary": "adversary"}.items():
            value = arrays[key][index, row, column, 0]
            assert float(volume.text(f"#value-{name}")) == pytest.approx(value, abs=FINE.image_error + 5e-5)
        for place, name in enumerate(maps):
            error = 1.01 * FINE.map_error * float(arrays[name].max())
            value = arrays[name][index, row, column, 0]
            assert float(volume.text(f"#value-map-{place}")) == pytest.approx(value, abs=error, rel=1e-3)

    for row, column in ((0, 0), (47, 39), (10, 31)):
        box = volume.box(PICTURE)
        x = box["left"] + (column + 0.5) * box["width"] / SIZE[1]
        y = box["top"] + (row + 0.5) * box["height"] / SIZE[0]
        volume.mouse("mouseMoved", x, y)
        volume.settle()
        check(row, column)
    volume.focus(PICTURE)
    volume.press("ArrowLeft")
    check(10, 30)
    volume.press("ArrowDown", shift=True)
    check(20, 30)
    volume.press("ArrowRight", times=20)
    check(20, 39)  # the border
    spoken = f"row 20, column 39: Input x {volume.text('#value-input')}, "
    volume.until(f"document.querySelector('#spoken').textContent.startsWith({spoken!r})")


def test_what_the_wheel_and_the_slider_show_is_the_slice_they_say(volume):
    volume.focus(PICTURE)
    volume.press("Home")
    box = volume.box(PICTURE)
    x, y = box["left"] + box["width"] / 2, box["top"] + box["height"] / 2
    for wanted in (1, 2):
        volume.mouse("mouseWheel", x, y, deltaX=0, deltaY=120)
        volume.until(f"document.querySelector({PICTURE!r}).dataset.slice === '{wanted}'")
    volume.mouse("mouseWheel", x, y, deltaX=0, deltaY=-120)
    volume.until(f"document.querySelector({PICTURE!r}).dataset.slice === '1'")
    volume.click("#slice", across=0.999)
    assert volume.text("#slice-number") == "8 (0 to 8)"


# === What the page draws ===


def plain(browser: Browser) -> None:
    """Pixels as they are."""
    if state(browser, "#smooth"):
        browser.click("#smooth")


def test_the_image_is_drawn_in_its_window(volume, folder):
    plain(volume)
    volume.click("#overlay")
    index = int(volume.evaluate(f"document.querySelector({PICTURE!r}).dataset.slice"))
    image = exact(folder / "volume")["images"][index, ..., 0]
    np.testing.assert_allclose(picture(volume)[..., 0] / 255, image, atol=0.5 / 255 + FINE.image_error)
    box = volume.box(PICTURE)
    x, y = box["left"] + box["width"] / 2, box["top"] + box["height"] / 2
    volume.mouse("mousePressed", x, y, button="left", clickCount=1)
    volume.mouse("mouseMoved", x - box["width"] / 2, y - box["height"] / 10, button="left", buttons=1)
    volume.mouse("mouseReleased", x, y, button="left", clickCount=1)
    volume.press("Escape")  # without the cursor
    level, width = (float(volume.text(f"#{name}-number")) for name in ("level", "width"))
    assert (level, width) == (pytest.approx(0.4, abs=0.01), pytest.approx(0.5, abs=0.01))
    wanted = np.clip((image - (level - width / 2)) / width, 0, 1)
    np.testing.assert_allclose(picture(volume)[..., 0] / 255, wanted, atol=0.01)
    volume.press("w")
    assert (volume.text("#level-number"), volume.text("#width-number")) == ("0.500", "1.000")


def coloured(browser: Browser) -> np.ndarray:
    """bool [rows, columns]: pixels that are no grey."""
    return np.ptp(picture(browser)[..., :3].astype(int), axis=2) > 3


def test_a_map_is_coloured_where_it_reaches_its_threshold(volume, folder):
    plain(volume)
    index = int(volume.evaluate(f"document.querySelector({PICTURE!r}).dataset.slice"))
    values = exact(folder / "volume")["fi_v1"]
    one = values[index, ..., 0].astype(np.float64)
    all_explained = values[[i for i in range(9) if i != 3]].astype(np.float64)

    def largest(among, percentile):
        return np.sort(among, axis=None)[::-1][int(np.ceil(among.size * (100 - percentile) / 100)) - 1]

    def check(threshold):
        # Values that the page's steps do not tell from the threshold may be on either side.
        error = 2 * FINE.map_error * values.max()
        sure = np.abs(one - threshold) > error * np.sqrt(threshold / values.max()) + 1e-9
        assert sure.mean() > 0.95
        wanted = one >= threshold
        np.testing.assert_array_equal(coloured(volume)[sure], wanted[sure])
        assert wanted.any()

    check(largest(one, 95))
    volume.evaluate(set_number("#map-0-threshold-number", 80))
    check(largest(one, 80))
    choose(volume, "#map-0-by", "all")
    volume.until("document.querySelector('#bars').textContent.includes('Importance v1')")
    check(largest(all_explained, 80))
    choose(volume, "#map-0-by", "value")
    volume.evaluate(set_number("#map-0-threshold-number", float(one.max() / 50)))
    check(one.max() / 50)


def test_a_signed_map_has_colours_that_meet_at_0_and_none_where_there_is_no_number(shown, folder):
    browser = shown(folder / "signed.html")
    plain(browser)
    browser.evaluate(set_number("#map-0-opacity", 1))
    browser.evaluate(set_number("#map-0-threshold-number", 50))
    known = json.loads(browser.evaluate("document.querySelector('#content').textContent"))
    table = np.frombuffer(bytes.fromhex(known["diverging"]["coolwarm"]), np.uint8).reshape(256, 3)
    values = signed_map()[0, ..., 0].astype(np.float64)
    sizes = np.abs(values)
    numbers = sizes[~np.isnan(sizes)]
    brightest, threshold = np.percentile(numbers, 99.5), np.percentile(numbers, 50)
    drawn = picture(browser)[..., :3].astype(int)
    over = sizes > 1.01 * threshold  # false of no number
    wanted = table[np.rint((np.clip(values[over] / brightest, -1, 1) + 1) / 2 * 255).astype(int)].astype(int)
    assert np.abs(drawn[over] - wanted).max() <= 4  # a step of the colours
    assert (wanted[:, 0] > wanted[:, 2] + 50).any()
    assert (wanted[:, 2] > wanted[:, 0] + 50).any()
    assert (np.ptp(drawn[~(sizes > 0.99 * threshold)], axis=1) == 0).all()
    bar = browser.text(".bar:nth-child(2)")
    share = 100 * (sizes >= threshold).mean()  # half of those that have a number
    assert f", from ±{threshold:.3g}: {share:.1f} % of the pixels" in bar
    ticks = browser.evaluate(
        "[...document.querySelectorAll('.bar:nth-child(2) .ticks span')].map(it => it.textContent)"
    )
    top = f"{brightest:.3g}"
    assert ticks == [f"≤ -{top}", "0", f"≥ {top}"]
    browser.click(PICTURE, across=0.02, down=0.02)
    assert browser.text("#value-map-0") == "no number"
    row, column = np.argwhere(values < -1)[0]
    browser.click(PICTURE, across=(column + 0.5) / SIZE[1], down=(row + 0.5) / SIZE[0])
    assert float(browser.text("#value-map-0")) == pytest.approx(values[row, column], abs=2e-3)
    before = fingerprint(browser)
    choose(browser, "#map-0-style", "outline")
    assert fingerprint(browser) != before
    corner = picture(browser)[:6, :4, :3].astype(int)
    assert (np.ptp(corner, axis=2) <= 3).all()


def set_number(selector: str, value: float) -> str:
    return (
        f"(() => {{ const it = document.querySelector({selector!r}); it.value = {value};"
        "it.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def choose(browser: Browser, selector: str, value: str) -> None:
    """Chooses by the keyboard: from the first entry down to the one of that value."""
    browser.focus(selector)
    browser.press("Home")
    for _ in range(10):
        if state(browser, selector) == value:
            return
        browser.press("ArrowDown")
    raise AssertionError(f"{selector} has no entry {value}")


def test_all_colours_are_equally_dense_unless_opacity_goes_by_value(volume, folder):
    plain(volume)
    index = int(volume.evaluate(f"document.querySelector({PICTURE!r}).dataset.slice"))
    known = json.loads(volume.evaluate("document.querySelector('#content').textContent"))
    table = np.frombuffer(bytes.fromhex(known["colours"]["inferno"]), np.uint8).reshape(256, 3)
    arrays = exact(folder / "volume")
    one, image = arrays["fi_v1"][index, ..., 0], arrays["images"][index, ..., 0]
    share = np.minimum(one / known["maps"][0]["brightest"], 1)
    colour = table[np.rint(255 * share).astype(int)].astype(float)
    grey = 255 * np.repeat(image[..., None], 3, axis=2)
    here = coloured(volume)
    for opacity in (0.7 * np.ones_like(share), 0.7 * np.sqrt(share)):
        wanted = (1 - opacity[..., None]) * grey + opacity[..., None] * colour
        np.testing.assert_allclose(picture(volume)[..., :3][here], wanted[here], atol=4)
        volume.click("#map-0-driven")


def test_the_outline_of_a_mask_goes_between_its_pixels_and_others(shown, folder):
    page = shown(folder / "batch.html")
    plain(page)
    page.click("#overlay")
    page.click("#mask-1")
    mask = explanation_to_show(3, SIZE).maps["difference"][0, ..., 0] > 0.6

    def drawn(down, right):
        """bool [rows, columns]: there the colour is the first outline's."""
        colours = picture(page, down, right)[..., :3].astype(int)
        return colours[..., 1] - colours[..., 0] > 80

    np.testing.assert_array_equal(drawn(1, 0.5)[:-1], mask[1:] != mask[:-1])
    np.testing.assert_array_equal(drawn(0.5, 1)[:, :-1], mask[:, 1:] != mask[:, :-1])
    assert not drawn(0.5, 0.5).any()
    page.click("#mask-0")
    assert np.ptp(picture(page, 1, 0.5)[:-1, :, :3].astype(int), axis=2).max() == 0


def test_the_outline_of_a_map_goes_around_what_its_area_colours(volume):
    plain(volume)
    area = coloured(volume)
    choose(volume, "#map-0-style", "outline")
    assert not coloured(volume).any()
    edges = np.ptp(picture(volume, 1, 0.5)[..., :3].astype(int), axis=2)[:-1] > 40
    np.testing.assert_array_equal(edges, area[1:] != area[:-1])
    choose(volume, "#map-0-style", "both")
    np.testing.assert_array_equal(coloured(volume), area)


def test_the_path_goes_from_the_start_image_to_the_adversary(volume, folder):
    plain(volume)
    volume.click("#overlay")
    index = int(volume.evaluate(f"document.querySelector({PICTURE!r}).dataset.slice"))
    arrays = exact(folder / "volume")
    start, adversary = (arrays[name][index, ..., 0] for name in ("start", "adversary"))
    volume.focus("#along")
    for key, share in (("Home", 0.0), ("End", 1.0), ("ArrowLeft", 0.99)):
        volume.press(key)
        assert state(volume, "#show-along")
        wanted = start + share * (adversary - start)
        np.testing.assert_allclose(
            picture(volume)[..., 0] / 255, wanted, atol=0.5 / 255 + 2 * FINE.image_error
        )


@pytest.mark.parametrize(("button", "key"), [("#animate", "p"), ("#flicker", "f")])
def test_motion_goes_on_until_it_is_stopped(volume, button, key):
    for begin in (lambda: volume.click(button), lambda: volume.press(key)):
        begin()
        assert state(volume, button) == "true"
        seen = set()
        for _ in range(40):
            seen.add(volume.text("figcaption").split(",")[0 if key == "f" else 1])
            volume.evaluate("new Promise(go => setTimeout(go, 50))")
        assert len(seen) == 2 if key == "f" else len(seen) > 5, seen
        volume.press("Escape")
        assert state(volume, button) == "false"
        before = fingerprint(volume)
        volume.evaluate("new Promise(go => setTimeout(go, 900))")
        assert fingerprint(volume) == before


def test_nothing_flashes_more_than_three_times_a_second(volume):
    """WCAG 2.3.1."""
    assert float(volume.evaluate("document.querySelector('#flicker-rate').max")) <= 3


# === Every control ===


@pytest.mark.parametrize(
    "page", ["volume/explanation.html", "xray/explanation.html", "batch.html", "plain.html", "signed.html"]
)
def test_every_control_answers_to_the_mouse_and_to_keys(shown, folder, page):
    browser = shown(folder / page)
    open_settings(browser)
    browser.click("#map-0-on")  # off and on: the first is on
    browser.click("#map-0-on")
    left = controls(browser)
    moved = set()

    def check(name, act, *given, **options):
        """Something that the control holds or the page shows is another afterwards."""
        selector = f"#{name}"
        before = (state(browser, selector), fingerprint(browser))
        act(*given, **options)
        after = (state(browser, selector), fingerprint(browser))
        assert before != after, name
        moved.add(name)

    kinds = {name: browser.evaluate(f"document.getElementById({name!r})?.type") for name in left}
    for name, kind in sorted(kinds.items()):
        selector = f"#{name}"
        if re.match(r"map-[1-9]", name) and not state(browser, f"#{name[:5]}-on"):
            browser.click(f"#{name[:5]}-on")
        if kind == "range":
            is_low = browser.evaluate(
                f"(it => it.value < (+it.min + +it.max) / 2)(document.getElementById({name!r}))"
            )
            check(name, browser.click, selector, across=0.8 if is_low else 0.2)
            browser.focus(selector)
            check(name, browser.press, "ArrowLeft" if is_low else "ArrowRight", times=2)
        elif kind == "checkbox":
            check(name, browser.click, selector)
            browser.focus(selector)
            check(name, browser.press, " ")
        elif kind == "select-one":
            browser.focus(selector)
            check(name, browser.press, "ArrowDown")
            browser.click(selector)  # it opens
            browser.press("ArrowUp")
            check(name, browser.press, "Enter")
        elif kind == "number":
            browser.click(selector)
            check(name, browser.press, "ArrowUp", times=2)
            browser.evaluate("document.activeElement.blur()")
    for name in [name for name, kind in kinds.items() if kind == "radio"]:
        browser.click("#show-input" if name != "show-input" else "label:has(#show-input) ~ label input")
        if len([1 for kind in kinds.values() if kind == "radio"]) > 1:
            check(name, browser.click, f"#{name}")
        moved.add(name)
    if "level" in moved:
        check("reset-window", browser.click, "#reset-window")
        browser.press("ArrowRight")
        browser.focus("#level")
        browser.press("ArrowRight")
        browser.focus("#reset-window")
        check("reset-window", browser.press, "Enter")
    for name in sorted({"next", "previous"} & left):
        for act, given in ((browser.click, f"#{name}"), (browser.press, "Enter")):
            browser.click("#slice", across=0.5)
            browser.focus(f"#{name}")
            check(name, act, given)
    for name in sorted({"animate", "flicker"} & left):
        check(name, browser.click, f"#{name}")
        browser.focus(f"#{name}")
        check(name, browser.press, "Enter")
    for name in {"all", "help"}:
        if not browser.evaluate(f"Boolean(document.getElementById({name!r}))"):
            continue
        summary = f"#{name} summary"
        browser.click(summary)
        assert state(browser, summary) is True
        browser.focus(summary)
        browser.press("Enter")
        assert state(browser, summary) is False
    unmoved = {name for name in left if not name.startswith("SUMMARY")} - moved - {"save"}
    assert unmoved == set()


def test_keys_of_one_letter_do_what_the_help_says(volume):
    names = volume.evaluate("[...document.querySelectorAll('#key-rows kbd')].map(it => it.textContent)")
    single = [name for name in names if len(name) == 1]
    assert set("idsapfbmonwgh12") == set(single)
    volume.evaluate("document.body.focus()")
    for key, name in {"s": "start", "a": "adversary", "d": "detail", "i": "input"}.items():
        volume.press(key)
        assert state(volume, f"#show-{name}") is True
    for key, name in {"b": "beside", "m": "overlay", "n": "smooth", "1": "map-0-on", "2": "map-1-on"}.items():
        for _ in range(2):
            before = state(volume, f"#{name}")
            volume.press(key)
            assert state(volume, f"#{name}") is (not before)
    volume.press("o")
    assert state(volume, "#map-0-style") == "outline"
    volume.press("h")
    assert state(volume, "#help summary") is True
    volume.click("#letters")
    volume.press("s")
    assert state(volume, "#show-input") is True


def test_a_letter_that_is_typed_into_a_field_moves_nothing(volume):
    volume.focus("#map-0-threshold-number")
    before = fingerprint(volume)
    volume.press("s")
    assert fingerprint(volume) == before


def test_the_table_of_all_slices_leads_to_each(volume):
    volume.click("#all summary")
    volume.click("#row-5 button")
    assert volume.text("#slice-number") == "5 (0 to 8)"
    assert volume.evaluate("document.querySelector('#row-5').getAttribute('aria-current')") == "true"


def test_side_by_side_shows_each_image_once(volume):
    volume.click("#beside")
    names = volume.evaluate(
        "[...document.querySelectorAll('figcaption')].map(it => it.textContent.split(',')[0])"
    )
    assert names == ["Input x", "Start image xₛ", "Adversary xₐ"]
    volume.press("a")
    names = volume.evaluate(
        "[...document.querySelectorAll('figcaption')].map(it => it.textContent.split(',')[0])"
    )
    assert names == ["Adversary xₐ", "Input x", "Start image xₛ"]


@pytest.mark.parametrize("by", ["mouse", "key"])
def test_the_picture_is_saved_as_it_is_shown(volume, tmp_path, by):
    volume.send("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    plain(volume)
    shown = picture(volume)
    volume.click("#save") if by == "mouse" else volume.press("g")
    for _ in range(200):
        files = [path for path in tmp_path.iterdir() if path.suffix == ".png"]
        if files:
            break
        volume.evaluate("new Promise(go => setTimeout(go, 50))")
    index = volume.evaluate(f"document.querySelector({PICTURE!r}).dataset.slice")
    assert files[0].name == f"explanation_slice_{index}.png"
    saved = np.asarray(Image.open(files[0]).convert("RGBA"))
    width, height = volume.evaluate(f"(c => [c.width, c.height])(document.querySelector({PICTURE!r}))")
    rows = ((np.arange(SIZE[0]) + 0.5) * height / SIZE[0]).astype(int) + 16
    columns = ((np.arange(SIZE[1]) + 0.5) * width / SIZE[1]).astype(int) + 16
    np.testing.assert_array_equal(saved[rows][:, columns], shown)
    assert saved[16 + height :].max() == 255  # words below
    keep(files[0].read_bytes(), f"saved_{by}.png")


# === Large studies ===


def a_large_volume(folder: Path) -> Path:
    """The page of 155 slices of 240 x 240, a noisy head in each: what a brain of BraTS has."""
    count, side = 155, 240
    draw = np.random.default_rng(0)
    rows, columns = np.mgrid[-1:1:240j, -1:1:240j]
    radius = 0.75 * np.sqrt(1 - np.linspace(-0.99, 0.99, count) ** 2)  # of the head in each slice
    head = (rows**2 + columns**2 < radius[:, None, None] ** 2)[..., None]

    def noise(smooth):
        values = draw.standard_normal((count, side, side), np.float32)
        one = np.stack([cv2.GaussianBlur(each, (0, 0), smooth) if smooth else each for each in values])
        return (head * (one / one.std())[..., None]).astype(np.float32)

    images = np.clip(head * (0.5 + 0.15 * noise(2) + 0.02 * noise(0)), 0, 1).astype(np.float32)
    start = np.clip(images + 0.01 * noise(1), 0, 1)
    adversary = np.clip(images + 0.03 * noise(1) + 0.03 * noise(12), 0, 1)
    change, weight = (start - adversary) ** 2, np.abs(noise(1))
    v2 = change * (weight + np.abs(noise(1)))
    smooth = np.stack([cv2.GaussianBlur(each, (0, 0), 2)[..., None] for each in v2])
    maps = {"fi_v2_smooth": smooth, "fi_v2": v2, "fi_v1": change * weight, "difference": np.sqrt(change)}
    ones = np.ones(count, np.float32)
    explanation = PathExplanation(images, maps, ones, start, adversary, ones, 0 * ones, 0 * ones)
    (folder / "large.html").write_text(explanation.page(), encoding="utf-8")
    return folder / "large.html"


# Scrolls to the end and back with every frame; gives the number of slices that were drawn.
SCROLL = """new Promise(done => {
  const canvas = document.querySelector('figure canvas');
  const begin = performance.now();
  let [drawn, last, turn] = [0, '', 100];
  const step = () => {
    if (canvas.dataset.slice !== last) { last = canvas.dataset.slice; drawn += 1; }
    if (performance.now() - begin > 4000) { done(drawn); return; }
    if (Number(last) === 0) turn = 100;
    if (Number(last) === 154) turn = -100;
    canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: turn, cancelable: true }));
    requestAnimationFrame(step);
  };
  step();
})"""


def test_a_volume_of_155_slices_scrolls_at_more_than_30_frames_a_second(shown, tmp_path):
    path = a_large_volume(tmp_path)
    assert path.stat().st_size < 25e6
    browser = shown(path)
    browser.click("#map-3-on")  # two maps
    browser.until("document.querySelector('#viewer').dataset.isReady !== undefined", 120)
    before = browser.seconds()
    drawn = browser.evaluate(SCROLL)
    each = (browser.seconds() - before) / drawn
    print(f"{path.stat().st_size / 1e6:.1f} MB, {drawn / 4:.0f} frames a second, {1000 * each:.0f} ms each")
    # Where others take the processors, the time that a frame takes of them says what an idle machine draws.
    is_busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    assert drawn / 4 > 30 or (is_busy and 1 / each > 30)


def test_the_page_of_an_xray_is_small(shown, folder, tmp_path):
    noise = np.random.default_rng(0).normal(size=(1024, 1024))
    grey = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 6) + 0.02 * noise, None, 0, 255, cv2.NORM_MINMAX)
    cv2.imwrite(str(tmp_path / "xray.png"), grey.astype(np.uint8))
    study = read_study(tmp_path / "xray.png", (224, 224))
    write_viewer(tmp_path, StudyExplanation(study, explanation_to_show(1, (224, 224))))
    assert (tmp_path / "explanation.html").stat().st_size < 2e6
    browser = shown(tmp_path / "explanation.html")
    browser.click("#show-detail")
    browser.until("document.querySelector('figcaption').textContent.includes('finer')")


# === For everybody ===


def keep(content: bytes, name: str) -> None:
    """Leaves a picture for a person to look at, where VIEWER_PICTURES names a folder."""
    if os.environ.get("VIEWER_PICTURES"):
        folder = Path(os.environ["VIEWER_PICTURES"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    "screen", SCREENS, ids=lambda screen: f"{screen[0]}-{'dark' if screen[2] else 'light'}"
)
@pytest.mark.parametrize(
    "page", ["volume/explanation.html", "xray/explanation.html", "batch.html", "plain.html", "signed.html"]
)
def test_the_page_fits_its_window(shown, folder, tmp_path, page, screen):
    browser = shown(folder / page, screen)
    for is_open in (False, True):
        browser.evaluate(
            f"document.querySelectorAll('details').forEach(it => (it.open = {str(is_open).lower()}))"
        )
        browser.settle()
        wide = browser.evaluate("document.documentElement.scrollWidth")
        assert wide <= screen[0]
    ground = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) == screen[2]
    browser.screenshot(tmp_path / "page.png")
    name = f"{page.split('/')[0].split('.')[0]}_{screen[0]}_{'dark' if screen[2] else 'light'}.png"
    keep((tmp_path / "page.png").read_bytes(), name)


@pytest.mark.skipif(not AXE.exists(), reason=f"axe-core is not in {AXE.relative_to(ROOT)}: make viewer-check")
@pytest.mark.parametrize(
    "screen", SCREENS, ids=lambda screen: f"{screen[0]}-{'dark' if screen[2] else 'light'}"
)
@pytest.mark.parametrize("page", ["volume/explanation.html", "batch.html", "plain.html"])
def test_axe_finds_no_fault(shown, folder, page, screen):
    browser = shown(folder / page, screen)
    browser.evaluate("document.querySelectorAll('details').forEach(it => (it.open = true))")
    if screen[0] > 1000 and page.startswith("volume"):
        browser.click("#beside")
    browser.evaluate(AXE.read_text(encoding="utf-8") + "; 1")
    found = browser.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(got => JSON.stringify(got.violations.map("
        "one => [one.impact, one.id, one.nodes.map(node => node.html)])))"
    )
    assert json.loads(found) == []


def test_axe_would_see_a_fault(shown, folder):
    """Without this the test above could not fail."""
    if not AXE.exists():
        pytest.skip("axe-core is not there: make viewer-check")
    browser = shown(folder / "batch.html")
    browser.evaluate("document.querySelector('#save').textContent = ''")
    browser.evaluate(AXE.read_text(encoding="utf-8") + "; 1")
    names = browser.evaluate("axe.run(document).then(got => got.violations.map(one => one.id))")
    assert "button-name" in names


def test_a_notebooks_frame_shows_the_picture(browser, tmp_path):
    """The frame is a stranger to its page, so it is judged by what is on the screen."""
    output = explanation_to_show(2, SIZE)._repr_html_()
    (tmp_path / "notebook.html").write_text(f"<!DOCTYPE html><body>{output}", encoding="utf-8")
    browser.screen(1000, 900)
    browser.open(tmp_path / "notebook.html")
    assert html.unescape(output).count("<h1>") == 1
    for _ in range(100):
        browser.screenshot(tmp_path / "shown.png", whole=False)
        pixels = np.asarray(Image.open(tmp_path / "shown.png").convert("RGB")).astype(int)
        if (np.ptp(pixels, axis=2) > 60).mean() > 0.01 and (pixels.max(axis=2) < 60).mean() > 0.01:
            break
        browser.evaluate("new Promise(go => setTimeout(go, 100))")
    else:
        raise AssertionError("no picture with colours is shown")
    assert [
        url for url in browser.requests if not url.startswith(("file:", "data:", "about:", "blob:"))
    ] == []
    keep((tmp_path / "shown.png").read_bytes(), "notebook.png")
