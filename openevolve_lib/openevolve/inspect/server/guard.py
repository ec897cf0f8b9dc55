"""Who may ask: requests of this server's own pages, by its own name, and beyond loopback with a token."""

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any
from urllib.parse import parse_qs, urlsplit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

COOKIE = "openevolve_token"
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}
_CLOSED = "default-src 'none'; frame-ancestors 'none'"  # of what is no page


def is_loopback(host: str) -> bool:
    """Whether an address or name is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


class Guard:
    """Wraps an ASGI application.

    A name that is not this server's (DNS rebinding), a page of another origin and a missing token are
    refused with 403 before the application sees them. Without a token any loopback name will do.
    """

    def __init__(self, app: App, host: str, port: int, token: str = "") -> None:
        self._app = app
        self._host = host.strip("[]")
        self._port = port
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        problem = self._problem(scope, headers)
        if problem:
            await _answer(send, 403, problem)
            return
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if self._token and "token" in query:  # out of the address, into a cookie that scripts do not see
            cookie = f"{COOKIE}={self._token}; HttpOnly; SameSite=Strict; Path=/"
            await _answer(send, 303, "", [("location", scope["path"]), ("set-cookie", cookie)])
            return
        await self._app(scope, receive, _hardened(send))

    def _problem(self, scope: Scope, headers: dict[str, str]) -> str:
        if scope["type"] != "http":
            return "expected HTTP"
        host = headers.get("host", "")
        if not self._is_mine(host):
            return f"expected this server's own name in Host, found {host[:80]!r}"
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return f"expected a page of this server, found Origin {origin[:80]!r}"
        followed = scope["method"] == "GET" and headers.get("sec-fetch-mode") == "navigate"  # a link
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not followed:
            return "expected a request of this server's pages, found one from another site"
        if self._token and not self._is_known(scope, headers):
            return "expected the token that the server printed, as ?token=... or in a cookie"
        return ""

    def _is_mine(self, host: str) -> bool:
        try:
            parts = urlsplit(f"//{host}")
            name, port = parts.hostname, parts.port
        except ValueError:
            return False
        if name is None or parts.username is not None or (port or 80) != self._port:
            return False
        if name == self._host or is_loopback(name):
            return True
        return bool(self._token)  # beyond loopback names are many, and the token decides

    def _is_known(self, scope: Scope, headers: dict[str, str]) -> bool:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        given = query.get("token", [])[:1]
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        given += [cookie.value] if cookie else []
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        return any(
            hmac.compare_digest(each.encode("utf-8", "replace"), self._token.encode())
            for each in (*given, bearer)
        )


def _hardened(send: Send) -> Send:
    async def hardened(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.lower() for name, _ in message["headers"]}
            added = HEADERS | (
                {} if b"content-security-policy" in names else {"content-security-policy": _CLOSED}
            )
            message["headers"] = [
                *message["headers"],
                *((name.encode(), value.encode()) for name, value in added.items()),
            ]
        await send(message)

    return hardened


async def _answer(send: Send, status: int, text: str, headers: list[tuple[str, str]] | None = None) -> None:
    content = [("content-type", "text/plain; charset=utf-8"), ("content-security-policy", _CLOSED)]
    sent = [*content, *HEADERS.items(), *(headers or [])]
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in sent]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": text.encode("utf-8", "backslashreplace")})
