"""Time that `import tfadvpath`, with its core in use, takes beyond importing tensorflow and keras.

    python benchmarks/import_time.py [--repeats 7]

Fresh processes, alternating. The package loads its parts on first use, so the measured script names those
that explain a model.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import results

SCRIPTS = {
    "tensorflow and keras": "import tensorflow, keras",
    "and tfadvpath": "import tensorflow, keras, tfadvpath",
    "and its public names": "import tensorflow, keras, tfadvpath as t; [getattr(t, n) for n in t.__all__]",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in SCRIPTS}
    for _ in range(options.repeats):
        for name, script in SCRIPTS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    base = medians["tensorflow and keras"]
    figures = {
        "median_seconds": {name: round(value, 3) for name, value in medians.items()},
        "ratio": {name: round(value / base, 3) for name, value in medians.items()},
    }
    results.write("import_time", figures)


if __name__ == "__main__":
    main()
