import keras
import numpy as np
import pytest
import tensorflow as tf

from tfadvpath.generators.fixed_point_gan import FixedPointGAN
from tfadvpath.models.translators import class_discriminator, translator

SHAPE = (16, 16, 1)


def brightness_classifier():
    """f(x) = sigmoid(8 (mean - 1/2)): bright images are class 1. Batch normalization has statistics."""
    layers = [keras.layers.BatchNormalization(epsilon=0.0), keras.layers.Flatten()]
    model = keras.Sequential([keras.Input(SHAPE), *layers, keras.layers.Dense(1, "sigmoid")])
    model.layers[-1].set_weights([np.full((256, 1), 8 / 256, np.float32), np.array([-4.0], np.float32)])
    return model


def images(count=6, seed=0):
    """Dark and bright images by turns."""
    rng = np.random.default_rng(seed)
    level = np.where(np.arange(count) % 2, 0.7, 0.1)[:, None, None, None]
    return tf.constant(level + 0.2 * rng.random((count, *SHAPE)), tf.float32)


def fixed_point_gan(n_critic=2, seed=0, learning_rate=1e-3, **loss_weights):
    keras.utils.set_random_seed(1)
    model = FixedPointGAN(
        brightness_classifier(),
        translator(SHAPE, width=2, residual_blocks=1),
        class_discriminator(SHAPE, width=4, levels=2),
        loss_weights,
        n_critic,
        seed,
    )
    optimizers = (keras.optimizers.Adam(learning_rate, beta_1=0.5) for _ in range(2))
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


def cross_entropy(target, probability):
    return -np.mean(target * np.log(probability) + (1 - target) * np.log(1 - probability))


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
    loss, figures = model.generator_loss(*batch, training=False)
    for name, value in terms.items():
        np.testing.assert_allclose(figures[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    weights = {"cycle": 10, "same_cycle": 10, "identity": 0.1, "flip": 0.7}
    expected = sum(weights.get(name, 1) * value for name, value in terms.items())
    np.testing.assert_allclose(loss, expected, rtol=1e-4)
    other = translate(x, 1 - c)
    np.testing.assert_allclose(figures["flip_rate"], np.mean((f(other) >= 0.5) != (c == 1)))
    np.testing.assert_allclose(figures["perturbation_distance"], np.mean(np.abs(x - other)) / 2, rtol=1e-4)


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
    loss, figures = model.discriminator_loss(*(tensor[:2] for tensor in batch), training=False)
    for name, value in terms.items():
        np.testing.assert_allclose(figures[name], value, rtol=1e-3, err_msg=name)
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


def test_targets_are_the_batchs_classes_in_an_order_of_the_seed_and_the_step():
    model, other = fixed_point_gan(), fixed_point_gan(seed=1)
    classes = tf.constant(np.arange(40.0, dtype=np.float32)[:, None])
    first = model._permuted(classes, 3, 1)
    np.testing.assert_array_equal(np.sort(first[:, 0]), classes[:, 0])
    np.testing.assert_array_equal(first, model._permuted(classes, 3, 1))
    for different in (model._permuted(classes, 4, 1), model._permuted(classes, 3, 2)):
        assert np.mean(first == different) < 0.3
    assert np.mean(first == other._permuted(classes, 3, 1)) < 0.3
    assert np.mean(first == classes) < 0.3


def test_a_step_updates_the_critic_n_times_on_fresh_images_and_the_translator_once(monkeypatch):
    model = fixed_point_gan(n_critic=3)
    seen = []
    loss = model.discriminator_loss
    monkeypatch.setattr(
        model, "discriminator_loss", lambda x, *rest, **kw: seen.append(x) or loss(x, *rest, **kw)
    )
    model.train_step(images(7))
    assert int(model.discriminator_optimizer.iterations) == 3
    assert int(model.optimizer.iterations) == 1
    for k in range(3):
        np.testing.assert_allclose(seen[k], 2 * images(7)[k::3] - 1, atol=1e-6)


def test_a_step_moves_both_networks_and_never_the_classifier():
    model = fixed_point_gan()
    parts = [model.translator, model.discriminator, model.classifier]
    before = [part.get_weights() for part in parts]
    model.train_step(images())
    after = [part.get_weights() for part in parts]
    for part in (0, 1):
        assert all(np.any(a != b) for a, b in zip(before[part], after[part], strict=True))
    for a, b in zip(before[2], after[2], strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_critics_loss_leaves_the_translator_alone(batch):
    model = fixed_point_gan()
    with tf.GradientTape() as tape:
        loss, _ = model.discriminator_loss(*batch, training=True)
    assert all(g is None for g in tape.gradient(loss, model.translator.trainable_variables))


def test_a_flip_term_without_weight_has_no_gradient_and_one_with_weight_has(batch):
    def gradients(flip):
        model = fixed_point_gan(**dict.fromkeys(FixedPointGAN.LOSS_WEIGHTS, 0.0) | {"flip": flip})
        with tf.GradientTape() as tape:
            loss, figures = model.generator_loss(*batch, training=True)
        assert float(figures["flip"]) > 0
        return sum(float(tf.reduce_sum(tf.abs(g))) for g in tape.gradient(loss, model.translator.weights))

    assert gradients(0.0) == 0
    assert gradients(1.0) > 1e-4


def test_fit_lowers_the_translators_loss_against_a_given_critic_and_flips_decisions():
    model = fixed_point_gan(n_critic=1, flip=5.0)
    model.compile(keras.optimizers.Adam(1e-2, beta_1=0.5), keras.optimizers.Adam(0.0))
    held_out = tf.data.Dataset.from_tensors(images(8, seed=1))
    first = model.evaluate(held_out, return_dict=True, verbose=0)
    model.fit(tf.data.Dataset.from_tensors(images(8)).repeat(80), verbose=0)
    last = model.evaluate(held_out, return_dict=True, verbose=0)
    assert set(last) == set(FixedPointGAN.FIGURES)
    assert last["loss"] < 0.7 * first["loss"]
    assert first["flip_rate"] <= 0.5
    assert last["flip_rate"] == 1.0


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


def test_the_same_seed_gives_the_same_weights_and_logs():
    runs = []
    for _ in range(2):
        model = fixed_point_gan()
        logs = model.train_step(images())
        runs.append([*model.translator.get_weights(), *(float(value) for value in logs.values())])
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a, b)


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


def test_a_loaded_translator_perturbs_alike(tmp_path):
    model = fixed_point_gan()
    model.translator.save(tmp_path / "translator.keras")
    loaded = FixedPointGAN(model.classifier, keras.saving.load_model(tmp_path / "translator.keras"))
    np.testing.assert_array_equal(loaded.perturb(images()), model.perturb(images()))


def test_wrong_arguments_get_the_rule():
    with pytest.raises(ValueError, match="cylce"):
        fixed_point_gan(cylce=1.0)
    with pytest.raises(ValueError, match="`n_critic` must"):
        fixed_point_gan(n_critic=0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="n_critic = 5"):
        fixed_point_gan(n_critic=5).train_step(images(4))
