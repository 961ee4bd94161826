"""Serves the page on this machine alone, with nothing from outside and nothing to outside."""

import base64
import hashlib
import os
import re
import socket
import sys
import webbrowser
from pathlib import Path
from typing import Any

import streamlit
import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from streamlit.web import bootstrap

import ipmix
from ipmix.explore import scorecards

ADDRESS = "127.0.0.1"
"""The one address that is listened on."""

HOSTS = (ADDRESS, "localhost")
"""What the page may be called by: a name of somebody's that leads here (DNS rebinding) is refused."""

SETTINGS: dict[str, Any] = {
    "browser.gatherUsageStats": False,
    "browser.serverAddress": ADDRESS,
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "global.developmentMode": False,
    "server.address": ADDRESS,
    "server.allowedHosts": list(HOSTS),
    "server.baseUrlPath": "",
    "server.corsAllowedOrigins": [],
    "server.enableAgentApi": False,
    "server.enableCORS": True,
    "server.enableStaticServing": False,
    "server.enableXsrfProtection": True,
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.maxUploadSize": 64,
    "server.runOnSave": False,
}
"""Streamlit's own, whatever a settings file or the environment says."""

GRACE = 1
"""Seconds that an open page has to let go when the server ends."""


def checked_host(host: str) -> str:
    """The address to listen on. Raises :class:`InputError` for any but this machine's own."""
    if host not in HOSTS:
        raise ipmix.InputError(
            f"--host {host}: explore listens on {ADDRESS} only, since who reaches the page reads files as you. From "
            f"another machine, use ssh -L 8765:{ADDRESS}:8765 HOST and open http://{ADDRESS}:8765 there"
        )
    return ADDRESS


def listening(port: int) -> socket.socket:
    """A socket that listens on this machine's own address; port 0 takes a free one.

    Raises:
        InputError: the port is taken, or not one's to take.
    """
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name != "nt":  # there it would share the port with whoever has it
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((ADDRESS, port))
        found.listen()
    except OSError as error:
        found.close()
        raise ipmix.InputError(f"--port {port} can't be had ({error.strerror}): choose another, or 0 for any") from None
    return found


def policy(index: str) -> str:
    """What a browser lets the page do: its own files and no others, no script in it but Streamlit's two lines."""
    inline = re.findall(r"<script>(.*?)</script>", index, re.S)
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in inline]
    scripts = " ".join(["'self'", *(f"'sha256-{each}'" for each in hashes)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'; frame-src 'self'; manifest-src 'self'; worker-src 'self' blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
    )


class Headers:
    """Puts the policy on every answer that has none of its own."""

    def __init__(self, app: Any, policy: str) -> None:
        self._app, self._policy = app, policy

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("Content-Security-Policy", self._policy)
                headers["X-Content-Type-Options"] = "nosniff"
                headers["Referrer-Policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, sent)


async def report(request: Any) -> Any:
    """A kept report. ``sandbox`` makes it a stranger to the page around it; it has a policy of its own besides."""
    page = scorecards.kept(request.path_params["name"])
    if page is None:
        return PlainTextResponse("This report is no longer kept: open it anew.", 404)
    rules = "sandbox allow-scripts; default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src"
    return HTMLResponse(page, headers={"Content-Security-Policy": f"{rules} 'unsafe-inline'; frame-ancestors 'self'"})


ROUTES = [Route("/report/{name}", report)]
"""What is served besides Streamlit's own."""


def guards() -> list[Middleware]:
    """What every request passes, outermost first."""
    index = Path(streamlit.__file__).with_name("static") / "index.html"
    return [
        Middleware(Headers, policy=policy(index.read_text(encoding="utf-8"))),
        Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False),
    ]


def application() -> Any:
    """The page as an ASGI application; Streamlit allows one in a process."""
    return streamlit.App(Path(__file__).with_name("page.py"), routes=ROUTES, middleware=guards())


def serve(host: str, port: int, *, browser: bool) -> None:
    """Serve the page until it is interrupted.

    Args:
        host: this machine's own address, or "localhost"; any other is refused.
        port: to listen on; 0 takes a free one.
        browser: open it in a browser, where there is a screen.

    Raises:
        InputError: another host, or a port that can't be had.
    """
    checked_host(host)
    found = listening(port)
    port = found.getsockname()[1]
    bootstrap.load_config_options({**SETTINGS, "server.port": port, "browser.serverPort": port})
    address = f"http://{ADDRESS}:{port}"
    server = uvicorn.Server(
        uvicorn.Config(application(), log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE)
    )
    sys.stdout.write(f"{address}  (Ctrl+C ends it)\n")
    sys.stdout.flush()
    if browser and has_screen():
        webbrowser.open(address)
    server.run(sockets=[found])


def has_screen() -> bool:
    """Whether a browser can be opened here; without a screen, one for the terminal would take it."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
