"""The rooms of the package, and what each may import."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tfadvpath"
# A room is a folder, or one of the files that every floor takes. What stands below a room is below it in the
# house: no arrow runs up. The table is the picture of docs/architecture.md.
EVERYWHERE = {"_version", "errors", "files"}
MAY_IMPORT = {
    "_version": set(),
    "errors": set(),
    "files": set(),
    "studies": set(),
    "models": set(),
    "path": {"models"},
    "plots": set(),
    "viewer": set(),
    "explanation": {"plots", "studies", "viewer"},
    "metrics": {"path"},
    "generators": {"models", "path"},
    "writers": {"explanation", "studies", "viewer"},
    "datasets": {"studies"},
    "recipes": {"datasets", "generators", "studies"},
    "explainers": {"explanation", "generators", "models", "path"},
    "bundle": {"generators", "metrics", "models", "path", "recipes", "writers"},
    "batch": {"bundle", "explainers", "explanation", "path", "studies", "writers"},
    "training": {
        "bundle",
        "datasets",
        "generators",
        "metrics",
        "models",
        "path",
        "recipes",
        "writers",
    },
    "evaluation": {
        "bundle",
        "datasets",
        "explainers",
        "explanation",
        "generators",
        "metrics",
        "models",
        "path",
        "recipes",
        "writers",
    },
    "saved_model": {
        "bundle",
        "datasets",
        "explainers",
        "explanation",
        "generators",
        "path",
        "studies",
        "writers",
    },
    "serving": {"explanation", "saved_model", "studies"},
    "pacs": {"serving", "studies"},
    "fitting": {
        "batch",
        "bundle",
        "datasets",
        "explainers",
        "explanation",
        "generators",
        "metrics",
        "models",
        "recipes",
        "studies",
        "training",
    },
    "demo": {
        "batch",
        "bundle",
        "datasets",
        "explanation",
        "metrics",
        "path",
        "recipes",
        "studies",
        "training",
        "writers",
    },
    "viewer_server": {
        "batch",
        "bundle",
        "datasets",
        "explainers",
        "explanation",
        "recipes",
        "studies",
        "viewer",
        "writers",
    },
    "doctor": {"bundle", "explainers", "studies"},
    "cli": {
        "batch",
        "bundle",
        "demo",
        "doctor",
        "evaluation",
        "fitting",
        "pacs",
        "recipes",
        "saved_model",
        "serving",
        "training",
        "viewer_server",
    },
}
LOOSE = {"__init__", "__main__", "_version", "errors", "explanation", "files"}


def room_of(module: str) -> str:
    """The room of "tfadvpath.room.module"; "" of the package itself."""
    return module.split(".")[1] if "." in module else ""


def imported_modules(source: str) -> set[str]:
    """Every module of the package that a source imports, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module == "tfadvpath":  # from tfadvpath import explainers
                found |= {f"tfadvpath.{alias.name}" for alias in node.names}
            found.add(node.module)
        assert not getattr(node, "level", 0), "imports are absolute"
    return {module for module in found if module.split(".")[0] == "tfadvpath" and room_of(module)}


def wrong_imports(room: str, source: str) -> list[str]:
    allowed = MAY_IMPORT[room] | EVERYWHERE | {room}
    return sorted(module for module in imported_modules(source) if room_of(module) not in allowed)


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem in MAY_IMPORT)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_room_imports_what_the_table_lets_it(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert wrong_imports(room, path.read_text(encoding="utf-8")) == []


def test_the_table_has_every_room_and_no_other():
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert rooms | (LOOSE - {"__init__", "__main__"}) == set(MAY_IMPORT)


def test_no_other_file_lies_loose():
    assert {path.stem for path in PACKAGE.glob("*.py")} == LOOSE
    assert {path.name for path in PACKAGE.iterdir() if path.is_file() and path.suffix != ".py"} == {
        "py.typed"
    }


def test_no_arrow_runs_up():
    """In the order of the table a room imports only rooms above its own line: there is no circle."""
    order = list(MAY_IMPORT)
    for room, allowed in MAY_IMPORT.items():
        assert all(order.index(other) < order.index(room) for other in allowed), room


@pytest.mark.parametrize(
    ("room", "source", "wrong"),
    [
        ("path", "from tfadvpath.metrics.maps import top", "tfadvpath.metrics.maps"),
        ("bundle", "def f():\n    from tfadvpath.training.run import train", "tfadvpath.training.run"),
        ("writers", "import tfadvpath.batch.run", "tfadvpath.batch.run"),
        ("metrics", "from tfadvpath import explainers", "tfadvpath.explainers"),
    ],
)
def test_a_wrong_import_is_seen(room, source, wrong):
    assert wrong in wrong_imports(room, source)


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "tfadvpath.serving.rest_client",
        "tfadvpath.serving",
        "tfadvpath.pacs.send",
        "tfadvpath.writers.formats",
        "tfadvpath.studies.study",
        "tfadvpath.recipes.recipe",
        "tfadvpath.recipes.prepare",
        "tfadvpath.generators.registry",
        "tfadvpath.explanation",
        "tfadvpath.viewer.page",
        "tfadvpath.doctor.check",
        "tfadvpath.cli.main",
    ],
)
def test_these_rooms_import_no_tensorflow(module):
    """In a fresh process: the REST client, the writers, studies and recipes work without it."""
    program = (
        f"import importlib, sys; importlib.import_module({module!r})\n"
        "from tfadvpath.writers.formats import formats; formats()\n"
        "loaded = {'tensorflow', 'keras'} & set(sys.modules)\n"
        "sys.exit(f'{loaded} loaded' if loaded else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_only_those_who_read_or_write_files_import_the_format_libraries():
    formats = {"pydicom", "nibabel", "cv2"}
    rooms = {"studies", "writers", "datasets"}
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert not imported & formats or path.relative_to(PACKAGE).parts[0] in rooms, path


def flags_in_messages(source: str) -> list[str]:
    """The words that begin like a flag in the arguments of every InputError."""
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "InputError"
    ]
    texts = [
        part.value
        for call in calls
        for part in ast.walk(call)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]
    return [word for text in texts for word in text.split() if word.lstrip("`(").startswith("--")]


def test_below_the_command_line_no_message_speaks_of_a_flag():
    """A message names a parameter in backticks; the command line writes it as its flag."""
    of_other_programs = {"--raw"}  # of gdcmconv
    for path in modules():
        if path.relative_to(PACKAGE).parts[0] != "cli":
            assert set(flags_in_messages(path.read_text(encoding="utf-8"))) <= of_other_programs, path
    assert flags_in_messages('raise InputError(out, "is a file", f"Name another --out, {out}")') == ["--out,"]


def test_the_picture_of_the_house_is_the_table():
    text = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = {}
    for rooms, allowed in re.findall(r"^\| (`.+?) \| (.+) \|$", text.partition("## Arrows")[2], re.MULTILINE):
        names = set(re.findall(r"`(\w+)`", allowed))
        drawn |= {room.removesuffix(".py"): names for room in re.findall(r"`([\w.]+)`", rooms)}
    assert drawn == {room: allowed for room, allowed in MAY_IMPORT.items() if room not in EVERYWHERE}
