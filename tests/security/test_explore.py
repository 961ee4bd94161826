"""docs/security.md: ``ipmix explore`` is for this machine alone, and keeps what it shows apart."""

import asyncio

import pytest

from ipmix.core.errors import InputError


def asked(path: str, host: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body that explore's own routes give, behind all its guards."""
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    from ipmix.explore import serving

    ping = Route("/ping", lambda request: PlainTextResponse("pong"))
    application = Starlette(routes=[*serving.ROUTES, ping], middleware=serving.guards())
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "raw_path": path.encode(),
        "root_path": "",
        "headers": [(b"host", host.encode())],
        "server": (host, 80),
    }
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(application(scope, receive, send))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(each.get("body", b"") for each in sent[1:])


def test_explore_is_on_localhost_only(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("streamlit", reason="not installed")
    from ipmix.explore import serving

    with serving.listening(0) as found:
        assert found.getsockname()[0] == "127.0.0.1"
    for host in ("0.0.0.0", "", "::", "example.org", "127.0.0.1.example.org"):
        with pytest.raises(InputError, match=r"explore listens on 127\.0\.0\.1 only"):
            serving.checked_host(host)
    for name, value in (
        ("SERVER_ADDRESS", "0.0.0.0"),
        ("SERVER_ENABLE_STATIC_SERVING", "true"),
        ("SERVER_ENABLE_AGENT_API", "true"),
        ("BROWSER_GATHER_USAGE_STATS", "true"),
    ):
        monkeypatch.setenv(f"STREAMLIT_{name}", value)
    serving.bootstrap.load_config_options(serving.SETTINGS)
    known = serving.streamlit.get_option
    assert {name: known(name) for name in serving.SETTINGS} == serving.SETTINGS, "whatever is set"
    for host in ("127.0.0.1:8765", "localhost:8765"):
        status, headers, body = asked("/ping", host)
        assert (status, body) == (200, b"pong")
        assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self' ")
    for host in ("evil.example", "127.0.0.1.evil.example", "0.0.0.0:8765"):
        assert asked("/ping", host)[0] == 400, host


def test_explore_keeps_reports_apart() -> None:
    pytest.importorskip("streamlit", reason="not installed")
    from ipmix.explore import scorecards, uploads

    status, headers, body = asked(f"/report/{scorecards.keep('<p>a page</p>')}", "localhost")
    assert (status, body) == (200, b"<p>a page</p>")
    rules = headers["content-security-policy"].split("; ")
    assert rules[0] == "sandbox allow-scripts", "without allow-same-origin"
    assert {"default-src 'none'", "frame-ancestors 'self'"} <= set(rules)
    for path in ("/report/none", "/report/../../etc/passwd"):
        assert asked(path, "localhost")[0] == 404
    with pytest.raises(InputError, match=r"^a\.png is not an image of the kind"):
        uploads.read_upload("a.png", b"%!PS-Adobe-3.0 EPSF-3.0", 224)
