"""JSON answers and refusals: the one shape of every HTTP error."""

from typing import Any, TypeVar

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from kefu_core.errors import ErrorCode, Invalid, KefuError

STATUS = {
    ErrorCode.BAD_REQUEST: 400,
    ErrorCode.UNKNOWN_FRAME: 400,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNAUTHORIZED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.BANNED: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.CONFLICT: 409,
    ErrorCode.ACK_AHEAD: 409,
    ErrorCode.OUT_OF_ORDER: 409,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.BUSY: 503,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.STORAGE_FULL: 503,
    ErrorCode.DAMAGED: 500,
    ErrorCode.INTERNAL: 500,
}

T = TypeVar("T")


def answer(value: Any, status: int = 200) -> Response:
    """Return a value as JSON."""
    content = msgspec.json.encode(value)
    return Response(content, status, media_type="application/json")


def refuse(
    status: int, code: ErrorCode, text: str, retry_after_s: float = 0.0
) -> Response:
    """Return an error as JSON: `{"error": {"code", "text", "retry_after_s"}}`."""
    error = {"code": code, "text": text, "retry_after_s": round(retry_after_s, 1)}
    response = answer({"error": error}, status)
    if retry_after_s > 0:
        response.headers["retry-after"] = str(int(retry_after_s + 1))
    return response


def address_of(request: HTTPConnection) -> str:
    """Return who asks, as the trusted proxies tell it; empty where nobody knows."""
    return request.client.host if request.client else ""


async def answer_error(request: Request, error: Exception) -> Response:
    """Turn one of our errors into an answer: the app's exception handler."""
    if not isinstance(error, KefuError):
        return refuse(500, ErrorCode.INTERNAL, "Something went wrong here.")
    return refuse(STATUS[error.code], error.code, str(error), error.retry_after_s)


async def read_json(request: Request, shape: type[T]) -> T:
    """Return the body as a struct. Raises `Invalid`, naming the field."""
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    # A deep nest raises RecursionError, a lone surrogate UnicodeDecodeError.
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        if isinstance(error, msgspec.ValidationError):
            raise Invalid(f"The body is wrong: {error}.") from error
        raise Invalid("The body is not valid JSON.") from error
