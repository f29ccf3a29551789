/** @import {ClientFrame, ServerFrame} from "./frames" */

/**
 * @typedef {object} Wire an open way to the server
 * @property {(frames: ClientFrame[]) => void} send
 * @property {() => void} close
 *
 * @typedef {object} WireHandlers
 * @property {() => void} opened
 * @property {(frame: ServerFrame) => void} received
 * @property {(code: number) => void} closed called once, whatever ended it
 */

const BATCH_FRAMES = 100;
const BATCH_CHARS = 16_000;

/**
 * @param {string} url
 * @param {WireHandlers} handlers
 * @returns {Wire}
 */
export function openWebSocket(url, handlers) {
  let isOver = false;
  const socket = new WebSocket(url, ["kefu.v1.json"]);
  /** @param {number} code */
  const over = (code) => {
    if (isOver) return;
    isOver = true;
    handlers.closed(code);
  };
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

/**
 * Frames joined into messages that stay below the server's limits.
 * @param {ClientFrame[]} frames
 * @returns {string[]}
 */
export function batches(frames) {
  /** @type {string[][]} */
  const all = [];
  let size = 0;
  for (const line of frames.map((frame) => JSON.stringify(frame))) {
    const batch = all.at(-1);
    if (!batch || batch.length >= BATCH_FRAMES || size + line.length > BATCH_CHARS) {
      all.push([line]);
      size = line.length;
    } else {
      batch.push(line);
      size += line.length + 1;
    }
  }
  return all.map((lines) => lines.join("\n"));
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
