"""Runs every command on generated images, and writes what they print into docs/reference/commands.md.

    python docs/command_outputs.py [--only doctor,prepare]

It takes half an hour on two cores, most of it the training of small networks. Paths of this machine and what
describes it are left out of the page.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(__file__).parent / "reference" / "commands.md"
ROOT = Path(__file__).parents[1]
WIDTH = 100
RECIPE = """\
name: small
seed: {seed}
data:
  task: phantom-brain
  image_size: 32
  patients: {{train: 40, validation: 8, test: 8}}
  min_tumour_pixels: 4
  twins: true
classifier: {{model: my_classifier.keras}}
cyce:
  filters: [4, 8, 16]
  normalization: group
  residual: 2
  flip_target: 0.95
  learning_rate: 1.0e-3
  batch_size: 8
  epochs: 3
  steps_per_epoch: 60
"""
CLASSIFIER = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import csv, cv2, keras, numpy as np
from pathlib import Path
from tfadvpath.datasets.phantoms.brain_slices import phantom_brain_slices
keras.utils.set_random_seed(0)
slices = phantom_brain_slices(range(500_000, 500_040), 32, min_tumour_pixels=4, twins=True)
Path("slices").mkdir()
with open("patients.csv", "w", newline="") as file:
    table = csv.writer(file)
    table.writerow(["file", "patient", "label"])
    for at, image in enumerate(slices.images):
        cv2.imwrite(f"slices/{at:04d}.png", np.round(255 * image[..., 0]).astype(np.uint8))
        table.writerow([f"{at:04d}.png", slices.patients[at], int(slices.labels[at])])
layers = keras.layers
model = keras.Sequential([
    keras.Input((32, 32, 1)),
    layers.Conv2D(16, 3, activation="relu"),
    layers.Conv2D(32, 3, strides=2, activation="relu"),
    layers.Conv2D(32, 3, strides=2, activation="relu"),
    layers.GlobalMaxPooling2D(),
    layers.Dense(1, activation="sigmoid"),
])
model.compile(keras.optimizers.Adam(3e-3), "binary_crossentropy")
model.fit(slices.images, slices.labels, epochs=25, verbose=0)
model.save("my_classifier.keras")
"""


@dataclass(frozen=True)
class Shown:
    """A command on the page.

    Attributes:
        about: Sentence before it.
        line: What is typed.
        seconds: Seconds after which Ctrl-C ends it; None lets it end.
    """

    about: str
    line: str
    seconds: float | None = None


SHOWN = {
    "doctor": [Shown("Check the installation.", "tfadvpath doctor --no-speed")],
    "demo": [Shown("Explain generated scans by the shipped networks.", "tfadvpath demo demo --patients 2")],
    "prepare": [
        Shown(
            "Make two generated brains with their tumours as NIfTI files.",
            "tfadvpath prepare phantom-brain --patients 2 --size 128 --out phantoms",
        )
    ],
    "explain": [
        Shown(
            "Explain them, and a file that is broken.",
            "tfadvpath explain phantoms/imagesTr broken.png --out maps --format png,npz,nifti",
        ),
        Shown(
            "The same again: what is done is kept.",
            "tfadvpath explain phantoms/imagesTr broken.png --out maps --format png,npz,nifti",
        ),
        Shown(
            "By a method that there is not.", "tfadvpath explain phantoms/imagesTr --out other --method lime"
        ),
    ],
    "ledger": [
        Shown(
            "Explain the first of two parts, the second, and make one ledger of both.",
            "tfadvpath explain phantoms/imagesTr --out parts --format npz --num-parts 2 --part-id 0",
        ),
        Shown("", "tfadvpath explain phantoms/imagesTr --out parts --format npz --num-parts 2 --part-id 1"),
        Shown("", "tfadvpath ledger merge parts"),
    ],
    "view": [Shown("Open the page of this machine, and end it with Ctrl-C.", "tfadvpath view --port 0", 90)],
    "fit": [
        Shown(
            "Train what explains a classifier of your own, for four minutes, which is too short.",
            "tfadvpath fit my_classifier.keras slices/ --out MINE --minutes 4 --patients patients.csv",
        )
    ],
    "train": [
        Shown(
            "Train a small CyCE for a classifier that is there, and the same with another seed.",
            "tfadvpath train small.yaml --out RUN",
        ),
        Shown("", "tfadvpath train small_seed_1.yaml --out RUN_1"),
    ],
    "evaluate": [
        Shown(
            "Compare two methods on few test images.",
            "tfadvpath evaluate RUN --out evaluation --methods cyce,gradient --images 16 --steps 14 "
            "--subset 0 --perturbation blur --no-segmentation",
        )
    ],
    "agreement": [
        Shown(
            "Compare the maps of both trainings.",
            "tfadvpath agreement RUN RUN_1 --out agreement --methods cyce --images 16",
        )
    ],
    "export": [
        Shown(
            "Write the explainer as one SavedModel.",
            "tfadvpath export RUN --out models --method cyce --sizes 1,2 --steps 10",
        )
    ],
    "serve-check": [
        Shown("Check whether it may be served.", "tfadvpath serve-check models/small/1"),
        Shown("The same after a byte of it was changed.", "tfadvpath serve-check changed/1"),
    ],
    "send": [
        Shown(
            "Write DICOM results of an X-ray, and send them to an archive that is not there.",
            "tfadvpath explain xray.dcm --out results --format dicom",
        ),
        Shown("", "tfadvpath send results --to http://127.0.0.1:9/dicom-web --attempts 1"),
    ],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="commands separated by commas, in the page's order; other parts stay")
    only = parser.parse_args().only
    chosen = only.split(",") if only else list(SHOWN)
    parts = parts_there() if only else {}
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        prepare(made, chosen)
        for name in chosen:
            parts[name] = part(name, SHOWN[name], made)
    texts = [parts[name] for name in SHOWN if name in parts]
    PAGE.write_text("\n\n".join([INTRODUCTION, *texts]) + "\n", encoding="utf-8")


