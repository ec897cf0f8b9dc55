"""``.npz`` files unpacked once into plain ``.npy`` files that processes share by mapping them.

A member of an ``.npz`` is an ``.npy`` file, so unpacking streams it out of the zip: no array is ever whole in
memory, and zipfile checks its CRC on the way. A folder or file takes its final name only when it is complete.
Writers hold one lock per cache; the ``.part`` of a killed writer is removed by the next.
"""

import fcntl
import hashlib
import os
import shutil
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

# What zipfile and NumPy raise on damaged bytes. OSError is not among them: a full disk damages nothing.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    ValueError,
    TypeError,
    ArithmeticError,
    MemoryError,
    SyntaxError,
    tokenize.TokenError,
)


class NpzError(Exception):
    """A file that is no intact ``.npz`` of plain arrays; the message says what is wrong with it."""


FOLDER_VARIABLE = "MEDEVONET_CACHE"


def default_folder() -> Path:
    """``$MEDEVONET_CACHE``, else ``medevonet`` in ``$XDG_CACHE_HOME`` or ``~/.cache``."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "medevonet"


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Hold the cache's lock; it ends with the process, however that ends."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another process that is writing to {cache}", file=sys.stderr)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A path to write a file or a folder to; it becomes ``target`` if the block ends well, else it goes."""
    part = target.with_name(target.name + ".part")
    _remove(part)
    try:
        yield part
        part.rename(target)
    finally:
        _remove(part)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def file_md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def recall_md5(path: Path, cache: Path) -> str | None:
    """The MD5 that ``remember_md5`` found, or None if the file is new, changed or missing."""
    try:
        return _record(path, cache).read_text()
    except FileNotFoundError:
        return None


def remember_md5(path: Path, cache: Path) -> str:
    """Read the whole file once, and keep its MD5 for as long as its path, size and time stay the same."""
    record = _record(path, cache)
    md5 = file_md5(path)
    record.parent.mkdir(exist_ok=True)
    with staged(record) as part:
        part.write_text(md5)
    return md5


def _record(path: Path, cache: Path) -> Path:
    status = path.stat()
    identity = os.fsencode(path.resolve()) + f"\0{status.st_size}\0{status.st_mtime_ns}".encode()
    return cache / "md5" / hashlib.md5(identity, usedforsecurity=False).hexdigest()


def open_array(path: Path) -> npt.NDArray[Any]:
    """Map an ``.npy`` file, read-only. Raises NpzError if it is not whole, or holds Python objects."""
    try:
        _refuse_empty_items(path)
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, *_DAMAGED) as error:
        raise NpzError(f"expected a plain array, found none ({error})") from error
    if (size := path.stat().st_size) != array.offset + array.nbytes:
        raise NpzError(f"expected an array of {array.offset + array.nbytes} bytes, found {size} bytes")
    return array


def _refuse_empty_items(path: Path) -> None:
    """Raises ValueError for items of no bytes: with a negative length NumPy divides by 0, and dies."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ValueError(f"version {version} of the format, which plain arrays do not need")
        _, _, dtype = readers[version](file)
    if dtype.itemsize == 0:
        raise ValueError(f"items of no bytes, {dtype}")


def extract(source: Path, targets: Mapping[str, Path]) -> None:
    """Stream arrays of an ``.npz`` to ``.npy`` files; ``targets`` maps an array's key to its file.

    Raises NpzError if the zip is damaged, a key is missing or its array is not plain; OSError on I/O.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            for key, target in targets.items():
                _copy_member(archive, key, target)
    except _DAMAGED as error:
        raise NpzError(f"expected an intact .npz file, found a truncated or corrupt one ({error})") from error


def _copy_member(archive: zipfile.ZipFile, key: str, target: Path) -> None:
    name, names = f"{key}.npy", archive.namelist()
    if name not in names:
        raise NpzError(f"expected an array {key}, found only {', '.join(names) or 'an empty file'}")
    member = archive.getinfo(name)
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NpzError(f"{key}: expected NumPy's compression (deflate) or none, found {member.compress_type}")
    target.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)
    try:
        open_array(target)
    except NpzError as error:
        raise NpzError(f"{key}: {error}") from None
