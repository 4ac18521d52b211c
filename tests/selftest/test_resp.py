"""Frames are cut exactly, and every reply finds its request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.harness.resp import Conversation, Frames, NotRespError, request


def line(text: bytes) -> bytes:
    """One line."""
    return text + b"\r\n"


def bulk(kind: bytes, content: bytes) -> bytes:
    """A string with its length."""
    return line(kind + b"%d" % len(content)) + line(content)


LEAVES = st.one_of(
    st.sampled_from(
        [b"+OK", b"-ERR no", b":-1", b"_", b"#t", b",1.5", b"(9999999999999999999", b"$-1", b"*-1", b"*0"]
    ).map(line),
    st.builds(bulk, st.sampled_from([b"$", b"=", b"!"]), st.binary(max_size=40)),
)


def nested(inner: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    """Arrays, sets, pushes, maps and attributes of such values."""
    several = st.lists(inner, max_size=4)
    return st.one_of(
        st.builds(
            lambda kind, all_: line(kind + b"%d" % len(all_)) + b"".join(all_),
            st.sampled_from([b"*", b"~", b">"]),
            several,
        ),
        several.map(lambda all_: line(b"%%%d" % len(all_)) + b"".join(one + one for one in all_)),
        st.builds(lambda key, value, owner: line(b"|1") + key + value + owner, inner, inner, inner),
    )


VALUES = st.recursive(LEAVES, nested, max_leaves=12)


@given(st.lists(VALUES, max_size=6), st.data())
def test_frames_do_not_depend_on_how_bytes_arrive(values: list[bytes], data: st.DataObject) -> None:
    """Any values of RESP2 and RESP3 in a row, cut into any chunks, are the same frames, byte for byte."""
    stream = b"".join(values)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    frames = Frames()
    found = []
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += [frame.content for frame in frames.feed(stream[begin:end])]
    assert found == values
    assert frames.rest == b""


def test_half_a_frame_waits() -> None:
    """What is not whole is no frame, and is not lost."""
    frames = Frames()
    assert frames.feed(b"$10\r\nhalf") == []
    assert frames.rest == b"$10\r\nhalf"


@pytest.mark.parametrize("stream", [b"\x16\x03\x01", b"GET / HTTP/1.1\r\n", b"*x\r\n", b"$?\r\n"])
def test_other_protocols_are_told(stream: bytes) -> None:
    """TLS, HTTP, a length that is none and a streamed string are no RESP; not a byte is lost, nor what came before."""
    frames = Frames()
    with pytest.raises(NotRespError):
        frames.feed(b"+OK\r\n" + stream)
    assert frames.rest == b"+OK\r\n" + stream


def heard(conversation: Conversation, stream: bytes) -> list[tuple[bytes, bool]]:
    """The command that each frame of *stream* answers (of a push, its first word), and whether it answers."""
    return [(words[0], answers) for words, answers in map(conversation.hear, Frames().feed(stream))]


@pytest.mark.parametrize("kind", [b"*", b">"])
def test_confirmations_are_replies_and_messages_are_not(kind: bytes) -> None:
    """In RESP2 and RESP3: one confirmation a channel, whatever messages come between; then the next command's reply."""

    def told(*words: bytes) -> bytes:
        return kind + request(*words)[1:]

    conversation = Conversation()
    for words in ([b"subscribe", b"a", b"b"], [b"PING"], [b"UNSUBSCRIBE"], [b"GET", b"k"]):
        conversation.ask(tuple(words))
    stream = told(b"subscribe", b"a", b"1") + told(b"message", b"a", b"x") + told(b"subscribe", b"b", b"2")
    stream += b"+PONG\r\n" + told(b"unsubscribe", b"a", b"1") + told(b"unsubscribe", b"b", b"0") + b"$-1\r\n"
    assert heard(conversation, stream) == [
        (b"subscribe", True),
        (b"message", False),
        (b"subscribe", True),
        (b"PING", True),
        (b"UNSUBSCRIBE", True),
        (b"UNSUBSCRIBE", True),
        (b"GET", True),
    ]


def test_a_message_is_one_only_to_who_listens() -> None:
    """A value that looks like a message is a reply on a connection without a subscription."""
    conversation = Conversation()
    conversation.ask((b"LRANGE", b"k", b"0", b"-1"))
    assert heard(conversation, request(b"message", b"a", b"x")) == [(b"LRANGE", True)]


def test_a_refused_subscription_is_one_reply() -> None:
    """An error answers SUBSCRIBE whole, however many channels it named."""
    conversation = Conversation()
    conversation.ask((b"SUBSCRIBE", b"a", b"b"))
    conversation.ask((b"PING",))
    assert heard(conversation, b"-NOPERM no\r\n+PONG\r\n") == [(b"SUBSCRIBE", True), (b"PING", True)]
