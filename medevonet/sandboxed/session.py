"""The candidate: the one process that runs an untrusted program.

It is given the program and one data set: images and labels to train on, and the images of the validation
and test splits; never their labels. It does what the referee asks over the channel (medevonet/wire.py),
one answer to each command, and ends when the referee closes it:

    command                                answer
    (none: sent first)                     device, torch, bf16 (whether it is native), no_gpu (why a driver's
                                           GPU is not used); or device_error
    load     outputs, precision            params, multiply_adds, head, memory_format
    fit_one_batch  seed, steps             first_loss, last_loss
    accepts  size                          accepted: whether the network also runs on images of that size
    start    seed[, images, epochs,        nothing; of all training images for all epochs, or of fewer, or
             downsampling]                 of smaller ones
    epoch                                  train_loss, micro_batch, validation probabilities (N, outputs)
    keep, restore                          nothing
    predict  split[, samples, batch_size,  probabilities (N, outputs), of all images or those samples
             precision]
    save     onnx                          nothing; in its folder are weights.pt and, if asked for, model.onnx

Where the program is at fault the answer is its last: failure (the kind) and message. Needs PyTorch
and NumPy alone, and is forked from a process that has imported it.
"""

import math
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medevonet.sandboxed.faults import ProgramError, blame
from medevonet.sandboxed.global_state import settle
from medevonet.sandboxed.hardware import cpu_has_bf16
from medevonet.sandboxed.kept_network import save_network
from medevonet.sandboxed.program import Program
from medevonet.sandboxed.recipe import Precision, Recipe, Training, part_of
from medevonet.wire import receive, send

_MESSAGE_CHARACTERS = 4000

Answer = tuple[dict[str, Any], NDArray[np.float32] | None]


def main(channel: socket.socket, argument: Mapping[str, Any]) -> None:
    """Serve one referee. ``argument`` is made by ``referee.candidate_process.candidate_argument``."""
    try:
        device = find_device(argument["device"])
    except torch.OutOfMemoryError as error:  # of a card that others have filled
        send(channel, {"failure": "out_of_memory", "message": str(error)[:_MESSAGE_CHARACTERS]})
        return
    except (RuntimeError, AssertionError) as error:  # PyTorch asserts that it was built with CUDA
        send(channel, {"device_error": str(error)})
        return
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    greeting = {"device": name, "torch": torch.__version__, "bf16": has_bf16(device)}
    if device.type == "cpu" and argument["gpu_expected"]:
        greeting["no_gpu"] = why_no_gpu()
    send(channel, greeting)
    session = Session(argument, device)
    while True:
        try:
            command, _ = receive(channel)
        except EOFError:
            return
        try:
            header, numbers = session.answer(command)
        except ProgramError as error:
            send(channel, {"failure": error.kind, "message": str(error)[:_MESSAGE_CHARACTERS]})
            return
        send(channel, header, numbers)


