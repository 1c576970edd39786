"""Store transaction of DICOMweb, STOW-RS (PS3.18, 10.5)."""

from __future__ import annotations

import secrets
import ssl
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from typing import Any, cast

import requests
from dicomweb_client import DICOMwebClient
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from tfadvpath._version import __version__
from tfadvpath.errors import InputError
from tfadvpath.pacs.archive import Archive, Barred, State, state_of
from tfadvpath.pacs.instances import Instance
from tfadvpath.pacs.targets import WebTarget
from tfadvpath.serving.access import Access
from tfadvpath.serving.failures import Unavailable

_FAILED, _FAILURE = "00081198", "00081197"  # FailedSOPSequence, FailureReason
_STORED, _WARNING = "00081199", "00081196"  # ReferencedSOPSequence, WarningReason
_BUSY = (408, 425, 429)
_NO_PATH = (404, 405, 410)
_CONFLICT = 409
_LONGEST_CONNECT = 30.0  # seconds
_NO_REASON = 0x0110
_ADDRESS = "Name the root of DICOMweb, such as https://HOST/dicom-web"


class DicomWeb(Archive):
    """Sends files to DICOMweb, each in a request of its own.

    Args:
        target: Address.
        access: Token, certificates and headers, and whether proxies are used.
        timeout: Seconds that the archive may take to answer.

    Raises:
        InputError: A file of ``access`` cannot be used.
    """

    def __init__(self, target: WebTarget, access: Access, timeout: float):
        session = requests.Session()
        # The environment may name proxies, and ~/.netrc a password that would take the token's place.
        session.trust_env = False
        session.max_redirects = 0  # the file would go with it, to wherever it leads
        if access.proxy:
            session.proxies = get_environ_proxies(target.url)
        session.mount("http://", _Connections(timeout, None))
        if target.is_encrypted:
            session.mount("https://", _Connections(timeout, access.ssl_context()))
        self._session = session
        headers = {
            "Accept": "application/dicom+json",
            "User-Agent": f"tfadvpath/{__version__}",
            **access.headers,
        }
        self._client = _Client(target.url, session=session, headers=headers, chunk_size=sys.maxsize)
        self._client.host = urllib.parse.urlsplit(target.url).netloc  # it leaves the port out
        self._client.set_http_retry_params(retry=False)

    def close(self, at_once: bool) -> None:
        self._session.close()

    def send(self, instance: Instance) -> State:
        content = instance.path.read_bytes()
        try:
            response = self._client.store(content)
        except requests.TooManyRedirects:
            raise Barred("leads elsewhere", "Name the address where the archive itself answers") from None
        except requests.exceptions.SSLError as error:
            if _was_cut(error):
                raise Unavailable("broke the connection") from None
            raise Barred("makes no secure connection", "Check the certificates, `ca` first") from None
        except requests.Timeout:
            raise Unavailable("did not answer in time") from None
        except requests.exceptions.ProxyError:
            raise Unavailable("is not reached by the proxy") from None
        except (requests.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise Unavailable(_reason(error)) from None
        except requests.RequestException:  # of an address or a proxy that is none
            raise Barred("cannot be asked", f"{_ADDRESS}, and look at the proxy if there is one") from None
        return _state(instance, response)


class _Client(DICOMwebClient):
    """Its own ``store_instances`` encodes each data set anew, and says nothing of why one is refused."""

    def store(self, content: bytes) -> requests.Response:
        """POSTs a DICOM file as it is, and returns the answer whatever its code."""
        kind = f'multipart/related; type="application/dicom"; boundary="{secrets.token_hex(16)}"'
        body = self._encode_multipart_message([content], kind)
        try:
            return self._http_post(f"{self.base_url}/studies", body, {"Content-Type": kind})
        except requests.HTTPError as error:
            return cast(requests.Response, error.response)


class _Connections(HTTPAdapter):
    """Connections with a limit of time, and with certificates as ``Access`` has them.

    requests itself would take the authorities of another package for the system's.

    Args:
        timeout: Seconds that the archive may take to answer.
        context: Certificates; None where nothing is encrypted.
    """

    def __init__(self, timeout: float, context: ssl.SSLContext | None):
        self._timeout, self._context = (min(timeout, _LONGEST_CONNECT), timeout), context
        super().__init__()

    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        super().init_poolmanager(*arguments, ssl_context=self._context, **options)

    def proxy_manager_for(self, *arguments: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*arguments, ssl_context=self._context, **options)

    def cert_verify(self, *_: Any) -> None:
        """Adds nothing to what the context says."""

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        return super().send(request, **{**options, "timeout": self._timeout})


def _state(instance: Instance, response: requests.Response) -> State:
    code = response.status_code
    if code in _BUSY or code >= 500:
        raise Unavailable(f"answers {code}")
    if code == 401:
        raise Barred("asks who this is (401)", "Give a token or a certificate, or renew it")
    if code in _NO_PATH or 300 <= code < 400:
        raise Barred(f"takes nothing at that path ({code})", _ADDRESS)
    if code == 403:
        raise _refused(instance, code, "this client may not store it", "Ask for the right to store")
    if code == 413:
        raise _refused(instance, code, "it is too large", "Let the archive, or what is before it, take more")
    if code != _CONFLICT and not 200 <= code < 300:
        raise _refused(instance, code, "the archive does not take it", "Look at the archive's log")
    failed, warnings = _reasons(response)
    if failed or code == _CONFLICT:
        return state_of(instance.path, failed[0] if failed else _NO_REASON)
    if response.content and not _is_dicom_web(response):
        raise Barred("answers what is no DICOMweb", _ADDRESS)
    states = {state_of(instance.path, warning) for warning in warnings}
    return next((state for state in (State.THERE, State.CHANGED) if state in states), State.STORED)


def _refused(instance: Instance, code: int, problem: str, remedy: str) -> InputError:
    return InputError(instance.path, f"was refused: {problem} ({code})", remedy)


def _is_dicom_web(response: requests.Response) -> bool:
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind.endswith(("json", "xml")) and not kind.endswith("xhtml+xml")


def _reasons(response: requests.Response) -> tuple[list[int], list[int]]:
    """Returns the reasons of failures and of warnings that an answer names; none where it is no DICOMweb."""
    try:
        if "xml" in response.headers.get("Content-Type", ""):
            return _reasons_of_xml(response.content)
        return _reasons_of_json(response.json())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ElementTree.ParseError):
        return [], []


