"""Writes docs/reference/settings.md from the structs.

Run `python -m kefu_server.settings_docs`. The sentence of a setting is the docstring
below its field.
"""

import ast
import inspect
import sys
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import msgspec

from kefu_core.limits import Limits
from kefu_server.sections import (
    FileSettings,
    MailSettings,
    MetricsSettings,
    Secret,
    TcpSettings,
    TranslationSettings,
    WebhookSettings,
)
from kefu_server.settings import SECTIONS, Settings, environment_name

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"

_INTRODUCTION = """\
# Settings

<!-- Made by `python -m kefu_server.settings_docs`: change the structs instead. -->

kefu reads `kefu.toml` in the current folder (or the file named by `--config` or
`KEFU_CONFIG`) and then environment variables, which win. A wrong value stops the start
with a sentence that names the key, the value and the fix; a key that does not exist is
refused with the nearest one that does. Secrets are never shown.

```toml
bind = "0.0.0.0:8080"
public_url = "https://chat.example"
database_url = "sqlite+aiosqlite:///./kefu-data/kefu.db"

[limits]
visitor_messages_per_s = 1.0
```
"""


def sentences(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return the docstring of each field, on one line."""
    tree = ast.parse(inspect.getsource(struct)).body[0]
    assert isinstance(tree, ast.ClassDef), "the source of a struct is a class"
    found: dict[str, str] = {}
    for field, text in zip(tree.body, tree.body[1:], strict=False):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found


def page() -> str:
    """Return the whole page."""
    parts = [_INTRODUCTION, *_rows(Settings, "")]
    parts += [
        "\n## TCP\n\nIn the section `[tcp]`: for programs, beside what browsers use.\n"
    ]
    parts += _rows(TcpSettings, "tcp.")
    parts += ["\n## Mail\n\nIn the section `[mail]`; see `docs/howto/offline.md`.\n"]
    parts += _rows(MailSettings, "mail.")
    parts += ["\n## Files\n\nIn the section `[files]`; see `docs/howto/files.md`.\n"]
    parts += _rows(FileSettings, "files.")
    parts += ["\n## Webhooks\n\nIn the section `[webhooks]`.\n"]
    parts += _rows(WebhookSettings, "webhooks.")
    parts += ["\n## Translation\n\nIn the section `[translation]`.\n"]
    parts += _rows(TranslationSettings, "translation.")
    parts += ["\n## Metrics\n\nIn the section `[metrics]`: `docs/howto/metrics.md`.\n"]
    parts += _rows(MetricsSettings, "metrics.")
    parts += [
        "\n## Limits\n\nIn the section `[limits]`. Sizes in bytes, `_s` seconds.\n"
    ]
    parts += _rows(Limits, "limits.")
    return "\n".join(parts) + "\n"


def _rows(struct: type[msgspec.Struct], prefix: str) -> list[str]:
    texts = sentences(struct)
    rows = ["| key | type | default | environment | |", "|---|---|---|---|---|"]
    for field in msgspec.structs.fields(struct):
        if field.type in SECTIONS:
            continue
        key = prefix + field.name
        rows.append(
            f"| `{key}` | {_kind(field.type)} | {_default(field.default)} | "
            f"`{environment_name(key)}` | {texts[field.name]} |"
        )
    return rows


def _kind(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        return "list of texts"
    names = {int: "integer", float: "number", str: "text", Secret: "secret text"}
    return names[kind]


def _default(default: Any) -> str:
    if isinstance(default, Secret) or default in ("", ()):
        return ""
    return f"`{default}`"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")


if __name__ == "__main__":
    main()
