BEGIN;

CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL, 
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);

-- Running upgrade  -> 0001

CREATE TABLE installation (
    id INTEGER NOT NULL, 
    epoch VARCHAR(32) NOT NULL, 
    PRIMARY KEY (id)
);

CREATE TABLE site (
    id BIGINT NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    embed_key VARCHAR(64) NOT NULL, 
    allowed_origins TEXT NOT NULL, 
    locale VARCHAR(16) NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_site_embed_key UNIQUE (embed_key)
);

CREATE TABLE visitor (
    id BIGINT NOT NULL, 
    site_id BIGINT NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    created_at BIGINT NOT NULL, 
    PRIMARY KEY (id), 
    FOREIGN KEY(site_id) REFERENCES site (id)
);

CREATE TABLE agent (
    id BIGINT NOT NULL, 
    login VARCHAR(200) NOT NULL, 
    login_folded VARCHAR(200) NOT NULL, 
    name VARCHAR(200) NOT NULL, 
    password_hash VARCHAR(200) NOT NULL, 
    role VARCHAR(16) NOT NULL, 
    is_active BOOLEAN NOT NULL, 
    PRIMARY KEY (id), 
    CONSTRAINT uq_agent_login_folded UNIQUE (login_folded)
);

CREATE TABLE agent_session (
    token_hash VARCHAR(64) NOT NULL, 
    agent_id BIGINT NOT NULL, 
    created_at BIGINT NOT NULL, 
    last_used_at BIGINT NOT NULL, 
    PRIMARY KEY (token_hash), 
    FOREIGN KEY(agent_id) REFERENCES agent (id)
);

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
);

CREATE INDEX ix_conversation_visitor_site_id_last_at ON conversation (visitor, site_id, last_at);

CREATE INDEX ix_conversation_last_at_id ON conversation (last_at, id);

CREATE INDEX ix_conversation_status_waiting_since ON conversation (status, waiting_since);

CREATE TABLE message (
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    sender VARCHAR(24) NOT NULL, 
    key VARCHAR(64) NOT NULL, 
    kind VARCHAR(16) NOT NULL, 
    body TEXT NOT NULL, 
    data TEXT, 
    ref BIGINT, 
    at BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, seq), 
    CONSTRAINT uq_message_conversation_id_sender_key UNIQUE (conversation_id, sender, key), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
);

CREATE TABLE participant (
    conversation_id BIGINT NOT NULL, 
    participant VARCHAR(24) NOT NULL, 
    delivered BIGINT NOT NULL, 
    read BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, participant), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
);

INSERT INTO alembic_version (version_num) VALUES ('0001') RETURNING alembic_version.version_num;

-- Running upgrade 0001 -> 0002

ALTER TABLE site ADD COLUMN retention_days INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE message ADD COLUMN digest BIGINT;

ALTER TABLE conversation ADD COLUMN active_at BIGINT DEFAULT '0' NOT NULL;

ALTER TABLE conversation ADD COLUMN kept_from BIGINT DEFAULT '0' NOT NULL;

ALTER TABLE conversation ADD COLUMN labels TEXT;

UPDATE conversation SET active_at = last_at - last_at %% 900000, kept_from = opened_at;

CREATE INDEX ix_conversation_active_at_id ON conversation (active_at, id);

CREATE INDEX ix_conversation_site_id_active_at_id ON conversation (site_id, active_at, id);

CREATE INDEX ix_conversation_visitor_active_at_id ON conversation (visitor, active_at, id);

CREATE INDEX ix_conversation_assignee_active_at_id ON conversation (assignee, active_at, id);

CREATE INDEX ix_conversation_status_active_at_id ON conversation (status, active_at, id);

CREATE INDEX ix_conversation_site_id_kept_from_id ON conversation (site_id, kept_from, id);

DROP INDEX ix_conversation_visitor_site_id_last_at;

DROP INDEX ix_conversation_last_at_id;

DROP INDEX ix_conversation_status_waiting_since;

CREATE TABLE conversation_label (
    conversation_id BIGINT NOT NULL, 
    label VARCHAR(40) NOT NULL, 
    active_at BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id, label), 
    FOREIGN KEY(conversation_id) REFERENCES conversation (id)
);

CREATE INDEX ix_conversation_label_label_active_at_conversation_id ON conversation_label (label, active_at, conversation_id);

CREATE TABLE follower (
    name VARCHAR(32) NOT NULL, 
    position BIGINT NOT NULL, 
    PRIMARY KEY (name)
);

CREATE TABLE search_cursor (
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    PRIMARY KEY (conversation_id)
);

CREATE TABLE search_document (
    id BIGINT NOT NULL, 
    conversation_id BIGINT NOT NULL, 
    seq BIGINT NOT NULL, 
    PRIMARY KEY (id)
);

CREATE TABLE search_segment (
    id BIGINT NOT NULL, 
    level INTEGER NOT NULL, 
    documents BIGINT NOT NULL, 
    is_whole BOOLEAN NOT NULL, 
    PRIMARY KEY (id)
);

CREATE TABLE search_posting (
    segment_id BIGINT NOT NULL, 
    term BIGINT NOT NULL, 
    newest BIGINT NOT NULL, 
    documents BYTEA NOT NULL, 
    PRIMARY KEY (segment_id, term, newest)
);

UPDATE alembic_version SET version_num='0002' WHERE alembic_version.version_num = '0001';

COMMIT;

