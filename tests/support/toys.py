"""A classifier by brightness, images of both its classes, generators against it, and the data of a stage."""

import keras
import numpy as np
import tensorflow as tf

from tfadvpath.datasets.labelled_images import LabelledImages
from tfadvpath.generators.domains import DomainGenerator
from tfadvpath.generators.registry import GENERATORS
from tfadvpath.models.discriminators import discriminator
from tfadvpath.models.mask_decoder import mask_decoder
from tfadvpath.models.translators import class_discriminator, translator
from tfadvpath.models.two_headed_unet import two_headed_unet
from tfadvpath.models.unet import UNet
from tfadvpath.recipes.data import PARTS
from tfadvpath.training.stage_data import StageData

SHAPE = (16, 16, 1)


def brightness_classifier(shape=SHAPE, slope=8.0, first=()):
    """f(x) = sigmoid(slope (mean - 1/2)): bright images are class 1. Its features are the means of the rows.

    Args:
        shape: Height, width and 1.
        slope: How fast it changes its mind.
        first: Layers in front that keep an image's mean.
    """
    inner = [keras.Input(shape), *first]
    rows, columns = keras.Sequential(inner).output_shape[1:3] if first else shape[:2]
    inner += [
        keras.layers.Reshape((rows, columns)),
        keras.layers.GlobalAveragePooling1D(data_format="channels_first"),
        keras.layers.Dense(1, "sigmoid"),
    ]
    model = keras.Sequential(inner)
    kernel = np.full((rows, 1), slope / rows, np.float32)
    model.layers[-1].set_weights([kernel, np.array([-slope / 2], np.float32)])
    return model


def domains(count=4, seed=0):
    """Dark images and bright ones, as many of each."""
    rng = np.random.default_rng(seed)
    dark = 0.1 + 0.2 * rng.random((count, *SHAPE))
    bright = 0.7 + 0.2 * rng.random((count, *SHAPE))
    return tf.constant(dark, tf.float32), tf.constant(bright, tf.float32)


def both_classes(count=4, seed=0):
    """The images of ``domains`` in one batch, dark and bright by turns."""
    return tf.reshape(tf.stack(domains(count, seed), axis=1), (2 * count, *SHAPE))


def learning_classifier():
    """``brightness_classifier`` with statistics that training would move, and a level for a mask decoder."""
    normalization = keras.layers.BatchNormalization(epsilon=0.0)
    return brightness_classifier(first=(normalization, keras.layers.AveragePooling2D(2)))


def _unets():
    return tuple(UNet(SHAPE, [4, 8], dropout=0.0) for _ in (0, 1))


# The networks that a generator is made of, by the registry's name.
NETWORKS = {
    "cyce": lambda classifier: _unets(),
    "syce": lambda classifier: _unets(),
    "sagen": lambda classifier: (two_headed_unet(SHAPE, [4, 8], dropout=0.0),),
    "mask_generator": lambda classifier: (mask_decoder(classifier, width=4),),
    "fixed_point_gan": lambda classifier: (translator(SHAPE, width=2, residual_blocks=1),),
}


def discriminators(name):
    """The arguments by which a generator's class takes tiny discriminators; none where it has none."""
    if issubclass(GENERATORS[name].load_class(), DomainGenerator):
        return {"discriminators": tuple(discriminator(SHAPE, [4]) for _ in (0, 1))}
    if name == "fixed_point_gan":
        return {"discriminator": class_discriminator(SHAPE, width=4, levels=2)}
    return {}


def assembled(name, classifier, networks, **options):
    """A generator made of given networks, which cannot train yet."""
    return GENERATORS[name].load_class()(
        classifier, networks if len(networks) > 1 else networks[0], **options
    )


def generator(name, classifier=None, rates=(1e-3, 1e-3), **options):
    """A generator of new tiny networks, always the same ones, ready to train; and these networks.

    Args:
        name: Name in the registry.
        classifier: Classifier; ``learning_classifier`` without it.
        rates: Learning rates of the networks and of the discriminators.
        **options: Further arguments of its class.
    """
    keras.utils.set_random_seed(1)
    classifier = classifier or learning_classifier()
    networks, critics = NETWORKS[name](classifier), discriminators(name)
    model = assembled(name, classifier, networks, **critics, **options)
    model.compile(*(keras.optimizers.Adam(rate) for rate in rates[: 2 if critics else 1]))
    return model, networks


def batch(name, count=4, seed=0):
    """A training batch of the form that a generator takes: a pair of both classes, or both in one."""
    paired = issubclass(GENERATORS[name].load_class(), DomainGenerator)
    return domains(count, seed) if paired else both_classes(count, seed)


def stage_data(images, labels, classifier=None):
    """The same images for every part of a stage's data, classified as they are labelled.

    Args:
        images: float32 [N, H, W, C].
        labels: [N], 0 or 1.
        classifier: Classifier of the stage, if it has one.
    """
    labels = np.asarray(labels, np.float32)
    patients = np.array([f"patient {i}" for i in range(len(labels))])
    part = LabelledImages(np.asarray(images), labels, np.zeros(np.shape(images)[:3], bool), patients)
    return StageData("toys", dict.fromkeys(PARTS, part), classifier, dict.fromkeys(PARTS, labels))


def rec(u, v):
    return np.mean((u - v) ** 2) + np.mean(np.abs(u - v))


def cross_entropy(target, p):
    return -np.mean(target * np.log(p) + (1 - target) * np.log(1 - p))


def through(network, images):
    """A network's answer, in float64."""
    return network(np.asarray(images, np.float32), training=False).numpy().astype(np.float64)
