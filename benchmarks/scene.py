"""What `incident` and `soak` begin with: a server on its database, people, a judge."""

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import psutil

from benchmarks.court import Court
from benchmarks.databases import SERVERS, PrivateServer
from benchmarks.everybody import PeoplePlan
from benchmarks.network import NetworkPlan
from benchmarks.story import RunError, Story
from benchmarks.target import PASSWORD, Kefu

VISITORS_PER_AGENT = 16
FILES_A_CLIENT = 4
"""Its own and the proxy's two, and one that waits for its end."""


class SceneOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What both are asked to do; times in seconds, on the average."""

    visitors: int
    agents: int = 0
    """0: one for 16 visitors."""
    seconds: float
    database: str = "sqlite"
    """`sqlite`, or a private server of `benchmarks.databases`: `mysql`, `postgres`."""
    seed: int = 0
    pace_s: float = 20.0
    stay_s: float = 300.0
    keep: str = ""
    """A folder for histories, logs and an SQLite file; empty: removed."""
    command: str = ""


class Scene(msgspec.Struct, frozen=True, kw_only=True):
    """All of it, before the server starts."""

    server: Kefu
    database: PrivateServer | None
    """None: an SQLite file."""
    plan: PeoplePlan
    court: Court
    file_limit: int
    is_keeping: bool

    def story(self) -> Story:
        """Return what lets its people come, once the server runs."""
        return Story(
            self.server,
            self.plan,
            self.court,
            file_limit=self.file_limit,
            is_keeping=self.is_keeping,
        )

    def look_again(self) -> list[str]:
        """Have the whole database judged at last; return what the audit found."""
        self.court.look_again()
        return [f"kefu audit: {line}" for line in self.server.audit()]


@contextmanager
def prepared(
    options: SceneOptions,
    *,
    shift_max_s: float,
    ramp_s: float,
    network: NetworkPlan | None,
) -> Iterator[Scene]:
    """Make ready what a run needs; all is gone afterwards but for what is kept.

    Args:
        options: What the run is asked to do.
        shift_max_s: The longest that an agent's shift takes on the average.
        ramp_s: In so long all have come for the first time, at most a minute.
        network: Between people and server; None: nothing is.

    Raises:
        RunError: The folder is not empty, or too few files may be open.
        ServerMissingError: The database's programs are not installed.
    """
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="kefu-scene-"))
        home = Path(options.keep or name)
        home.mkdir(parents=True, exist_ok=True)
        if any(home.iterdir()):
            raise RunError(f"{home} is not empty.")
        database = None
        if options.database != "sqlite":
            database = stack.enter_context(SERVERS[options.database]())
        url = database.create("kefu") if database is not None else ""
        server = Kefu(home, database_url=url, has_raised_limits=False)
        count = options.agents or 1 + options.visitors // VISITORS_PER_AGENT
        people = home / "people"
        people.mkdir()
        plan = PeoplePlan(
            seed=options.seed,
            http_port=server.port,
            tcp_port=server.tcp_port,
            site=server.site.embed_key,
            visitors=options.visitors,
            agents=server.add_agents(count),
            password=PASSWORD,
            folder=str(people),
            pace_s=options.pace_s,
            stay_s=options.stay_s,
            shift_s=min(shift_max_s, options.seconds / 3),
            break_s=min(20.0, options.seconds / 20),
            ramp_s=min(60.0, ramp_s),
            network=network,
        )
        yield Scene(
            server=server,
            database=database,
            plan=plan,
            court=Court(server.database_url),
            file_limit=_file_limit(options.visitors + count),
            is_keeping=bool(options.keep),
        )


def _file_limit(clients: int) -> int:
    """Return how many files a process may open. Raises `RunError`: too few."""
    limit, _ = psutil.Process().rlimit(psutil.RLIMIT_NOFILE)
    need = 200 + FILES_A_CLIENT * clients
    if need > limit:
        raise RunError(
            f"{clients} clients need {need} files; ulimit -n allows {limit}."
        )
    return int(limit)
