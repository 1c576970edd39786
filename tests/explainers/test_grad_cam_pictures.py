"""Which tensors GradCAM takes for pictures: rank 4 alone makes none."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from support.filters import along_both, bilinear

from tfadvpath.explainers import GradCAM

layers, ops = keras.layers, keras.ops
SIZE = 16
FIRST = "channels_first"


def some_images():
    rng = np.random.default_rng(0)
    brightness = np.array([0.2, 0.5, 1.0])[:, None, None, None]
    return (brightness * rng.random((3, SIZE, SIZE, 1))).astype(np.float32)


@pytest.fixture(autouse=True)
def same_weights():
    keras.utils.set_random_seed(3)


def convolution(filters=8, **options):
    options = {"strides": 4, "padding": "same", "activation": "relu"} | options
    return layers.Conv2D(filters, 3, **options)


def dense():
    return layers.Dense(1, activation="sigmoid", kernel_initializer="random_normal")


def pooled(make, channels_axis=3):
    """Image -> make -> mean of the pixels -> sigmoid: what make gives is A."""
    image = keras.Input((SIZE, SIZE, 1))
    last = make(image)
    mean = layers.GlobalAveragePooling2D(data_format=FIRST if channels_axis == 1 else None)(last)
    return keras.Model(image, dense()(mean)), keras.Model(image, last)


def by_hand(model, activation):
    """ReLU(Σ ± w_c / (h w) A_c), enlarged, in float64; activation is [N, h, w, C]."""
    activation = np.asarray(activation, np.float64)
    height, width = activation.shape[1:3]
    sign = np.where(np.asarray(model(some_images())) >= 0.5, 1.0, -1.0)[:, :, None, None]
    small = np.maximum(0, sign * (activation @ np.asarray(model.layers[-1].kernel)) / (height * width))
    return along_both((bilinear(height, SIZE), bilinear(width, SIZE)), small)


def assert_close(found, expected):
    assert expected.max() > 0
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max(), rtol=0)


def grad_cam(model, **options):
    return GradCAM(model, **options).explain(some_images()).maps["grad_cam"]


def se_block(image):
    x = convolution()(image)
    gate = layers.Dense(8, activation="sigmoid")(layers.GlobalAveragePooling2D()(x))
    return layers.Multiply()([x, layers.Reshape((1, 1, 8))(gate)])


def conv_next(image):
    """As keras.applications builds it: its 1x1 convolutions are Dense layers, its sum is an operation."""
    x = layers.LayerNormalization()(layers.Conv2D(8, 4, strides=4)(image))
    inner = layers.LayerNormalization()(layers.DepthwiseConv2D(3, padding="same")(x))
    return x + layers.Dense(8)(layers.Dense(16, activation="gelu")(inner))


def windows(image):
    """Swin's: attention in four windows of 2x2 tokens, put together again, beside a shortcut."""
    x = convolution()(image)
    cut = ops.transpose(ops.reshape(x, (-1, 2, 2, 2, 2, 8)), (0, 1, 3, 2, 4, 5))
    tokens = ops.reshape(cut, (-1, 4, 8))
    mixed = layers.Dense(8)(tokens + layers.MultiHeadAttention(2, 4)(tokens, tokens))
    back = ops.transpose(ops.reshape(mixed, (-1, 2, 2, 2, 2, 8)), (0, 1, 3, 2, 4, 5))
    return ops.reshape(back, (-1, 4, 4, 8))


class Block(keras.Layer):
    """A layer whose graph is a function of its own."""

    def __init__(self):
        super().__init__()
        self.convolution = convolution(activation=None)

    @tf.function
    def call(self, x):
        return tf.nn.relu(self.convolution(x))


