"""Where the bytes are: URIs, filesystems, listings. Knows no format and no table."""
