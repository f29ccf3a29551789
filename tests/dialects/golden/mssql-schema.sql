BEGIN TRANSACTION;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

GO

-- Running upgrade  -> 0001

CREATE TABLE installation (
    id INTEGER NOT NULL, 
    epoch NVARCHAR(32) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE site (
    id BIGINT NOT NULL, 
    name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    embed_key NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    allowed_origins NVARCHAR(max) NOT NULL, 
    locale NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_site_embed_key UNIQUE (embed_key)
);

GO

CREATE TABLE visitor (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    FOREIGN KEY(site_id) REFERENCES site (id)
);

GO

CREATE TABLE agent (
    id BIGINT NOT NULL, 
    login NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    login_folded NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    password_hash NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    role NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    is_active BIT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_agent_login_folded UNIQUE (login_folded)
);

GO

CREATE TABLE agent_session (
    token_hash NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    last_used_at BIGINT NOT NULL, 
    PRIMARY KEY (token_hash), 
    FOREIGN KEY(agent_id) REFERENCES agent (id)
);

GO

CREATE INDEX ix_agent_session_agent_id ON agent_session (agent_id);

GO

CREATE TABLE conversation (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    status NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    assignee NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NULL, 
    last_seq BIGINT NOT NULL, 
    last_at BIGINT NOT NULL, 
    last_sender NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NULL, 
    last_line NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    waiting_since BIGINT NULL, 
    opened_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    FOREIGN KEY(site_id) REFERENCES site (id)
);

GO

CREATE INDEX ix_conversation_visitor_site_id_last_at ON conversation (visitor, site_id, last_at);

GO

CREATE INDEX ix_conversation_last_at_id ON conversation (last_at, id);

GO

CREATE INDEX ix_conversation_status_waiting_since ON conversation (status, waiting_since);

GO

CREATE TABLE message (
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    sender NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    [key] NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    kind NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    body NVARCHAR(max) NOT NULL, 
    data NVARCHAR(max) NULL, 
    ref BIGINT NULL, 
    at BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, seq), 
    CONSTRAINT uq_message_conversation_id_sender_key UNIQUE (conversation_id, sender, [key]), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
);

GO

CREATE TABLE participant (
    conversation_id BIGINT NOT NULL, 
    participant NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    delivered BIGINT NOT NULL, 
    [read] BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, participant), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
);

GO

INSERT INTO alembic_version (version_num) OUTPUT inserted.version_num VALUES ('0001');

GO

-- Running upgrade 0001 -> 0002

ALTER TABLE site ADD retention_days INTEGER NOT NULL DEFAULT '0';

GO

ALTER TABLE message ADD digest BIGINT NULL;

GO

ALTER TABLE conversation ADD active_at BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE conversation ADD kept_from BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE conversation ADD labels NVARCHAR(max) NULL;

GO

UPDATE conversation SET active_at = last_at - last_at % 900000, kept_from = opened_at;

GO

CREATE INDEX ix_conversation_active_at_id ON conversation (active_at, id);

GO

CREATE INDEX ix_conversation_site_id_active_at_id ON conversation (site_id, active_at, id);

GO

CREATE INDEX ix_conversation_visitor_active_at_id ON conversation (visitor, active_at, id);

GO

CREATE INDEX ix_conversation_assignee_active_at_id ON conversation (assignee, active_at, id);

GO

CREATE INDEX ix_conversation_status_active_at_id ON conversation (status, active_at, id);

GO

CREATE INDEX ix_conversation_site_id_kept_from_id ON conversation (site_id, kept_from, id);

GO

DROP INDEX ix_conversation_visitor_site_id_last_at ON conversation;

GO

DROP INDEX ix_conversation_last_at_id ON conversation;

GO

DROP INDEX ix_conversation_status_waiting_since ON conversation;

GO

CREATE TABLE conversation_label (
    conversation_id BIGINT NOT NULL, 
    label NVARCHAR(40) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    active_at BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, label), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
);

