"""The server of the page: of this machine alone, and asking nothing of another."""

from __future__ import annotations

import socket
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tfadvpath.batch.options import ExplainOptions
from tfadvpath.bundle.bundle import Bundle
from tfadvpath.errors import InputError
from tfadvpath.studies.limits import MAX_FILE_BYTES
from tfadvpath.studies.reader_process import ReaderProcess
from tfadvpath.viewer_server.desk import PAGE, Desk
from tfadvpath.viewer_server.environment import silent_gradio
from tfadvpath.viewer_server.explaining import Explaining

HOST = "127.0.0.1"
_NAMES = (HOST, "localhost")
# Seconds that answers may take when the server ends.
_LAST_ANSWERS = 3.0
# The browser refuses whatever Gradio's page would ask of another machine. Its parts are made by eval.
_POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' data: blob:; "
    "frame-ancestors 'self'; form-action 'self'; base-uri 'self'"
)
# The viewer's page has a stricter one in itself. In a tab too it is as much a stranger as in its frame.
_POLICY_OF_VIEWER = "sandbox allow-scripts allow-downloads; frame-ancestors 'self'"

_Message = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[_Message]]
_Send = Callable[[_Message], Awaitable[None]]


@contextmanager
def serving(bundle: Bundle | Path | str, options: ExplainOptions, port: int) -> Iterator[str]:
    """Serves the page while the block runs; the first study finds all compiled.

    Args:
        bundle: Bundle, or its folder.
        options: Options of explaining and reading.
        port: Number of the port; 0 takes a free one.

    Yields:
        The address of the page.

    Raises:
        InputError: Gradio is not installed; the port is taken; the bundle cannot be loaded or has no such
            method.
    """
    with tempfile.TemporaryDirectory(prefix="tfadvpath-view-", ignore_cleanup_errors=True) as name:
        folder = Path(name)  # of mode 0700
        uploads = folder / "uploads"
        uploads.mkdir(mode=0o700)
        with (
            silent_gradio(uploads),
            _listening(port) as listener,
            ReaderProcess(options.memory_limit, options.time_limit) as reader,
        ):
            explaining = Explaining(bundle, options)
            explaining.warm_up()
            app = application(Desk(explaining, folder, reader), uploads)
            with _running(app, listener):
                yield f"http://{HOST}:{listener.getsockname()[1]}"


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise InputError(
                "`port`", f"{port} cannot be taken ({error.strerror or error})", "Give another one"
            ) from None
        except OverflowError:
            raise InputError("`port`", f"{port} is no port", "Give one from 0 to 65535") from None
        yield listener


@contextmanager
def _running(app: Any, listener: socket.socket) -> Iterator[None]:
    import uvicorn

    # No log: an address may hold the name of a file.
    config = uvicorn.Config(
        app, log_config=None, log_level="critical", access_log=False, timeout_graceful_shutdown=1, ws="none"
    )
    server = uvicorn.Server(config)
    # In a thread of its own it leaves the signals to the process.
    thread = threading.Thread(target=server.run, args=([listener],), name="page", daemon=True)
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise RuntimeError("the server of the page does not start")
            time.sleep(0.02)
        yield
    finally:
        server.should_exit = True
        thread.join(_LAST_ANSWERS)
        server.force_exit = True  # a browser's tab that is open listens without end
        thread.join(_LAST_ANSWERS)


def application(desk: Desk, uploads: Path) -> Any:
    """Returns the application: the page, and the files of explanations by their tokens.

    Args:
        desk: Reads and explains.
        uploads: Folder in which Gradio puts what is dropped.
    """
    import fastapi
    import gradio
    from fastapi.responses import FileResponse, PlainTextResponse

    from tfadvpath.viewer_server.gradio_page import asset, blocks, theme

    app = fastapi.FastAPI(openapi_url=None)

    @app.get("/explanations/{token}/{name}")
    def explanation(token: str, name: str) -> fastapi.Response:
        try:
            file = desk.file(token, name)
        except InputError as error:
            return PlainTextResponse(str(error), 404)
        if name == PAGE:
            return FileResponse(
                file, media_type="text/html", headers={"content-security-policy": _POLICY_OF_VIEWER}
            )
        return FileResponse(file, media_type="application/octet-stream", filename=file.name)

    gradio.mount_gradio_app(
        app,
        blocks(desk, uploads),
        path="/",
        server_name=HOST,
        footer_links=[],
        run_history=False,
        max_file_size=MAX_FILE_BYTES,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        enable_monitoring=False,
        theme=theme(),
        css=asset("style.css"),
    )
    return _Guarded(app)


class _Guarded:
    """Answers this machine's browser on this page alone, and says what the page may do.

    A page of elsewhere can lead a browser here: under a name of its own that resolves to this machine, or by
    sending a form.
    """

    def __init__(self, app: Any):
        self._app = app

    async def __call__(self, scope: _Message, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        origin = headers.get("origin", f"http://{host}")
        if host.rpartition(":")[0] not in _NAMES or origin not in (f"http://{host}", "null"):
            await send({"type": "http.response.start", "status": 403, "headers": []})
            await send({"type": "http.response.body", "body": b"This page is of this machine alone.\n"})
            return

        async def answer(message: _Message) -> None:
            if message["type"] == "http.response.start":
                names = [name for name, _ in message["headers"]]
                added = {
                    b"cache-control": b"no-store",
                    b"content-security-policy": _POLICY.encode(),
                    b"referrer-policy": b"no-referrer",
                    b"x-content-type-options": b"nosniff",
                }
                kept = [each for each in message["headers"] if each[0] != b"cache-control"]
                extra = [
                    each for each in added.items() if each[0] not in names or each[0] == b"cache-control"
                ]
                message = {**message, "headers": [*kept, *extra]}
            await send(message)

        await self._app(scope, receive, answer)
