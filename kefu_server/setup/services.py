"""What each service that translates must be told."""

import msgspec


class Field(msgspec.Struct, frozen=True):
    """One value of a service's table."""

    name: str
    is_secret: bool = False
    usual: str = ""


_KEY = Field("key", is_secret=True)

SERVICES: dict[str, tuple[Field, ...]] = {
    "deepl": (_KEY,),
    "google": (_KEY,),
    "azure": (_KEY, Field("region")),
    "baidu": (Field("app_id"), _KEY),
    "tencent": (
        Field("secret_id"),
        Field("secret_key", is_secret=True),
        Field("region", usual="ap-guangzhou"),
    ),
    "alibaba": (
        Field("access_key_id"),
        Field("access_key_secret", is_secret=True),
    ),
    "youdao": (Field("app_key"), Field("secret", is_secret=True)),
    "libretranslate": (Field("url", usual="http://127.0.0.1:5000"), _KEY),
    "openai": (Field("url"), Field("model"), _KEY),
}
"""In the order of the question; `kefu_core.translators` says what each value is."""
