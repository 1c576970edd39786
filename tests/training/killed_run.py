"""Trains stages into a folder, and dies without a word at an event of one: FOLDER STAGES [STAGE NUMBER]."""

import os
import signal
import sys
from pathlib import Path


def main(folder, stages, stage=None, number=0):
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from support import tiny

    from tfadvpath.training import loop
    from tfadvpath.training.run import train
    from tfadvpath.training.stages import classifier

    heard = []

    def listen(event):
        heard.append(event.stage)
        if event.stage == stage and heard.count(stage) == int(number):
            os.kill(os.getpid(), signal.SIGKILL)

    loop.STEPS_BETWEEN_LOOKS = 1  # an event after every step: a run can die inside an epoch
    classifier.resnet50_classifier = tiny.small_classifier
    train(tiny.EVERY_STAGE, folder, stages.split(","), resume=True, listener=listen)


if __name__ == "__main__":
    main(*sys.argv[1:])
