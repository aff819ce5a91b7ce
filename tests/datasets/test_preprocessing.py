import keras
import numpy as np
import pytest
from keras import ops

from keras_langevin import models
from keras_langevin.datasets.preprocessing import RandomCropFlip, crop_flip, preprocessed, standardization

IMAGES = np.random.default_rng(0).random((64, 7, 9, 3), dtype="float32")


def reference(images, rows, columns, flips, padding):
    """Augments one image after another."""
    height, width = images.shape[1:3]
    results = []
    for image, row, column, flip in zip(images, rows, columns, flips, strict=True):
        padded = np.pad(image, ((padding, padding), (padding, padding), (0, 0)))
        crop = padded[row : row + height, column : column + width]
        results.append(crop[:, ::-1] if flip else crop)
    return np.stack(results)


@pytest.mark.parametrize("padding", [0, 1, 2, 4])
@pytest.mark.parametrize("images", [IMAGES, (255 * IMAGES[..., :1]).astype("uint8")], ids=["float32", "uint8"])
def test_crops_and_flips_are_those_of_the_reference(padding, images):
    rng = np.random.default_rng(padding)
    rows, columns = rng.integers(0, 2 * padding + 1, (2, 64)).astype("int32")
    flips = rng.random(64) < 0.5
    result = ops.convert_to_numpy(crop_flip(images, rows, columns, flips, padding))
    assert result.dtype == images.dtype
    np.testing.assert_array_equal(result, reference(images, rows, columns, flips, padding))


@pytest.mark.parametrize("flip", [True, False])
def test_the_layer_does_what_it_draws(flip):
    drawn = [ops.convert_to_numpy(part) for part in RandomCropFlip(padding=2, flip=flip, seed=7).draw(64)]
    result = ops.convert_to_numpy(RandomCropFlip(padding=2, flip=flip, seed=7)(IMAGES, training=True))
    np.testing.assert_array_equal(result, reference(IMAGES, *drawn, padding=2))


def test_draws_are_uniform_and_independent():
    rows, columns, flips = (ops.convert_to_numpy(part) for part in RandomCropFlip(padding=2, seed=0).draw(20_000))
    for offsets in (rows, columns):
        np.testing.assert_allclose(np.bincount(offsets, minlength=5) / 20_000, 0.2, atol=0.015)
    assert abs(flips.mean() - 0.5) < 0.02
    assert np.abs(np.corrcoef([rows, columns, flips]) - np.eye(3)).max() < 0.03


def test_each_call_in_training_draws_anew_and_inference_draws_nothing():
    layer = RandomCropFlip(seed=0)
    first, second = (ops.convert_to_numpy(layer(IMAGES, training=True)) for _ in range(2))
    assert not np.array_equal(first, second)
    state = ops.convert_to_numpy(layer.seed_generator.state)
    for training in ({}, {"training": False}):
        np.testing.assert_array_equal(ops.convert_to_numpy(layer(IMAGES, **training)), IMAGES)
    np.testing.assert_array_equal(ops.convert_to_numpy(layer.seed_generator.state), state)


def test_in_a_compiled_fit_every_batch_is_augmented_anew():
    """On the same batch, only the augmentation changes the loss of a model that cannot learn."""
    inputs = keras.Input((7, 9, 3))
    outputs = keras.layers.GlobalAveragePooling2D()(RandomCropFlip(padding=3, seed=0)(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(loss="mse", optimizer=keras.optimizers.SGD(0.0), jit_compile=keras.backend.backend() != "torch")
    targets = IMAGES.mean((1, 2))
    losses = model.fit(IMAGES, targets, batch_size=64, epochs=10, verbose=0).history["loss"]
    assert len(set(losses)) > 5
    assert model.evaluate(IMAGES, targets, verbose=0) < 1e-10


def test_a_short_last_batch_is_augmented_as_well():
    inputs = keras.Input((7, 9, 3))
    model = keras.Model(inputs, keras.layers.Flatten()(RandomCropFlip(seed=0)(inputs)))
    model.compile(loss="mse", optimizer="sgd")
    model.fit(IMAGES[:50], np.zeros((50, 7 * 9 * 3)), batch_size=32, verbose=0)


@pytest.mark.parametrize("wrong", [{"padding": -1}, {"padding": 1.5}])
def test_an_argument_out_of_range_is_an_error(wrong):
    with pytest.raises(ValueError, match="Received"):
        RandomCropFlip(**wrong)


def test_what_is_no_batch_of_images_is_an_error():
    with pytest.raises(ValueError, match=r"Received: \(64, 189\)"):
        RandomCropFlip()(IMAGES.reshape(64, -1), training=True)


def test_a_saved_model_keeps_the_layer(tmp_path):
    model = preprocessed(models.build("dense-1", (7, 9, 3), 4), [RandomCropFlip(4, flip=False, seed=3)])
    model.save(tmp_path / "model.keras")
    layer = keras.saving.load_model(tmp_path / "model.keras").layers[1]
    assert (layer.padding, layer.flip, layer.seed) == (4, False, 3)


@pytest.mark.parametrize("max_pixel", [1.0, 255.0])
def test_standardized_channels_have_mean_0_and_variance_1(max_pixel):
    images = IMAGES * np.array([1, 10, 100], "float32") + 5
    layer = standardization(images, max_pixel)
    result = ops.convert_to_numpy(layer(images / max_pixel))
    np.testing.assert_allclose(result.mean((0, 1, 2)), 0, atol=1e-4)
    np.testing.assert_allclose(result.std((0, 1, 2)), 1, rtol=1e-4)


def test_preprocessing_leaves_the_model_as_it_was():
    model = models.build("dense-3", (7, 9, 3), 4)
    whole = preprocessed(model, [keras.layers.Rescaling(1 / 255), RandomCropFlip(seed=0)])
    for one, other in zip(whole.trainable_variables, model.trainable_variables, strict=True):
        assert one is other
    images = (255 * IMAGES).astype("uint8")
    np.testing.assert_allclose(whole.predict(images, verbose=0), model.predict(images / 255.0, verbose=0), atol=1e-5)