def parts_there() -> dict[str, str]:
    """Returns the parts of the page as it is, by the names of their commands."""
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    return {one.split("\n", 1)[0]: f"## {one.strip()}" for one in text.split("\n## ")[1:]}


INTRODUCTION = """\
# What the commands print

Each command as it was typed, with what it printed on a machine with two cores, and its exit code. In a
terminal there are bars and colours as well. `tfadvpath COMMAND --help` has every option and what the exit
codes mean. `--json` of most commands prints their result for programs. `python docs/command_outputs.py` made
this page."""


def prepare(folder: Path, chosen: Sequence[str]) -> None:
    """Puts what the commands take into the folder."""
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for seed, name in enumerate(("small.yaml", "small_seed_1.yaml")):
        (folder / name).write_text(RECIPE.format(seed=seed), encoding="utf-8")
    if {"fit", "train"} & set(chosen):
        run([sys.executable, "-c", CLASSIFIER], folder)
    if "send" in chosen:
        code = (
            "from pathlib import Path; from tfadvpath.datasets.phantoms import write_chest_phantoms;"
            "write_chest_phantoms(Path('chest'), [900_000], 256);"
            "next(Path('chest').rglob('*.dcm')).rename('xray.dcm')"
        )
        run([sys.executable, "-c", code], folder)


def part(name: str, commands: Sequence[Shown], folder: Path) -> str:
    """Runs a command's examples, and returns their part of the page."""
    texts = [f"## {name}"]
    for command in commands:
        if "changed/1" in command.line:
            change(folder)
        began = time.monotonic()
        words = [sys.executable, "-m", "tfadvpath", *shlex.split(command.line)[1:]]
        printed, code = run(words, folder, command.seconds)
        print(f"{command.line}: {code} after {time.monotonic() - began:.0f} s", file=sys.stderr)
        said = f"{command.about}\n\n" if command.about else ""
        body = "\n".join(["$ " + folded(command.line), cleaned(printed, folder), f"(exit code {code})"])
        texts.append(f"{said}```text\n{body}\n```")
    return "\n\n".join(texts)


def run(words: Sequence[str], folder: Path, seconds: float | None = None) -> tuple[str, int]:
    """Returns what a command prints on both of its outputs, and its exit code."""
    environment = {**os.environ, "COLUMNS": str(WIDTH)}
    with subprocess.Popen(
        words,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=_heed_interrupts,
    ) as process:
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            printed, _ = process.communicate()
    return printed, process.returncode


def _heed_interrupts() -> None:
    """Lets Ctrl-C end a command also where this script runs in the background of a shell."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def change(folder: Path) -> None:
    """Makes a copy of the exported model in which one byte is another."""
    subprocess.run(["cp", "-r", "models/small", "changed"], cwd=folder, check=True)
    graph = folder / "changed" / "1" / "saved_model.pb"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)


def folded(line: str) -> str:
    """Returns a long command over several lines, as a shell takes it."""
    return " \\\n    ".join(textwrap.wrap(line, WIDTH - 6, break_long_words=False, break_on_hyphens=False))


def is_of_a_table(line: str) -> bool:
    """Returns whether a line has columns, which stay as they are."""
    return line.startswith("|") or re.search(r"(\S {3,}\S.*){2}", line) is not None or not line


def wrapped(line: str) -> list[str]:
    """Returns a line in pieces that fit the page."""
    return textwrap.wrap(line, WIDTH, subsequent_indent="    ", break_long_words=False)


def cleaned(printed: str, folder: Path) -> str:
    """Returns what was printed without this machine's paths, and with lines that fit the page."""
    for path, name in ((str(folder) + "/", ""), (str(folder), "."), (sys.prefix, ".venv"), (str(ROOT), ".")):
        printed = printed.replace(path, name)
    printed = re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", printed)
    lines = [line.split("\r")[-1].rstrip() for line in printed.splitlines()]
    lines = [line for line in lines if not re.match(r"^(WARNING: All log|[IWE]0000 |  platform )", line)]
    return "\n".join(
        one for line in lines for one in ([line] if is_of_a_table(line) else wrapped(line))
    ).strip()


if __name__ == "__main__":
    main()
