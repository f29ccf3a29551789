"""What is said of checks, of files and of what to do next."""

from collections.abc import Iterable, Sequence

from kefu_server.accounts import embed_line
from kefu_server.checks import Check, Verdict
from kefu_server.logs import escape
from kefu_server.settings import Settings
from kefu_server.setup.choices import Choices
from kefu_server.setup.files import PlannedFile
from kefu_server.setup.making import Made
from kefu_server.words import Words

_MARKS = {Verdict.OK: "✓", Verdict.WARNING: "!", Verdict.PROBLEM: "✗"}
_SYSTEMD = "/etc/systemd/system/"
_NGINX = "/etc/nginx/conf.d/"
_CADDY = "/etc/caddy/Caddyfile"


def check_lines(check: Check, words: Words) -> list[str]:
    """Return a check's finding, and below it what mends it."""
    lines = [f"{_MARKS[check.verdict]} {check.title(words)}: {check.says(words)}"]
    if mend := check.mend(words):
        lines.append(f"  → {mend}")
    # What a server or a file said is in it.
    return [escape(line) for line in lines]


def sentence(check: Check, words: Words) -> str:
    """Return a problem and its mending as one line."""
    return escape(f"{check.says(words)} {check.mend(words)}".rstrip())


def file_lines(files: Iterable[PlannedFile], words: Words) -> list[str]:
    """Return all files with what stands in them, secrets hidden."""
    lines: list[str] = []
    for file in files:
        path = file.path.absolute()
        key = "init.file_replaced" if path.exists() else "init.file_new"
        lines += ["", words(key, path=path, mode=f"{file.mode:o}"), ""]
        lines += [f"    {line}".rstrip() for line in file.shown.splitlines()]
    return lines


def made_lines(
    choices: Choices, settings: Settings, made: Made, words: Words, password: str
) -> list[str]:
    """Return what there is now, and what to do next."""
    lines = []
    for file in made.written:
        if file.is_same:
            lines.append(words("init.unchanged", path=file.path))
        elif file.backup:
            lines.append(words("init.backed_up", path=file.path, backup=file.backup))
        else:
            lines.append(words("init.wrote", path=file.path))
    lines.append(words("init.tables", schema=made.schema))
    lines += [f"! {problem}" for problem in made.weak]
    if choices.admin:
        lines.append(words("init.admin_made", login=choices.admin.login))
    if password:
        lines.append(words("init.password_made", password=password))
    if choices.site:
        line = embed_line(settings.origins[0], choices.site.embed_key)
        lines += ["", words("init.embed", site=choices.site.name), "", f"  {line}"]
    lines += ["", words("init.next"), ""]
    lines += [f"  {line}" for line in _next_lines(choices, settings, words)]
    return lines


def _next_lines(choices: Choices, settings: Settings, words: Words) -> Sequence[str]:
    config = choices.config.absolute()
    lines = []
    if choices.unit:
        unit = choices.unit.absolute()
        if not str(unit).startswith(_SYSTEMD):
            lines.append(f"sudo install -m 644 {unit} {_SYSTEMD}kefu.service")
        name = unit.name if str(unit).startswith(_SYSTEMD) else "kefu"
        lines.append("sudo systemctl daemon-reload")
        lines.append(f"sudo systemctl enable --now {name}")
    else:
        lines.append(f"kefu --config {config} serve")
    if choices.proxy == "nginx" and choices.proxy_file:
        path = choices.proxy_file.absolute()
        if not str(path).startswith(_NGINX):
            lines.append(f"sudo install -m 644 {path} {_NGINX}kefu.conf")
        lines.append("sudo nginx -t && sudo systemctl reload nginx")
    if choices.proxy == "caddy" and choices.proxy_file:
        path = choices.proxy_file.absolute()
        if str(path) != _CADDY:
            lines.append(words("init.join_caddy", path=path, main=_CADDY))
        lines.append("sudo systemctl reload caddy")
    url = settings.origins[0]
    if choices.admin:
        login = choices.admin.login
        lines.append(words("init.open_console", url=f"{url}/console", login=login))
    else:
        lines.append(words("init.no_admin", url=f"{url}/console", config=config))
    lines.append(words("init.back_up", folder=settings.data_dir))
    return lines
