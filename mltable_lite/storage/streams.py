"""The value of a stream column: a file that can be opened."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, cast

from mltable_lite.storage.filesystem import open_input, settled
from mltable_lite.storage.options import NO_OPTIONS, StorageOptions
from mltable_lite.storage.uri import Location, parse_uri

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

_HANDLERS = {"file": "Local", "abfs": "AzureBlob", "http": "Http", "https": "Http", "s3": "S3", "gs": "Gs"}


class Stream:
    """A file of a table of files; ``open()`` gives its bytes. Equal to another stream of the same file.

    Example:
        >>> from mltable_lite.storage.streams import Stream
        >>> Stream("/data/cat.png")
        Stream(/data/cat.png)
    """

    __slots__ = ("_location", "_options")

    def __init__(
        self, location: Location | str, options: StorageOptions | Mapping[str, Any] | None = None
    ) -> None:
        self._location = parse_uri(location) if isinstance(location, str) else location
        self._options = options if isinstance(options, StorageOptions) else StorageOptions(options)

    @property
    def uri(self) -> str:
        """A local path, or a URI without credentials."""
        return self._location.uri

    @property
    def resource_identifier(self) -> str:
        """The same text as `uri`, under its name in the reference."""
        return self._location.uri

    @property
    def resource_id(self) -> str:
        """The same text as `uri`, under its other name in the reference."""
        return self._location.uri

    @property
    def handler(self) -> str:
        """The kind of storage: ``Local``, ``AzureBlob``, ``Http`` and so on."""
        return _HANDLERS.get(self._location.protocol, self._location.protocol.title())

    def open(self) -> BinaryIO:
        """Return the file, opened for reading bytes at any place; use it with ``with``.

        Raises:
            SourceNotFoundError: The file is not there.
            AccessDeniedError: The storage refuses.
        """
        return cast("BinaryIO", open_input(settled(self._location, self._options), self._options))

    def __str__(self) -> str:
        datastore = dict(self._location.options).get("datastore")
        # Under azureml:// the reference shows where the file is in its workspace, and tools match on that text.
        return f"{datastore}/{self._location.key}" if datastore else self._location.display

    def __repr__(self) -> str:
        return f"Stream({self._location.display})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stream) and self._location == other._location

    def __hash__(self) -> int:
        return hash(self._location)

    def __reduce__(self) -> tuple[type[Stream], tuple[Location, StorageOptions]]:
        return Stream, (self._location, self._options or NO_OPTIONS)
