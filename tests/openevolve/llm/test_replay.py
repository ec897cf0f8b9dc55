"""Recorded replies: each prompt has its own, a new one those of its parent, and what is unlike is refused."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openevolve.llm.base import Attempt, Completion, CompletionFailed, Message
from openevolve.llm.replay import PromptKeyedReplies, RecordedCall, parent_in
from openevolve.proposing.prompts import build_prompt, retry_prompt
from openevolve.records.program import Context, Elite, Program, Usage
from openevolve.settings.files import load_config

CONFIG = load_config(None, [])
ATTEMPTS = (Attempt("m", 1.5, "server_error"), Attempt("m", 2.0, "ok", Usage(100, 10, 0.5)))


def prompt(code: str, *, shown: str = "", iteration: int = 1) -> list[Message]:
    """What a proposer asks for a child of ``code``, with another program beside it."""

    def elite(text: str, name: str) -> Elite:
        return Elite(Program(name, text, iteration=0, island=0), {"combined_score": 0.5})

    top = (elite(shown, "t"),) if shown else ()
    return build_prompt(Context(iteration, 0, elite(code, "p"), random.Random(0), top=top), CONFIG)


def call(messages: Sequence[Message], text: str) -> RecordedCall:
    return RecordedCall(messages, Completion(text, "m", ATTEMPTS))


def failed(messages: Sequence[Message]) -> RecordedCall:
    return RecordedCall(messages, CompletionFailed("m: no usable reply", ATTEMPTS[:1]))


def ask(model: PromptKeyedReplies, *prompts: Sequence[Message]) -> list[str]:
    """The texts of the replies, and the messages of the failures."""

    async def all_of_them() -> list[str]:
        ends = []
        for messages in prompts:
            try:
                ends.append((await model.complete(messages, random.Random(0))).text)
            except CompletionFailed as failure:
                ends.append(str(failure))
        return ends

    return asyncio.run(all_of_them())


A, B = "def f():\n    return 1\n", "def f():\n    return 2\n"


@given(st.lists(st.sampled_from([A, B, A + B, "x = 1\n"]), min_size=1), st.randoms())
def test_the_same_prompts_get_the_same_answers_in_any_order(codes: list[str], order: random.Random) -> None:
    recorded = [
        call(prompt(code, shown=f"n = {number}\n"), f"reply {number}") for number, code in enumerate(codes)
    ]
    asked = list(recorded)
    order.shuffle(asked)
    model = PromptKeyedReplies(recorded)
    found = ask(model, *(one.messages for one in asked))
    assert found == [one.answer.text for one in asked if isinstance(one.answer, Completion)]
    assert model.tally == {"same prompt": len(codes)}


def test_a_prompt_that_was_asked_several_times_has_its_answers_in_order() -> None:
    model = PromptKeyedReplies([call(prompt(A), "one"), call(prompt(B), "other"), call(prompt(A), "two")])
    assert ask(model, prompt(A), prompt(A), prompt(B)) == ["one", "two", "other"]


def test_an_answer_is_as_it_was_recorded() -> None:
    recorded = [call(prompt(A), "one"), failed(prompt(B))]
    model = PromptKeyedReplies(recorded)
    assert asyncio.run(model.complete(prompt(A), random.Random(0))) == recorded[0].answer
    with pytest.raises(CompletionFailed, match="m: no usable reply") as caught:
        asyncio.run(model.complete(prompt(B), random.Random(0)))
    assert caught.value.attempts == ATTEMPTS[:1]


def test_a_new_prompt_gets_a_reply_for_its_parent() -> None:
    recorded = [
        call(prompt(B), "for B"),
        call(prompt(A), "first"),
        failed(prompt(A)),
        call(prompt(A), "second"),
    ]
    model = PromptKeyedReplies(recorded)
    found = asyncio.run(model.complete(prompt(A, shown=B), random.Random(0)))
    assert found.text == "first"
    assert found.usage == Usage(100, 10, 0.5)
    assert found.attempts[-1].detail == "a recorded reply to another prompt with this parent"
    assert ask(model, prompt(A, shown="x = 1\n")) == ["second"]
    assert model.tally == {"same parent": 2}


def test_a_recorded_prompt_keeps_its_answer_whatever_new_ones_were_given() -> None:
    model = PromptKeyedReplies([call(prompt(A), "one")])
    assert ask(model, prompt(A, shown=B), prompt(A)) == ["one", "one"]


def test_what_is_unlike_is_refused_with_the_reason() -> None:
    model = PromptKeyedReplies([call(prompt(A), "one"), failed(prompt(B))])
    talk: list[Message] = [{"role": "user", "content": "Hello"}]
    ends = ask(model, prompt("x = 3\n", shown=A), prompt(B, shown=A), talk, prompt(A), prompt(A))
    assert [end.partition(", found ")[2] for end in ends] == [
        "a new one with a parent that no recorded prompt has",
        "a new one with a parent that no recorded prompt has",
        "a new one without a program",
        "",
        "a new one whose parent's 1 recorded replies have been given",
    ]
    assert ends[0].startswith("expected a prompt among the 2 recorded ones, or with the parent of one")
    assert model.tally == {"same prompt": 1, "refused": 4}


def test_a_second_question_is_told_from_the_first() -> None:
    again = retry_prompt(prompt(A), "prose", "expected a program, found prose", CONFIG)
    model = PromptKeyedReplies([call(prompt(A), "prose"), call(again, "code")])
    assert ask(model, prompt(A), again) == ["prose", "code"]


@given(st.lists(st.sampled_from([A, B, A + B]), max_size=12), st.integers(0, 12))
def test_a_second_session_goes_on_where_the_first_ended(codes: list[str], cut: int) -> None:
    recorded = [call(prompt(code), f"reply {number}") for number, code in enumerate([A, B, A, A, B])]
    prompts = [prompt(code, shown="x = 1\n" if number % 3 else "") for number, code in enumerate(codes)]
    whole = ask(PromptKeyedReplies(recorded), *prompts)
    assert ask(PromptKeyedReplies(recorded, answered=prompts[:cut]), *prompts[cut:]) == whole[cut:]


@given(st.text(), st.text())
def test_the_parent_is_found_whatever_it_holds(code: str, shown: str) -> None:
    code = f"x = 1\n{code}\n"
    assert parent_in(prompt(code, shown=shown)) == parent_in(prompt(code))


def test_a_parent_with_fences_in_it_is_found() -> None:
    code = 'def f():\n    """\n    ```python\n    f()\n    ```\n    """\n'
    assert parent_in(prompt(code, shown=A)) == code.rstrip("\n")


@pytest.mark.parametrize("text", ["code", None])
def test_calls_are_read_from_a_journal(text: str | None) -> None:
    event = {
        "event": "replied", "messages": prompt(A), "text": text, "model": "m", "problem": "no reply",
        "attempts": [asdict(attempt) for attempt in ATTEMPTS],
    }  # fmt: skip
    found = RecordedCall.from_event(event)
    assert found.messages == prompt(A)
    assert found.answer.attempts == ATTEMPTS
    assert (str(found.answer) if isinstance(found.answer, CompletionFailed) else found.answer.text) in {
        "code", "no reply",
    }  # fmt: skip


def test_a_live_search_is_answered_from_its_record(replies_dir: Path) -> None:
    recorded = []
    for path in sorted((replies_dir / "live").glob("[0-9]*[0-9].md")):
        system, _, user = path.with_suffix(".prompt.md").read_text().partition("\n[user]\n")
        messages = [
            {"role": "system", "content": system.removeprefix("[system]\n")},
            {"role": "user", "content": user},
        ]
        recorded.append(call(messages, path.read_text()))
    if not recorded:
        pytest.skip("no recorded search with its prompts")
    assert all("def create_model" in (parent_in(one.messages) or "") for one in recorded)
    changed = [[*one.messages[:1], {**one.messages[1], "content": one.messages[1]["content"] + "\n\nGo."}]
               for one in recorded]  # fmt: skip
    model = PromptKeyedReplies(recorded)
    ask(model, *changed)
    assert model.tally == {"same parent": len(recorded)}
