"""The HTTP client beneath the SDK: no redirects, no compression and no reply without an end."""

import functools
import ssl
from collections.abc import AsyncIterator

import httpx

MAX_REPLY_BYTES = 8 * 2**20  # some 200 times a full reply of 8,192 tokens


class UnusableBody(Exception):
    """A reply's body was given up before its end."""


def bounded_http_client() -> httpx.AsyncClient:
    """An HTTP client whose replies are bounded in size; bounding their time is the caller's part.

    Redirects are not followed: httpx would hand Azure's ``api-key`` header to the new host.
    """
    return httpx.AsyncClient(
        verify=_tls(),
        follow_redirects=False,
        headers={"Accept-Encoding": "identity"},
        event_hooks={"response": [_bound_body]},
    )


@functools.cache
def _tls() -> ssl.SSLContext:
    """One context for all clients: loading its certificates takes some 30 ms."""
    return httpx.create_ssl_context()


async def _bound_body(response: httpx.Response) -> None:
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":  # a small compressed body may unpack to any size
        raise UnusableBody(f"expected an uncompressed reply, found content-encoding {encoding}")
    assert isinstance(response.stream, httpx.AsyncByteStream)
    response.stream = _BoundedStream(response.stream)


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for chunk in self._stream:
            size += len(chunk)
            if size > MAX_REPLY_BYTES:
                raise UnusableBody(f"expected a reply of at most {MAX_REPLY_BYTES:,} bytes, found more")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
