"""What one request came to: a provider's replies and errors, sorted into a few statuses."""

import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import openai
from pydantic import BaseModel, Field, ValidationError

from openevolve.llm.bounded_http import UnusableBody
from openevolve.llm.status import Status as Status


@dataclass(frozen=True)
class Tokens:
    prompt: int = 0
    completion: int = 0


@dataclass(frozen=True)
class Answer:
    """A reply or an error. Only "ok" and "truncated" carry text.

    ``detail`` and ``advice`` hold the provider's words as they came, secrets included. ``tokens`` is
    None where the model may have worked and nobody says how much; ``retry_after`` is in seconds.
    """

    status: Status
    text: str = ""
    tokens: Tokens | None = Tokens()
    detail: str = ""
    advice: str = ""
    retry_after: float = 0.0


class _Usage(BaseModel):
    prompt_tokens: Annotated[int, Field(ge=0)]
    completion_tokens: Annotated[int, Field(ge=0)]


class _Message(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Message
    finish_reason: str | None = None


class _ChatCompletion(BaseModel):
    """The part of a chat completion that is read; compatible servers differ in the rest."""

    choices: Annotated[list[_Choice], Field(min_length=1)]


class _Billed(BaseModel):
    usage: _Usage


def read_reply(body: bytes) -> Answer:
    """Sort the body of a reply with status 200. A page without a completion is no work of the model's."""
    tokens = _tokens(body) or (None if b'"choices"' in body else Tokens())
    try:
        choice = _ChatCompletion.model_validate_json(body).choices[0]
    except ValidationError:
        found = body.decode(errors="replace") or "nothing"
        return Answer(Status.BAD_REPLY, tokens=tokens, detail=f"expected a chat completion, found {found}")
    text = choice.message.content or ""
    if choice.message.refusal or choice.finish_reason == "content_filter":
        return Answer(Status.REFUSED, tokens=tokens, detail=choice.message.refusal or "content filter")
    if choice.finish_reason == "length":
        return Answer(Status.TRUNCATED, text if text.strip() else "", tokens, "cut off at max_tokens")
    if not text.strip():  # also a model that reasons and then says nothing
        return Answer(Status.EMPTY, tokens=tokens, detail="a reply without text")
    return Answer(Status.OK, text, tokens)


def _tokens(body: bytes) -> Tokens | None:
    try:
        usage = _Billed.model_validate_json(body).usage
    except ValidationError:
        return None
    return Tokens(usage.prompt_tokens, usage.completion_tokens)


_REFUSAL_CODES = {"content_filter", "content_policy_violation", "invalid_prompt"}
_TOO_LONG_CODES = {"context_length_exceeded", "string_above_max_length", "exceed_context_size_error"}
_TOO_LONG_WORDS = "maximum context length"  # vLLM gives no code of its own
_NO_ROOM_WORDS = "model output limit was reached"  # of a model that reasons, instead of an empty reply
_NO_MONEY_CODES = {"insufficient_quota", "billing_not_active", "billing_hard_limit_reached"}

_ADVICE = {
    401: "check the API key",
    402: "check the account's balance",
    403: "check that the API key may use this model",
    404: "check the model's name and the server's address",
}


_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


def read_error(error: openai.APIError) -> Answer:
    """Sort an exception of the SDK.

    An error status takes no tokens; a request that was sent and never answered in full may have.
    """
    if isinstance(error, openai.APIStatusError):
        return _read_status(error)
    cause = error.__cause__
    tokens = Tokens() if isinstance(cause, _NOT_SENT) else None
    if isinstance(error, openai.APITimeoutError):
        return Answer(
            Status.TIMEOUT, tokens=tokens, detail=f"no answer from the server ({type(cause).__name__})"
        )
    if isinstance(cause, UnusableBody):
        return Answer(Status.BAD_REPLY, tokens=tokens, detail=str(cause))
    return Answer(Status.CONNECTION_ERROR, tokens=tokens, detail=f"{type(cause).__name__}: {cause}")


def _read_status(error: openai.APIStatusError) -> Answer:
    code = error.status_code
    body: Mapping[str, Any] = error.body if isinstance(error.body, Mapping) else {}
    labels = {str(body.get("code")), str(body.get("type"))}
    words = str(body.get("message") or error.body or "no reason given")
    detail = f"HTTP {code}: {words}"
    if code == 429 and not labels & _NO_MONEY_CODES:
        return Answer(Status.RATE_LIMITED, detail=detail, retry_after=_retry_after(error))
    if code >= 500 or code in {408, 409, 425}:
        return Answer(Status.SERVER_ERROR, detail=detail, retry_after=_retry_after(error))
    if labels & _REFUSAL_CODES:
        return Answer(Status.REFUSED, detail=detail)
    if code == 413 or labels & _TOO_LONG_CODES or _TOO_LONG_WORDS in words:
        return Answer(Status.PROMPT_TOO_LONG, detail=detail)
    if code == 400 and _NO_ROOM_WORDS in words:
        return Answer(Status.TRUNCATED, tokens=None, detail="cut off at max_tokens")
    if code < 400:
        location = error.response.headers.get("location", "nowhere")
        return Answer(
            Status.REJECTED,
            detail=f"HTTP {code}: redirected to {location}",
            advice="redirects are not followed: set the final address",
        )
    if code in {400, 422} and "model_not_found" not in labels:
        return Answer(Status.BAD_REQUEST, detail=detail, advice=_advice_on(body.get("param")))
    return Answer(Status.REJECTED, detail=detail, advice=_ADVICE.get(code, "check the account and the model"))


def _advice_on(parameter: object) -> str:
    if parameter in ("temperature", "top_p", "max_tokens", "max_completion_tokens", "reasoning_effort"):
        setting = str(parameter).replace("max_completion_tokens", "max_tokens")
        return f"change llm.{setting}, or set it to null to leave it out"
    return "check the model's name and its settings"


def _retry_after(error: openai.APIStatusError) -> float:
    """The seconds that a Retry-After header asks for (RFC 9110, section 10.2.3); 0 without a valid one."""
    value = error.response.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, OverflowError):
            return 0.0
    return 0.0 if math.isnan(seconds) else max(0.0, seconds)
