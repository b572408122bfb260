"""`python -m headwater.web.openapi`: the API's description, as docs/openapi.json keeps it."""

import json

from headwater.web.app import describe

__all__ = ["text"]


def text() -> str:
    return json.dumps(describe(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


if __name__ == "__main__":
    print(text(), end="")
