/** @import {ClientFrame, ServerFrame} from "./frames" */

/**
 * @typedef {object} Wire an open way to the server
 * @property {(frames: ClientFrame[]) => void} send
 * @property {() => void} close
 * @property {() => void} [wake] ask for a sign of life; a wire that has this ends
 *   itself when the peer is silent
 *
 * @typedef {object} WireHandlers
 * @property {() => void} opened
 * @property {(frame: ServerFrame) => void} received
 * @property {() => void} [alive] the server gave a sign of life without a frame
 * @property {(code: number, afterMs?: number) => void} closed called once, whatever
 *   ended it
 */

/** Nothing was heard for two heartbeats. */
export const SILENT = 4201;
/** The server knows the session no more. */
export const GONE = 4290;
const CANNOT_OPEN = 1006;
const BATCH_FRAMES = 100;
const BATCH_CHARS = 16_000;

/**
 * @param {string} url
 * @param {WireHandlers} handlers
 * @returns {Wire}
 */
export function openWebSocket(url, handlers) {
  let isOver = false;
  /** @param {number} code */
  const over = (code) => {
    if (isOver) return;
    isOver = true;
    handlers.closed(code);
  };
  const socket = made(url);
  if (!socket) {
    queueMicrotask(() => over(CANNOT_OPEN));
    return { send() {}, close: () => over(1000) };
  }
  socket.onopen = () => !isOver && handlers.opened();
  socket.onclose = (event) => over(event.code);
  socket.onmessage = (event) => {
    for (const line of String(event.data).split("\n")) {
      const frame = line && !isOver ? parse(line) : null;
      if (frame) handlers.received(frame);
    }
  };
  return {
    send(frames) {
      if (socket.readyState !== WebSocket.OPEN) return;
      for (const batch of batches(frames)) socket.send(batch);
    },
    close() {
      // A dead network would keep the closing handshake waiting: be over at once.
      socket.close(1000);
      over(1000);
    },
  };
}

/** @param {string} url */
function made(url) {
  try {
    return new WebSocket(url, ["kefu.v1.json"]);
  } catch {
    return null;
  }
}

/**
 * Frames joined into messages that stay below the server's limits.
 * @param {ClientFrame[]} frames
 * @returns {string[]}
 */
export function batches(frames) {
  const lines = frames.map((frame) => JSON.stringify(frame));
  const all = [];
  while (lines.length) all.push(takeBatch(lines).join("\n"));
  return all;
}

/**
 * Take from the front what one message may carry.
 * @param {string[]} lines frames that are encoded; what is taken is gone from it
 * @returns {string[]}
 */
export function takeBatch(lines) {
  let count = 0;
  let size = 0;
  for (const line of lines) {
    size += line.length + 1;
    if (count === BATCH_FRAMES || (count > 0 && size - 1 > BATCH_CHARS)) break;
    count += 1;
  }
  return lines.splice(0, count);
}

/**
 * @param {string} line
 * @returns {ServerFrame | null} null for what a newer server says and we do not know
 */
function parse(line) {
  try {
    const frame = JSON.parse(line);
    return frame && typeof frame.t === "string" ? frame : null;
  } catch {
    return null;
  }
}
