"""The textbook's CNN in Keras on CIFAR-10, one run: the peer of `benchmarks.cifar_cpu`, which starts it.

It runs in an environment of its own, with TensorFlow (see benchmarks/requirements.txt), without the course.

    python benchmarks/cifar_keras.py images.npz --seed 0 --epochs 10

prints one JSON object: a row per epoch, then the accuracy on the test images, with the versions.
"""

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"

import keras
import numpy as np
import tensorflow
from keras import layers


def textbook_cnn() -> keras.Model:
    """The layers of the TensorFlow and Keras tutorials, https://www.tensorflow.org/tutorials/images/cnn."""
    model = keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    return model


class Clock(keras.callbacks.Callback):
    """Notes after each epoch the seconds that training took so far, and the validation accuracy on the side."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, started: tuple[float, float]):
        super().__init__()
        self.validation, self.rows, self.aside = (images, labels), [], [0.0, 0.0]
        self.started = started

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        before = now()
        accuracy = accuracy_of(self.model, *self.validation)
        after = now()
        times = [at - start - aside for at, start, aside in zip(before, self.started, self.aside, strict=True)]
        self.aside = [aside + end - at for aside, end, at in zip(self.aside, after, before, strict=True)]
        self.rows.append({"cpu_s": times[0], "wall_s": times[1], "accuracy": accuracy})


def now() -> tuple[float, float]:
    """CPU and wall seconds."""
    return time.process_time(), time.perf_counter()


def accuracy_of(model: keras.Model, images: np.ndarray, labels: np.ndarray) -> float:
    return float((model.predict(images, batch_size=500, verbose=0).argmax(1) == labels).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("images", help="an npz file: uint8 images (n, 32, 32, 3) and int64 labels of three splits")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--epochs", type=int, required=True)
    options = parser.parse_args()
    tensorflow.config.threading.set_intra_op_parallelism_threads(1)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    arrays = dict(np.load(options.images))
    started = now()
    keras.utils.set_random_seed(options.seed)
    images = {split: arrays[f"{split}_images"].astype("float32") / 255 for split in ("train", "validation", "test")}
    model = textbook_cnn()
    clock = Clock(images["validation"], arrays["validation_labels"], started)
    labels = arrays["train_labels"]
    model.fit(images["train"], labels, batch_size=64, epochs=options.epochs, verbose=0, callbacks=[clock])
    result = {
        "rows": clock.rows,
        "validation_cpu_s": clock.aside[0],
        "test_accuracy": accuracy_of(model, images["test"], arrays["test_labels"]),
        "parameters": model.count_params(),
        "versions": {"keras": keras.__version__, "tensorflow": tensorflow.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
