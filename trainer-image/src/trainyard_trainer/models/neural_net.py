"""A multilayer perceptron in torch."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.torch
import torch
from torch import nn
from trainyard_schema import NeuralNetHyperparameters

from trainyard_trainer.models import Part, Prediction, Report, Shape
from trainyard_trainer.preprocessing import Matrix
from trainyard_trainer.target import Task

_VALIDATION_SHARE = 0.15
_PREDICT_ROWS = 65536
_ARCHITECTURE = "architecture"


class _Perceptron(nn.Module):
    """Linear, ReLU and dropout for each hidden layer, then a linear head; regression on a standardised target."""

    def __init__(self, inputs: int, hidden: list[int], outputs: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = inputs
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, outputs))
        self.register_buffer("center", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.layers(features)  # type: ignore[no-any-return]


def _loss(task: Task, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if task == Task.BINARY:
        return nn.functional.binary_cross_entropy_with_logits(output[:, 0], target)
    if task == Task.MULTICLASS:
        return nn.functional.cross_entropy(output, target)
    return nn.functional.mse_loss(output[:, 0], target)


class Net:
    """A trained net in evaluation mode."""

    def __init__(self, net: _Perceptron, shape: Shape, architecture: dict[str, Any]) -> None:
        self._net = net.eval()
        self._shape = shape
        self._architecture = architecture

    @property
    def units(self) -> int:
        """Epochs until the best weights."""
        return int(self._architecture["epochs"])

    def predict(self, features: Matrix) -> Prediction:
        """(n, n_classes) probabilities, or (n,) values."""
        with torch.inference_mode():
            output = torch.cat(
                [self._net(chunk) for chunk in torch.from_numpy(features).split(_PREDICT_ROWS)]
            ).double()
            if self._shape.task == Task.BINARY:
                positive = torch.sigmoid(output[:, 0])
                result = torch.stack([1 - positive, positive], dim=1)
            elif self._shape.task == Task.MULTICLASS:
                result = torch.softmax(output, dim=1)
            else:
                result = output[:, 0] * self._net.scale + self._net.center
        return result.numpy()  # type: ignore[no-any-return]

    def importance(self, features: Matrix) -> npt.NDArray[np.float64]:
        """(p,) mean size of the output's gradient times the column's spread."""
        inputs = torch.from_numpy(features[:4096]).requires_grad_()
        self._net(inputs).abs().sum().backward()
        gradient = inputs.grad
        assert gradient is not None
        spread = torch.from_numpy(features[:4096].std(axis=0))
        return (gradient.abs().mean(dim=0) * spread).double().numpy()  # type: ignore[no-any-return]

    def save(self, path: Path) -> None:
        """Write safetensors with the architecture in its header."""
        safetensors.torch.save_file(
            self._net.state_dict(), path, metadata={_ARCHITECTURE: json.dumps(self._architecture)}
        )


def validation_share(hyperparameters: NeuralNetHyperparameters) -> float:  # noqa: ARG001
    """The net always stops early."""
    return _VALIDATION_SHARE


def planned_units(hyperparameters: NeuralNetHyperparameters) -> int:
    """Epochs at most."""
    return hyperparameters.max_epochs


def _tensors(task: Task, part: Part, center: float, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.from_numpy(part.target)
    if task == Task.REGRESSION:
        target = (target - center) / scale
    return torch.from_numpy(part.features), target if task == Task.MULTICLASS else target.float()


def fit(
    shape: Shape,
    train: Part,
    validation: Part | None,
    hyperparameters: NeuralNetHyperparameters,
    *,
    seed: int,
    threads: int,
    report: Report,
) -> Net:
    """Train with AdamW until the validation loss stops falling; keep the best weights."""
    assert validation is not None
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    task = shape.task
    architecture: dict[str, Any] = {
        "inputs": train.features.shape[1],
        "hidden": hyperparameters.hidden_layer_sizes,
        "outputs": shape.n_classes if task == Task.MULTICLASS else 1,
        "dropout": hyperparameters.dropout,
    }
    net = _Perceptron(**architecture)
    center, scale = 0.0, 1.0
    if task == Task.REGRESSION:
        center, scale = float(train.target.mean()), float(train.target.std()) or 1.0
        net.center.fill_(center)
        net.scale.fill_(scale)
    features, target = _tensors(task, train, center, scale)
    watched_features, watched_target = _tensors(task, validation, center, scale)
    optimizer = torch.optim.AdamW(
        net.parameters(),
        lr=hyperparameters.learning_rate,
        weight_decay=hyperparameters.weight_decay,
        foreach=True,
    )
    best_loss, best_epoch, best_weights = math.inf, 0, copy.deepcopy(net.state_dict())
    for epoch in range(1, hyperparameters.max_epochs + 1):
        net.train()
        total = 0.0
        for batch in torch.randperm(len(features)).split(hyperparameters.batch_size):
            optimizer.zero_grad()
            loss = _loss(task, net(features[batch]), target[batch])
            loss.backward()
            optimizer.step()
            total += float(loss) * len(batch)
        net.eval()
        with torch.inference_mode():
            watched_loss = float(_loss(task, net(watched_features), watched_target))
        report(
            epoch,
            hyperparameters.max_epochs,
            {"train_loss": total / len(features), "validation_loss": watched_loss},
        )
        if watched_loss < best_loss:
            best_loss, best_epoch = watched_loss, epoch
            best_weights = copy.deepcopy(net.state_dict())
        elif epoch - best_epoch >= hyperparameters.patience:
            break
    net.load_state_dict(best_weights)
    return Net(net, shape, {**architecture, "epochs": best_epoch})


def load(path: Path, shape: Shape, *, threads: int) -> Net:
    """Read safetensors."""
    torch.set_num_threads(threads)
    with safetensors.safe_open(path, framework="pt") as file:
        architecture = json.loads(file.metadata()[_ARCHITECTURE])
    sizes = {key: architecture[key] for key in ("inputs", "hidden", "outputs", "dropout")}
    net = _Perceptron(**sizes)
    net.load_state_dict(safetensors.torch.load_file(path))
    return Net(net, shape, architecture)
