// Written by `python -m kefu_core.protocol.schema` from kefu_core/protocol/frames.py.
// Do not edit: change the structs and write it again.

export interface Ack {
  t: "ack";
  conversation: number;
  seq: number;
}

export interface Auth {
  t: "auth";
  token: string;
}

export interface AuthOk {
  t: "auth_ok";
  expires_at: number;
}

export interface Bye {
  t: "bye";
}

export interface Call {
  t: "call";
  id: string;
  method: string;
  params?: Record<string, any>;
}

export interface Closed {
  t: "closed";
  code: number;
  reason?: string;
}

export interface Drain {
  t: "drain";
  within_s: number;
}

export interface ErrorFrame {
  t: "error";
  code: string;
  text: string;
  retry?: string;
  after_s?: number;
  key?: string | null;
  id?: string | null;
  frame?: string | null;
  conversation?: number | null;
}

export interface Event {
  t: "event";
  topic: string;
  version: number;
  put?: Record<string, any> | null;
  drop?: number | null;
}

export interface Fetch {
  t: "fetch";
  id: string;
  conversation: number;
  before?: number | null;
  after?: number | null;
  limit?: number;
}

export interface Follow {
  t: "follow";
  conversation: number;
  after?: number;
}

export interface Head {
  t: "head";
  conversation: number;
  last_seq: number;
}

export interface Hello {
  t: "hello";
  v?: number;
  token?: string;
  client?: string;
  epoch?: string;
  cursors?: Record<string, number>;
}

export interface MessageFrame {
  t: "message";
  conversation: number;
  seq: number;
  sender: string;
  kind: "text" | "note" | "file" | "assignment" | "close" | "reopen" | "labels" | "auto" | "recall" | "edit" | "note_edit" | "translation" | "translating" | "rating" | "erased" | "placeholder";
  at: number;
  body?: string;
  data?: Record<string, any> | null;
  ref?: number | null;
  key?: string | null;
}

export interface Page {
  t: "page";
  id: string;
  conversation: number;
  messages?: PageMessage[];
  more?: boolean;
  head?: number;
}

export interface PageMessage {
  seq: number;
  sender: string;
  kind: "text" | "note" | "file" | "assignment" | "close" | "reopen" | "labels" | "auto" | "recall" | "edit" | "note_edit" | "translation" | "translating" | "rating" | "erased" | "placeholder";
  at: number;
  body?: string;
  data?: Record<string, any> | null;
  ref?: number | null;
  key?: string | null;
}

export interface Person {
  id: string;
  name: string;
  role: "visitor" | "agent" | "admin";
}

export interface Ping {
  t: "ping";
}

export interface Pong {
  t: "pong";
}

export interface Read {
  t: "read";
  conversation: number;
  seq: number;
}

export interface Receipt {
  t: "receipt";
  conversation: number;
  who: string;
  delivered?: number;
  read?: number;
}

export interface Reply {
  t: "reply";
  id: string;
  result?: Record<string, any>;
}

export interface Send {
  t: "send";
  key: string;
  conversation: number;
  n: number;
  kind?: "text" | "note" | "file" | "assignment" | "close" | "reopen" | "labels" | "auto" | "recall" | "edit" | "note_edit" | "translation" | "translating" | "rating" | "erased" | "placeholder";
  body?: string;
  data?: Record<string, any> | null;
  ref?: number | null;
}

export interface Sent {
  t: "sent";
  key: string;
  conversation: number;
  seq: number;
  at: number;
  duplicate?: boolean;
}

export interface SharedLimits {
  frame_bytes: number;
  batch_frames: number;
  text_chars: number;
  key_chars: number;
  unacknowledged_sends: number;
  page_messages: number;
  cursors: number;
  frames_per_s?: number;
}

export interface Snapshot {
  t: "snapshot";
  topic: string;
  version: number;
  rows?: Record<string, any>[];
}

export interface Typing {
  t: "typing";
  conversation: number;
  text?: string;
  is_typing?: boolean;
}

export interface TypingEvent {
  t: "typing_event";
  conversation: number;
  who: string;
  text?: string;
  is_typing?: boolean;
}

export interface Unfollow {
  t: "unfollow";
  conversation: number;
}

export interface Unwatch {
  t: "unwatch";
  topic: string;
}

export interface Watch {
  t: "watch";
  topic: string;
}

export interface Welcome {
  t: "welcome";
  session: string;
  epoch: string;
  resumed: boolean;
  heartbeat_s: number;
  limits: SharedLimits;
  me: Person;
  heads?: Record<string, number>;
  at?: number;
  current?: number | null;
}

export type ClientFrame =
  | Hello
  | Auth
  | Follow
  | Unfollow
  | Send
  | Ack
  | Read
  | Fetch
  | Typing
  | Call
  | Watch
  | Unwatch
  | Ping
  | Pong
  | Bye;

export type ServerFrame =
  | Welcome
  | AuthOk
  | Sent
  | MessageFrame
  | Head
  | Page
  | Reply
  | Receipt
  | TypingEvent
  | Snapshot
  | Event
  | ErrorFrame
  | Ping
  | Pong
  | Drain
  | Closed;
