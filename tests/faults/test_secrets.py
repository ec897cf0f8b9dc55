"""A planted key, wherever a user puts it and whatever a server makes of it, is found nowhere afterwards."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from openevolve.errors import UserError
from openevolve.llm.settings import checked_address
from openevolve.settings.files import load_config, public_settings
from openevolve.settings.secrets import secrets_in, without_credentials, without_secrets
from tests.faults.searches import WRITER, run_search
from tests.support.llm_server import Behaviour, Exchange, Raw, Reply, Status

KEY = "sk-planted/0123456789abcdef"

OTHER = "sk-planted-other-0123456789"


@dataclass(frozen=True)
class Echo:
    """A behaviour made with the key that the request came with."""

    make: Callable[[str], Behaviour]

    def serve(self, exchange: Exchange) -> None:
        self.make(exchange.asked.headers["authorization"].removeprefix("Bearer ")).serve(exchange)


ECHOES = [
    Echo(lambda key: Status(500, {"error": {"message": f"cannot log Bearer {key}"}})),
    Echo(lambda key: Raw(f"<html>{key}</html>".encode())),
    Echo(lambda key: Reply(f"I was given {key} and write no code.")),
    Echo(lambda key: Reply(WRITER.format(width=4).replace("import torch", f"import torch\nKEY = '{key}'"))),
    Echo(lambda key: Status(400, {"error": {"message": quote(key, safe=""), "code": "content_filter"}})),
    Echo(lambda key: Reply(WRITER.format(width=8))),
]


def test_a_key_is_nowhere_after_a_search(tmp_path: Path) -> None:
    """One key in .env, one on the command line; the server echoes them in errors, replies and programs."""
    search = run_search(
        tmp_path, ECHOES, f"--set=llm.models=[{{name: other, api_key: {OTHER}}}]",
        environment_file=f"OPENAI_API_KEY={KEY}\n",
    )  # fmt: skip
    used = {request.headers["authorization"] for request in search.requests}
    assert used == {f"Bearer {KEY}", f"Bearer {OTHER}"}
    texts = dict(search.texts)
    assert "planted" in texts.pop(".env")
    [journal] = [text for name, text in texts.items() if name.endswith("journal.jsonl")]
    assert journal.count("[secret]") >= 3
    assert any(name.endswith(".log") and text for name, text in texts.items())
    texts |= {str(path): path.read_text(errors="replace") for path in search.run.rglob("artifacts/*.json")}
    for name, text in texts.items():
        assert "planted" not in text, f"{name}: {text[max(0, text.index('planted') - 100) :][:200]}"
    command = json.loads((search.run / "run_info.json").read_text())["command"]
    assert "--set=llm.models=[{name: other, api_key: [secret]}]" in command


@pytest.mark.parametrize(
    "override",
    [
        f"llm.api_key:{KEY}",
        f"llm.api_key {KEY}",
        f"llm.api_key={{{KEY}",
        f"llm.api_key=[{KEY}]",
        f"llm.api_base=htp://user:{KEY}@api.example/v1",
        f"llm.api_base=https://api.example/v1?key={KEY}",
    ],
)
def test_a_mistake_with_a_key_in_it_is_told_without_it(override: str) -> None:
    with pytest.raises(UserError) as caught:
        checked_address(load_config(None, [override]).llm.api_base, "llm.api_base")
    assert "planted" not in str(caught.value)


def test_an_address_that_holds_a_password_is_kept_without_it() -> None:
    """Where no model is asked, as with --offline, nobody refuses such an address."""
    overrides = [f"llm.api_base=https://user:{quote(KEY, safe='')}@api.example/v1?key=planted"]
    settings = public_settings(load_config(None, overrides))
    assert settings["llm"]["api_base"] == "https://[secret]@api.example/v1"


def test_an_address_that_was_made_of_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWAY_TOKEN", "planted-0123456789")
    config = load_config(None, ["llm.api_base=https://api.example/${GATEWAY_TOKEN}/v1"])
    assert public_settings(config)["llm"]["api_base"] == "https://api.example/[secret]/v1"


def test_what_counts_as_a_secret() -> None:
    environment = {
        "OPENAI_API_KEY": "a" * 20, "HF_TOKEN": "b" * 20, "DB_PASSWORD": "c" * 20,
        "PWD": "/home", "KEYMAP": "d",
    }  # fmt: skip
    assert secrets_in(environment) == {"a" * 20, "b" * 20, "c" * 20}


def test_secrets_are_masked_in_every_text_and_placeholders_are_not() -> None:
    value = {"a": [f"x{KEY}y", {"b": quote(KEY, safe="")}], "n": 3}
    assert without_secrets(value, [KEY, "ollama"]) == {"a": ["x[secret]y", {"b": "[secret]"}], "n": 3}
    assert without_secrets("an ollama model", ["ollama"]) == "an ollama model"
    assert without_credentials("http://localhost:11434/v1") == "http://localhost:11434/v1"
