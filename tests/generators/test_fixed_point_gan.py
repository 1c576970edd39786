"""The fixed-point GAN's own: losses, schedule and translation. What generators share is in test_contract."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.toys import SHAPE, brightness_classifier, cross_entropy

from tfadvpath.generators.fixed_point_gan import FixedPointGAN
from tfadvpath.models.translators import class_discriminator, translator


class Watched(FixedPointGAN):
    """Keeps what each of its losses is asked for: images, classes and targets, as arrays."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.asked = []

    def discriminator_loss(self, x, c, target, training):
        self.asked.append([np.array(tensor) for tensor in (x, c, target)])
        return super().discriminator_loss(x, c, target, training)

    def generator_loss(self, x, c, target, training):
        self.asked.append([np.array(tensor) for tensor in (x, c, target)])
        return super().generator_loss(x, c, target, training)


def images(count=6, seed=0):
    """Dark and bright images by turns."""
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(count) % 2, 0.7, 0.1)[:, None, None, None]
    return tf.constant(level + 0.2 * rng.random((count, *SHAPE)), tf.float32)


def fixed_point_gan(n_critic=2, seed=0, kind=FixedPointGAN, **loss_weights):
    keras.utils.set_random_seed(1)
    model = kind(
        brightness_classifier(),
        translator(SHAPE, width=2, residual_blocks=1),
        class_discriminator(SHAPE, width=4, levels=2),
        loss_weights,
        n_critic,
        seed,
    )
    optimizers = (keras.optimizers.Adam(1e-3, beta_1=0.5) for _ in range(2))
    model.compile(*optimizers, run_eagerly=True)
    return model


def wide(tensor):
    return np.asarray(tensor).astype(np.float64)


def in_numpy(model):
    """The networks as functions of float64 arrays; T with NumPy's own tanh."""

    def change(x, c):
        return wide(model.translator([x.astype(np.float32), c.astype(np.float32)]))

    def judge(x):
        return tuple(wide(head) for head in model.discriminator(x.astype(np.float32)))

    return (lambda x, c: np.tanh(x + change(x, c))), judge


def sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


@pytest.fixture
def batch():
    x = 2 * images() - 1
    c = tf.constant([[0.0], [1.0]] * 3)
    target = tf.constant([[0.0], [0.0], [1.0], [1.0], [1.0], [0.0]])
    return x, c, target


def test_generator_loss_matches_numpy(batch):
    model = fixed_point_gan(flip=0.7)
    x, c, target = map(wide, batch)
    translate, judge = in_numpy(model)
    x_f, x_i = translate(x, target), translate(x, c)
    (scores, logit), (same_scores, same_logit) = judge(x_f), judge(x_i)

    def f(images):
        return wide(model.classifier(((images + 1) / 2).astype(np.float32)))

    terms = {
        "realism": -np.mean(scores),
        "classification": cross_entropy(target, sigmoid(logit)),
        "cycle": np.mean(np.abs(x - translate(x_f, c))),
        "same_realism": -np.mean(same_scores),
        "same_classification": cross_entropy(c, sigmoid(same_logit)),
        "same_cycle": np.mean(np.abs(x - translate(x_i, c))),
        "identity": np.mean(np.abs(x - x_i)),
        "flip": cross_entropy(target, f(x_f)),
    }
    loss, logs = model.generator_loss(*batch, training=False)
    for name, value in terms.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    weights = {"cycle": 10, "same_cycle": 10, "identity": 0.1, "flip": 0.7}
    expected = sum(weights.get(name, 1) * value for name, value in terms.items())
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    other = translate(x, 1 - c)
    np.testing.assert_allclose(logs["flip_rate"], np.mean((f(other) >= 0.5) != (c == 1)))
    np.testing.assert_allclose(logs["perturbation_distance"], np.mean(np.abs(x - other)) / 2, rtol=1e-4)


def test_discriminator_loss_matches_numpy_with_numerical_gradients(batch):
    model = fixed_point_gan()
    critic = model.discriminator
    critic.set_weights([2 * w for w in critic.get_weights()])
    x, c, target = (wide(tensor)[:2] for tensor in batch)
    translate, judge = in_numpy(model)
    fake = translate(x, target)
    position = wide(model.random_position(batch[0][:2], 0, 0))
    x_hat = x + position * (fake - x)

    def score(point):  # float64 all through, so that a difference quotient is exact enough
        kernels = [wide(w) for w in critic.get_weights()]
        for k in (0, 2):
            point = convolve(point, kernels[k], 2) + kernels[k + 1]
            point = np.where(point > 0, point, 0.01 * point)
        return convolve(point, kernels[5], 1).sum(axis=(1, 2, 3))

    np.testing.assert_allclose(score(x_hat), judge(x_hat)[0].sum(axis=(1, 2, 3)), rtol=1e-4)
    steps = 1e-6 * np.eye(256).reshape(256, *SHAPE)  # one pixel each
    gradients = [(score(image + steps) - score(image - steps)) / 2e-6 for image in x_hat]
    penalty = np.mean((np.linalg.norm(gradients, axis=1) - 1) ** 2)
    (real_scores, real_logit), (fake_scores, _) = judge(x), judge(fake)
    terms = {
        "discrimination": fake_scores.mean() - real_scores.mean(),
        "real_classification": cross_entropy(c, sigmoid(real_logit)),
        "gradient_penalty": penalty,
    }
    loss, logs = model.discriminator_loss(*(tensor[:2] for tensor in batch), training=False)
    for name, value in terms.items():
        np.testing.assert_allclose(logs[name], value, rtol=1e-3, err_msg=name)
    expected = terms["discrimination"] + terms["real_classification"] + 10 * penalty
    np.testing.assert_allclose(loss, expected, rtol=1e-3)


