"""What goes out of this server, made from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kefu_core.errors import ConfigurationError
from kefu_server.settings import Settings

if TYPE_CHECKING:
    from kefu_core.senders.smtp import SmtpMailer


def make_mailer(settings: Settings) -> SmtpMailer | None:
    """Return who carries mail; None where no mail server is set.

    Raises:
        ConfigurationError: What sends mail is not installed.
    """
    mail = settings.mail
    if not mail.host:
        return None
    try:
        from kefu_core.senders.smtp import SmtpMailer, SmtpServer
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"mail.host = {mail.host!r} is set, but {error.name} is not installed; "
            "run: pip install 'kefu[mail]'"
        ) from error
    return SmtpMailer(
        SmtpServer(
            host=mail.host,
            port=mail.port,
            tls=mail.tls,
            login=mail.login,
            password=mail.password.reveal(),
            sender=mail.sender,
        )
    )
