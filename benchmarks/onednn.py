"""The worth of oneDNN's kernels: a U-Net's and a classifier's forward and backward pass, with and without.

    python benchmarks/onednn.py [--rounds 3] [--runs 15]

TensorFlow reads the setting once, so every measurement is a process of its own; they alternate.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import results

SIZE, BATCH = 64, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.runs)))
        return
    seconds: dict[str, list[dict[str, float]]] = {"0": [], "1": []}
    for _ in range(arguments.rounds):
        for setting, found in seconds.items():
            found.append(in_a_process(setting, arguments.runs))
    medians = {
        network: {
            setting: statistics.median(one[network] for one in found) for setting, found in seconds.items()
        }
        for network in seconds["0"][0]
    }
    figures = {
        network: {
            "seconds_without": round(by["0"], 4),
            "seconds_with": round(by["1"], 4),
            "without_to_with": round(by["0"] / by["1"], 2),
        }
        for network, by in medians.items()
    }
    results.write("onednn", {"size": SIZE, "batch": BATCH, "networks": figures})


def in_a_process(setting: str, runs: int) -> dict[str, float]:
    environment = os.environ | {"TF_ENABLE_ONEDNN_OPTS": setting, "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, __file__, "--measure", "--runs", str(runs)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def measure(runs: int) -> dict[str, float]:
    """Returns the lower quartile of the seconds of one forward and backward pass, by network."""
    import tensorflow as tf

    from tfadvpath.models import UNet, resnet50_classifier

    shape = (SIZE, SIZE, 1)
    networks = {
        "U-Net [8, 16, 32, 64]": UNet(shape, (8, 16, 32, 64)),
        "ResNet50V2 of width 8": resnet50_classifier(shape, weights=None, width=8),
    }
    images = tf.random.stateless_uniform((BATCH, *shape), (0, 0))
    return {name: lower_quartile(network, images, runs) for name, network in networks.items()}


def lower_quartile(network, images, runs: int) -> float:
    import tensorflow as tf

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(network(images, training=True))
        return tape.gradient(loss, network.trainable_variables)

    step()
    times = []
    for _ in range(runs):
        begin = time.perf_counter()
        step()[0].numpy()
        times.append(time.perf_counter() - begin)
    return statistics.quantiles(times, n=4)[0]


if __name__ == "__main__":
    main()
