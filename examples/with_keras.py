"""Keras 3: augmented arrays as a PyDataset for fit(). The backend is the user's; here torch, if nothing is said."""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np

from ipmix.integrations.keras import AugmentedPyDataset


def main(threads: int = 2) -> float:
    keras.utils.set_random_seed(0)
    draws = np.random.default_rng(0)
    images, labels = draws.integers(0, 256, (32, 32, 32, 3), dtype=np.uint8), draws.integers(0, 4, 32)
    training = AugmentedPyDataset(images, labels, "ipmix-k3-t3", batch_size=8, seed=0, threads=threads)  # the line
    model = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(4, kernel_initializer="zeros")]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="sgd", loss=loss, metrics=["accuracy"])
    history = model.fit(training, epochs=2, shuffle=False, verbose=0)  # it shuffles itself
    print(f"losses {history.history['loss']}")
    return history.history["loss"][-1]


if __name__ == "__main__":
    main()
