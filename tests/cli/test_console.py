"""TensorFlow is imported for a command without what no command needs."""

from __future__ import annotations

import os
import pty
import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)


def test_the_import_of_tensorflow_brings_no_plots_and_leaves_them_importable():
    done = run(
        "import sys\n"
        "from tfadvpath.cli.console import import_tensorflow\n"
        "import_tensorflow()\n"
        "print('keras' in sys.modules, 'matplotlib' in sys.modules, 'pandas' in sys.modules)\n"
        "import matplotlib.pyplot\n"
    )
    assert done.stdout.split() == ["True", "False", "False"], done.stderr


def test_the_import_is_no_garbage_to_look_through_and_later_garbage_is_found():
    done = run(
        "import gc, weakref\n"
        "from tfadvpath.cli.console import import_tensorflow\n"
        "import_tensorflow()\n"
        "print(gc.isenabled(), gc.get_freeze_count() > 100_000)\n"
        "class Node: pass\n"
        "node = Node()\n"
        "node.itself, seen = node, weakref.ref(node)\n"
        "del node\n"
        "gc.collect()\n"
        "print(seen() is None)\n"
    )
    assert done.stdout.split() == ["True", "True", "True"], done.stderr


def test_waiting_is_shown_at_a_terminal_alone():
    code = "from tfadvpath.cli.console import waiting\nwith waiting('Exporting'):\n    pass\n"
    assert run(code).stderr == ""
    seen, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=terminal, env=environment, timeout=300
    )
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(seen, 4096):
            shown += part
    except OSError:  # the end of a terminal
        pass
    os.close(seen)
    assert done.returncode == 0
    assert b"Exporting" in shown
    assert b"0:00:0" in shown
