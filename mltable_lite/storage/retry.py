"""How often and how long a remote storage is asked again: the policy, and what counts as a passing failure.

One policy stands above every storage library; their own retries are switched off, so that attempts and seconds are
those of the policy. It is given as ``storage_options={"retry": {"attempts": 3, "deadline_seconds": 20}}``.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from mltable_lite.errors import ArgumentError, MLTableError, did_you_mean, listed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

T = TypeVar("T")

_PASSING_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
#: Classes of the storage libraries, by name: to import them all would take a second.
_PASSING_NAMES = frozenset(
    {
        "ClientConnectionError", "ClientPayloadError", "ServerTimeoutError",  # aiohttp
        "ServiceRequestError", "ServiceResponseError", "IncompleteReadError", "DecodeError",  # azure-core
        "HTTPClientError", "ResponseStreamingError", "ResponseParserError", "EndpointConnectionError",  # botocore
        "FlexibleChecksumError", "JSONDecodeError",
        "ConnectionError", "TimeoutError", "IncompleteRead", "Timeout", "ShortBodyError",
    }
)  # fmt: skip
#: A certificate or a name that is wrong now is wrong in a second, too.
_LASTING_NAMES = frozenset({"ClientConnectorCertificateError", "ClientAuthenticationError"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How a remote storage is asked again. Every request to it is under one.

    Attributes:
        attempts: Requests for one thing, the first one included.
        deadline_seconds: From the first request to the last answer, waits included. A listing has it for each page.
        attempt_seconds: The longest that one request may take.
        first_wait_seconds: The wait before the second attempt; each further one is twice as long, with jitter. What
            the storage asks for in ``Retry-After`` is kept, or refused at once where it is past the deadline.
        most_wait_seconds: The longest such wait.
    """

    attempts: int = 6
    deadline_seconds: float = 180.0
    attempt_seconds: float = 60.0
    first_wait_seconds: float = 0.25
    most_wait_seconds: float = 10.0

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise ArgumentError(
                    f"storage_options['retry']: {name}={value!r} is not accepted; give a number above 0."
                )

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> RetryPolicy:
        """Return the policy that storage options hold under ``retry``, else the default one.

        Raises:
            ArgumentError: It is no mapping of the policy's attributes to positive numbers.
        """
        given = options.get("retry")
        if given is None:
            return DEFAULT
        if isinstance(given, RetryPolicy):
            return given
        names = [f.name for f in fields(cls)]
        if not hasattr(given, "keys"):
            raise ArgumentError(
                f"storage_options['retry']: {given!r} is not accepted; give a mapping of {listed(names)}."
            )
        unknown = next((name for name in given if name not in names), None)
        if unknown is not None:
            hint = did_you_mean(str(unknown), names)
            raise ArgumentError(
                f"storage_options['retry']: unknown key {unknown!r}; accepted: {listed(names)}.{hint}"
            )
        return cls(**given)

    def object_store_options(self) -> dict[str, str]:
        """Return the policy in the words of object_store (deltalake), all of them texts."""
        return {
            "max_retries": str(int(self.attempts) - 1),
            "retry_timeout": _milliseconds(self.deadline_seconds),
            "timeout": _milliseconds(self.attempt_seconds),
            "connect_timeout": _milliseconds(self.attempt_seconds),
            "backoff_config.init_backoff": _milliseconds(self.first_wait_seconds),
            "backoff_config.max_backoff": _milliseconds(self.most_wait_seconds),
        }


DEFAULT = RetryPolicy()


def _milliseconds(seconds: float) -> str:
    return f"{max(1, round(seconds * 1000))}ms"


class ShortBodyError(Exception):
    """A storage sent fewer bytes than it was asked for, and said nothing."""


class GaveUpError(Exception):
    """The policy ended; the last failure is the cause."""

    def __init__(self, attempts: int, seconds: float) -> None:
        self.attempts = attempts
        self.seconds = seconds
        super().__init__(f"after {attempts} attempt{'s' * (attempts > 1)} in {seconds:.1f} s")


