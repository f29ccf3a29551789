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

COMMIT;

GO