LAST = {
    "tf.function": lambda image: Block()(image),
    "keras.ops.relu": lambda image: ops.relu(convolution(activation=None)(image)),
    "keras.ops.gelu": lambda image: ops.gelu(convolution(activation=None)(image)),
    "operators": lambda image: ops.sigmoid(convolution(activation=None)(image)) * 2.0 - 0.5,
    "silu": lambda image: convolution(activation="silu")(image),
    "group normalization": lambda image: layers.GroupNormalization(4)(convolution()(image)),
    "depthwise": lambda image: layers.DepthwiseConv2D(3, activation="relu")(convolution(strides=2)(image)),
    "separable, dilated": lambda image: layers.SeparableConv2D(4, 3, dilation_rate=2)(
        convolution(strides=2)(image)
    ),
    "grouped": lambda image: convolution(groups=2, strides=1)(convolution(strides=2)(image)),
    "pointwise": lambda image: layers.EinsumDense("nhwc,cd->nhwd", output_shape=(None, None, 5))(
        convolution()(image)
    ),
    "squeeze and excite": se_block,
    "ConvNeXt": conv_next,
    "windows": windows,
    "after attention": lambda image: convolution(strides=1)(
        layers.MultiHeadAttention(2, 4, attention_axes=(1, 2))(*[convolution()(image)] * 2)
    ),
    "beside attention": lambda image: layers.Add()([x := convolution()(image), layers.Attention()([x, x])]),
    "from channels first": lambda image: convolution(strides=1)(
        layers.Permute((2, 3, 1))(convolution(data_format=FIRST)(layers.Permute((3, 1, 2))(image)))
    ),
}


def computes_channels_first():
    """TensorFlow's own convolutions on a CPU are of channels last; oneDNN's are of both."""
    try:
        tf.nn.conv2d(tf.zeros((1, 1, 4, 4)), tf.zeros((1, 1, 1, 1)), 1, "SAME", data_format="NCHW")
    except tf.errors.UnimplementedError:
        return False
    return True


@pytest.fixture
def channels_first():
    if not computes_channels_first():
        pytest.skip("convolutions of channels first need oneDNN on a CPU, which TensorFlow does not use here")


@pytest.mark.parametrize("name", LAST)
def test_the_last_activation_is_found(name, request):
    if name == "from channels first":
        request.getfixturevalue("channels_first")
    make = LAST[name]
    model, last = pooled(make)
    assert_close(grad_cam(model), by_hand(model, last(some_images())))


def first(**options):
    return convolution(data_format=FIRST, **options)


CHANNELS_FIRST = {
    "relu": first(),
    "keras.ops.relu": lambda image: ops.relu(first(activation=None)(image)),
    "batch normalization": lambda image: layers.ReLU()(
        layers.BatchNormalization(axis=1)(first(activation=None)(image))
    ),
    "depthwise": lambda image: layers.DepthwiseConv2D(3, data_format=FIRST)(first(strides=2)(image)),
    "grouped": lambda image: first(groups=2, strides=1)(first(strides=2)(image)),
    "from channels last": lambda image: first(strides=1)(
        layers.Permute((3, 1, 2))(convolution()(layers.Permute((2, 3, 1))(image)))
    ),
}


@pytest.mark.usefixtures("channels_first")
@pytest.mark.parametrize("name", CHANNELS_FIRST)
def test_channels_may_come_first(name):
    model, last = pooled(
        lambda image: CHANNELS_FIRST[name](layers.Permute((3, 1, 2))(image)), channels_axis=1
    )
    expected = by_hand(model, np.moveaxis(np.asarray(last(some_images())), 1, 3))
    assert_close(grad_cam(model), expected)
    if name == "relu":
        assert_close(grad_cam(model, layer=last.layers[-1].name), expected)


def test_rows_and_columns_may_change_places():
    model, last = pooled(lambda image: layers.Permute((2, 1, 3))(convolution(strides=(2, 4))(image)))
    assert_close(grad_cam(model), by_hand(model, np.swapaxes(last(some_images()), 1, 2)))


def heads_by_hand(tokens):
    """Attention of two heads without a layer of attention."""
    heads = ops.transpose(ops.reshape(tokens, (-1, 16, 2, 4)), (0, 2, 1, 3))
    weights = ops.softmax(ops.matmul(heads, ops.swapaxes(heads, 2, 3)))
    return layers.Reshape((16, 8))(ops.transpose(ops.matmul(weights, heads), (0, 2, 1, 3)))


class Heads(keras.Layer):
    """A custom layer whose output has rank 4."""

    def call(self, tokens):
        return tf.reshape(tokens, (tf.shape(tokens)[0], 16, 2, 4))


def vision_transformer(tokens):
    token = layers.Concatenate(axis=1)([0.1 * ops.ones_like(tokens[:, :1]), tokens])
    normal = layers.LayerNormalization()(token)
    token = layers.Add()([token, layers.MultiHeadAttention(2, 4)(normal, normal)])
    return layers.Add()([token, layers.Dense(8, activation="gelu")(layers.LayerNormalization()(token))])


