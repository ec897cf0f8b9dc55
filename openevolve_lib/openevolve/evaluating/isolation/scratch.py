"""Folders that untrusted code has written to, and their removal whatever it has put there."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A fresh folder, below ``parent`` or among temporary files, which goes at the end."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    try:
        yield folder
    finally:
        remove_tree(folder)


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it; no process may be writing to it any more.

    ``shutil.rmtree`` fails where folders are nested deeper than Python recurses. Here each is lifted to
    the top before its turn comes, so that no depth matters. What cannot be removed is left.
    """
    with suppress(OSError):
        while folders := _only_folders(folder):
            for path in folders:
                for inner in _only_folders(path):
                    os.rename(inner, folder / uuid4().hex)
                os.rmdir(path)
        os.rmdir(folder)
    shutil.rmtree(folder, ignore_errors=True)


def _only_folders(folder: Path | str) -> list[str]:
    """Remove the files of a folder, links included; the paths of its folders, which can then be changed."""
    with os.scandir(folder) as entries:
        listed = list(entries)
    folders = []
    for entry in listed:
        if entry.is_dir(follow_symlinks=False):
            os.chmod(entry.path, stat.S_IRWXU)
            folders.append(entry.path)
        else:
            os.unlink(entry.path)
    return folders
