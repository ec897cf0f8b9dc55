"""How a request to a language model ended, in a few words that every part of a run understands."""

from enum import StrEnum


class Status(StrEnum):
    """How a request ended."""

    OK = "ok"
    TRUNCATED = "truncated"  # cut off at max_tokens
    REFUSED = "refused"  # by the model or by a content filter
    PROMPT_TOO_LONG = "prompt_too_long"  # for the model's context
    BAD_REQUEST = "bad_request"  # the server takes no request like this one
    REJECTED = "rejected"  # the key, the model or the address is wrong
    EMPTY = "empty"
    BAD_REPLY = "bad_reply"  # HTML, invalid JSON, another schema, too large
    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    TIMEOUT = "timeout"
    CONNECTION_ERROR = "connection_error"

    @property
    def may_pass(self) -> bool:
        """Whether the same request may succeed a moment later."""
        return self in _TRANSIENT

    @property
    def is_outage(self) -> bool:
        """Whether the model gave no answer at all: nothing that speaks against what was asked."""
        return self in _OUTAGE


_OUTAGE = {
    Status.BAD_REPLY,  # a page of a proxy or a sign-in
    Status.RATE_LIMITED,
    Status.SERVER_ERROR,
    Status.TIMEOUT,
    Status.CONNECTION_ERROR,
}
_TRANSIENT = {*_OUTAGE, Status.EMPTY}
