"""TensorBoard, MLflow and Weights & Biases, each as a tracker. What they need is an extra of that name.

Nothing leaves the machine unless the tool's own environment variables say so: by default all write below the
run's folder.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_MOST_LETTERS = 500  # of a setting, which MLflow limits


class TensorBoard:
    """Event files in ``tensorboard/`` of the run's folder: ``tensorboard --logdir runs``."""

    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._events, self._summaries = event_pb2, summary_pb2
        self._writer = EventFileWriter(str(folder / "tensorboard"))

    def begin(self, settings: Mapping[str, Any]) -> None:
        text = "\n".join(f"    {name}: {value}" for name, value in settings.items())
        value = self._summaries.Summary.Value(tag="settings/text_summary")
        value.metadata.plugin_data.plugin_name = "text"
        value.tensor.dtype = 7  # DT_STRING
        value.tensor.string_val.append(text.encode("utf-8", "replace"))
        self._write([value], 0)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        found = [
            self._summaries.Summary.Value(tag=name, simple_value=value) for name, value in values.items()
        ]
        self._write(found, step)

    def _write(self, values: list[Any], step: int) -> None:
        summary = self._summaries.Summary(value=values)
        self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()  # a run that is killed has lost nothing

    def close(self) -> None:
        self._writer.close()


class MLflow:
    """A run in ``mlruns/`` of the run's folder, or where MLFLOW_TRACKING_URI says."""

    def __init__(self, folder: Path) -> None:
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")  # files below the run, and no database
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        self._metric, self._param = Metric, Param
        self._client = MlflowClient(
            os.environ.get("MLFLOW_TRACKING_URI") or (folder / "mlruns").resolve().as_uri()
        )
        self._name, self._run = folder.resolve(), ""

    def begin(self, settings: Mapping[str, Any]) -> None:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "openevolve")
        known = self._client.get_experiment_by_name(name)
        experiment = known.experiment_id if known else self._client.create_experiment(name)
        label = self._name.parent.name if self._name.name == "openevolve" else self._name.name
        self._run = self._client.create_run(experiment, run_name=label).info.run_id
        params = [self._param(key, str(value)[:_MOST_LETTERS]) for key, value in settings.items()]
        for first in range(0, len(params), 100):
            self._client.log_batch(self._run, params=params[first : first + 100])

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        now = round(time.time() * 1000)
        found = [self._metric(_plain(name), value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=found)

    def close(self) -> None:
        self._client.set_terminated(self._run)


def _plain(name: str) -> str:
    """MLflow takes letters, digits and some marks."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "_" for letter in name)


class WandB:
    """A run in ``wandb/`` of the run's folder, offline unless WANDB_MODE says otherwise."""

    def __init__(self, folder: Path) -> None:
        import wandb

        self._wandb, self._folder = wandb, folder
        self._run: Any = None

    def begin(self, settings: Mapping[str, Any]) -> None:
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", "openevolve"),
            dir=str(self._folder),
            mode=mode,
            config=dict(settings),
            settings=self._wandb.Settings(silent=True, console="off", x_disable_stats=True),
        )

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self._run.log(dict(values), step=step)

    def close(self) -> None:
        self._run.finish()