def _reasons_of_json(answer: Any) -> tuple[list[int], list[int]]:
    data_set = answer[0] if isinstance(answer, list) else answer

    def found(sequence: str, reason: str) -> Iterator[int]:
        for item in data_set.get(sequence, {}).get("Value", []):
            value = item.get(reason, {}).get("Value", [])
            if value or reason == _FAILURE:
                yield int(value[0]) if value else _NO_REASON

    return list(found(_FAILED, _FAILURE)), list(found(_STORED, _WARNING))


def _reasons_of_xml(content: bytes) -> tuple[list[int], list[int]]:
    root = ElementTree.fromstring(content)

    def found(sequence: str, reason: str) -> Iterator[int]:
        for item in root.iterfind(f".//{{*}}DicomAttribute[@tag='{sequence}']/{{*}}Item"):
            value = item.findtext(f"{{*}}DicomAttribute[@tag='{reason}']/{{*}}Value")
            if value or reason == _FAILURE:
                yield int(value) if value else _NO_REASON

    return list(found(_FAILED, _FAILURE)), list(found(_STORED, _WARNING))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and those that led to it."""
    seen: set[int] = set()
    left: list[object] = [error]
    while left:
        each = left.pop(0)
        if isinstance(each, BaseException) and id(each) not in seen:
            seen.add(id(each))
            yield each
            left += [*each.args, getattr(each, "reason", None), each.__cause__, each.__context__]


def _was_cut(error: BaseException) -> bool:
    """Returns whether a secure connection ended early, which says nothing of the certificates."""
    return any(isinstance(each, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) for each in _chain(error))


def _reason(error: BaseException) -> str:
    """Returns the system's words for why there is no connection."""
    words = (each.strerror for each in _chain(error) if isinstance(each, OSError) and each.errno is not None)
    return f"cannot be reached ({next(filter(None, words), 'the connection broke')})"
