"""The cache under stress: several writers, killed writers, damaged files and damaged entries."""

import hashlib
import io
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from medevonet.data.dataset import DatasetConfig, load_dataset
from openevolve.errors import UserError
from tests import PROJECT
from tests.support.npz_files import assert_holds, leftovers, own, refusal, small_arrays


def loader(config: DatasetConfig, size: int, cache: Path) -> subprocess.Popen[bytes]:
    """Another process that loads a dataset."""
    code = (
        "import sys; from pathlib import Path; from dataloader import DatasetConfig\n"
        "from medevonet.data.dataset import load_dataset\n"
        "config = DatasetConfig.model_validate_json(sys.argv[1])\n"
        "print(load_dataset(config, int(sys.argv[2]), cache=Path(sys.argv[3])).images['train'])"
    )
    command = [sys.executable, "-c", code, config.model_dump_json(), str(size), str(cache)]
    return subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE)


def test_processes_at_once_share_one_entry(tmp_path: Path) -> None:
    config, cache = own(tmp_path / "own.npz", changes=small_arrays(size=64)), tmp_path / "cache"
    processes = [loader(config, 64, cache) for _ in range(3)]
    printed = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(printed) == 1
    assert_holds(load_dataset(config, 64, cache=cache), small_arrays(size=64))
    assert leftovers(cache) == []


def test_a_killed_writer_leaves_no_entry_and_is_cleared_away(tmp_path: Path) -> None:
    large = np.zeros((2000, 224, 224), np.uint8)
    labels = np.arange(2000)[:, None] % 2
    small = small_arrays(size=224)
    config = own(tmp_path / "own.npz", changes=small | {"train_images": large, "train_labels": labels})
    cache = tmp_path / "cache"
    process = loader(config, 224, cache)
    while process.poll() is None and not any(part.is_dir() for part in leftovers(cache)):
        time.sleep(0.001)  # the record of its MD5 is another, which comes first and is gone at once
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (part,) = leftovers(cache)
    assert not part.with_suffix("").exists()
    assert load_dataset(config, 224, cache=cache).count("train") == 2000
    assert leftovers(cache) == []


def test_a_known_file_is_loaded_without_a_write(tmp_path: Path) -> None:
    config, cache = own(tmp_path / "own.npz"), tmp_path / "cache"
    load_dataset(config, 8, cache=cache)
    (cache / "lock").unlink()
    before = sorted(cache.rglob("*"))
    load_dataset(config, 8, cache=cache)
    assert sorted(cache.rglob("*")) == before


def test_a_known_file_is_still_checked_against_the_entry_that_names_it(tmp_path: Path) -> None:
    config, cache = own(tmp_path / "own.npz"), tmp_path / "cache"
    load_dataset(config, 8, cache=cache)
    assert "expected shape (N, 9, 9), found (12, 8, 8)" in refusal(config, 9, cache=cache)
    three = config.model_copy(update={"label_kind": "multi-label"})
    assert load_dataset(three, 8, cache=cache).outputs == 1


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    config, cache = own(tmp_path / "own.npz"), tmp_path / "cache"
    file = load_dataset(config, 8, cache=cache).images["val"]
    file.write_bytes(file.read_bytes()[:-1])
    message = refusal(config, cache=cache)
    assert message.startswith(str(file.parent.parent))
    assert "Delete this folder: it is made again." in message


def intact() -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **small_arrays())  # type: ignore[arg-type]
    return stream.getvalue()


INTACT = intact()
HEADER = 128  # bytes of an .npy file before its data


def loads_as_before_or_is_refused(content: bytes, folder: Path) -> None:
    path = folder / f"{hashlib.md5(content).hexdigest()}.npz"
    path.write_bytes(content)
    config = DatasetConfig(name="own", path=path, label_kind="binary")
    try:
        dataset = load_dataset(config, 8, cache=folder / "cache")
    except UserError:
        return
    assert_holds(dataset, small_arrays())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, len(INTACT) - 1))
def test_a_cut_file(folder: Path, length: int) -> None:
    loads_as_before_or_is_refused(INTACT[:length], folder)


@settings(max_examples=200, deadline=None)
@given(bits=st.lists(st.integers(0, 8 * len(INTACT) - 1), min_size=1, max_size=4))
def test_flipped_bits(folder: Path, bits: list[int]) -> None:
    content = bytearray(INTACT)
    for bit in bits:
        content[bit // 8] ^= 1 << bit % 8
    loads_as_before_or_is_refused(bytes(content), folder)


@pytest.mark.filterwarnings("ignore:invalid:DeprecationWarning")
@settings(max_examples=200, deadline=None)
@given(
    member=st.sampled_from(["val_images.npy", "val_labels.npy"]),
    position=st.integers(0, HEADER - 1),
    replacement=st.binary(min_size=1, max_size=8),
)
@example(member="val_images.npy", position=8, replacement=b">")  # the header seems to end 56 bytes earlier
def test_a_damaged_header_in_an_intact_zip(
    folder: Path, member: str, position: int, replacement: bytes
) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(INTACT)) as old, zipfile.ZipFile(stream, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == member:
                header = content[:position] + replacement + content[position + len(replacement) :]
                content = header[:HEADER] + content[HEADER:]
            new.writestr(name, content)
    loads_as_before_or_is_refused(stream.getvalue(), folder)
