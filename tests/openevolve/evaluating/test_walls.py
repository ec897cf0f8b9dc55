"""The walls themselves: what older kernels give, what a level means, what happens where there are none."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openevolve.errors import UserError
from openevolve.evaluating.isolation import (
    ForkServer,
    Request,
    Walls,
    establish,
    landlock,
    level,
    seccomp,
    syscalls,
)
from openevolve.evaluating.isolation.landlock import Access, known_access
from openevolve.evaluating.isolation.level import environment_of, try_walls
from openevolve.evaluating.isolation.seccomp import Rule
from openevolve.evaluating.isolation.walls import enclose, open_to_all
from openevolve.evaluating.isolation.watch import folder_usage


def in_a_child(action: Callable[[], object]) -> object:
    """What the action returns in a forked child, or the number of the OSError that it raises."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            found = action()
        except OSError as error:
            found = error.errno
        except BaseException as error:
            found = repr(error)
        os.write(writer, json.dumps(found).encode())
        os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with open(reader) as file:
        return json.load(file)


@pytest.mark.parametrize("abi", range(1, landlock.abi() + 1))
def test_walls_hold_with_every_version_of_landlock(tmp_path: Path, abi: int) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    secret = outside / "secret"
    secret.write_text("secret")
    actions: dict[str, Callable[[], object]] = {
        "read": secret.read_text,
        "list": lambda: os.listdir(outside),
        "write": lambda: secret.write_text("x"),
        "truncate": lambda: os.truncate(secret, 0),
        "open to truncate": lambda: os.open(secret, os.O_RDONLY | os.O_TRUNC),
        "remove": secret.unlink,
        "move": lambda: secret.rename(inside / "mine"),
        "signal": lambda: os.kill(os.getppid(), 0),
    }

    def tried(action: Callable[[], object]) -> object:
        enclose(Walls(), inside, landlock_abi=abi)
        return action()

    for name, action in actions.items():
        found = in_a_child(lambda action=action: tried(action))  # type: ignore[misc]
        assert found in (errno.EACCES, errno.EPERM, errno.EXDEV), (name, found)
    assert in_a_child(lambda: tried(lambda: (inside / "mine").write_text("mine"))) == 4
    assert secret.read_text() == "secret"


def test_signals_of_what_an_evaluator_starts_stay_inside() -> None:
    assert all(try_walls(Walls(processes=8), signals=landlock.abi() >= landlock.SCOPE_ABI).values())


def test_a_wall_that_does_not_stand_is_seen() -> None:
    """A folder with everything let in: the trial must say so."""
    found = try_walls(Walls(readable=(Path("/"),)))
    assert not found["reading files"]
    assert not found["listing folders"]
    assert found["changing files"]
    assert found["TCP"]


def test_without_landlock_strict_is_refused_or_allowed_aloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    with pytest.raises(
        UserError, match=r"evaluator\.isolation: expected walls .* no Landlock.*--allow-unsafe"
    ):
        establish("strict")
    allowed = establish("strict", allow_unsafe=True)
    assert allowed.level == "process"
    assert allowed.line.startswith("UNSAFE, as allowed (no Landlock)")
    assert "NO WALLS" in allowed.line


def test_walls_that_failed_when_tried_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(level, "try_walls", lambda *_, **__: {"TCP": False, "UDP": True})
    with pytest.raises(UserError, match="TCP went wrong"):
        establish("strict")


def test_each_level_says_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert establish("strict", allow_unsafe=True).line.startswith("strict: walls around files, network")
    assert "starting processes" not in establish("strict", processes=True).line
    assert "no keys; NO WALLS" in establish("process").line
    assert "with its keys; NO WALLS" in establish("none").line
    monkeypatch.setenv("SOME_API_KEY", "planted")
    assert "SOME_API_KEY" not in environment_of("process")
    assert environment_of("none")["SOME_API_KEY"] == "planted"


def test_what_is_not_walled_by_an_old_kernel_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 5)
    assert "NOT walled: signals" in establish("strict", processes=True).line
    assert "NOT walled" not in establish("strict").line


def test_whoever_may_start_others_stands_within_no_walls(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected walls or may_start"):
        Request("x:y", {}, tmp_path, may_start=True, walls=Walls())


def test_walls_that_cannot_be_put_up_let_nothing_run(tmp_path: Path) -> None:
    """A child whose walls fail ends before its target."""
    with ForkServer() as server:
        request = Broken("openevolve.evaluating.isolation.probe:main", {}, tmp_path, walls=Walls())
        with server.start(request) as child:
            assert child.wait(10).code == 1
    assert "TypeError" in request.output.read_text()


class Broken(Request):
    def to_json(self) -> dict[str, Any]:
        values = super().to_json()
        values["walls"]["open_files"] = "many"
        return values


@pytest.mark.parametrize(
    ("version", "newest"), [(1, Access.MAKE_SYM), (2, Access.REFER), (7, Access.IOCTL_DEV)]
)
def test_access_grows_with_the_version(version: int, newest: Access) -> None:
    known = known_access(version)
    assert newest in known
    assert known.bit_length() == newest.bit_length()


def test_a_filter_refuses_by_argument() -> None:
    def filtered(*rules: Rule) -> list[int]:
        enclose_nothing(rules)
        return [_error(lambda signal=signal: os.kill(os.getpid(), signal)) for signal in (0, 18)]  # type: ignore[misc]

    assert in_a_child(lambda: filtered(Rule("kill", 1, refused=(18,)))) == [0, errno.EPERM]
    assert in_a_child(lambda: filtered(Rule("kill", 1, allowed=(18, 19)))) == [errno.EPERM, 0]
    assert in_a_child(lambda: filtered(Rule("kill", 1, mask=2, refused=(2,)))) == [0, errno.EPERM]
    assert in_a_child(lambda: filtered(Rule("kill", errno=errno.ENOSYS))) == [errno.ENOSYS] * 2


def enclose_nothing(rules: tuple[Rule, ...]) -> None:
    syscalls.prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
    seccomp.install(rules)


def _error(action: Callable[[], object]) -> int:
    try:
        action()
    except OSError as error:
        return error.errno or -1
    return 0


def test_files_are_counted_up_to_the_limit_and_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("x")
    (tmp_path / "link").symlink_to("/usr")
    count, size = folder_usage(tmp_path, 100)
    assert count == 3
    assert 0 <= size < 1 << 20
    (tmp_path / "large").write_bytes(bytes(3 << 20))
    assert folder_usage(tmp_path, 100)[1] >= 3 << 20
    assert folder_usage(tmp_path, 1)[0] == 2


def test_what_must_stay_private_may_not_lie_among_the_libraries(tmp_path: Path) -> None:
    place = next(folder for folder in open_to_all() if folder.is_dir())
    private = {tmp_path: "its folder", place / "app" / ".env": "move the app"}
    with pytest.raises(
        UserError, match=rf"expected {place}/app/\.env out of reach .* \(move the app\), .* --allow-unsafe"
    ):
        establish("strict", private=private)
    assert establish("strict", private=private, allow_unsafe=True).level == "strict"
    assert establish("strict", private={tmp_path / ".env": "its folder"}).level == "strict"
