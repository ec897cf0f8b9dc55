"""The first model: a network with one hidden layer, trained by gradient descent with momentum."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WIDTH = 24
EPOCHS = 12
BATCH = 30
RATE = 0.05
MOMENTUM = 0.8
DECAY = 0.0001
SCALE = 0.1  # of the first weights


class Model:
    def fit(self, images: Floats, labels: NDArray[np.int64], rng: np.random.Generator) -> None:
        x, wanted = images.reshape(len(images), -1), np.eye(10)[labels]
        self.weights = [
            rng.normal(0.0, 0.1, (x.shape[1], WIDTH)),
            np.zeros(WIDTH),
            rng.normal(0.0, 0.1, (WIDTH, 10)),
            np.zeros(10),
        ]
        speeds = [np.zeros_like(w) for w in self.weights]
        for _ in range(EPOCHS):
            order = rng.permutation(len(x))
            for start in range(0, len(x), BATCH):
                batch = order[start : start + BATCH]
                for place, slope in enumerate(self.slopes(x[batch], wanted[batch])):
                    speeds[place] = MOMENTUM * speeds[place] - RATE * (slope + DECAY * self.weights[place])
                    self.weights[place] = self.weights[place] + speeds[place]

    def slopes(self, x: Floats, wanted: Floats) -> list[Floats]:
        hidden = np.maximum(0, x @ self.weights[0] + self.weights[1])
        logits = hidden @ self.weights[2] + self.weights[3]
        odds = np.exp(logits - logits.max(1, keepdims=True))
        error = (odds / odds.sum(1, keepdims=True) - wanted) / len(x)
        back = error @ self.weights[2].T * (hidden > 0)
        return [x.T @ back, back.sum(0), hidden.T @ error, error.sum(0)]

    def scores(self, images: Floats) -> Floats:
        x = images.reshape(len(images), -1)
        return np.maximum(0, x @ self.weights[0] + self.weights[1]) @ self.weights[2] + self.weights[3]

    @property
    def parameters(self) -> int:
        return sum(w.size for w in self.weights)
