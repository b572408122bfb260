"""The node's log on stderr: an event and its facts in one line, a traceback below it."""

import logging
import sys
import traceback

__all__ = ["EventFormatter", "log_to_stderr", "printable"]

MAX_VALUE = 1000
"""Characters of one fact: what other machines say is part of some."""
_NOT_FACTS = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
_ENDS_A_WORD = set(' "=')


def log_to_stderr(*, debug: bool = False) -> None:
    """From now on warnings are told there; `debug`: all that this program has to say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(EventFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("headwater").setLevel(logging.DEBUG if debug else logging.NOTSET)


class EventFormatter(logging.Formatter):
    """`event key=value key="two words"`. Shape: one line, without control characters; what a
    terminal would act on is escaped, in a traceback as well."""

    def format(self, record: logging.LogRecord) -> str:
        facts = {k: v for k, v in vars(record).items() if k not in _NOT_FACTS}
        words = [printable(record.getMessage())]
        words += [f"{key}={_value(value)}" for key, value in facts.items()]
        lines = [" ".join(words)]
        if record.exc_info and record.exc_info[1] is not None:
            told = "".join(traceback.format_exception(record.exc_info[1]))
            lines += [printable(line) for line in told.rstrip("\n").split("\n")]
        return "\n".join(lines)


def printable(text: str) -> str:
    """The same text, with everything escaped that is not simply seen."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _value(value: object) -> str:
    text = str(value)
    if len(text) > MAX_VALUE:
        text = text[:MAX_VALUE] + "…"
    if text and not _ENDS_A_WORD & set(text):
        return printable(text)
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{printable(escaped)}"'