def find_device(name: str) -> torch.device:
    """The device of that name; ``auto`` is a GPU if there is one. Raises RuntimeError or AssertionError."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.zeros((), device=name).device


def why_no_gpu() -> str:
    """What PyTorch says where it finds no GPU."""
    if os.environ.get("CUDA_VISIBLE_DEVICES") == "":
        return "CUDA_VISIBLE_DEVICES names no GPU"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        return str(error)[:_MESSAGE_CHARACTERS]
    return "PyTorch finds no GPU that it can use"


def has_bf16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 natively."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # Ampere
    return cpu_has_bf16()


class Session:
    """The state between commands: the program, and the training under way."""

    def __init__(self, argument: Mapping[str, Any], device: torch.device) -> None:
        self.argument = argument
        self.device = device
        self._arrays: dict[str, Tensor] = {}

    def answer(self, command: Mapping[str, Any]) -> Answer:
        """Do one command. Raises ProgramError."""
        handlers: dict[str, Callable[..., Answer]] = {
            "load": self.load,
            "fit_one_batch": self.fit_one_batch,
            "accepts": self.accepts,
            "start": self.start,
            "epoch": self.epoch,
            "keep": self.keep,
            "restore": self.restore,
            "predict": self.predict,
            "save": self.save,
        }
        fields = dict(command)
        settle(self.device, self.argument["threads"])
        return handlers[fields.pop("command")](**fields)

    def load(self, outputs: Sequence[int], precision: Precision) -> Answer:
        """Import the program and check its network with each number of outputs."""
        self.recipe = Recipe(**self.argument["recipe"], precision=precision)
        self.program = Program(Path(self.argument["program"]), self.argument["size"], self.device)
        settle(self.device, self.argument["threads"])
        facts = self.program.inspect(outputs)
        return {
            "params": facts.params,
            "multiply_adds": facts.multiply_adds,
            "head": facts.head,
            "memory_format": str(facts.memory_format).removeprefix("torch."),
        }, None

    def fit_one_batch(self, seed: int, steps: int) -> Answer:
        """Train a network on one batch alone, for so many steps: the loss before them and after."""
        self.start(seed, images=self.recipe.batch_size, epochs=steps)
        with blame("training on one batch"):
            losses = [self.training.epoch() for _ in range(steps)]
        if not all(map(math.isfinite, losses)):
            raise ProgramError("diverged", f"expected finite losses on one batch, found {losses[-1]}")
        return {"first_loss": losses[0], "last_loss": losses[-1]}, None

    def accepts(self, size: int) -> Answer:
        """Whether the network also runs on images of another size."""
        return {"accepted": self.program.accepts(size)}, None

    def start(
        self, seed: int, images: int | None = None, epochs: int | None = None, downsampling: int = 1
    ) -> Answer:
        """Make a fresh network; ``images`` are the first of the data set in a random order."""
        dataset = self.argument["dataset"]
        with blame("loading the images"):  # a card may be too full for them
            self.images = {split: self._map(path) for split, path in dataset["images"].items()}
            train_images, train_labels = self.images["train"], self._map(dataset["train_labels"])
            if images is not None:
                chosen = torch.randperm(len(train_images), generator=torch.Generator().manual_seed(seed))
                chosen = chosen[:images].to(self.device)
                train_images, train_labels = part_of(train_images, chosen, downsampling), train_labels[chosen]
            if downsampling > 1:
                every = torch.arange(len(self.images["val"]), device=self.device)
                self.images["val"] = part_of(self.images["val"], every, downsampling)
        with blame("the network"):
            self.training = Training(
                self.program.network(dataset["outputs"], seed),
                train_images,
                train_labels,
                dataset["label_kind"],
                dataset["outputs"],
                self.recipe if epochs is None else replace(self.recipe, epochs=epochs),
                seed,
                self.program.memory_format,
            )
        return {}, None

    def epoch(self) -> Answer:
        """Train for one epoch, then predict the validation split."""
        with blame("training"):
            loss = self.training.epoch()
        if not math.isfinite(loss):
            raise ProgramError("diverged", f"expected a finite training loss, found {loss}")
        with blame("predicting"):
            probabilities = self.training.predict(self.images["val"])
        return {"train_loss": loss, "micro_batch": self.training.micro_batch}, probabilities.numpy()

    def keep(self) -> Answer:
        """Remember the weights as they are now."""
        with blame("state_dict()"):
            self.training.keep()
        return {}, None

    def restore(self) -> Answer:
        """Go back to the weights of the last ``keep``."""
        with blame("load_state_dict()"):
            self.training.restore()
        return {}, None

    def predict(
        self,
        split: str,
        samples: Sequence[int] | None = None,
        batch_size: int | None = None,
        precision: Precision | None = None,
    ) -> Answer:
        """Probabilities of a split, or of some of its samples in the order asked for."""
        images = self.images[split]
        if samples is not None:
            images = images[torch.tensor(samples, device=self.device)]
        with blame("predicting"):
            probabilities = self.training.predict(images, batch_size, precision)
        return {}, probabilities.numpy()

    def save(self, onnx: bool) -> Answer:
        """The network's weights and, as ONNX, the network itself: images (N, 3, H, W) in -1 … 1 to logits."""
        with blame("saving the weights"):
            save_network(self.training.network, self.argument["size"], onnx)
        return {}, None

    def _map(self, path: str) -> Tensor:
        # Mapped copy-on-write: processes share the bytes, and a program that writes spoils only its own.
        if path not in self._arrays:
            self._arrays[path] = torch.from_numpy(np.load(path, mmap_mode="c")).to(self.device)
        return self._arrays[path]
