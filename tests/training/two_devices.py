"""Takes steps of training on one and on two logical CPU devices; prints the largest differences.

One step of two generators: they take a pair of batches, and several sub-batches of one. SyCE's step is made
as CyCE's is; SAGen and the mask generator take one batch, as the fixed-point GAN does; the classifier's step
is Keras's own. CyCE's step also raises the weight of its target, and its pairs are measured after it. And
three steps of two warm-ups; the third is made as the second.

A process of its own: devices can only be set up before TensorFlow is used.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf


def models():
    from support.toys import SHAPE, brightness_classifier

    from tfadvpath.generators.cyce import CyCE
    from tfadvpath.generators.fixed_point_gan import FixedPointGAN
    from tfadvpath.models.discriminators import discriminator
    from tfadvpath.models.translators import class_discriminator, translator
    from tfadvpath.models.unet import UNet

    def sgd(clip=None):
        # Plain descent: the weights' change is the gradient.
        return keras.optimizers.SGD(0.1, global_clipnorm=clip)

    def pair(build):
        return tuple(build() for _ in (0, 1))

    def cyce():
        unets = pair(lambda: UNet(SHAPE, [4, 8], dropout=0.0))
        critics = pair(lambda: discriminator(SHAPE, [4]))
        model = CyCE(brightness_classifier(), unets, critics, targets={"flip": 0.9})
        model.compile(sgd(clip=0.5), sgd())
        return model

    def fixed_point_gan():
        networks = translator(SHAPE, 4, 1), class_discriminator(SHAPE, 4, 2)
        model = FixedPointGAN(brightness_classifier(), *networks, n_critic=2)
        model.compile(sgd(), sgd())
        return model

    return {
        "cyce": cyce,
        "fixed_point_gan": fixed_point_gan,
    }


def stepped(name, build, strategy):
    """Returns the weights before and after one step on the same batch."""
    from support.toys import domains

    from tfadvpath.training.checkpoint import state_of
    from tfadvpath.training.loop import compiled_step, run_epoch
    from tfadvpath.training.pair_measurement import pair_measurement

    keras.utils.clear_session()
    keras.utils.set_random_seed(3)
    with strategy.scope():
        model = build()
    zero, one = (batch.numpy() for batch in domains(4))
    if name == "cyce":
        data = tf.data.Dataset.from_tensor_slices((zero, one)).batch(4)
    else:
        data = tf.data.Dataset.from_tensor_slices(np.stack([zero, one], 1).reshape(8, *zero.shape[1:])).batch(
            8
        )

    def values():
        floats = [variable for variable in state_of(model) if "float" in variable.dtype]
        return np.concatenate([np.ravel(keras.ops.convert_to_numpy(variable)) for variable in floats])

    before = values()
    logs = run_epoch(model, compiled_step(model, model.train_step, strategy), strategy, data)
    if name == "cyce":
        logs |= pair_measurement(model, (zero, one))()
    return before, values(), logs


def warm_ups():
    """By name, how to build networks, what trains them, and the stage that it is part of."""
    from support.toys import SHAPE

    from tfadvpath.models.unet import UNet
    from tfadvpath.training.stages import unet_warm_up as warm_up

    def unets(count):
        return [UNet(SHAPE, [4, 8], dropout=0.0) for _ in range(count)]

    def copy(networks, stage):
        warm_up.learn_to_copy(networks[0], 1, stage.options, stage)

    def undo(networks, stage):
        warm_up.learn_to_undo(networks, unets(2), stage.options, stage)

    return {
        "copy": (lambda: unets(1), copy, "cyce"),
        "undo": (lambda: unets(2), undo, "syce"),
    }


def warmed_up(build, learn, name, strategy):
    """Returns the weights before and after a warm-up, whose last batch is of another epoch."""
    from support.toys import both_classes, stage_data

    from tfadvpath.recipes.stages import STAGE_OPTIONS
    from tfadvpath.training.stages.registry import stage_class

    images = both_classes(8).numpy()
    options = STAGE_OPTIONS[name](
        batch_size=4, steps_per_epoch=2, warm_up_steps=3, warm_up_learning_rate=0.01
    )
    stage = stage_class(name, options)(options, stage_data(images, np.arange(16) % 2), 0)
    keras.utils.clear_session()
    keras.utils.set_random_seed(3)

    def values(networks):
        return np.concatenate([np.ravel(weight) for network in networks for weight in network.get_weights()])

    with strategy.scope():
        networks = build()
        before = values(networks)
        learn(networks, stage)
    return before, values(networks)


def differences(before, alone, same, shared):
    return {
        "start": float(np.max(np.abs(before - same))),
        "moved": float(np.max(np.abs(alone - before))),
        "difference": float(np.max(np.abs(alone - shared))),
        "typical_difference": float(np.sqrt(np.mean(np.square(alone - shared)))),
    }


def main():
    sys.path.insert(0, str(Path(__file__).parent.parent))
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    answer = {}
    for name, build in models().items():
        before, alone, logs = stepped(name, build, tf.distribute.get_strategy())
        same, shared, shared_logs = stepped(name, build, two)
        logged = {
            key: [logs[key], shared_logs[key]] for key in ("loss", "adversary_sharpness") if key in logs
        }
        answer[name] = differences(before, alone, same, shared) | logged
    for name, how in warm_ups().items():
        before, alone = warmed_up(*how, tf.distribute.get_strategy())
        same, shared = warmed_up(*how, two)
        answer[f"warm-up, {name}"] = differences(before, alone, same, shared)
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
