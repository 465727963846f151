"""A server that answers the guard which started it, and nobody else.

    from mcp.server.mcpserver import MCPServer
    from stdioguard.sdk.server import RequireGuard

    app = MCPServer("notes", middleware=[RequireGuard()])

With `[handshake] server = true` in the profile, `stdioguard run` makes a secret for each launch, hands it to the server in
`MCP_SHARED_SECRET`, and presents it in `initialize` or, in 2026-07-28, in each request. Whoever starts the server without it gets no
server, and whoever holds its pipe without it gets no answer but the refusal.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

from stdioguard.guard.gates.identity import TOKEN_KEY
from stdioguard.guard.verdicts import NOT_AUTHENTICATED

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

VARIABLE = "MCP_SHARED_SECRET"
RULE = "handshake"


class NotGuardedError(SystemExit, RuntimeError):
    """There is no secret, so this server was not started by the guard.

    It is a `SystemExit` too: a server that does not catch it ends with the one line and the exit code 1, and no traceback.
    """


class RequireGuard:
    """Middleware that refuses every message of a parent which has not shown the secret of this launch.

    For the `mcp` SDK: `MCPServer(name, middleware=[RequireGuard()])`, or `server.middleware.append(RequireGuard())` on the low-level
    `Server`. For FastMCP: `FastMCP(name, middleware=[RequireGuard()])`. Put it first: what comes before it sees messages of anybody.

    `secret` is for a server that is handed one in another way; by default it is taken out of the environment variable `variable`, so make
    this object before anything that may start a process. Only a digest is kept. Raises `NotGuardedError` where there is no secret.
    """

    def __init__(self, secret: str | None = None, *, variable: str = VARIABLE) -> None:
        found = os.environ.pop(variable, None)
        secret = found if secret is None else secret
        if not secret:
            raise NotGuardedError(
                f"{variable} is not set: this server answers only the guard that starts it; start it with stdioguard run, "
                "and set server = true under [handshake] in its profile"
            )
        self._expected = _digest(secret)
        self._initialized = False
        self._admitted: WeakSet[ServerSession] = WeakSet()

    async def __call__(self, ctx: Any, call_next: Any) -> Any:
        """Let a message through, or refuse it. `ctx` is the SDK's `ServerRequestContext`, or FastMCP's `MiddlewareContext`."""
        admitted = self._admits(ctx) if isinstance(ctx, ServerRequestContext) else self._admits_fastmcp(ctx)
        # A notification has no answer: one that is refused is dropped.
        return await call_next(ctx) if admitted else None

    async def check_resource_access(self, context: Any) -> None:
        """Refuse a look at a resource that FastMCP makes by another way than a message; it calls this on each of its middlewares."""
        self._admits_fastmcp(context)

    def _admits(self, request: ServerRequestContext[Any, Any]) -> bool:
        """Tell whether a message may pass; raise the refusal if it is a request that may not. The secret is taken out of it."""
        presented = _take(request)
        proved = bool(presented) and all(self._is_right(given) for given in presented)
        if request.method == "initialize":
            self._initialized |= proved
            admitted = proved
        elif request.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
            # A connection has `client_params` from the moment its `initialize` has been answered, and that came past here.
            admitted = self._initialized and request.session.client_params is not None and (proved or not presented)
        else:
            # Each request stands for itself. A cancel, the one notification of 2026-07-28, names a request that has passed.
            admitted = proved or (request.request_id is None and request.method == "notifications/cancelled" and not presented)
        if not admitted and request.request_id is not None:
            raise _refusal()
        return admitted

    def _admits_fastmcp(self, context: Any) -> bool:
        """Do the same for FastMCP, whose middlewares see a message of their own making above the SDK's.

        FastMCP runs them more than once for some messages (a call lists the tools, a mounted server has its own turn), so a request
        that has passed is remembered by its session object, of which the SDK makes one for each message.
        """
        held = getattr(context.fastmcp_context, "request_context", None)
        request = getattr(held, "_srctx", None)
        if held is None or not isinstance(request, ServerRequestContext):
            raise _refusal()  # without the message as it came, nothing in it can be checked
        if request.session not in self._admitted:
            if not self._admits(request):
                return False
            self._admitted.add(request.session)
        _forget(held.meta)
        _forget(getattr(getattr(context.message, "params", None), "meta", None))
        return True

    def _is_right(self, given: object) -> bool:
        return isinstance(given, str) and hmac.compare_digest(_digest(given), self._expected)


def _take(request: ServerRequestContext[Any, Any]) -> list[object]:
    """Take every secret that is presented out of a request, so that no tool finds it in the context of its call.

    In place: what a session keeps of `initialize` is read from this very object after the middleware has returned.
    """
    params = request.params
    if not isinstance(params, dict):
        return []
    places = [(params.get("_meta"), TOKEN_KEY)]
    if request.method == "initialize":
        places.append((params.get("clientInfo"), "secret"))
    presented = [place.pop(key) for place, key in places if isinstance(place, dict) and key in place]
    _forget(request.meta)
    return presented


def _forget(copy: Any) -> None:
    """Take the secret out of a copy of `_meta`, if it is one."""
    if isinstance(copy, dict):
        copy.pop(TOKEN_KEY, None)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _refusal() -> MCPError:
    text = "not authenticated: this server answers only the guard that started it"
    return MCPError(NOT_AUTHENTICATED, text, {"code": NOT_AUTHENTICATED, "rule": RULE})
