"""Whether the mail server takes mail from us."""

from kefu_core.abc.outgoing import NotSent
from kefu_core.errors import ConfigurationError
from kefu_server.checks import WAIT_S, Check, ok, problem
from kefu_server.outbound import make_mailer
from kefu_server.settings import Settings

_SUBJECT = "mail"
_OF_LOGIN = frozenset({530, 534, 535, 538})


async def check_mail(settings: Settings) -> Check:
    """Connect, log in and name the sender as a mail would; nothing is sent."""
    mail = settings.mail
    facts = {"server": f"{mail.host}:{mail.port}", "sender": mail.sender}
    try:
        mailer = make_mailer(settings)
    except ConfigurationError as error:
        return problem(_SUBJECT, "library", why=str(error))
    if mailer is None:
        return ok(_SUBJECT, "none")
    try:
        await mailer.probe(wait_s=WAIT_S)
    except NotSent as error:
        finding = "refused" if error.status else "unreachable"
        if error.status in _OF_LOGIN:
            finding = "login"
        return problem(_SUBJECT, finding, why=str(error), tls=mail.tls, **facts)
    return ok(_SUBJECT, "accepted", **facts)