GO

CREATE INDEX ix_conversation_label_label_active_at_conversation_id ON conversation_label (label, active_at, conversation_id);

GO

CREATE TABLE follower (
    name NVARCHAR(32) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    position BIGINT NOT NULL, 
    PRIMARY KEY (name)
);

GO

CREATE TABLE search_cursor (
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id)
);

GO

CREATE TABLE search_document (
    id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE search_segment (
    id BIGINT NOT NULL, 
    level INTEGER NOT NULL, 
    documents BIGINT NOT NULL, 
    is_whole BIT NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE search_posting (
    segment_id BIGINT NOT NULL, 
    term BIGINT NOT NULL, 
    newest BIGINT NOT NULL, 
    documents VARBINARY(max) NOT NULL, 
    PRIMARY KEY (segment_id, term, newest)
);

GO

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

GO

-- Running upgrade 0002 -> 0003

ALTER TABLE site ADD secret NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE site ADD settings NVARCHAR(max) NULL;

GO

ALTER TABLE visitor ADD email NVARCHAR(320) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE visitor ADD phone NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE visitor ADD notes NVARCHAR(max) NULL;

GO

ALTER TABLE visitor ADD attributes NVARCHAR(max) NULL;

GO

ALTER TABLE visitor ADD language NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE visitor ADD chosen_language NVARCHAR(35) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE visitor ADD is_verified BIT NOT NULL DEFAULT 0;

GO

ALTER TABLE visitor ADD last_seen_at BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE visitor ADD revision BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE agent ADD email NVARCHAR(320) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE agent ADD capacity INTEGER NOT NULL DEFAULT '0';

GO

ALTER TABLE agent ADD sites NVARCHAR(max) NULL;

GO

ALTER TABLE agent ADD is_one_time BIT NOT NULL DEFAULT 0;

GO

ALTER TABLE agent ADD language NVARCHAR(35) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE agent_session ADD address NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE agent_session ADD user_agent NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL DEFAULT '';

GO

ALTER TABLE conversation ADD team_id BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE conversation ADD queued_at BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE conversation ADD first_reply_at BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE conversation ADD closed_at BIGINT NOT NULL DEFAULT '0';

GO

ALTER TABLE conversation ADD untranslated BIGINT NOT NULL DEFAULT '0';

GO

UPDATE conversation SET queued_at = COALESCE(waiting_since, last_at) WHERE status = 'queued' AND last_seq > 0;

GO

UPDATE conversation SET closed_at = last_at WHERE status = 'closed';

GO

CREATE TABLE team (
    id BIGINT NOT NULL, 
    name NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    agents NVARCHAR(max) NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_team_name UNIQUE (name)
);

GO

CREATE TABLE agent_presence (
    id BIGINT NOT NULL, 
    status NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    lease_until BIGINT NOT NULL, 
    changed_at BIGINT NOT NULL, 
    assigned_at BIGINT NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE canned_reply (
    id BIGINT NOT NULL, 
    scope NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    owner BIGINT NOT NULL, 
    folder NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    shortcut NVARCHAR(40) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    title NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    body NVARCHAR(max) NOT NULL, 
    language NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    updated_at BIGINT NOT NULL, 
    translations NVARCHAR(max) NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE visitor_identity (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    external_id NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_visitor_identity_site_id_external_id UNIQUE (site_id, external_id)
);

GO

CREATE TABLE visitor_alias (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE visit (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    started_at BIGINT NOT NULL, 
    last_seen_at BIGINT NOT NULL, 
    address NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    user_agent NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    language NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    screen NVARCHAR(32) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    referrer NVARCHAR(max) NOT NULL, 
    pages INTEGER NOT NULL, 
    invitations NVARCHAR(max) NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE page_view (
    id BIGINT NOT NULL, 
    visit_id BIGINT NOT NULL, 
    url NVARCHAR(max) NOT NULL, 
    title NVARCHAR(300) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    at BIGINT NOT NULL, 
    seconds INTEGER NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE ban (
    id BIGINT NOT NULL, 
    kind NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    value NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    site_id BIGINT NOT NULL, 
    reason NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    expires_at BIGINT NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE offline_message (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    [key] NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    email NVARCHAR(320) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    phone NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    body NVARCHAR(max) NOT NULL, 
    page NVARCHAR(max) NOT NULL, 
    language NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    status NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    handled_at BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_offline_message_visitor_site_id_key UNIQUE (visitor, site_id, [key])
);

GO

CREATE TABLE mail (
    id BIGINT NOT NULL, 
    recipient NVARCHAR(320) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    [key] NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    reply_to NVARCHAR(320) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    sender_name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    subject NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    body NVARCHAR(max) NOT NULL, 
    about BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    status NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    attempts INTEGER NOT NULL, 
    next_at BIGINT NOT NULL, 
    error NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_mail_about_key UNIQUE (about, [key])
);

GO

CREATE TABLE attachment (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    uploader NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    [key] NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    name NVARCHAR(300) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    media_type NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    size BIGINT NOT NULL, 
    width INTEGER NOT NULL, 
    height INTEGER NOT NULL, 
    sha256 NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    storage_key NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    thumbnail_key NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    status NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_attachment_conversation_id_uploader_key UNIQUE (conversation_id, uploader, [key])
);

GO

CREATE TABLE rating (
    id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    agent_id BIGINT NOT NULL, 
    score INTEGER NOT NULL, 
    comment NVARCHAR(max) NOT NULL, 
    at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_rating_conversation_id UNIQUE (conversation_id)
);

GO

CREATE TABLE api_token (
    id BIGINT NOT NULL, 
    name NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    token_hash NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    scopes NVARCHAR(max) NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    last_used_at BIGINT NOT NULL, 
    expires_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_api_token_token_hash UNIQUE (token_hash)
);

GO

CREATE TABLE second_factor (
    id BIGINT NOT NULL, 
    nonce NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    confirmed_at BIGINT NOT NULL, 
    last_step BIGINT NOT NULL, 
    codes NVARCHAR(max) NOT NULL, 
    revision BIGINT NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE webhook (
    id BIGINT NOT NULL, 
    url NVARCHAR(max) NOT NULL, 
    secret NVARCHAR(100) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    events NVARCHAR(max) NOT NULL, 
    site_id BIGINT NOT NULL, 
    is_active BIT NOT NULL, 
    created_at BIGINT NOT NULL, 
    revision BIGINT NOT NULL, 
    told_from BIGINT NOT NULL, 
    failing_since BIGINT NOT NULL, 
    note NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE webhook_delivery (
    id BIGINT NOT NULL, 
    webhook_id BIGINT NOT NULL, 
    event NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    source NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    payload NVARCHAR(max) NOT NULL, 
    created_at BIGINT NOT NULL, 
    status NVARCHAR(16) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    attempts INTEGER NOT NULL, 
    next_at BIGINT NOT NULL, 
    response_status INTEGER NOT NULL, 
    error NVARCHAR(400) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_webhook_delivery_webhook_id_source UNIQUE (webhook_id, source)
);

GO

CREATE TABLE cached_translation (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    [key] NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    text_key NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    body NVARCHAR(max) NOT NULL, 
    source NVARCHAR(35) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    provider NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    chars INTEGER NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_cached_translation_site_id_key UNIQUE (site_id, [key])
);

GO

CREATE TABLE glossary_entry (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    source NVARCHAR(35) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    target NVARCHAR(35) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    text_key NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    body NVARCHAR(max) NOT NULL, 
    translation NVARCHAR(max) NOT NULL, 
    agent_id BIGINT NOT NULL, 
    updated_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_glossary_entry_site_id_text_key_target_source UNIQUE (site_id, text_key, target, source)
);

GO

CREATE TABLE translation_usage (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    day BIGINT NOT NULL, 
    chars BIGINT NOT NULL, 
    calls BIGINT NOT NULL, 
    hits BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_translation_usage_site_id_day UNIQUE (site_id, day)
);

GO

CREATE TABLE conversation_day (
    id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    day BIGINT NOT NULL, 
    figures NVARCHAR(max) NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_conversation_day_conversation_id_day UNIQUE (conversation_id, day)
);

GO

CREATE TABLE day_figures (
    id BIGINT NOT NULL, 
    day BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    agent_id BIGINT NOT NULL, 
    opened BIGINT NOT NULL, 
    closed BIGINT NOT NULL, 
    missed BIGINT NOT NULL, 
    messages_in BIGINT NOT NULL, 
    messages_out BIGINT NOT NULL, 
    first_reply_ms BIGINT NOT NULL, 
    first_replies BIGINT NOT NULL, 
    handling_ms BIGINT NOT NULL, 
    handled BIGINT NOT NULL, 
    rating_sum BIGINT NOT NULL, 
    ratings BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_day_figures_day_site_id_agent_id UNIQUE (day, site_id, agent_id)
);

GO

CREATE TABLE audit_entry (
    id BIGINT NOT NULL, 
    at BIGINT NOT NULL, 
    who NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    action NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    target NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    data NVARCHAR(max) NOT NULL, 
    address NVARCHAR(64) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    PRIMARY KEY (id)
);

GO

CREATE TABLE late_delivery (
    conversation_id BIGINT NOT NULL, 
    participant NVARCHAR(24) COLLATE Latin1_General_100_BIN2 NOT NULL, 
    first_seq BIGINT NOT NULL, 
    last_seq BIGINT NOT NULL, 
    heard_at BIGINT NOT NULL, 
    here_since BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, participant, first_seq), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
);

GO

CREATE INDEX ix_canned_reply_scope_owner_id ON canned_reply (scope, owner, id);

GO

CREATE INDEX ix_visit_site_id_id ON visit (site_id, id);

GO

CREATE INDEX ix_visitor_alias_visitor_id ON visitor_alias (visitor, id);

GO

CREATE INDEX ix_visit_visitor_id ON visit (visitor, id);

GO

CREATE INDEX ix_page_view_visit_id_id ON page_view (visit_id, id);

GO

CREATE INDEX ix_ban_kind_value ON ban (kind, value);

GO

CREATE INDEX ix_offline_message_site_id_status_id ON offline_message (site_id, status, id);

GO

CREATE INDEX ix_offline_message_status_id ON offline_message (status, id);

GO

CREATE INDEX ix_offline_message_visitor_id ON offline_message (visitor, id);

GO

CREATE INDEX ix_mail_status_next_at ON mail (status, next_at);

GO

CREATE INDEX ix_attachment_conversation_id_id ON attachment (conversation_id, id);

GO

CREATE INDEX ix_attachment_status_created_at ON attachment (status, created_at);

GO

CREATE INDEX ix_rating_site_id_at ON rating (site_id, at);

GO

CREATE INDEX ix_webhook_delivery_status_next_at ON webhook_delivery (status, next_at);

GO

CREATE INDEX ix_webhook_delivery_webhook_id_id ON webhook_delivery (webhook_id, id);

GO

CREATE INDEX ix_cached_translation_site_id_text_key ON cached_translation (site_id, text_key);

GO

CREATE INDEX ix_cached_translation_site_id_id ON cached_translation (site_id, id);

GO

CREATE INDEX ix_glossary_entry_site_id_id ON glossary_entry (site_id, id);

GO

CREATE INDEX ix_conversation_day_site_id_day_id ON conversation_day (site_id, day, id);

GO

CREATE INDEX ix_conversation_status_assignee ON conversation (status, assignee);

GO

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

GO

COMMIT;

GO

