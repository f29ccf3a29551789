"""Every limit, each with its reason. All are settings."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one node accepts and holds; sizes in bytes, times in seconds."""

    # -- one frame -----------------------------------------------------------------
    frame_bytes_max: int = 65_536
    """One frame or WebSocket message. OWASP's value; ample for 10,000 characters."""
    batch_frames_max: int = 128
    """Frames in one WebSocket message or request; more are refused whole."""
    depth_max: int = 16
    """Nesting of `data` and `params`; nothing honest is deeper."""
    text_chars_max: int = 10_000
    """Text of one message from an agent."""
    visitor_text_chars_max: int = 5_000
    """Text of one message from a visitor."""
    data_bytes_max: int = 16_384
    """The structured part of a message, encoded."""
    key_chars_max: int = 64
    """A client's own id of a message; a UUID needs 36."""
    cursors_max: int = 500
    """Conversations that one connection follows."""

    # -- pace ----------------------------------------------------------------------
    visitor_messages_per_s: float = 1.0
    """Sustained pace of one visitor connection; people type slower."""
    visitor_messages_burst: int = 10
    """What a visitor may send at once, after a reconnect for example."""
    agent_messages_per_s: float = 5.0
    """Sustained pace of one agent connection: canned replies to many visitors."""
    agent_messages_burst: int = 30
    """What an agent may send at once."""
    frames_per_s: float = 20.0
    """All frames of one connection, sustained."""
    frames_burst: int = 100
    """All frames of one connection at once: a resume brings many."""
    flood_factor: float = 10.0
    """A connection this many times over `frames_per_s` for `flood_s` is closed."""
    flood_s: float = 5.0
    """How long a flood is answered with errors before the connection ends."""
    typing_interval_s: float = 2.0
    """Typing events of one connection; faster ones are dropped, they are hints."""
    typing_chars_max: int = 500
    """Unsent text shown to agents."""

    # -- connections ---------------------------------------------------------------
    visitor_connections_max: int = 5
    """Tabs and devices of one visitor."""
    agent_connections_max: int = 10
    """Tabs and devices of one agent."""
    address_connections_max: int = 200
    """Per address (/64 for IPv6). Mobile carriers put thousands behind one."""
    address_connections_per_s: float = 50.0
    """New connections of one address, sustained."""
    address_connections_burst: int = 200
    """New connections of one address at once: an office after a power cut."""
    hello_pending_max: int = 1_000
    """Connections that have not said hello; beyond it new ones are refused."""
    node_connections_max: int = 20_000
    """All connections of this process."""
    hello_timeout_s: float = 5.0
    """From open to `hello`."""
    heartbeat_s: float = 25.0
    """Own silence before a ping; below the 30 s at which the strictest proxies cut."""
    silent_intervals: float = 2.0
    """Intervals of the peer's silence after which it is gone."""
    revocation_check_s: float = 0.5
    """How often connected agents' logins are looked up, to end revoked ones."""
    write_timeout_s: float = 10.0
    """One write that does not finish in this time ends the connection."""

    # -- long poll -----------------------------------------------------------------
    poll_wait_s: float = 25.0
    """A poll is held for so long, less up to a fifth; below the 30 s of proxies."""
    poll_session_s: float = 75.0
    """Without any request for so long a poll session ends. Above 60 s: browsers let
    hidden tabs run once a minute."""
    poll_opening_s: float = 10.0
    """The same before the client's second request: its first answer may be lost."""
    poll_retained_bytes_max: int = 262_144
    """Batches kept for one client until it acknowledges them."""
    poll_retained_frames_max: int = 500
    """Frames kept for one client until it acknowledges them."""
    poll_answer_s: float = 0.2
    """A request's reply waits for its answers for so long; later ones go by poll."""
    poll_linger_s: float = 0.015
    """A poll with news waits for so long for more: a burst is one answer."""
    poll_body_s: float = 10.0
    """A request's body must be here in this time."""

    # -- what waits ----------------------------------------------------------------
    unacknowledged_sends_max: int = 64
    """Sends of one connection without an answer; further ones get `busy`."""
    outbox_frames_max: int = 256
    """Frames waiting for one peer; beyond it the follower reads on later."""
    outbox_bytes_max: int = 262_144
    """Bytes waiting for one peer."""
    requests_waiting_max: int = 32
    """`fetch` and `call` of one connection that wait or run."""
    appender_messages_max: int = 4_096
    """Messages waiting for the appender of one node."""
    appender_bytes_max: int = 16_777_216
    """Bytes waiting for the appender of one node."""
    appender_wait_s: float = 5.0
    """A message that waited this long is refused with `busy`, not kept in doubt."""
    job_timeout_s: float = 30.0
    """One write that is no message, in a database over a network: a step of an import,
    of erasing, of the search index. They are made to take far less."""
    commit_messages_max: int = 256
    """Messages in one transaction."""
    commit_bytes_max: int = 524_288
    """Bytes in one transaction."""
    page_messages_max: int = 100
    """Messages in one page of history."""
    page_bytes_max: int = 262_144
    """Bytes in one page of history."""
    ring_messages: int = 64
    """Newest messages of a followed conversation kept in memory."""
    catchup_reads_max: int = 8
    """Catch-up reads at once, so that a reconnect storm cannot starve the appender."""
    hello_reads_max: int = 32
    """Hellos that ask the store at once, which it answers together; the others wait
    their turn in order."""
    read_timeout_s: float = 5.0
    """One read from the store."""
    receipt_interval_s: float = 0.3
    """Receipts are folded for this long; ticks may be a blink late, messages never."""
    searches_max: int = 2
    """Searches at once; the others wait. Half of a store's readers stay free for the
    chat, which reads before it searches."""
    search_timeout_s: float = 2.0
    """One search: what was found by then is the answer. Nobody looks longer at an empty
    page."""
    list_rows_max: int = 300
    """Rows in a watched list's snapshot."""
    history_reads_max: int = 2
    """Lists, searches and exports that ask the store at once: half of its readers, the
    other half is always free for the chat."""
    history_wait_s: float = 5.0
    """How long one of them waits for its turn."""
    agent_history_requests_max: int = 8
    """Of one agent, waiting or running: what a page asks at once, and some more."""
    export_stall_s: float = 60.0
    """An export that its reader takes nothing of for so long ends."""
    drain_s: float = 5.0
    """What is being committed at a stop has this long to finish."""
    stop_s: float = 10.0
    """Hard end of a stop."""

    # -- agents --------------------------------------------------------------------
    agent_lease_s: float = 30.0
    """An agent who receives on no connection for so long is offline. Ample for a reload
    and a change of networks; renewed three times as often."""

    # -- visits --------------------------------------------------------------------
    visits_max: int = 1_000
    """Visitors who are shown on the sites' pages at once; nobody reads a longer list,
    and it must stay below the 1 MiB that a client takes at once."""
    address_visits_max: int = 200
    """Of these from one address (/64 for IPv6): an office, or a mobile carrier."""
    visit_lease_s: float = 45.0
    """Whoever does not report for so long is gone; pages report three times as often.
    Four times this for a page that is not looked at, which browsers hold back."""
    address_visits_per_s: float = 50.0
    """Reports of one address, sustained."""
    address_visits_burst: int = 500
    """Reports of one address at once."""

    # -- files ---------------------------------------------------------------------
    uploads_max: int = 16
    """Files that this node takes in at once."""
    visitor_files_per_h: int = 20
    """Files that one visitor may send."""
    address_files_per_h: int = 100
    """Files that visitors of one address (/64 for IPv6) may send."""
    agent_files_per_h: int = 300
    """Files that one agent may send."""
    upload_stall_s: float = 30.0
    """An upload that brings nothing for so long ends."""
    upload_s: float = 900.0
    """A whole upload; 25 MB come in this time over 30 KB a second."""

    # -- people --------------------------------------------------------------------
    new_conversations_per_h: int = 5
    """Conversations that one visitor may open."""
    new_conversations_per_address_h: int = 60
    """Conversations that one address (/64 for IPv6) may open: a visitor's name is free
    to have, an address is not."""
    left_messages_per_h: int = 3
    """Messages that one visitor may leave while nobody is there."""
    left_messages_per_address_h: int = 20
    """Messages left from one address (/64 for IPv6)."""
    notice_mails_per_h: int = 60
    """Mails that tell a site's own people of left messages; what comes beyond it is in
    the console all the same."""
    mails_to_an_address_per_d: int = 10
    """Answers by mail to one address: nobody uses kefu to fill a mailbox."""
    address_tokens_per_s: float = 10.0
    """Visitors' tokens that one address (/64 for IPv6) may ask for, sustained."""
    address_tokens_burst: int = 200
    """Visitors' tokens of one address at once. Mobile carriers put thousands of people
    behind one; lower than 200 keeps some of them out."""
    login_failures_max: int = 5
    """Per account in `login_window_s`; then the delay doubles."""
    address_login_failures_max: int = 20
    """Per address in `login_window_s`."""
    login_window_s: float = 900.0
    """Window of the two above, and the longest delay."""
    agent_sessions_max: int = 10
    """Logins of one agent at once; one more ends the oldest."""
    agent_session_idle_s: float = 43_200.0
    """An agent's login ends after this long without use."""
    agent_session_absolute_s: float = 604_800.0
    """An agent's login ends after this long in any case."""
    journal_days: int = 400
    """Who did what is kept for so many days."""
    visitor_token_s: float = 2_592_000.0
    """A visitor's token, renewed while it is used."""


class SharedLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The part of the limits that a client obeys, shown in `welcome`."""

    frame_bytes: int
    batch_frames: int
    text_chars: int
    key_chars: int
    unacknowledged_sends: int
    page_messages: int
    cursors: int
    frames_per_s: float = 0.0
    """What is said above it for long is refused; 0: an older server, which is silent
    about it."""
