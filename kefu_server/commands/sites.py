"""`kefu site`: pages that embed the widget."""

import argparse

from kefu_server import accounts
from kefu_server.commands.parsing import Commands, add_command, add_group
from kefu_server.output import say
from kefu_server.settings import Settings


def add_sites(commands: Commands) -> None:
    """Add `kefu site`."""
    site = add_group(commands, "site", "pages that embed the widget")
    add = add_command(site, "add", _add, "create a site; prints the line to embed")
    add.add_argument("name")
    add.add_argument(
        "--origin",
        action="append",
        required=True,
        metavar="ORIGIN",
        help="a page's origin such as https://shop.example; may be repeated",
    )
    add.add_argument("--locale", default="zh-CN", choices=("zh-CN", "en"))
    add_command(site, "list", _list, "list the sites")
    retention = add_command(
        site, "retention", _retention, "set how long texts and notes are kept"
    )
    retention.add_argument("embed_key", metavar="EMBED_KEY")
    retention.add_argument(
        "--days",
        type=int,
        required=True,
        metavar="N",
        help="texts and notes are blanked after so many days; 0 keeps them",
    )


def _add(options: argparse.Namespace, settings: Settings) -> int:
    site = accounts.add_site(settings, options.name, options.origin, options.locale)
    say(f"Added site {site.name} with the key {site.embed_key}. Put this line into it:")
    say(accounts.embed_line(settings.origins[0], site.embed_key))
    return 0


def _list(options: argparse.Namespace, settings: Settings) -> int:
    for site in accounts.list_sites(settings):
        origins = " ".join(site.allowed_origins)
        kept = f"\tkept {site.retention_days} days" if site.retention_days else ""
        say(f"{site.embed_key}\t{site.name}\t{site.locale}\t{origins}{kept}")
    return 0


def _retention(options: argparse.Namespace, settings: Settings) -> int:
    site = accounts.set_retention(settings, options.embed_key, options.days)
    if site.retention_days:
        say(
            f"Texts and notes of {site.name} are blanked after {site.retention_days} "
            "days, by the server while it runs."
        )
    else:
        say(f"Texts and notes of {site.name} are kept.")
    return 0
