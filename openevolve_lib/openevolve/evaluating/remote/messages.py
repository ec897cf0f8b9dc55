"""What driver and worker say to each other: plain data, checked on arrival."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from openevolve.evaluating.channel import MESSAGE_BYTES, Unusable
from openevolve.evaluating.executor import Look
from openevolve.records.measurement import Unit
from openevolve.records.program import FailureKind, Outcome, Program, Rung

VERSION = 1  # of these messages

Kind = Literal["evaluate", "rungs", "look", "offer"]


class Message(BaseModel):
    """Unknown fields, other types and numbers that are not finite are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def read(cls, text: bytes) -> Self:
        """Raises Unusable: expected, found."""
        if len(text) > MESSAGE_BYTES:
            raise Unusable(f"expected at most {MESSAGE_BYTES} bytes, found {len(text)}")
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the whole"
            raise Unusable(f"expected a {cls.__name__.lower()}, found in {where}: {first['msg']}") from None

    def to_bytes(self) -> bytes:
        return self.model_dump_json().encode()


class Protocol(Message):
    """How every program of a run is measured. A worker works by this, and by nothing of its own.

    It holds no setting of a language model, and so no key.
    """

    version: int = VERSION
    engine: str  # the version of this package
    sources: Mapping[str, str]  # digests of the code that measures, and versions of what it imports
    evaluator: str  # its path, the same on every machine
    file_suffix: str
    settings: Mapping[str, Any]  # EvaluatorConfig, but for what is each worker's own: slots and devices
    environment: Mapping[str, str]
    walls: Mapping[str, Any] | None  # around evaluations; None: the evaluator puts programs within walls
    command: str  # that starts a worker of such a run
    prepare: str  # module:function that a worker calls before anything else: it tries out walls, finds data

    def digest(self) -> str:
        return digest_of(self.model_dump(mode="json"))


class Order(Message):
    """One measurement to be made. Its id tells what of, and by which protocol."""

    id: str
    protocol: str
    kind: Kind
    program: Mapping[str, Any]
    unit: str = ""
    repeat: int = 0
    number: int = 0  # of equal measurements that one session asks for

    @classmethod
    def of(cls, protocol: str, kind: Kind, program: Program, look: Look | None, number: int) -> Self:
        unit, repeat = (look.unit, look.repeat) if look else ("", 0)
        values = program.to_json() | {"parent_ids": list(program.parent_ids)}
        identity = [protocol, kind, program.id, digest_of(program.code), unit, repeat, number]
        return cls(
            id=digest_of(identity), protocol=protocol, kind=kind, program=values,
            unit=unit, repeat=repeat, number=number,
        )  # fmt: skip

    def measured(self) -> Program:
        return Program.from_json(self.program)


class RungFound(Message):
    """A worker asks whether an evaluation goes on."""

    number: int
    metrics: Mapping[str, float]
    artifacts: Mapping[str, str] = {}

    def rung(self) -> Rung:
        return Rung(self.number, dict(self.metrics), dict(self.artifacts))


class Verdict(Message):
    """The driver's answer: whether it goes on, or why the rung is useless."""

    promoted: bool
    failure: FailureKind | None = None
    message: str = ""


class Found(Message):
    """An outcome, as a worker has it."""

    metrics: Mapping[str, float] = {}
    artifacts: Mapping[str, str] = {}
    failure: FailureKind | None = None
    message: str = ""
    output_tail: str = ""
    seconds: float = 0.0
    device: str = ""
    rung: int = 0
    measurements: Mapping[str, list[float]] = {}


class Result(Message):
    """What became of an order: an outcome or units, or why there is neither."""

    version: int = VERSION
    order: str
    protocol: str
    program: str  # the digest of its text
    worker: str
    host: str
    found: Found | None = None
    units: list[dict[str, Any]] | None = None
    refused: str = ""  # the evaluator offers nothing: the user's mistake
    interrupted: str = ""  # nothing can be measured on that machine: a full disk, data that is gone

    def check(self, order: Order) -> None:
        """Raises Unusable where this is no result of that order."""
        expected = {
            "version": VERSION,
            "order": order.id,
            "protocol": order.protocol,
            "program": digest_of(order.program["code"]),
        }
        for name, value in expected.items():
            if (found := getattr(self, name)) != value:
                raise Unusable(f"expected {name} {value}, found {found}")
        told = [name for name in ("found", "units") if getattr(self, name) is not None]
        told += [name for name in ("refused", "interrupted") if getattr(self, name)]
        if len(told) != 1:
            raise Unusable(f"expected one of found, units, refused, interrupted; found {told or 'none'}")
        if self.found is not None and self.found.rung and order.kind != "rungs":
            raise Unusable(f"expected no rung where none was asked for, found {self.found.rung}")
        if (self.units is not None or self.refused) and order.kind != "offer":
            raise Unusable("expected an outcome, found what an evaluator offers")
        if self.found is not None and order.kind == "offer":
            raise Unusable("expected what an evaluator offers, found an outcome")

    def outcome(self, program_id: str) -> Outcome:
        """Its device says which machine it was on: ``1@host``."""
        assert self.found is not None
        values = self.found.model_dump() | {"device": f"{self.found.device}@{self.host}"}
        return Outcome(program_id, **values)

    def offered(self) -> tuple[Unit, ...]:
        """Raises Unusable."""
        try:
            return tuple(Unit.from_json(unit) for unit in self.units or ())
        except (TypeError, ValueError) as error:
            raise Unusable(f"expected units, found: {error}") from None


class DriverBeat(Message):
    """A sign of life of the driver, and what it expects of workers."""

    beat: int
    session: str
    protocol: str
    lease: float  # seconds without a sign of life after which a worker's measurements are given to another
    closed: bool = False


class WorkerBeat(Message):
    """A sign of life of a worker, and how far its evaluations are, by program."""

    beat: int
    slots: int
    host: str
    pid: int
    protocol: str
    progress: Mapping[str, tuple[str, float | None]] = {}


def digest_of(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
