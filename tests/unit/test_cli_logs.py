"""A line of the log: the event, its facts, and nothing that a terminal would act on."""

import logging
import sys

from hypothesis import given
from hypothesis import strategies as st

from headwater.cli.logs import MAX_VALUE, EventFormatter


def line(message: str, *arguments: object, **facts: object) -> str:
    record = logging.makeLogRecord({"msg": message, "args": arguments, **facts})
    return EventFormatter().format(record)


def test_an_event_is_told_with_its_facts() -> None:
    told = line("neighbours.banned", node="ab12", why="false blocks", changes=3, empty="")
    assert told == 'neighbours.banned node=ab12 why="false blocks" changes=3 empty=""'


def test_quotes_inside_a_value_do_not_end_it() -> None:
    assert line("x", why='he said "no"\\') == r'x why="he said \"no\"\\"'
    assert line("x", why="a=b") == 'x why="a=b"'


def test_others_messages_keep_their_arguments() -> None:
    assert line("%d of %s", 3, "four") == "3 of four"


@given(st.text(), st.text())
def test_whatever_is_told_stays_in_its_line(message: str, value: str) -> None:
    told = line(message.replace("%", ""), why=value)
    assert told.isprintable()


def test_a_value_is_bounded() -> None:
    assert len(line("x", why="y" * 10 * MAX_VALUE)) < MAX_VALUE + 20


def test_a_traceback_follows_and_is_escaped_as_well() -> None:
    try:
        int("\x1b[2Jcleared")
    except ValueError:
        told = line("node.failed", exc_info=sys.exc_info())
    first, *trace = told.split("\n")
    assert first == "node.failed"
    assert trace[0].startswith("Traceback") and trace[-1].startswith("ValueError")
    assert all(each.isprintable() for each in trace)
