"""Nothing outside the scratch folder changes, and what is left in it meets no later candidate."""

import ctypes
import os
import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from openevolve.evaluating.isolation.scratch import remove_tree, scratch_folder
from tests.attacks.arena import MARK, Arena

# Without walls each goes through (in planted places, which are planted again afterwards).
CHANGES = {
    "the run's journal": "open(f'{RUNS}/openevolve/journal.jsonl', 'a').write('{}')",
    "a new file in the run": "open(f'{RUNS}/best_program.py', 'w').write('x')",
    "a new folder among runs": "os.mkdir(f'{RUNS}/20990101_000000_local')",
    "emptying": "os.truncate(f'{RUNS}/run_info.json', 0)",
    "emptying when it is opened to be read": "os.open(f'{RUNS}/run_info.json', os.O_RDONLY | os.O_TRUNC)",
    "removing": "os.remove(f'{RUNS}/run_info.json')",
    "renaming": "os.rename(f'{RUNS}/run_info.json', f'{RUNS}/gone.json')",
    "replacing": "open('x', 'w').close(); os.replace('x', f'{RUNS}/run_info.json')",
    "moving out": "os.rename(f'{HOME}/.env', 'mine')",
    "linking": "os.link(f'{HOME}/.env', 'mine')",
    "permissions": "os.chmod(f'{HOME}/.env', 0o666)",
    "owner": "os.chown(f'{HOME}/.env', 1234, 1234)",
    "times": "os.utime(f'{HOME}/.env', (1, 1))",
    "extended attributes": "os.setxattr(f'{HOME}/.env', 'user.mark', b'x')",
    "through a symbolic link": "os.symlink(f'{HOME}/.env', 'link'); open('link', 'w').write('x')",
    "through a link to a folder": "os.symlink(HOME, 'link'); open('link/.profile', 'w').write('x')",
    "start-up files": "open(f'{HOME}/.bashrc', 'w').write('x')",
    "by PyTorch": "torch.save({}, f'{RUNS}/weights.pt')",
    "a file in shared memory": "open(f'/dev/shm/{MARK}', 'w').write('x')",
    "shared memory": (
        "from multiprocessing import shared_memory\nshared_memory.SharedMemory(MARK, create=True, size=16)"
    ),
    "a System V segment": (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.shmget(0x6d65, 4096, 0o1666) < 0:\n    raise OSError(ctypes.get_errno(), 'shmget')"
    ),
    "a file in /tmp": "open(f'/tmp/{MARK}', 'w').write('x')",
}
TRACES = (f"/dev/shm/{MARK}", f"/tmp/{MARK}")