class _Trial:
    """One thing asked for: counts its attempts and decides about the next."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._start = time.monotonic()
        self._attempts = 0

    def seconds(self) -> float:
        """Return how long the next attempt may take."""
        return max(0.01, min(self._policy.attempt_seconds, self._left()))

    def failed(self, error: Exception) -> float:
        """Return how many seconds to wait before the next attempt.

        Raises:
            GaveUpError: There is none.
            Exception: The failure itself, where another attempt cannot help.
        """
        self._attempts += 1
        if not is_passing(error):
            raise error
        policy = self._policy
        backoff = min(policy.first_wait_seconds * 2 ** (self._attempts - 1), policy.most_wait_seconds)
        wait = max(random.uniform(backoff / 2, backoff), retry_after(error))  # noqa: S311 - jitter, no secret
        if self._attempts >= policy.attempts or wait >= self._left():
            if isinstance(error, TimeoutError) and not str(error):
                error = TimeoutError("no answer in time")
            raise GaveUpError(self._attempts, time.monotonic() - self._start) from error
        return wait

    def _left(self) -> float:
        return self._start + self._policy.deadline_seconds - time.monotonic()


async def tried(policy: RetryPolicy, work: Callable[[], Awaitable[T]]) -> T:
    """Return what `work` returns; it is cancelled when it takes too long, and tried again as the policy says."""
    import asyncio  # whoever awaits this has it loaded; reads of local files need it not

    trial = _Trial(policy)
    while True:
        try:
            # Not wait_for: in Python 3.11 it forgets a cancellation that comes together with the result.
            async with asyncio.timeout(trial.seconds()):
                return await work()
        except Exception as error:  # noqa: BLE001 - every storage library has its own tree
            wait = trial.failed(error)
        await asyncio.sleep(wait)


def tried_here(policy: RetryPolicy, work: Callable[[], T]) -> T:
    """Return what `work` returns, tried again as the policy says, for filesystems that cannot be cancelled."""
    trial = _Trial(policy)
    while True:
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - every storage library has its own tree
            wait = trial.failed(error)
        time.sleep(wait)


# --------------------------------------------------------------------------- what failed
def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from, outermost first."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or getattr(current, "inner_exception", None)


def status_of(error: BaseException) -> int:
    """Return the HTTP status that an error of any storage library tells, or 0."""
    for cause in causes(error):
        status = getattr(cause, "status", getattr(cause, "status_code", None))
        response = getattr(cause, "response", None)
        if status is None and isinstance(response, dict):  # botocore
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        elif status is None:  # requests
            status = getattr(response, "status_code", None)
        if isinstance(status, int):
            return status
    return 0


def names_of(error: BaseException) -> set[str]:
    """Return the names of all classes of an error and its causes."""
    return {cls.__name__ for cause in causes(error) for cls in type(cause).__mro__}


def is_passing(error: BaseException) -> bool:
    """Tell whether asking again may help: the service is busy, the connection broke, the body is not whole."""
    if isinstance(error, MLTableError):
        return False
    import ssl  # only where something failed

    status, names = status_of(error), names_of(error)
    if any(isinstance(e, ssl.SSLCertVerificationError) or _unknown_host(e) for e in _deep(error)):
        return False
    if status >= 400 or names & _LASTING_NAMES:  # noqa: PLR2004 - where HTTP's errors begin
        return status in _PASSING_STATUS
    return bool(names & _PASSING_NAMES)


def _unknown_host(error: BaseException) -> bool:
    return isinstance(error, socket.gaierror) or type(error).__name__ == "ClientConnectorDNSError"


def _deep(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, its causes, and what those carry as arguments or were raised amid."""
    for cause in causes(error):
        yield cause
        for inner in (*cause.args, getattr(cause, "os_error", None), cause.__context__):
            if isinstance(inner, BaseException):
                yield inner


def retry_after(error: BaseException) -> float:
    """Return the seconds that the storage asks to be left alone, or 0."""
    for cause in causes(error):
        response = getattr(cause, "response", None)
        headers = getattr(cause, "headers", None) or getattr(response, "headers", None)
        if headers is None and isinstance(response, dict):
            headers = response.get("ResponseMetadata", {}).get("HTTPHeaders")
        if not hasattr(headers, "items"):
            continue
        for name, value in headers.items():  # type: ignore[union-attr]
            if str(name).lower() == "retry-after":
                return _seconds(str(value))
    return 0.0


def _seconds(text: str) -> float:
    if text.strip().isdigit():
        return float(text)
    from email.utils import parsedate_to_datetime  # only a storage that is busy needs it

    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    return 0.0
