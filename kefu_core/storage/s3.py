"""Files in a bucket of S3 or of a service that speaks its protocol.

Needs `pip install 'kefu[s3]'` and asyncio.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import anyio
import obstore
from obstore.exceptions import (
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import S3Store

from kefu_core.abc.files import FileMissing, FileStorage, StoredFile
from kefu_core.errors import ConfigurationError, StoreUnavailable
from kefu_core.storage.local import CHUNK_BYTES

Addressing = Literal["path", "virtual"]

_CONNECT_S = 5
_REQUEST_S = 30
"""Of one request. Files go up in parts, so this bounds no file as a whole."""
_RETRIES_S = 15
_PART_BYTES = 5 * 1024 * 1024
_PARTS_AT_ONCE = 2
_GONE = (NotFoundError, FileNotFoundError)
_CHECK_KEY = "kefu-check"
_CHECK_S = 10.0


def _first_line(error: Exception) -> str:
    """Return what happened, without the dump that follows it."""
    return str(error).split("\n", 1)[0].strip()[:300]


@contextmanager
def _refusing() -> Iterator[None]:
    """Say in our errors what the bucket's service answers."""
    try:
        yield
    except _GONE as error:
        raise FileMissing("This file is gone.") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StoreUnavailable(
            "The bucket refuses its keys; see files.access_key and files.secret_key."
        ) from error
    except (BaseError, OSError) as error:
        raise StoreUnavailable(
            f"The bucket for files cannot be used: {_first_line(error)}"
        ) from error


class BucketFiles(FileStorage):
    """Keeps each file under `prefix` and its key in one bucket.

    Args:
        bucket: Its name.
        endpoint: URL of the service, without the bucket; empty: Amazon's own.
        region: Where the bucket is; services without regions ignore it.
        prefix: In front of every key, such as `kefu/`.
        access_key: The account's public half; empty: from the environment or the
            machine's role, as Amazon's programs find it.
        secret_key: Its secret half.
        addressing: `path` puts the bucket's name behind the endpoint's, `virtual` in
            front of it.

    Raises:
        ConfigurationError: These values cannot be used.
    """

    def __init__(
        self,
        bucket: str,
        *,
        endpoint: str = "",
        region: str = "us-east-1",
        prefix: str = "",
        access_key: str = "",
        secret_key: str = "",
        addressing: Addressing = "path",
    ) -> None:
        self._bucket = bucket
        if endpoint and addressing == "virtual":
            parts = urlsplit(endpoint)
            endpoint = urlunsplit(parts._replace(netloc=f"{bucket}.{parts.netloc}"))
        keys = {"access_key_id": access_key, "secret_access_key": secret_key}
        try:
            self._store = S3Store(
                bucket,
                prefix=prefix or None,
                region=region,
                virtual_hosted_style_request=addressing == "virtual",
                client_options={
                    "allow_http": endpoint.startswith("http://"),
                    "connect_timeout": timedelta(seconds=_CONNECT_S),
                    "timeout": timedelta(seconds=_REQUEST_S),
                },
                retry_config={
                    "max_retries": 5,
                    "retry_timeout": timedelta(seconds=_RETRIES_S),
                },
                **({"endpoint": endpoint} if endpoint else {}),  # type: ignore[arg-type]
                **(keys if access_key else {}),  # type: ignore[arg-type]
            )
        except (BaseError, ValueError) as error:
            raise ConfigurationError(
                f"The bucket for files cannot be used: {_first_line(error)}"
            ) from error

    async def put(self, key: str, source: Path) -> None:
        await self._put(key, source)

    async def _put(self, key: str, content: Path | bytes) -> None:
        try:
            with _refusing():
                await obstore.put_async(
                    self._store,
                    key,
                    content,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        except FileMissing as error:
            raise StoreUnavailable(f"There is no bucket {self._bucket!r}.") from error

    async def read(
        self, key: str, start: int = 0, stop: int | None = None
    ) -> AsyncGenerator[bytes]:
        if stop is not None and stop <= start:
            return
        whole = None
        with _refusing():
            if start == 0:
                whole = await obstore.get_async(self._store, key)
                size = whole.meta["size"]
            else:
                size = (await obstore.head_async(self._store, key))["size"]
        if stop is not None and stop > size:
            raise FileMissing("A part of this file is gone.")
        end = size if stop is None else stop
        if start >= end:
            return
        if whole is None or end < size:
            part: obstore.GetOptions = {"range": (start, end)}
            with _refusing():
                whole = await obstore.get_async(self._store, key, options=part)
        chunks = aiter(whole.stream(min_chunk_size=CHUNK_BYTES))
        left = end - start
        while left > 0:
            with _refusing():
                chunk = bytes(await anext(chunks, b""))
            if not chunk:
                raise FileMissing("A part of this file is gone.")
            left -= len(chunk)
            yield chunk

    async def delete(self, key: str) -> None:
        with _refusing(), suppress(*_GONE):
            await obstore.delete_async(self._store, key)

    async def listed(self) -> AsyncGenerator[StoredFile]:
        pages = aiter(obstore.list(self._store))
        while True:
            with _refusing():
                page = await anext(pages, None)
            if page is None:
                return
            for found in page:
                yield StoredFile(found["path"], found["size"])

    async def problem(self) -> str:
        try:
            with anyio.fail_after(_CHECK_S), _refusing():
                await self._put(_CHECK_KEY, b"kefu")
                await obstore.get_async(self._store, _CHECK_KEY)
                await obstore.delete_async(self._store, _CHECK_KEY)
        except TimeoutError:
            return f"The bucket for files does not answer in {_CHECK_S:g} seconds."
        except (FileMissing, StoreUnavailable) as error:
            return str(error)
        return ""
