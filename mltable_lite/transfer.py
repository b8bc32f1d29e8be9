"""Moving data: `upload`, `download` and `copy` files and folders between any two storages.

Example:
    >>> from mltable_lite import transfer
    >>> transfer.copy("docs/examples/taxi", "memory://taxi", recursive=True).copied_files > 0
    True
"""

from mltable_lite.storage.transfer import Item, Summary, copy, download, upload

__all__ = ["Item", "Summary", "copy", "download", "upload"]
