CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE installation (
    id INTEGER NOT NULL, 
    epoch VARCHAR(32) NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE site (
    id BIGINT NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    embed_key VARCHAR(64) NOT NULL, 
    allowed_origins MEDIUMTEXT NOT NULL, 
    locale VARCHAR(16) NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_site_embed_key UNIQUE (embed_key)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE visitor (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    FOREIGN KEY(site_id) REFERENCES site (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE agent (
    id BIGINT NOT NULL, 
    login VARCHAR(200) NOT NULL, 
    login_folded VARCHAR(200) NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    password_hash VARCHAR(200) NOT NULL, 
    `role` VARCHAR(16) NOT NULL, 
    is_active BOOL NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_agent_login_folded UNIQUE (login_folded)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE agent_session (
    token_hash VARCHAR(64) NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    last_used_at BIGINT NOT NULL, 
    PRIMARY KEY (token_hash), 
    FOREIGN KEY(agent_id) REFERENCES agent (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_agent_session_agent_id ON agent_session (agent_id);

CREATE TABLE conversation (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor VARCHAR(24) NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    assignee VARCHAR(24), 
    last_seq BIGINT NOT NULL, 
    last_at BIGINT NOT NULL, 
    last_sender VARCHAR(24), 
    last_line VARCHAR(200) NOT NULL, 
    waiting_since BIGINT, 
    opened_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    FOREIGN KEY(site_id) REFERENCES site (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_conversation_visitor_site_id_last_at ON conversation (visitor, site_id, last_at);

CREATE INDEX ix_conversation_last_at_id ON conversation (last_at, id);

CREATE INDEX ix_conversation_status_waiting_since ON conversation (status, waiting_since);

CREATE TABLE message (
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    sender VARCHAR(24) NOT NULL, 
    `key` VARCHAR(64) NOT NULL, 
    kind VARCHAR(16) NOT NULL, 
    body MEDIUMTEXT NOT NULL, 
    data MEDIUMTEXT, 
    ref BIGINT, 
    at BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, seq), 
    CONSTRAINT uq_message_conversation_id_sender_key UNIQUE (conversation_id, sender, `key`), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE participant (
    conversation_id BIGINT NOT NULL, 
    participant VARCHAR(24) NOT NULL, 
    delivered BIGINT NOT NULL, 
    `read` BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, participant), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

INSERT INTO alembic_version (version_num) VALUES ('0001');

-- Running upgrade 0001 -> 0002

ALTER TABLE site ADD COLUMN retention_days INTEGER NOT NULL DEFAULT '0';

ALTER TABLE message ADD COLUMN digest BIGINT;

ALTER TABLE conversation ADD COLUMN active_at BIGINT NOT NULL DEFAULT '0';

ALTER TABLE conversation ADD COLUMN kept_from BIGINT NOT NULL DEFAULT '0';

ALTER TABLE conversation ADD COLUMN labels MEDIUMTEXT;

UPDATE conversation SET active_at = last_at - last_at %% 900000, kept_from = opened_at;

CREATE INDEX ix_conversation_active_at_id ON conversation (active_at, id);

CREATE INDEX ix_conversation_site_id_active_at_id ON conversation (site_id, active_at, id);

CREATE INDEX ix_conversation_visitor_active_at_id ON conversation (visitor, active_at, id);

CREATE INDEX ix_conversation_assignee_active_at_id ON conversation (assignee, active_at, id);

CREATE INDEX ix_conversation_status_active_at_id ON conversation (status, active_at, id);

CREATE INDEX ix_conversation_site_id_kept_from_id ON conversation (site_id, kept_from, id);

DROP INDEX ix_conversation_visitor_site_id_last_at ON conversation;

DROP INDEX ix_conversation_last_at_id ON conversation;

DROP INDEX ix_conversation_status_waiting_since ON conversation;

CREATE TABLE conversation_label (
    conversation_id BIGINT NOT NULL, 
    label VARCHAR(40) NOT NULL, 
    active_at BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, label), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_conversation_label_label_active_at_conversation_id ON conversation_label (label, active_at, conversation_id);

CREATE TABLE follower (
    name VARCHAR(32) NOT NULL, 
    position BIGINT NOT NULL, 
    PRIMARY KEY (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE search_cursor (
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE search_document (
    id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE search_segment (
    id BIGINT NOT NULL, 
    level INTEGER NOT NULL, 
    documents BIGINT NOT NULL, 
    is_whole BOOL NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE search_posting (
    segment_id BIGINT NOT NULL, 
    term BIGINT NOT NULL, 
    newest BIGINT NOT NULL, 
    documents MEDIUMBLOB NOT NULL, 
    PRIMARY KEY (segment_id, term, newest)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

-- Running upgrade 0002 -> 0003

ALTER TABLE site ADD COLUMN secret VARCHAR(100) NOT NULL DEFAULT '';

ALTER TABLE site ADD COLUMN settings MEDIUMTEXT;

ALTER TABLE visitor ADD COLUMN email VARCHAR(320) NOT NULL DEFAULT '';

ALTER TABLE visitor ADD COLUMN phone VARCHAR(64) NOT NULL DEFAULT '';

ALTER TABLE visitor ADD COLUMN notes MEDIUMTEXT;

ALTER TABLE visitor ADD COLUMN attributes MEDIUMTEXT;

ALTER TABLE visitor ADD COLUMN language VARCHAR(16) NOT NULL DEFAULT '';

ALTER TABLE visitor ADD COLUMN chosen_language VARCHAR(35) NOT NULL DEFAULT '';

ALTER TABLE visitor ADD COLUMN is_verified BOOL NOT NULL DEFAULT false;

ALTER TABLE visitor ADD COLUMN last_seen_at BIGINT NOT NULL DEFAULT '0';

ALTER TABLE visitor ADD COLUMN revision BIGINT NOT NULL DEFAULT '0';

ALTER TABLE agent ADD COLUMN email VARCHAR(320) NOT NULL DEFAULT '';

ALTER TABLE agent ADD COLUMN capacity INTEGER NOT NULL DEFAULT '0';

ALTER TABLE agent ADD COLUMN sites MEDIUMTEXT;

ALTER TABLE agent ADD COLUMN is_one_time BOOL NOT NULL DEFAULT false;

ALTER TABLE agent ADD COLUMN language VARCHAR(35) NOT NULL DEFAULT '';

ALTER TABLE agent_session ADD COLUMN address VARCHAR(64) NOT NULL DEFAULT '';

ALTER TABLE agent_session ADD COLUMN user_agent VARCHAR(400) NOT NULL DEFAULT '';

ALTER TABLE conversation ADD COLUMN team_id BIGINT NOT NULL DEFAULT '0';

ALTER TABLE conversation ADD COLUMN queued_at BIGINT NOT NULL DEFAULT '0';

ALTER TABLE conversation ADD COLUMN first_reply_at BIGINT NOT NULL DEFAULT '0';

ALTER TABLE conversation ADD COLUMN closed_at BIGINT NOT NULL DEFAULT '0';

ALTER TABLE conversation ADD COLUMN untranslated BIGINT NOT NULL DEFAULT '0';

UPDATE conversation SET queued_at = COALESCE(waiting_since, last_at) WHERE status = 'queued' AND last_seq > 0;

UPDATE conversation SET closed_at = last_at WHERE status = 'closed';

CREATE TABLE team (
    id BIGINT NOT NULL, 
    name VARCHAR(100) NOT NULL, 
    agents MEDIUMTEXT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_team_name UNIQUE (name)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE agent_presence (
    id BIGINT NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    lease_until BIGINT NOT NULL, 
    changed_at BIGINT NOT NULL, 
    assigned_at BIGINT NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE canned_reply (
    id BIGINT NOT NULL, 
    scope VARCHAR(16) NOT NULL, 
    owner BIGINT NOT NULL, 
    folder VARCHAR(100) NOT NULL, 
    shortcut VARCHAR(40) NOT NULL, 
    title VARCHAR(200) NOT NULL, 
    body MEDIUMTEXT NOT NULL, 
    language VARCHAR(16) NOT NULL, 
    updated_at BIGINT NOT NULL, 
    translations MEDIUMTEXT NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE visitor_identity (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    external_id VARCHAR(200) NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_visitor_identity_site_id_external_id UNIQUE (site_id, external_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE visitor_alias (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor VARCHAR(24) NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE visit (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor VARCHAR(24) NOT NULL, 
    started_at BIGINT NOT NULL, 
    last_seen_at BIGINT NOT NULL, 
    address VARCHAR(64) NOT NULL, 
    user_agent VARCHAR(400) NOT NULL, 
    language VARCHAR(16) NOT NULL, 
    screen VARCHAR(32) NOT NULL, 
    referrer MEDIUMTEXT NOT NULL, 
    pages INTEGER NOT NULL, 
    invitations MEDIUMTEXT NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE page_view (
    id BIGINT NOT NULL, 
    visit_id BIGINT NOT NULL, 
    url MEDIUMTEXT NOT NULL, 
    title VARCHAR(300) NOT NULL, 
    at BIGINT NOT NULL, 
    seconds INTEGER NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE ban (
    id BIGINT NOT NULL, 
    kind VARCHAR(16) NOT NULL, 
    value VARCHAR(64) NOT NULL, 
    site_id BIGINT NOT NULL, 
    reason VARCHAR(400) NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    expires_at BIGINT NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE offline_message (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    visitor VARCHAR(24) NOT NULL, 
    `key` VARCHAR(64) NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    email VARCHAR(320) NOT NULL, 
    phone VARCHAR(64) NOT NULL, 
    body MEDIUMTEXT NOT NULL, 
    page MEDIUMTEXT NOT NULL, 
    language VARCHAR(16) NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    handled_at BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_offline_message_visitor_site_id_key UNIQUE (visitor, site_id, `key`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE mail (
    id BIGINT NOT NULL, 
    recipient VARCHAR(320) NOT NULL, 
    `key` VARCHAR(64) NOT NULL, 
    reply_to VARCHAR(320) NOT NULL, 
    sender_name VARCHAR(200) NOT NULL, 
    subject VARCHAR(400) NOT NULL, 
    body MEDIUMTEXT NOT NULL, 
    about BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    attempts INTEGER NOT NULL, 
    next_at BIGINT NOT NULL, 
    error VARCHAR(400) NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_mail_about_key UNIQUE (about, `key`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE attachment (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    uploader VARCHAR(24) NOT NULL, 
    `key` VARCHAR(64) NOT NULL, 
    name VARCHAR(300) NOT NULL, 
    media_type VARCHAR(100) NOT NULL, 
    size BIGINT NOT NULL, 
    width INTEGER NOT NULL, 
    height INTEGER NOT NULL, 
    sha256 VARCHAR(64) NOT NULL, 
    storage_key VARCHAR(200) NOT NULL, 
    thumbnail_key VARCHAR(200) NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_attachment_conversation_id_uploader_key UNIQUE (conversation_id, uploader, `key`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE rating (
    id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    agent_id BIGINT NOT NULL, 
    score INTEGER NOT NULL, 
    comment MEDIUMTEXT NOT NULL, 
    at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_rating_conversation_id UNIQUE (conversation_id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE api_token (
    id BIGINT NOT NULL, 
    name VARCHAR(100) NOT NULL, 
    token_hash VARCHAR(64) NOT NULL, 
    scopes MEDIUMTEXT NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    last_used_at BIGINT NOT NULL, 
    expires_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_api_token_token_hash UNIQUE (token_hash)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE second_factor (
    id BIGINT NOT NULL, 
    nonce VARCHAR(64) NOT NULL, 
    confirmed_at BIGINT NOT NULL, 
    last_step BIGINT NOT NULL, 
    codes MEDIUMTEXT NOT NULL, 
    revision BIGINT NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE webhook (
    id BIGINT NOT NULL, 
    url MEDIUMTEXT NOT NULL, 
    secret VARCHAR(100) NOT NULL, 
    events MEDIUMTEXT NOT NULL, 
    site_id BIGINT NOT NULL, 
    is_active BOOL NOT NULL, 
    created_at BIGINT NOT NULL, 
    revision BIGINT NOT NULL, 
    told_from BIGINT NOT NULL, 
    failing_since BIGINT NOT NULL, 
    note VARCHAR(400) NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE webhook_delivery (
    id BIGINT NOT NULL, 
    webhook_id BIGINT NOT NULL, 
    event VARCHAR(64) NOT NULL, 
    source VARCHAR(64) NOT NULL, 
    payload MEDIUMTEXT NOT NULL, 
    created_at BIGINT NOT NULL, 
    status VARCHAR(16) NOT NULL, 
    attempts INTEGER NOT NULL, 
    next_at BIGINT NOT NULL, 
    response_status INTEGER NOT NULL, 
    error VARCHAR(400) NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_webhook_delivery_webhook_id_source UNIQUE (webhook_id, source)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE cached_translation (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    `key` VARCHAR(64) NOT NULL, 
    text_key VARCHAR(64) NOT NULL, 
    body MEDIUMTEXT NOT NULL, 
    source VARCHAR(35) NOT NULL, 
    provider VARCHAR(64) NOT NULL, 
    chars INTEGER NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_cached_translation_site_id_key UNIQUE (site_id, `key`)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE glossary_entry (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    source VARCHAR(35) NOT NULL, 
    target VARCHAR(35) NOT NULL, 
    text_key VARCHAR(64) NOT NULL, 
    body MEDIUMTEXT NOT NULL, 
    translation MEDIUMTEXT NOT NULL, 
    agent_id BIGINT NOT NULL, 
    updated_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_glossary_entry_site_id_text_key_target_source UNIQUE (site_id, text_key, target, source)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE translation_usage (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    day BIGINT NOT NULL, 
    chars BIGINT NOT NULL, 
    calls BIGINT NOT NULL, 
    hits BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_translation_usage_site_id_day UNIQUE (site_id, day)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE conversation_day (
    id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    day BIGINT NOT NULL, 
    figures MEDIUMTEXT NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_conversation_day_conversation_id_day UNIQUE (conversation_id, day)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

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
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE audit_entry (
    id BIGINT NOT NULL, 
    at BIGINT NOT NULL, 
    who VARCHAR(24) NOT NULL, 
    action VARCHAR(64) NOT NULL, 
    target VARCHAR(200) NOT NULL, 
    data MEDIUMTEXT NOT NULL, 
    address VARCHAR(64) NOT NULL, 
    PRIMARY KEY (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE late_delivery (
    conversation_id BIGINT NOT NULL, 
    participant VARCHAR(24) NOT NULL, 
    first_seq BIGINT NOT NULL, 
    last_seq BIGINT NOT NULL, 
    heard_at BIGINT NOT NULL, 
    here_since BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, participant, first_seq), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
)ENGINE=InnoDB CHARSET=utf8mb4 COLLATE utf8mb4_bin;

CREATE INDEX ix_canned_reply_scope_owner_id ON canned_reply (scope, owner, id);

CREATE INDEX ix_visit_site_id_id ON visit (site_id, id);

CREATE INDEX ix_visitor_alias_visitor_id ON visitor_alias (visitor, id);

CREATE INDEX ix_visit_visitor_id ON visit (visitor, id);

CREATE INDEX ix_page_view_visit_id_id ON page_view (visit_id, id);

CREATE INDEX ix_ban_kind_value ON ban (kind, value);

CREATE INDEX ix_offline_message_site_id_status_id ON offline_message (site_id, status, id);

CREATE INDEX ix_offline_message_status_id ON offline_message (status, id);

CREATE INDEX ix_offline_message_visitor_id ON offline_message (visitor, id);

CREATE INDEX ix_mail_status_next_at ON mail (status, next_at);

CREATE INDEX ix_attachment_conversation_id_id ON attachment (conversation_id, id);

CREATE INDEX ix_attachment_status_created_at ON attachment (status, created_at);

CREATE INDEX ix_rating_site_id_at ON rating (site_id, at);

CREATE INDEX ix_webhook_delivery_status_next_at ON webhook_delivery (status, next_at);

CREATE INDEX ix_webhook_delivery_webhook_id_id ON webhook_delivery (webhook_id, id);

CREATE INDEX ix_cached_translation_site_id_text_key ON cached_translation (site_id, text_key);

CREATE INDEX ix_cached_translation_site_id_id ON cached_translation (site_id, id);

CREATE INDEX ix_glossary_entry_site_id_id ON glossary_entry (site_id, id);

CREATE INDEX ix_conversation_day_site_id_day_id ON conversation_day (site_id, day, id);

CREATE INDEX ix_conversation_status_assignee ON conversation (status, assignee);

UPDATE alembic_version SET version_num='0003' WHERE alembic_version.version_num = '0002';

