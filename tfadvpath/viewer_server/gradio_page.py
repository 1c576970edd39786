"""The page around the viewer, made of Gradio's parts."""

from __future__ import annotations

import importlib.resources
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio

from tfadvpath.errors import InputError
from tfadvpath.viewer_server.desk import Desk
from tfadvpath.viewer_server.phantoms import phantom_seeds
from tfadvpath.viewer_server.words import HEAD, PHANTOMS, about, shown, told, trouble

_FONTS = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "DejaVu Sans", "sans-serif"]

Answers = Iterator[tuple[str, str]]


def theme() -> gradio.themes.Base:
    """Returns colours of enough contrast, and the system's fonts: others would be fetched."""
    base = gradio.themes.Base(
        primary_hue="blue", neutral_hue="gray", font=_FONTS, font_mono=["ui-monospace", "monospace"]
    )
    return base.set(
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        block_label_text_color="*neutral_700",
        block_title_text_color="*neutral_700",
        body_text_color_subdued="*neutral_600",
    )


def asset(name: str) -> str:
    """Returns the text of a file beside this module."""
    folder = importlib.resources.files("tfadvpath.viewer_server") / "assets"
    return (folder / name).read_text(encoding="utf-8")


def blocks(desk: Desk, uploads: Path) -> gradio.Blocks:
    """Returns the page.

    Args:
        desk: Reads and explains.
        uploads: Folder in which Gradio puts what is dropped.
    """
    explaining = desk.explaining
    first = explaining.options.method
    does = _Doings(desk, uploads)
    with gradio.Blocks(title="tfadvpath", analytics_enabled=False, fill_width=True) as page:
        gradio.HTML(HEAD)
        with gradio.Row():
            with gradio.Column(scale=1, min_width=280):
                file = gradio.File(label="Study", height=140, elem_id="study")
                gradio.HTML(PHANTOMS)
                with gradio.Row():
                    phantoms = [
                        gradio.Button(
                            f"Phantom {number + 1}", size="sm", min_width=80, elem_id=f"phantom-{number}"
                        )
                        for number in range(len(phantom_seeds(explaining.bundle)))
                    ]
            with gradio.Column(scale=2, min_width=280):
                with gradio.Row():
                    method = gradio.Dropdown(
                        list(explaining.methods), value=first, label="Method", min_width=140, elem_id="method"
                    )
                    steps = gradio.Number(
                        value=_whole(explaining.options.steps or explaining.steps(first)),
                        label="Steps of the path",
                        minimum=1,
                        precision=0,
                        min_width=140,
                        visible=explaining.steps(first) is not None,
                        elem_id="steps",
                    )
                names = list(explaining.maps(first))
                maps = gradio.CheckboxGroup(names, value=names, label="Maps", elem_id="maps")
                again = gradio.Button("Explain again, as chosen here", variant="primary", elem_id="again")
        said = gradio.HTML(told("No study yet."), elem_id="said")
        frame = gradio.HTML("", js_on_load=asset("download.js"), elem_id="frame", apply_default_css=False)
        settings: list[Any] = [method, maps, steps]
        # Raw values: Gradio would leave an empty file behind for each upload, and answer wrong ones itself.
        common: dict[str, Any] = {
            "preprocess": False,
            "show_progress": "hidden",
            "concurrency_limit": 1,
            "concurrency_id": "explain",
            "api_visibility": "private",
        }
        file.upload(does.drop, [file, *settings], [file, said, frame], **common)
        for number, button in enumerate(phantoms):
            button.click(does.take_phantom(number), settings, [said, frame], **common)
        again.click(does.explain, settings, [said, frame], **common)
        method.change(does.choose, method, [maps, steps], show_progress="hidden", api_visibility="private")
        page.unload(does.leave)
    return page


class _Doings:
    """What the page does when something is dropped, pressed or chosen.

    Args:
        desk: Reads and explains.
        uploads: Folder in which Gradio puts what is dropped.
    """

    def __init__(self, desk: Desk, uploads: Path):
        self._desk, self._uploads = desk, uploads

    def explain(self, request: gradio.Request, method: str, maps: list[str], steps: float | None) -> Answers:
        started = time.monotonic()
        yield told("Explaining the study…"), ""
        tab = str(request.session_hash)
        try:
            chosen = (method, maps, _whole(steps))
            preview = self._desk.preview(tab, *chosen)
            if preview is not None:
                yield told("Explaining the other slices…"), shown(preview)
            result = self._desk.explain(tab, *chosen)
        except InputError as error:
            yield trouble(str(error)), ""
            return
        yield about(result.name, result.result.study, time.monotonic() - started), shown(result)

    def drop(
        self,
        request: gradio.Request,
        file: dict[str, Any] | None,
        method: str,
        maps: list[str],
        steps: float | None,
    ) -> Iterator[tuple[None, str, str]]:
        if file is None:
            return
        path = Path(file["path"]).resolve()
        name = Path(file.get("orig_name") or path.name).name
        # The field is emptied for the next file.
        yield None, told(f"Reading {name}…"), ""
        try:
            if not path.is_relative_to(self._uploads.resolve()):
                raise InputError(name, "was not dropped on this page", "Drop it again")
            self._desk.bring(str(request.session_hash), path, name)
        except InputError as error:
            yield None, trouble(str(error)), ""
            return
        for said, frame in self.explain(request, method, maps, steps):
            yield None, said, frame

    def take_phantom(self, number: int) -> Callable[..., Answers]:
        def take(request: gradio.Request, method: str, maps: list[str], steps: float | None) -> Answers:
            yield told("Generating a phantom…"), ""
            try:
                self._desk.bring_phantom(str(request.session_hash), number)
            except InputError as error:
                yield trouble(str(error)), ""
                return
            yield from self.explain(request, method, maps, steps)

        return take

    def choose(self, method: str) -> tuple[Any, Any]:
        names = list(self._desk.explaining.maps(method))
        steps = self._desk.explaining.steps(method)
        return (
            gradio.CheckboxGroup(names, value=names),
            gradio.Number(value=steps, visible=steps is not None),
        )

    def leave(self, request: gradio.Request) -> None:
        self._desk.forget(str(request.session_hash))


def _whole(steps: Any) -> int | None:
    """Returns the number of steps, None where a method has none.

    Raises:
        InputError: It is no whole number above 0.
    """
    if steps is None:
        return None
    try:
        number = int(steps)
    except (TypeError, ValueError, OverflowError):
        number = 0
    if number < 1:
        raise InputError("`steps`", f"{steps} is no number of steps", "Give 1 or more")
    return number