def convolve(images, kernel, stride):
    """Convolution as Keras pads it "same", for even sides: float64 [N, H, W, C]."""
    size = kernel.shape[0]
    missing = size - stride
    before = missing // 2
    padded = np.pad(images, [(0, 0), *[(before, missing - before)] * 2, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    return np.einsum("nhwcij,ijco->nhwo", windows[:, ::stride, ::stride], kernel)


@pytest.mark.slow
def test_a_step_updates_the_critic_n_times_on_fresh_images_and_the_translator_once_on_the_last():
    model = fixed_point_gan(n_critic=3, kind=Watched)
    model.train_step(images(7))
    assert int(model.discriminator_optimizer.iterations) == 3
    assert int(model.optimizer.iterations) == 1
    for k, (seen, _, _) in zip((0, 1, 2, 2), model.asked, strict=True):
        np.testing.assert_allclose(seen, 2 * images(7)[k::3] - 1, atol=1e-6)


@pytest.mark.slow
def test_a_step_moves_the_critic():
    model = fixed_point_gan()
    before = model.discriminator.get_weights()
    model.train_step(images())
    assert all(np.any(a != b) for a, b in zip(before, model.discriminator.get_weights(), strict=True))


def targets_of_two_steps(seed):
    """Both classes of every image and what they are to become: critic, translator, then the next step's."""
    model = fixed_point_gan(n_critic=1, seed=seed, kind=Watched)
    for _ in range(2):
        model.train_step(images(64))
    return [(c[:, 0], target[:, 0]) for _, c, target in model.asked]


@pytest.mark.slow
def test_targets_are_the_batchs_classes_in_an_order_of_the_seed_the_step_and_the_draw():
    asked = targets_of_two_steps(seed=0)
    for classes, target in asked:
        np.testing.assert_array_equal(classes, np.arange(64) % 2)
        assert target.sum() == 32  # as many of each class as there are
        assert 0.25 < np.mean(target == classes) < 0.75  # by chance a half
    for (_, one), (_, again) in zip(asked, targets_of_two_steps(seed=0), strict=True):
        np.testing.assert_array_equal(one, again)
    orders = [target for _, target in [*asked, *targets_of_two_steps(seed=1)]]
    for i, one in enumerate(orders):
        assert all(np.mean(one == other) < 0.8 for other in orders[:i])


def test_the_critics_loss_leaves_the_translator_alone(batch):
    model = fixed_point_gan()
    with tf.GradientTape() as tape:
        loss, _ = model.discriminator_loss(*batch, training=True)
    assert all(g is None for g in tape.gradient(loss, model.translator.trainable_variables))


@pytest.mark.slow
def test_a_flip_term_without_weight_has_no_gradient_and_one_with_weight_has(batch):
    def gradients(flip):
        model = fixed_point_gan(**dict.fromkeys(FixedPointGAN.LOSS_WEIGHTS, 0.0) | {"flip": flip})
        with tf.GradientTape() as tape:
            loss, logs = model.generator_loss(*batch, training=True)
        assert float(logs["flip"]) > 0
        return sum(float(tf.reduce_sum(tf.abs(g))) for g in tape.gradient(loss, model.translator.weights))

    assert gradients(0.0) == 0
    assert gradients(1.0) > 1e-4


@pytest.mark.slow
def test_fit_lowers_the_critics_loss_against_a_given_translator():
    model = fixed_point_gan(n_critic=2)
    model.compile(keras.optimizers.Adam(0.0), keras.optimizers.Adam(1e-2, beta_1=0.5))
    held_out = tf.data.Dataset.from_tensors(images(8, seed=1))
    first = model.evaluate(held_out, return_dict=True, verbose=0)
    model.fit(tf.data.Dataset.from_tensors(images(8)).repeat(30), verbose=0)
    last = model.evaluate(held_out, return_dict=True, verbose=0)
    for name, margin in {
        "discriminator_loss": 0.2,
        "real_classification": 0.2,
        "discrimination": 0.02,
    }.items():
        assert last[name] < first[name] - margin, name


def test_perturbing_is_translating_to_the_class_that_was_not_predicted():
    model = fixed_point_gan()
    x = images()
    translate, _ = in_numpy(model)
    expected = (translate(2 * wide(x) - 1, 1 - np.array([[0.0], [1.0]] * 3)) + 1) / 2
    perturbed = model.perturb(x)
    np.testing.assert_allclose(perturbed, expected, atol=1e-5)
    np.testing.assert_array_equal(perturbed, model(x))
    np.testing.assert_array_equal(perturbed, model.translate(x.numpy(), np.array([1.0, 0.0] * 3)))
    assert np.min(perturbed) >= 0
    assert np.max(perturbed) <= 1


def test_wrong_arguments_get_the_rule():
    with pytest.raises(ValueError, match="`n_critic` must"):
        fixed_point_gan(n_critic=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="n_critic = 5"):
        fixed_point_gan(n_critic=5).train_step(images(4))
