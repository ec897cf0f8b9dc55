"""Loading MedMNIST's files, downloads among them, and the user's own."""

import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from medevonet.data.dataset import LabelKind, load_dataset
from medevonet.data.sources import medmnist_info
from medevonet.task import MEDMNIST_NAMES
from tests import PROJECT
from tests.support.npz_files import assert_holds, leftovers, own, refusal, small_arrays


@pytest.mark.parametrize("name", ["breastmnist", "pneumoniamnist"])
def test_a_real_file_is_mapped_as_it_is(name: str, medmnist_root: Path, tmp_path: Path) -> None:
    dataset = load_dataset(name, 28, root=medmnist_root, cache=tmp_path)
    with np.load(medmnist_root / f"{name}.npz") as file:
        assert_holds(dataset, dict(file))
    assert (dataset.label_kind, dataset.outputs, dataset.channels) == ("binary", 2, 1)
    images = dataset.load_images("train")
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


@pytest.mark.parametrize(("kind", "outputs"), [("binary", 2), ("multi-class", 3), ("multi-label", 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_own_files_of_every_kind(kind: LabelKind, outputs: int, channels: int, tmp_path: Path) -> None:
    arrays = small_arrays(kind, channels=channels)
    dataset = load_dataset(own(tmp_path / "own.npz", kind, arrays), 8, cache=tmp_path / "cache")
    assert (dataset.name, dataset.label_kind, dataset.size) == ("own", kind, 8)
    assert (dataset.outputs, dataset.channels) == (outputs, channels)
    assert_holds(dataset, arrays)


@pytest.mark.parametrize("integers", [np.bool_, np.int8, np.int64, np.dtype(">i4")])
def test_labels_of_any_integer_become_int64_columns(integers: npt.DTypeLike, tmp_path: Path) -> None:
    flat = small_arrays()["train_labels"][:, 0].astype(integers)
    config = own(tmp_path / "own.npz", changes={"train_labels": flat})
    dataset = load_dataset(config, 8, cache=tmp_path / "cache")
    labels = dataset.load_labels("train")
    assert labels.dtype == np.dtype("int64")
    np.testing.assert_array_equal(labels[:, 0], flat)


def test_images_and_both_sorts_of_labels_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    dataset = load_dataset(own(tmp_path / "own.npz"), 8, cache=tmp_path / "cache")
    folders = [
        {path.parent for path in dataset.images.values()},
        {dataset.labels["train"].parent},
        {dataset.labels["val"].parent, dataset.labels["test"].parent},
    ]
    assert [len(folder) for folder in folders] == [1, 1, 1]
    assert len(set.union(*folders)) == 3


def test_the_environment_names_data_and_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("MEDMNIST_ROOT", str(tmp_path / "root"))
    assert str(tmp_path / "root" / "octmnist_64.npz") in refusal("octmnist", 64, download=False)
    monkeypatch.delenv("MEDEVONET_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    config = own(tmp_path / "own.npz")
    assert tmp_path / "xdg" / "medevonet" in load_dataset(config, 8).images["train"].parents
    monkeypatch.setenv("MEDEVONET_CACHE", str(tmp_path / "mine"))
    assert tmp_path / "mine" in load_dataset(config, 8).images["train"].parents


def test_facts_of_the_five_and_the_installed_package() -> None:
    from medmnist import INFO

    info = medmnist_info()
    assert info == {name: facts for name, facts in INFO.items() if not name.endswith("3d")}
    assert [len(info[name]["label"]) for name in MEDMNIST_NAMES] == [2, 2, 4, 7, 14]
    assert [info[name]["n_channels"] for name in MEDMNIST_NAMES] == [1, 1, 1, 3, 1]


def test_loading_does_not_import_torch(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from medevonet.data.dataset import load_dataset; from openevolve.errors import UserError\n"
        f"load_dataset('demo-breastmnist', 28, cache=Path({str(tmp_path)!r}))\n"
        f"try: load_dataset('breastmnist', 28, root=Path({str(tmp_path)!r}), download=False)\n"
        "except UserError: sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, timeout=60).returncode == 0


# --- MedMNIST's published MD5s, and downloads


@pytest.fixture
def breast(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bytes:
    """A small stand-in for the file of BreastMNIST, whose MD5 medmnist now publishes."""
    own(tmp_path / "published.npz", changes=small_arrays(size=28))
    content = (tmp_path / "published.npz").read_bytes()
    monkeypatch.setitem(medmnist_info()["breastmnist"], "MD5", hashlib.md5(content).hexdigest())
    return content


@contextmanager
def served(status: int, length: int, body: bytes) -> Iterator[str]:
    """A server on loopback that answers every request so; yields an address of it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/breastmnist.npz?download=1"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("change", ["cut", "flipped", "appended"])
def test_a_file_other_than_the_published_one(change: str, breast: bytes, tmp_path: Path) -> None:
    flipped = bytes([breast[0] ^ 1]) + breast[1:]
    content = {"cut": breast[:-9], "flipped": flipped, "appended": breast + b"!"}[change]
    (tmp_path / "breastmnist.npz").write_bytes(content)
    message = refusal("breastmnist", 28, root=tmp_path, cache=tmp_path / "cache")
    published = medmnist_info()["breastmnist"]["MD5"]
    assert f"expected the published MD5 {published}, found {hashlib.md5(content).hexdigest()}" in message


def test_an_altered_file_is_refused_though_known_as_the_users_own(breast: bytes, tmp_path: Path) -> None:
    path, cache = tmp_path / "breastmnist.npz", tmp_path / "cache"
    load_dataset(own(path, changes={"test_labels": small_arrays()["test_labels"][::-1]}), 8, cache=cache)
    assert "published MD5" in refusal("breastmnist", 28, root=tmp_path, cache=cache)


def test_a_download_lands_whole_and_checked(
    breast: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "new" / "root"
    root.mkdir(parents=True)
    with served(200, len(breast), breast) as url:
        monkeypatch.setitem(medmnist_info()["breastmnist"], "url", url)
        dataset = load_dataset("breastmnist", 28, root=root, cache=tmp_path / "cache")
    assert (root / "breastmnist.npz").read_bytes() == breast
    assert_holds(dataset, small_arrays(size=28))
    assert "breastmnist" in capfd.readouterr().err, "progress is shown"
    load_dataset("breastmnist", 28, root=root, cache=tmp_path / "cache")  # the server is gone


@pytest.mark.parametrize("fault", ["404", "cut", "altered", "refused"])
def test_a_download_that_fails_leaves_nothing(
    fault: str, breast: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "root").mkdir()
    status = 404 if fault == "404" else 200
    body = {"cut": breast[:-99], "altered": breast[:-1] + b"!"}.get(fault, breast)
    with served(status, len(breast), body) as url:
        address = "http://127.0.0.1:9/closed" if fault == "refused" else url
        monkeypatch.setitem(medmnist_info()["breastmnist"], "url", address)
        message = refusal("breastmnist", 28, root=tmp_path / "root", cache=tmp_path / "cache")
    expected = {"404": "404", "refused": "refused"}.get(fault, "truncated or altered")
    assert expected in message
    assert f"Put the file from {address} there, or set MEDMNIST_ROOT" in message
    assert list((tmp_path / "root").iterdir()) == []


def test_the_md5_is_taken_once_until_the_file_changes(breast: bytes, tmp_path: Path) -> None:
    path, cache = tmp_path / "breastmnist.npz", tmp_path / "cache"
    path.write_bytes(breast)
    load_dataset("breastmnist", 28, root=tmp_path, cache=cache)
    before = path.stat().st_mtime_ns
    path.write_bytes(bytes(len(breast)))
    os.utime(path, ns=(before, before))
    load_dataset("breastmnist", 28, root=tmp_path, cache=cache)  # same path, size and time: taken as known
    os.utime(path, ns=(before + 1, before + 1))
    assert "published MD5" in refusal("breastmnist", 28, root=tmp_path, cache=cache)
    assert leftovers(tmp_path) == []
