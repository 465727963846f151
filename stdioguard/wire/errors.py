"""What the wire refuses, and why.

One exception for everything that a peer can get wrong below the level of policy. It carries the name of the rule that was
broken, so that the record and the answer can both name it, and the request id where one can still be told.
"""

from __future__ import annotations


class MalformedError(Exception):
    """A frame that is not one well-formed MCP message.

    `rule` is a short stable slug (`duplicate-key`), `detail` a sentence for people. `id` is the id that the frame names, if it
    names exactly one, else `None`; `is_answer` tells whether the frame would have been a response.
    """

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule
        self.detail = detail
        self.id: int | str | None = None
        self.is_answer = False
