"""A small ensemble of multilayer perceptrons in torch."""

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

from trainyard_trainer.models import Checkpoints, Part, Prediction, Report, Shape
from trainyard_trainer.preprocessing import Matrix
from trainyard_trainer.target import Task

FIXED = ("hidden_layer_sizes", "ensemble_size")
_VALIDATION_SHARE = 0.1
_PREDICT_ROWS = 65536
_ROWS_PER_BATCH_ROW = 40
_DEFAULT_BATCH_SIZES = (32, 128)
_ARCHITECTURE = "architecture"
_SIZES = ("members", "inputs", "hidden", "outputs", "dropout")


class _Linear(nn.Module):  # type: ignore[misc]
    """The same layer of every member: (members, n, inputs) to (members, n, outputs)."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = 1 / math.sqrt(inputs)
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-bound, bound))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.baddbmm(self.bias, inputs, self.weight)


class _Perceptrons(nn.Module):  # type: ignore[misc]
    """Several perceptrons side by side, of linear, ReLU and dropout for each hidden layer, then a
    linear head.

    They differ in their first weights and are trained at once; the mean of what they predict is
    better than each.
    """

    def __init__(
        self, members: int, inputs: int, hidden: list[int], outputs: int, dropout: float
    ) -> None:
        super().__init__()
        self.members = members
        layers: list[nn.Module] = []
        width = inputs
        for size in hidden:
            layers += [_Linear(members, width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers, _Linear(members, width, outputs))
        self.register_buffer("center", torch.zeros(1))
        self.register_buffer("scale", torch.ones(1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(n, inputs) to (members, n, outputs)."""
        return self.layers(features.expand(self.members, -1, -1))


