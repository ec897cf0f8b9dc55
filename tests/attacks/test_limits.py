"""Time, memory, disk, files, threads and output have an end, and every way to die is told apart."""

import pytest

from tests.attacks.arena import Arena

SLEEP = "import time\ntime.sleep(10_000)\n"
HANGS: dict[str, dict[str, str]] = {
    "import": {"before": SLEEP},
    "__init__": {"init": SLEEP},
    "forward": {"forward": SLEEP},
    "a loop without end": {"before": "while True:\n    pass\n"},
    "a destructor": {
        "before": "import time\nclass Slow:\n    def __del__(self):\n        time.sleep(10_000)\n",
        "init": "slow = Slow()\ndel slow\n",
    },
    "a regular expression": {"before": "import re\nre.match('(a+)+b', 'a' * 60)\n"},
    "a custom gradient": {
        "before": """
            import time
            class Endless(torch.autograd.Function):
                @staticmethod
                def forward(ctx, x):
                    return x.clone()
                @staticmethod
                def backward(ctx, gradient):
                    while True:
                        time.sleep(1)
        """,
        "init": "self.apply_endless = Endless.apply",
        "forward": "x = self.apply_endless(x.requires_grad_())",
    },
    "reading its channel": {"before": "import os\nwhile True:\n    os.read(3, 1)\n"},
}

ENDS: dict[str, tuple[dict[str, str], str]] = {
    "os._exit(0)": ({"before": "import os\nos._exit(0)\n"}, "an end by exit code 0"),
    "os._exit(0) in forward": ({"forward": "import os\nos._exit(0)\n"}, "an end by exit code 0"),
    "sys.exit": ({"before": "import sys\nsys.exit()\n"}, "an end by exit code"),
    "a segmentation fault": ({"before": "import ctypes\nctypes.string_at(0)\n"}, "signal 11"),
    "a stack overflow": (
        {
            "before": "import sys\nsys.setrecursionlimit(10**9)\n"
            "class Deep:\n    __repr__ = lambda self: repr(self)\nrepr(Deep())\n"
        }, "signal 11",
    ),
    "abort": ({"before": "import os\nos.abort()\n"}, "signal 6"),
    "SIGKILL": ({"before": "import os\nos.kill(os.getpid(), 9)\n"}, "signal 9"),
    "a BaseException": (
        {"forward": "class Stop(BaseException):\n    pass\nraise Stop\n"}, "an end by exit code 1"
    ),
    "KeyboardInterrupt": ({"before": "raise KeyboardInterrupt\n"}, "an end by exit code 1"),
    "closing its channel": ({"before": "import os\nos.close(3)\n"}, "an end by exit code"),
}  # fmt: skip

GREED = {
    "memory slowly": (
        "import time\nhoard = []\nwhile True:\n    hoard.append(b'x' * (1 << 22))\n    time.sleep(0.005)\n",
        "out_of_memory", "resident memory",
    ),
    "memory at once": (
        "hoard = torch.ones(1 << 27)\nimport time\ntime.sleep(100)", "out_of_memory", "resident memory"
    ),
    "more memory than there is": ("torch.ones(1 << 45)", "out_of_memory", "can't allocate"),
    "shared memory": (
        "import mmap, time\nm = mmap.mmap(-1, 1 << 29)\nm.write(bytes(1 << 29))\ntime.sleep(100)",
        "out_of_memory", "resident memory",
    ),
    "a large file": (
        "f = open('x', 'wb')\nwhile True:\n    f.write(bytes(1 << 22))", "forbidden", "too large"
    ),
    "many files": (
        "import time\nfor i in range(3000):\n    open(f'x{i}', 'w').close()\ntime.sleep(100)",
        "forbidden", "at most 2000 files",
    ),
    "the disk": (
        "import os\nfor i in range(100):\n    with open(f'x{i}', 'wb') as f:\n"
        "        for _ in range(60):\n            f.write(bytes(1 << 20))\n",
        "forbidden", "at most 512 MB written",
    ),
    "the disk, with files that are gone": (
        "import os\nheld = []\nfor i in range(100):\n    f = open('x', 'wb')\n    os.unlink('x')\n"
        "    held.append(f)\n    for _ in range(60):\n        f.write(bytes(1 << 20))\n",
        "forbidden", "at most 512 MB written",
    ),
    "room on the disk": (
        "import os\nf = open('x', 'w')\nos.posix_fallocate(f.fileno(), 0, 1 << 40)", "forbidden", "too large"
    ),
    "stdout": ("while True:\n    print('x' * 1_000_000)", "forbidden", "File too large"),
    "stdout, whatever it says": (
        "import contextlib, os\nwhile True:\n    with contextlib.suppress(OSError):\n"
        "        os.write(1, b'x' * (1 << 20))\n",
        "timeout", "within the time limit",
    ),
    "threads": (
        "import threading, time\nfor _ in range(100_000):\n"
        "    threading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n",
        "forbidden", "at most 512 threads",
    ),
    "descriptors": (
        "import os\nheld = [os.dup(0) for _ in range(100_000)]", "import_error", "Too many open files"
    ),
}  # fmt: skip


def in_order(places: dict[str, str]) -> tuple[str, str, str]:
    return places.get("before", ""), places.get("init", ""), places.get("forward", "")


@pytest.mark.parametrize("place", HANGS)
def test_a_hang_ends_at_the_deadline(arena: Arena, place: str) -> None:
    ended = arena.attack(*in_order(HANGS[place]), seconds=2.5)
    assert ended.kind == "timeout", ended


@pytest.mark.parametrize("name", ENDS)
def test_an_early_end_is_a_crash_and_says_how(arena: Arena, name: str) -> None:
    places, words = ENDS[name]
    ended = arena.attack(*in_order(places))
    assert ended.kind == "crashed", ended
    assert words in ended.message


@pytest.mark.parametrize("name", GREED)
def test_whatever_is_taken_without_bound_ends(arena: Arena, name: str) -> None:
    code, kinds, words = GREED[name]
    memory_mb = 200 if kinds == "out_of_memory" else 2000
    ended = arena.attack(code, seconds=3 if kinds == "timeout" else 60, memory_mb=memory_mb)
    assert ended.kind in kinds.split("|"), ended
    assert words in ended.message


def test_memory_in_files_of_memory_is_refused_or_counted(arena: Arena) -> None:
    """CUDA needs such files; what lies in them unmapped shows in no process's resident size."""
    ended = arena.attack(
        """
        import mmap, os, time
        held = [os.memfd_create("x") for _ in range(10)]
        for fd in held:
            os.truncate(fd, 50 << 20)
            with mmap.mmap(fd, 50 << 20) as mapped:
                mapped.write(bytes(50 << 20))
        time.sleep(100)
        """,
        memory_mb=300,
    )
    assert ended.kind == ("out_of_memory" if arena.gpu else "forbidden"), ended