ATTENTION = {
    "MultiHeadAttention": lambda x: layers.MultiHeadAttention(2, 4)(x, x),
    "GroupQueryAttention": lambda x: layers.GroupQueryAttention(4, 2, 2)(x, x),
    "AdditiveAttention": lambda x: layers.AdditiveAttention()([x, x]),
    "by hand": heads_by_hand,
    "heads": lambda x: layers.Reshape((16, 8))(layers.ReLU()(Heads()(x))),
    "EinsumDense": lambda x: layers.EinsumDense("abcd,cde->abe", output_shape=(16, 8))(
        layers.EinsumDense("abc,cde->abde", output_shape=(16, 2, 4))(x)
    ),
    "vision transformer": vision_transformer,
}


@pytest.mark.parametrize("attend", ATTENTION.values(), ids=ATTENTION)
def test_tokens_and_heads_are_no_picture(attend):
    image = keras.Input((SIZE, SIZE, 1))
    tokens = layers.Reshape((16, 8))(convolution(name="last")(image))
    model = keras.Model(image, dense()(layers.GlobalAveragePooling1D()(attend(tokens))))
    found = grad_cam(model)
    assert found.max() > 0
    np.testing.assert_array_equal(found, grad_cam(model, layer="last"))


@pytest.mark.parametrize(
    "attend",
    [
        lambda x: layers.Attention()([x, x]),
        lambda x: layers.AdditiveAttention()([x, x]),
        lambda x: layers.MultiHeadAttention(2, 4, attention_axes=(1, 2))(x, x),
    ],
    ids=["Attention", "AdditiveAttention", "MultiHeadAttention"],
)
def test_what_attention_mixes_of_all_pixels_is_no_picture(attend):
    model, _ = pooled(lambda image: attend(convolution(name="last")(image)))
    np.testing.assert_array_equal(grad_cam(model), grad_cam(model, layer="last"))


def test_what_a_pooling_layer_computes_on_its_way_is_no_activation():
    class MeanOfPowers(keras.Layer):
        def call(self, x):
            return tf.reduce_mean(tf.maximum(x, 1e-3) ** 3, axis=(1, 2)) ** (1 / 3)

    for pool in (MeanOfPowers(), lambda x: ops.logsumexp(x, axis=(1, 2)), lambda x: ops.var(x, axis=(1, 2))):
        image = keras.Input((SIZE, SIZE, 1))
        model = keras.Model(image, dense()(pool(convolution(name="last")(image))))
        np.testing.assert_array_equal(grad_cam(model), grad_cam(model, layer="last"))


@pytest.mark.parametrize("activation", [tf.nn.relu, ops.gelu, lambda x: x * tf.sigmoid(x)])
def test_an_activation_between_the_layers_of_a_subclassed_model_is_seen(activation):
    class Subclassed(keras.Model):
        def __init__(self):
            super().__init__()
            self.last, self.head = convolution(activation=None), dense()

        def call(self, x):
            return self.head(tf.reduce_mean(activation(self.last(x)), axis=(1, 2)))

    model = Subclassed()
    expected = by_hand(model, activation(model.last(some_images())))
    assert_close(grad_cam(model), expected)


@pytest.mark.parametrize("name", ["attention", "query", "heads"])
def test_a_named_layer_must_give_a_picture(name):
    image = keras.Input((SIZE, SIZE, 1))
    tokens = layers.Reshape((16, 8))(convolution(name="last")(image))
    tokens = layers.MultiHeadAttention(2, 4, name="attention")(tokens, tokens)
    tokens = layers.Reshape((16, 8))(layers.Reshape((16, 2, 4), name="heads")(tokens))
    model = keras.Model(image, dense()(layers.GlobalAveragePooling1D()(tokens)))
    with pytest.raises(ValueError, match=r"^`layer` must name .* of \['last'\]\. Received: '" + name):
        grad_cam(model, layer=name)


@pytest.mark.parametrize(
    "make",
    [
        lambda x: layers.Flatten()(layers.Rescaling(2.0)(x)),
        lambda x: layers.GlobalAveragePooling1D()(layers.Dense(8)(layers.Reshape((SIZE, SIZE))(x))),
        lambda x: layers.Flatten()(layers.Reshape((16, 4, 4))(layers.Dense(16)(layers.Reshape((16, 16))(x)))),
    ],
    ids=["pixels", "rows as tokens", "reshaped rows"],
)
def test_a_network_that_makes_no_picture_is_refused_in_one_line(make):
    image = keras.Input((SIZE, SIZE, 1))
    with pytest.raises(ValueError, match=r"^`classifier` must have an activation .* It has none$"):
        grad_cam(keras.Model(image, dense()(make(image))))