def _loss(task: Task, output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean loss of the members, each on its own."""
    members = len(output)
    if task == Task.MULTICLASS:
        return nn.functional.cross_entropy(output.flatten(0, 1), target.repeat(members))
    each = target.expand(members, -1)
    if task == Task.BINARY:
        return nn.functional.binary_cross_entropy_with_logits(output[..., 0], each)
    return nn.functional.mse_loss(output[..., 0], each)


def _mean_prediction(task: Task, output: torch.Tensor) -> torch.Tensor:
    """What the members predict together: (n,) probability or standardised value, (n, classes)
    probabilities.
    """
    if task == Task.MULTICLASS:
        return torch.softmax(output, dim=-1).mean(dim=0)
    return (torch.sigmoid(output) if task == Task.BINARY else output)[..., 0].mean(dim=0)


def _watched_loss(task: Task, prediction: torch.Tensor, target: torch.Tensor) -> float:
    if task == Task.BINARY:
        return float(nn.functional.binary_cross_entropy(prediction, target))
    if task == Task.MULTICLASS:
        return float(nn.functional.nll_loss(torch.log(prediction.clamp_min(1e-12)), target))
    return float(nn.functional.mse_loss(prediction, target))


class Net:
    """A trained net in evaluation mode."""

    def __init__(self, net: _Perceptrons, shape: Shape, architecture: dict[str, Any]) -> None:
        self._net = net.eval()
        self._shape = shape
        self._architecture = architecture

    @property
    def units(self) -> int:
        """Epochs until the best weights."""
        return int(self._architecture["epochs"])

    @property
    def chosen(self) -> dict[str, Any]:
        """Nothing: all are complete before."""
        return {}

    @property
    def out_of_bag(self) -> None:
        """The validation part tells more."""
        return None

    def predict(self, features: Matrix) -> Prediction:
        """(n, n_classes) probabilities, or (n,) values."""
        with torch.inference_mode():
            result = torch.cat(
                [
                    _mean_prediction(self._shape.task, self._net(chunk).double())
                    for chunk in torch.from_numpy(features).split(_PREDICT_ROWS)
                ]
            )
            if self._shape.task == Task.BINARY:
                result = torch.stack([1 - result, result], dim=1)
            elif self._shape.task == Task.REGRESSION:
                result = result * self._net.scale + self._net.center
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


def complete(
    hyperparameters: NeuralNetHyperparameters, training_rows: int
) -> NeuralNetHyperparameters:
    """A small table needs small batches: it has too few of large ones to learn from."""
    if hyperparameters.batch_size is not None:
        return hyperparameters
    nearest = 2 ** round(math.log2(max(1, training_rows / _ROWS_PER_BATCH_ROW)))
    smallest, largest = _DEFAULT_BATCH_SIZES
    size = max(smallest, min(largest, nearest))
    return hyperparameters.model_copy(update={"batch_size": size})


def validation_share(
    hyperparameters: NeuralNetHyperparameters,  # noqa: ARG001
    training_rows: int,  # noqa: ARG001
    *,
    continued: bool = False,  # noqa: ARG001
) -> float:
    """The net always stops early."""
    return _VALIDATION_SHARE


def _tensors(
    task: Task, part: Part, center: float, scale: float
) -> tuple[torch.Tensor, torch.Tensor]:
    target = torch.from_numpy(part.target)
    if task == Task.REGRESSION:
        target = (target - center) / scale
    return torch.from_numpy(part.features), target if task == Task.MULTICLASS else target.float()


_COUNTS = "counts"
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


def _write(
    path: Path,
    net: _Perceptrons,
    best_weights: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
    counts: tuple[int, float, int],
) -> None:
    """A checkpoint: weights, best weights, AdamW's moments, the state of the random numbers, and in
    the header epochs done, least validation loss, and the epoch that had it.
    """
    tensors = {"random": torch.get_rng_state()}
    tensors |= {f"net.{name}": value for name, value in net.state_dict().items()}
    tensors |= {f"best.{name}": value for name, value in best_weights.items()}
    for name, parameter in net.named_parameters():
        moments = optimizer.state[parameter]
        tensors |= {f"{moment}.{name}": moments[moment] for moment in _MOMENTS}
    safetensors.torch.save_file(tensors, path, metadata={_COUNTS: json.dumps(counts)})


def _resume(
    path: Path,
    net: _Perceptrons,
    best_weights: dict[str, torch.Tensor],
    optimizer: torch.optim.Optimizer,
) -> tuple[int, float, int]:
    """Put everything back where `_write` found it. Gives its counts."""
    with safetensors.safe_open(path, framework="pt") as file:
        done, best_loss, best_epoch = json.loads(file.metadata()[_COUNTS])
    tensors = safetensors.torch.load_file(path)
    net.load_state_dict({name: tensors[f"net.{name}"] for name in net.state_dict()})
    for name in best_weights:
        best_weights[name] = tensors[f"best.{name}"]
    for name, parameter in net.named_parameters():
        optimizer.state[parameter] = {moment: tensors[f"{moment}.{name}"] for moment in _MOMENTS}
    torch.set_rng_state(tensors["random"])
    return done, best_loss, best_epoch


def fit(
    shape: Shape,
    train: Part,
    validation: Part | None,
    hyperparameters: NeuralNetHyperparameters,
    *,
    seed: int,
    threads: int,
    report: Report,
    start: Net | None = None,
    checkpoints: Checkpoints | None = None,
) -> Net:
    """Train with AdamW until the validation loss stops falling; keep the best weights. The scale of
    a regression's target is that of `start`.
    """
    assert validation is not None
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    torch.manual_seed(seed)
    task = shape.task
    architecture: dict[str, Any] = {
        "members": hyperparameters.ensemble_size,
        "inputs": train.features.shape[1],
        "hidden": hyperparameters.hidden_layer_sizes,
        "outputs": shape.n_classes if task == Task.MULTICLASS else 1,
        "dropout": hyperparameters.dropout,
    }
    net = _Perceptrons(**architecture)
    center, scale = 0.0, 1.0
    if start is not None:
        net.load_state_dict(start._net.state_dict())
        center, scale = float(net.center), float(net.scale)
    elif task == Task.REGRESSION:
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

    def watch() -> float:
        net.eval()
        with torch.inference_mode():
            chunks = [
                _mean_prediction(task, net(chunk))
                for chunk in watched_features.split(_PREDICT_ROWS)
            ]
            return _watched_loss(task, torch.cat(chunks), watched_target)

    best_loss = math.inf if start is None else watch()
    done, best_epoch, best_weights = 0, 0, copy.deepcopy(net.state_dict())
    if checkpoints is not None and checkpoints.resume is not None:
        done, best_loss, best_epoch = _resume(checkpoints.resume, net, best_weights, optimizer)

    def write(path: Path) -> None:
        _write(path, net, best_weights, optimizer, (epoch, best_loss, best_epoch))

    for epoch in range(done + 1, hyperparameters.max_epochs + 1):
        net.train()
        total = 0.0
        for batch in torch.randperm(len(features)).split(hyperparameters.batch_size):
            optimizer.zero_grad()
            loss = _loss(task, net(features[batch]), target[batch])
            loss.backward()
            optimizer.step()
            total += float(loss) * len(batch)
        watched_loss = watch()
        stop = report(
            epoch,
            hyperparameters.max_epochs,
            {"train_loss": total / len(features), "validation_loss": watched_loss},
        )
        if watched_loss < best_loss:
            best_loss, best_epoch = watched_loss, epoch
            best_weights = copy.deepcopy(net.state_dict())
        if stop or epoch - best_epoch >= hyperparameters.patience:
            break
        if checkpoints is not None and epoch < hyperparameters.max_epochs:
            checkpoints.keep(write)
    net.load_state_dict(best_weights)
    older = 0 if start is None else start.units
    return Net(net, shape, {**architecture, "epochs": older + best_epoch})


def load(path: Path, shape: Shape, *, threads: int) -> Net:
    """Read safetensors."""
    torch.set_num_threads(threads)
    with safetensors.safe_open(path, framework="pt") as file:
        architecture = json.loads(file.metadata()[_ARCHITECTURE])
    sizes = {key: architecture[key] for key in _SIZES}
    net = _Perceptrons(**sizes)
    net.load_state_dict(safetensors.torch.load_file(path))
    return Net(net, shape, architecture)