# These exist, and no walls means no second look: only within walls are they tried.
PROJECT_FILES = {
    "the project": "open(f'{PROJECT}/train.py', 'a')",
    "the config": "open(f'{PROJECT}/config.yaml', 'a')",
    "a module of the project": "open(sys.modules['medevonet.sandboxed.session'].__file__, 'a')",
    "compiled modules": "os.mkdir(f'{PROJECT}/medevonet/__pycache__/attack')",
    "installed packages": "open(os.path.join(os.path.dirname(torch.__file__), 'version.py'), 'a')",
    "the dataset folder": "open(f'{DATA}/two.npz', 'ab')",
    "the labels": "open(LABELS, 'ab')",
    "its images": "open(os.path.join(os.path.dirname(LABELS), '..', 'images', 'val.npy'), 'ab')",
    "permissions of its images": (
        "fd = os.open(os.path.join(os.path.dirname(LABELS), '..', 'images', 'val.npy'), os.O_RDONLY)\n"
        "os.fchmod(fd, 0)"
    ),
    "mapped images": (
        "import mmap\nfile = open(os.path.join(os.path.dirname(LABELS), '..', 'images', 'val.npy'), 'rb')\n"
        "mmap.mmap(file.fileno(), 0, mmap.MAP_SHARED, mmap.PROT_WRITE)[0] = 1"
    ),
    "artifacts": "open(f'{ARTIFACTS}/forged.json', 'w')",
    "the scratch folder of its server": "open('../forged', 'w')",
    "a device": "open('/dev/vda', 'rb'), open('/dev/kmsg', 'w')",
    "kernel settings": "open('/proc/sys/vm/overcommit_memory', 'w').write('1')",
    "a core dump's place": "open('/proc/sys/kernel/core_pattern', 'w').write('x')",
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_changes_without_walls_does_not_within(arena: Arena, name: str) -> None:
    code = f"import os\n{CHANGES[name]}\nraise LookupError('done')\n"
    unheld = arena.without_walls(code)
    clean_up(name)
    if (name == "owner" and os.geteuid() != 0) or "not supported" in unheld.message:
        pytest.skip("cannot be done here without walls either")
    assert unheld.kind == "import_error", unheld
    assert "done" in unheld.message
    assert arena.attack(code).kind == "forbidden"
    assert not any(Path(trace).exists() for trace in TRACES)


def clean_up(name: str) -> None:
    for trace in TRACES:
        Path(trace).unlink(missing_ok=True)
    if name == "a System V segment":
        libc = ctypes.CDLL(None)
        libc.shmctl(libc.shmget(0x6D65, 4096, 0), 0, None)


@pytest.mark.parametrize("name", PROJECT_FILES)
def test_nothing_of_the_project_or_the_system_can_be_written(arena: Arena, name: str) -> None:
    ended = arena.attack(f"import os, sys\n{PROJECT_FILES[name]}\n")
    assert ended.kind == "forbidden", ended


def test_files_and_modules_do_not_reach_the_next_candidate(arena: Arena) -> None:
    """Whatever a candidate leaves in its own reach, the next one finds nothing of it."""
    leave = """
        import builtins, os, sys, tempfile, types
        for folder in (".", tempfile.gettempdir(), os.path.expanduser("~"), os.environ["XDG_CACHE_HOME"]):
            open(os.path.join(folder, "left-behind"), "w").write("x")
        sys.modules["left_behind"] = types.ModuleType("left_behind")
        builtins.left_behind = torch.left_behind = os.environ["LEFT_BEHIND"] = "x"
    """
    find = """
        import builtins, os, sys, tempfile
        folders = (".", "..", tempfile.gettempdir(), os.path.expanduser("~"), os.environ["XDG_CACHE_HOME"])
        found = [f for f in folders if os.path.exists(os.path.join(f, "left-behind"))]
        if found or "left_behind" in sys.modules or hasattr(torch, "left_behind"):
            raise LookupError("found what was left behind")
        if hasattr(builtins, "left_behind") or "LEFT_BEHIND" in os.environ:
            raise LookupError("found what was left behind")
    """
    assert arena.attack(dedent(leave) + dedent(find)).kind == "import_error"  # the search finds what is there
    assert arena.attack(leave) == arena.honest
    assert arena.attack(find) == arena.honest


def test_a_folder_nested_beyond_any_path_is_removed(arena: Arena) -> None:
    ended = arena.attack(
        """
        import os
        for _ in range(1200):
            os.mkdir("d" * 200)
            os.chdir("d" * 200)
        """
    )
    assert ended.kind in ("", "forbidden")


def test_removal_needs_no_recursion(tmp_path: Path) -> None:
    with scratch_folder("deep-", tmp_path) as folder:
        here = os.open(folder, os.O_RDONLY)
        for _ in range(1100):
            os.mkdir("d", mode=0o700, dir_fd=here)
            deeper = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = deeper
        os.close(here)
        with pytest.raises(RecursionError):
            shutil.rmtree(folder)
    assert not folder.exists()


def test_removal_does_not_follow_links(tmp_path: Path) -> None:
    kept = tmp_path / "kept" / "file"
    kept.parent.mkdir()
    kept.write_text("x")
    folder = tmp_path / "removed"
    (folder / "inner").mkdir(parents=True, mode=0)
    (folder / "link").symlink_to(kept.parent)
    remove_tree(folder)
    assert (kept.read_text(), folder.exists()) == ("x", False)
