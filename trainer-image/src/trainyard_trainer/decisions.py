"""From probabilities to classes."""

import numpy as np
import numpy.typing as npt

from trainyard_trainer.target import Task

DEFAULT_THRESHOLD = 0.5


def decide(
    task: Task, probability: npt.NDArray[np.float64], threshold: float = DEFAULT_THRESHOLD
) -> npt.NDArray[np.int64]:
    """(n,) class numbers of (n, n_classes) probabilities: the likeliest class, and of two the
    positive one from `threshold` on.
    """
    if task == Task.BINARY:
        return np.asarray(probability[:, 1] >= threshold, dtype=np.int64)
    return np.asarray(probability.argmax(axis=1), dtype=np.int64)
