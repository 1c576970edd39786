"""A Ray cluster: a running one, or one of this machine that lasts as long as a run."""

from __future__ import annotations

import atexit
import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from tfadvpath.errors import InputError, quoted

_ADDRESS = "RAY_ADDRESS"
_FOLDER = "RAY_TMPDIR"
_CONNECT_LIMIT = 10.0  # seconds
LOCAL = "local"
# Variables that each process of the cluster has as this one has them: they choose how Keras computes.
_SHARED = ("KERAS_BACKEND", "TF_ENABLE_ONEDNN_OPTS", "TF_CPP_MIN_LOG_LEVEL")


@contextmanager
def cluster(address: str | None) -> Iterator[None]:
    """Connects this process to a Ray cluster while the block runs; the process may be connected already.

    Args:
        address: Address of a running cluster; None is what the environment variable RAY_ADDRESS says, or else
            a cluster of this machine, which ends with the block.

    Raises:
        InputError: The cluster cannot be reached or started.
    """
    address = address or os.environ.get(_ADDRESS) or LOCAL
    if "://" in address:
        raise InputError(
            "`ray_address`",
            f"{quoted(address)} is of Ray's client, which cannot do this",
            "Run the command on a machine of the cluster, with the address auto",
        )
    if address == LOCAL:
        folder = _set_environment()
    else:
        folder = None
        _check_reachable(address)
        # Each try takes Ray 40 seconds; it would make 20.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    try:
        import ray  # which reads the environment

        if ray.is_initialized():
            yield
            return
        try:
            _connect(address, folder)
            yield
        finally:
            ray.shutdown()
            ray._private.worker._worker_logs_enabled = True
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _check_reachable(address: str) -> None:
    """Refuses an address where nobody listens, on which Ray would spend minutes."""
    host, _, port = address.rpartition(":")
    if not host:  # auto, and what else Ray takes
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT_LIMIT).close()
    except (OSError, ValueError) as error:
        raise _unreachable(address, error) from error


def _unreachable(address: str, error: Exception) -> InputError:
    if address == LOCAL:
        problem = f"a cluster of this machine cannot be started ({quoted(error)})"
        return InputError("`engine`", problem, f"Make room in memory, or name another folder by {_FOLDER}")
    return InputError(
        "`ray_address`",
        f"the cluster {quoted(address)} cannot be reached ({quoted(error)})",
        "See by `ray status` whether it runs, and set RAY_AUTH_MODE and its token if it asks for one",
    )


def _set_environment() -> Path | None:
    """Sets what Ray reads from the environment, and returns the folder of its files, to be deleted."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's processes listen on every network of the machine, and do what they are told. Whether they ask for
    # a token is read when Ray is imported: where a program has done so, it has chosen.
    if "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    if _FOLDER in os.environ:
        return None
    folder = Path(tempfile.mkdtemp(prefix="tfadvpath-"))
    # Ray ends its processes at exit where starting them was interrupted; this comes after that.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _connect(address: str, folder: Path | None) -> None:
    import ray

    # Ray prints on stdout which of its processes ended. The ledger has it.
    ray._private.worker._worker_logs_enabled = False
    of_this_machine: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {}
    if folder is not None:
        of_this_machine["_temp_dir"] = str(folder)
    with _signals_kept(), _without_remarks() if address != LOCAL else nullcontext():
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **of_this_machine)
        except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
            raise _unreachable(address, error) from error


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keeps from stderr the lines on each try that Ray writes past Python."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Puts the handlers of signals back when the block ends: Ray sets its own.

    They end the process by an exception. It becomes the signal again, for the handler before Ray's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    # A handler that was not set from Python is None, and cannot be put back.
    before = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM)
        if (handler := signal.getsignal(number)) is not None
    }

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    try:
        yield
    except SystemExit:
        put_back()
        signal.raise_signal(signal.SIGTERM)
        raise
    finally:
        put_back()


def shared_environment() -> dict[str, str]:
    """Returns variables of the environment that each process of the cluster needs as this one has them."""
    return {name: os.environ[name] for name in _SHARED if name in os.environ}
