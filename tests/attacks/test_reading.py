"""Labels and keys are out of reach: what reads them without walls gets nothing within them."""

from pathlib import Path
from textwrap import dedent

import pytest

from tests.attacks.arena import SECRET, Arena

# Each prints what it has read and then gives up, so that the output can be looked at.
THEFTS = {
    "labels in the dataset folder": "import numpy\nprint(numpy.load(f'{DATA}/two.npz')['val_labels'].sum())",
    "labels in the cache": "import numpy\nprint(numpy.load(LABELS).sum())",
    "labels through the referee's descriptor": (
        "import numpy\nprint(numpy.load(f'/proc/{REFEREE}/fd/{LABELS_FD}').sum())"
    ),
    "listing the dataset folder": "import os\nprint(len(os.listdir(DATA)) > 0 and 20)",
    "keys in .env": "print(open(f'{HOME}/.env').read())",
    "keys in ~": "import os\nprint(open(os.path.join(os.path.dirname(DATA), 'home', '.env')).read())",
    "keys in the run's settings": "print(open(f'{RUNS}/run_info.json').read())",
    "keys in the journal": "print(open(f'{RUNS}/openevolve/journal.jsonl').read())",
    "keys in another's environment": "print(open(f'/proc/{NEIGHBOUR}/environ').read())",
    "memory of the referee": (
        "memory = open(f'/proc/{REFEREE}/mem', 'rb')\nmemory.seek(ADDRESS)\n"
        f"print(memory.read({len(SECRET)}))"
    ),
    "memory of the referee by a call": f"""
        import ctypes
        class Span(ctypes.Structure):
            _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
        found = ctypes.create_string_buffer({len(SECRET)})
        here, there = Span(ctypes.addressof(found), {len(SECRET)}), Span(ADDRESS, {len(SECRET)})
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.process_vm_readv(REFEREE, ctypes.byref(here), 1, ctypes.byref(there), 1, 0) < 0:
            raise OSError(ctypes.get_errno(), "process_vm_readv")
        print(found.raw)
    """,
    "a descriptor taken from the referee": """
        import ctypes, os
        fd = ctypes.CDLL(None, use_errno=True).syscall(438, os.pidfd_open(REFEREE), LABELS_FD, 0)
        import numpy
        print(numpy.load(os.fdopen(os.dup(fd), "rb")).sum())
    """,
    "keys through a symbolic link": (
        "import os\nos.symlink(f'{HOME}/.env', 'link')\nprint(open('link').read())"
    ),
    "keys through a hard link": "import os\nos.link(f'{HOME}/.env', 'link')\nprint(open('link').read())",
    "keys through the root of /proc": "print(open(f'/proc/self/root{HOME}/.env').read())",
    "keys through a folder above": "import os\nprint(open(os.path.relpath(f'{HOME}/.env')).read())",
    "keys by a program of the system": (
        "import subprocess\nprint(subprocess.run(['cat', f'{HOME}/.env'], capture_output=True).stdout)"
    ),
    "keys by an imported library": "import numpy\nprint(bytes(numpy.fromfile(f'{HOME}/.env', 'uint8')))",
    "keys by PyTorch": "print(bytes(torch.from_file(f'{HOME}/.env', size=33, dtype=torch.uint8).tolist()))",
    "keys by the C library": """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        text = ctypes.create_string_buffer(100)
        if libc.read(libc.open(f'{HOME}/.env'.encode(), 0), text, 99) < 0:
            raise PermissionError(13, "open")
        print(text.value)
    """,
}
OF_A_PARENT = (
    "labels through the referee's descriptor", "memory of the referee", "memory of the referee by a call",
    "a descriptor taken from the referee",
)  # fmt: skip
LABEL_SUM = "20"  # of 40 validation images of the two classes in turn


def _yama() -> bool:
    """Whether this kernel keeps processes from looking into those that are not below them."""
    setting = Path("/proc/sys/kernel/yama/ptrace_scope")
    return setting.exists() and setting.read_text().strip() != "0"


@pytest.mark.parametrize("name", THEFTS)
def test_what_can_be_stolen_without_walls_cannot_within(arena: Arena, name: str) -> None:
    code = dedent(THEFTS[name])
    wanted = LABEL_SUM if "label" in name or "dataset" in name or "descriptor" in name else SECRET
    over = "\nprint('END', flush=True)\nraise LookupError('that was all')\n"
    if not (name in OF_A_PARENT and _yama()):  # a kernel that shields parents proves nothing
        stolen = arena.without_walls(code + over)
        assert wanted in stolen.output, stolen
    held = arena.attack(code + over)
    assert held.kind == "forbidden", held
    assert SECRET not in held.output
    assert "END" not in held.output


def test_no_descriptor_of_another_is_inherited(arena: Arena) -> None:
    ended = arena.attack(
        """
        import os
        for fd in range(256):
            try:
                print(fd, os.readlink(f"/proc/self/fd/{fd}"), os.pread(fd, 100, 0))
            except OSError:
                pass
        raise LookupError("that was all")
        """
    )
    assert ended.kind == "import_error"
    assert SECRET not in ended.output
    assert "labels" not in ended.output
    assert ".npy" not in ended.output


def test_no_key_is_in_its_environment_or_memory_of_it(arena: Arena) -> None:
    ended = arena.attack(
        """
        import os
        print(dict(os.environ), open("/proc/self/environ").read())
        raise LookupError("that was all")
        """
    )
    assert ended.kind == "import_error"
    assert "PATH" in ended.output
    assert SECRET not in ended.output


def test_output_that_becomes_a_link_shows_no_secret(arena: Arena) -> None:
    ended = arena.attack(
        """
        import os
        os.unlink("output.txt")
        os.symlink(f"{HOME}/.env", "output.txt")
        raise LookupError("that was all")
        """
    )
    assert ended.kind == "import_error"
    assert SECRET not in ended.output + ended.message


def test_the_labels_are_in_no_module(arena: Arena) -> None:
    """It finds no metric to replace and no referee: the process that holds them is another."""
    ended = arena.attack(
        """
        import sys
        print([name for name in sys.modules if "metrics" in name or "referee" in name or name == "train"])
        from medevonet.statistics import summaries as metrics_utils
        """
    )
    assert ended.kind == "forbidden"
    assert "[]" in ended.output
    assert "medevonet/statistics" in ended.message
