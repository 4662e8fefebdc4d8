"""The health check of the image follows `/readyz` at the address in the configuration."""

import importlib.util
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

SCRIPT = Path(__file__).parents[3] / "packaging" / "image" / "healthcheck.py"


def handler(status: int) -> type[BaseHTTPRequestHandler]:
    """Returns the class of a handler that answers every request with the status."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = f"{request.path} {status}".encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return type("Handler", (BaseHTTPRequestHandler,), {"do_GET": answer, "log_message": lambda *_: None})


@pytest.fixture
def check() -> Callable[[], int]:
    specification = importlib.util.spec_from_file_location("healthcheck", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    run: Callable[[], int] = module.main
    return run


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1)])
def test_status_decides(
    check: Callable[[], int],
    status: int,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:3128")  # would be unreachable
    with HTTPServer(("127.0.0.1", 0), handler(status)) as server:
        monkeypatch.setenv("EMAILROUTER_API__LISTEN", f"0.0.0.0:{server.server_port}")
        thread = Thread(target=server.handle_request)
        thread.start()
        assert check() == code
        thread.join()
    assert capsys.readouterr().out == f"/readyz {status}\n"


def test_closed_port(
    check: Callable[[], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with HTTPServer(("127.0.0.1", 0), handler(200)) as server:
        monkeypatch.setenv("EMAILROUTER_API__LISTEN", f"127.0.0.1:{server.server_port}")
    assert check() == 1
    assert "Connection refused" in capsys.readouterr().out
