-- audit._rows
SELECT conversation.id, conversation.site_id, conversation.visitor, conversation.status, conversation.assignee, conversation.last_seq, conversation.last_at, conversation.last_sender, conversation.last_line, conversation.waiting_since, conversation.opened_at, conversation.labels, conversation.team_id, conversation.queued_at, conversation.first_reply_at, conversation.closed_at, conversation.untranslated, conversation.active_at, conversation.kept_from FROM conversation;
-- audit._messages
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at, message.digest FROM message;
-- documents._TAKEN
SELECT search_document.id FROM search_document WHERE search_document.id IN (__[POSTCOMPILE_ids]);
-- documents._PLACES
SELECT search_document.id, search_document.conversation_id, search_document.seq FROM search_document WHERE search_document.id IN (__[POSTCOMPILE_ids]);
-- documents._LAST
SELECT max(search_document.id) AS max_1 FROM search_document WHERE search_document.id >= :first AND search_document.id < :end;
-- documents._FAR_PLACE
SELECT search_document.id FROM search_document WHERE search_document.id >= :first AND search_document.id < :end AND search_document.conversation_id = :conversation AND search_document.seq = :seq;
-- documents._REMOVE
DELETE FROM search_document WHERE search_document.id IN (__[POSTCOMPILE_ids]);
-- erasing._messages
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at FROM message;
-- erasing._BLANK
UPDATE message SET kind=:new_kind, body=:new_body, data=:new_data, digest=:new_digest WHERE message.conversation_id = :of_conversation AND message.seq = :of_seq;
-- erasing._NOT_LATE
DELETE FROM late_delivery WHERE late_delivery.conversation_id = :of_conversation AND late_delivery.participant = :of_participant AND late_delivery.first_seq = :from_seq;
-- erasing._NEXT_AT
SELECT TOP __[POSTCOMPILE_param_1] message.seq, message.at FROM message WHERE message.conversation_id = :conversation AND message.seq >= :seq ORDER BY message.seq;
-- erasing._LATER_TEXT
SELECT TOP __[POSTCOMPILE_param_1] message.seq FROM message WHERE message.conversation_id = :conversation AND message.seq > :seq AND message.kind IN (__[POSTCOMPILE_kind_1]) ORDER BY message.seq DESC;
-- history._messages
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at, message.digest FROM message;
-- history._conversations
SELECT conversation.id, conversation.site_id, conversation.visitor, conversation.status, conversation.assignee, conversation.last_seq, conversation.last_at, conversation.last_sender, conversation.last_line, conversation.waiting_since, conversation.opened_at, conversation.labels, conversation.team_id, conversation.queued_at, conversation.first_reply_at, conversation.closed_at, conversation.untranslated FROM conversation;
-- history._AFTER
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at, message.digest FROM message WHERE message.conversation_id = :conversation AND message.seq > :seq ORDER BY message.seq OFFSET 0 ROWS FETCH FIRST :limit ROWS ONLY;
-- history._BEFORE
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at, message.digest FROM message WHERE message.conversation_id = :conversation AND message.seq < :seq ORDER BY message.seq DESC OFFSET 0 ROWS FETCH FIRST :limit ROWS ONLY;
-- history._UNREAD
SELECT message.conversation_id, count(*) AS count_1 FROM message WHERE message.conversation_id IN (__[POSTCOMPILE_ids]) AND message.kind IN (__[POSTCOMPILE_kind_1]) AND message.sender LIKE :sender_1 AND message.seq > (SELECT coalesce(max(participant.[read]), :coalesce_2) AS coalesce_1 FROM participant WHERE participant.conversation_id = message.conversation_id AND participant.participant LIKE :participant_1) GROUP BY message.conversation_id;
-- imports._LOCKED
SELECT conversation.id, conversation.site_id, conversation.visitor, conversation.status, conversation.assignee, conversation.last_seq, conversation.last_at, conversation.last_sender, conversation.last_line, conversation.waiting_since, conversation.opened_at, conversation.labels, conversation.team_id, conversation.queued_at, conversation.first_reply_at, conversation.closed_at, conversation.untranslated, conversation.kept_from FROM conversation WITH (UPDLOCK, ROWLOCK) WHERE conversation.id = :conversation;
-- imports._STORED
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at FROM message WHERE message.conversation_id = :conversation AND message.seq >= :first AND message.seq <= :last;
-- imports._TAKEN
SELECT message.sender, message.[key], message.seq FROM message WHERE message.conversation_id = :conversation AND message.[key] IN (__[POSTCOMPILE_keys]);
-- indexing._heads
SELECT conversation.id, conversation.active_at, conversation.last_seq, coalesce(search_cursor.seq, :coalesce_2) AS coalesce_1, conversation.last_at FROM conversation LEFT OUTER JOIN search_cursor ON search_cursor.conversation_id = conversation.id;
-- indexing._WALK
SELECT conversation.id, conversation.active_at, conversation.last_seq, coalesce(search_cursor.seq, :coalesce_2) AS coalesce_1, conversation.last_at FROM conversation LEFT OUTER JOIN search_cursor ON search_cursor.conversation_id = conversation.id WHERE conversation.active_at >= :active AND (conversation.active_at > :active OR conversation.active_at = :active AND conversation.id > :id) ORDER BY conversation.active_at, conversation.id OFFSET 0 ROWS FETCH FIRST :limit ROWS ONLY;
-- indexing._HEADS
SELECT conversation.id, conversation.active_at, conversation.last_seq, coalesce(search_cursor.seq, :coalesce_2) AS coalesce_1, conversation.last_at FROM conversation LEFT OUTER JOIN search_cursor ON search_cursor.conversation_id = conversation.id WHERE conversation.id IN (__[POSTCOMPILE_ids]);
-- indexing._LOGS
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at FROM message WHERE message.conversation_id = :c0 AND message.seq > :a0 AND message.seq <= :b0 OR message.conversation_id = :c1 AND message.seq > :a1 AND message.seq <= :b1 OR message.conversation_id = :c2 AND message.seq > :a2 AND message.seq <= :b2 OR message.conversation_id = :c3 AND message.seq > :a3 AND message.seq <= :b3 OR message.conversation_id = :c4 AND message.seq > :a4 AND message.seq <= :b4 OR message.conversation_id = :c5 AND message.seq > :a5 AND message.seq <= :b5 OR message.conversation_id = :c6 AND message.seq > :a6 AND message.seq <= :b6 OR message.conversation_id = :c7 AND message.seq > :a7 AND message.seq <= :b7 OR message.conversation_id = :c8 AND message.seq > :a8 AND message.seq <= :b8 OR message.conversation_id = :c9 AND message.seq > :a9 AND message.seq <= :b9 OR message.conversation_id = :c10 AND message.seq > :a10 AND message.seq <= :b10 OR message.conversation_id = :c11 AND message.seq > :a11 AND message.seq <= :b11 OR message.conversation_id = :c12 AND message.seq > :a12 AND message.seq <= :b12 OR message.conversation_id = :c13 AND message.seq > :a13 AND message.seq <= :b13 OR message.conversation_id = :c14 AND message.seq > :a14 AND message.seq <= :b14 OR message.conversation_id = :c15 AND message.seq > :a15 AND message.seq <= :b15 OR message.conversation_id = :c16 AND message.seq > :a16 AND message.seq <= :b16 OR message.conversation_id = :c17 AND message.seq > :a17 AND message.seq <= :b17 OR message.conversation_id = :c18 AND message.seq > :a18 AND message.seq <= :b18 OR message.conversation_id = :c19 AND message.seq > :a19 AND message.seq <= :b19 OR message.conversation_id = :c20 AND message.seq > :a20 AND message.seq <= :b20 OR message.conversation_id = :c21 AND message.seq > :a21 AND message.seq <= :b21 OR message.conversation_id = :c22 AND message.seq > :a22 AND message.seq <= :b22 OR message.conversation_id = :c23 AND message.seq > :a23 AND message.seq <= :b23 OR message.conversation_id = :c24 AND message.seq > :a24 AND message.seq <= :b24 OR message.conversation_id = :c25 AND message.seq > :a25 AND message.seq <= :b25 OR message.conversation_id = :c26 AND message.seq > :a26 AND message.seq <= :b26 OR message.conversation_id = :c27 AND message.seq > :a27 AND message.seq <= :b27 OR message.conversation_id = :c28 AND message.seq > :a28 AND message.seq <= :b28 OR message.conversation_id = :c29 AND message.seq > :a29 AND message.seq <= :b29 OR message.conversation_id = :c30 AND message.seq > :a30 AND message.seq <= :b30 OR message.conversation_id = :c31 AND message.seq > :a31 AND message.seq <= :b31;
-- indexing._MOVE
UPDATE search_cursor SET seq=:to WHERE search_cursor.conversation_id = :conversation;
-- indexing._PASS
UPDATE follower SET position=:to WHERE follower.name = :name_1 AND follower.position < :to;
-- indexing._POSITION
SELECT follower.position FROM follower WHERE follower.name = :name_1;
-- indexing._KEYS
SELECT search_posting.term, search_posting.newest, search_posting.segment_id FROM search_posting WHERE search_posting.segment_id IN (__[POSTCOMPILE_segments]) AND search_posting.term IN (__[POSTCOMPILE_terms]) AND search_posting.newest >= :first;
-- indexing._DROP_ROW
DELETE FROM search_posting WHERE search_posting.segment_id = :segment AND search_posting.term = :of AND search_posting.newest = :at;
-- indexing._SET_ROW
UPDATE search_posting SET documents=:rest WHERE search_posting.segment_id = :segment AND search_posting.term = :of AND search_posting.newest = :at;
-- lists._conversations
SELECT conversation.id, conversation.site_id, conversation.visitor, conversation.status, conversation.assignee, conversation.last_seq, conversation.last_at, conversation.last_sender, conversation.last_line, conversation.waiting_since, conversation.opened_at, conversation.labels, conversation.team_id, conversation.queued_at, conversation.first_reply_at, conversation.closed_at, conversation.untranslated FROM conversation;
-- lists._LAST_SEQ
SELECT conversation.last_seq FROM conversation WHERE conversation.id = :conversation;
-- lists._AT
SELECT message.at FROM message WHERE message.conversation_id = :conversation AND message.seq = :seq;
-- lists._FIRST_LABEL
SELECT min(conversation_label.label) AS min_1 FROM conversation_label;
-- lists._NEXT_LABEL
SELECT min(conversation_label.label) AS min_1 FROM conversation_label WHERE conversation_label.label > :last;
-- merging._LAST
SELECT TOP __[POSTCOMPILE_param_1] search_posting.term, search_posting.newest FROM search_posting WHERE search_posting.segment_id = :segment ORDER BY search_posting.term DESC, search_posting.newest DESC;
-- merging._KEYS
SELECT search_posting.term, search_posting.newest, search_posting.segment_id, datalength(search_posting.documents) AS anon_1 FROM search_posting WHERE search_posting.segment_id IN (__[POSTCOMPILE_segments]) AND search_posting.term >= :first AND search_posting.term <= :last;
-- merging._RANGE
SELECT search_posting.term, search_posting.newest, search_posting.documents FROM search_posting WHERE search_posting.segment_id IN (__[POSTCOMPILE_segments]) AND search_posting.term >= :first AND search_posting.term <= :last;
-- merging._FAT_KEYS
SELECT search_posting.term, search_posting.newest, search_posting.segment_id, datalength(search_posting.documents) AS anon_1 FROM search_posting WHERE search_posting.segment_id IN (__[POSTCOMPILE_segments]) AND search_posting.term >= :first AND search_posting.term <= :last AND datalength(search_posting.documents) >= :least;
-- merging._END_OF_PURGE
SELECT search_posting.term FROM search_posting WHERE search_posting.segment_id = :segment ORDER BY search_posting.term, search_posting.newest OFFSET :offset ROWS FETCH FIRST :param_1 ROWS ONLY;
-- merging._PURGE_ALL
DELETE FROM search_posting WHERE search_posting.segment_id = :segment;
-- merging._PURGE
DELETE FROM search_posting WHERE search_posting.segment_id = :segment AND search_posting.term <= :last;
-- merging._FORGET
DELETE FROM search_segment WHERE search_segment.id = :segment;
-- merging._RETIRE
UPDATE search_segment SET level=:level, is_whole=:is_whole WHERE search_segment.id IN (__[POSTCOMPILE_segments]);
-- merging._FINISH
UPDATE search_segment SET level=:new_level, documents=:count, is_whole=:is_whole WHERE search_segment.id = :segment;
-- people._AGENTS_BY_ID
SELECT agent.id, agent.login, agent.login_folded, agent.name, agent.password_hash, agent.role, agent.is_active, agent.email, agent.capacity, agent.sites, agent.is_one_time, agent.language FROM agent WHERE agent.id IN (__[POSTCOMPILE_ids]);
-- people._SESSIONS_BY_HASH
SELECT agent_session.token_hash, agent_session.agent_id, agent_session.created_at, agent_session.last_used_at, agent_session.address, agent_session.user_agent FROM agent_session WHERE agent_session.token_hash IN (__[POSTCOMPILE_hashes]);
-- people._SITE_LOCKED
SELECT site.id, site.name, site.embed_key, site.allowed_origins, site.locale, site.retention_days, site.secret, site.settings FROM site WITH (UPDLOCK, ROWLOCK) WHERE site.id = :site;
-- putting._RAISE
UPDATE participant SET delivered=CASE WHEN (participant.delivered < :delivered_) THEN :delivered_ ELSE participant.delivered END, [read]=CASE WHEN (participant.[read] < :read_) THEN :read_ ELSE participant.[read] END WHERE participant.conversation_id = :its AND participant.participant = :who;
-- search._DIRECTORY
SELECT search_posting.segment_id, search_posting.term, search_posting.newest, datalength(search_posting.documents) AS anon_1 FROM search_posting WHERE search_posting.segment_id IN (__[POSTCOMPILE_segments]) AND search_posting.term IN (__[POSTCOMPILE_terms]) AND search_posting.newest >= :since;
-- search._MESSAGES
SELECT search_document.id, message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at FROM search_document JOIN message ON message.conversation_id = search_document.conversation_id AND message.seq = search_document.seq JOIN conversation ON conversation.id = search_document.conversation_id WHERE search_document.id IN (__[POSTCOMPILE_ids]);
-- segments._LOCK
SELECT follower.position FROM follower WITH (UPDLOCK, ROWLOCK) WHERE follower.name = :name_1;
-- segments._SEGMENTS
SELECT search_segment.id, search_segment.level, search_segment.documents, search_segment.is_whole FROM search_segment ORDER BY search_segment.id;
-- segments._LAST_ID
SELECT max(search_segment.id) AS max_1 FROM search_segment;
-- segments._BY_KEY
SELECT search_posting.term, search_posting.newest, search_posting.segment_id, search_posting.documents FROM search_posting WHERE search_posting.segment_id = :s0 AND search_posting.term = :t0 AND search_posting.newest = :n0 OR search_posting.segment_id = :s1 AND search_posting.term = :t1 AND search_posting.newest = :n1 OR search_posting.segment_id = :s2 AND search_posting.term = :t2 AND search_posting.newest = :n2 OR search_posting.segment_id = :s3 AND search_posting.term = :t3 AND search_posting.newest = :n3 OR search_posting.segment_id = :s4 AND search_posting.term = :t4 AND search_posting.newest = :n4 OR search_posting.segment_id = :s5 AND search_posting.term = :t5 AND search_posting.newest = :n5 OR search_posting.segment_id = :s6 AND search_posting.term = :t6 AND search_posting.newest = :n6 OR search_posting.segment_id = :s7 AND search_posting.term = :t7 AND search_posting.newest = :n7 OR search_posting.segment_id = :s8 AND search_posting.term = :t8 AND search_posting.newest = :n8 OR search_posting.segment_id = :s9 AND search_posting.term = :t9 AND search_posting.newest = :n9 OR search_posting.segment_id = :s10 AND search_posting.term = :t10 AND search_posting.newest = :n10 OR search_posting.segment_id = :s11 AND search_posting.term = :t11 AND search_posting.newest = :n11 OR search_posting.segment_id = :s12 AND search_posting.term = :t12 AND search_posting.newest = :n12 OR search_posting.segment_id = :s13 AND search_posting.term = :t13 AND search_posting.newest = :n13 OR search_posting.segment_id = :s14 AND search_posting.term = :t14 AND search_posting.newest = :n14 OR search_posting.segment_id = :s15 AND search_posting.term = :t15 AND search_posting.newest = :n15 OR search_posting.segment_id = :s16 AND search_posting.term = :t16 AND search_posting.newest = :n16 OR search_posting.segment_id = :s17 AND search_posting.term = :t17 AND search_posting.newest = :n17 OR search_posting.segment_id = :s18 AND search_posting.term = :t18 AND search_posting.newest = :n18 OR search_posting.segment_id = :s19 AND search_posting.term = :t19 AND search_posting.newest = :n19 OR search_posting.segment_id = :s20 AND search_posting.term = :t20 AND search_posting.newest = :n20 OR search_posting.segment_id = :s21 AND search_posting.term = :t21 AND search_posting.newest = :n21 OR search_posting.segment_id = :s22 AND search_posting.term = :t22 AND search_posting.newest = :n22 OR search_posting.segment_id = :s23 AND search_posting.term = :t23 AND search_posting.newest = :n23 OR search_posting.segment_id = :s24 AND search_posting.term = :t24 AND search_posting.newest = :n24 OR search_posting.segment_id = :s25 AND search_posting.term = :t25 AND search_posting.newest = :n25 OR search_posting.segment_id = :s26 AND search_posting.term = :t26 AND search_posting.newest = :n26 OR search_posting.segment_id = :s27 AND search_posting.term = :t27 AND search_posting.newest = :n27 OR search_posting.segment_id = :s28 AND search_posting.term = :t28 AND search_posting.newest = :n28 OR search_posting.segment_id = :s29 AND search_posting.term = :t29 AND search_posting.newest = :n29 OR search_posting.segment_id = :s30 AND search_posting.term = :t30 AND search_posting.newest = :n30 OR search_posting.segment_id = :s31 AND search_posting.term = :t31 AND search_posting.newest = :n31;
-- together._messages
SELECT message.conversation_id, message.seq, message.sender, message.[key], message.kind, message.body, message.data, message.ref, message.at, message.digest FROM message;
-- together._ROWS
SELECT conversation.id, conversation.site_id, conversation.visitor, conversation.status, conversation.assignee, conversation.last_seq, conversation.last_at, conversation.last_sender, conversation.last_line, conversation.waiting_since, conversation.opened_at, conversation.labels, conversation.team_id, conversation.queued_at, conversation.first_reply_at, conversation.closed_at, conversation.untranslated FROM conversation WHERE conversation.id IN (__[POSTCOMPILE_ids]);
-- together._CURSORS
SELECT participant.conversation_id, participant.participant, participant.delivered, participant.[read] FROM participant WHERE participant.conversation_id IN (__[POSTCOMPILE_ids]);
-- together._OF_VISITORS
SELECT anon_1.id, anon_1.site_id, anon_1.visitor, anon_1.status, anon_1.assignee, anon_1.last_seq, anon_1.last_at, anon_1.last_sender, anon_1.last_line, anon_1.waiting_since, anon_1.opened_at, anon_1.labels, anon_1.team_id, anon_1.queued_at, anon_1.first_reply_at, anon_1.closed_at, anon_1.untranslated FROM (SELECT conversation.id AS id, conversation.site_id AS site_id, conversation.visitor AS visitor, conversation.status AS status, conversation.assignee AS assignee, conversation.last_seq AS last_seq, conversation.last_at AS last_at, conversation.last_sender AS last_sender, conversation.last_line AS last_line, conversation.waiting_since AS waiting_since, conversation.opened_at AS opened_at, conversation.labels AS labels, conversation.team_id AS team_id, conversation.queued_at AS queued_at, conversation.first_reply_at AS first_reply_at, conversation.closed_at AS closed_at, conversation.untranslated AS untranslated, row_number() OVER (PARTITION BY conversation.visitor ORDER BY conversation.last_at DESC, conversation.id DESC) AS place FROM conversation WHERE conversation.visitor IN (__[POSTCOMPILE_visitors])) AS anon_1 WHERE anon_1.place <= :place_1 ORDER BY anon_1.place;
-- upkeep._conversations
SELECT conversation.id, conversation.site_id, conversation.visitor, conversation.status, conversation.assignee, conversation.last_seq, conversation.last_at, conversation.last_sender, conversation.last_line, conversation.waiting_since, conversation.opened_at, conversation.labels, conversation.team_id, conversation.queued_at, conversation.first_reply_at, conversation.closed_at, conversation.untranslated FROM conversation;
