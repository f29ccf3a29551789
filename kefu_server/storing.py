"""Where this server keeps files: on its disk, or in the bucket of its settings."""

from pathlib import Path

from kefu_core.abc.files import FileStorage
from kefu_core.errors import ConfigurationError
from kefu_core.storage.local import LocalFiles
from kefu_server.settings import Settings


def open_files(settings: Settings) -> FileStorage:
    """Return what keeps the bytes of files.

    Raises:
        ConfigurationError: The bucket's settings or its library are not usable.
    """
    files = settings.files
    if not files.bucket:
        return LocalFiles(Path(settings.data_dir) / "files")
    try:
        # Nobody who keeps files on the disk loads its library.
        from kefu_core.storage.s3 import BucketFiles
    except ImportError as error:
        raise ConfigurationError(
            f"files.bucket = {files.bucket!r} needs a library; run: "
            "pip install 'kefu[s3]'"
        ) from error
    return BucketFiles(
        files.bucket,
        endpoint=files.endpoint,
        region=files.region,
        prefix=files.prefix,
        access_key=files.access_key,
        secret_key=files.secret_key.reveal(),
        addressing=files.addressing,
    )
