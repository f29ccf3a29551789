/** @import {Open, Transports} from "./transports.js" */
/** @import {Wire} from "./websocket.js" */
import { WELCOME_MS } from "./chooser.js";

/**
 * While a fallback is in use, try now and then whether the best transport works.
 * @param {Transports} transports
 * @param {() => Promise<string>} token
 * @param {AbortSignal} signal ends it
 * @returns {Promise<boolean>} whether it does, and is the current one now
 */
export async function seek({ chooser, openers }, token, signal) {
  for (let at; (at = chooser.nextProbe) !== null && !signal.aborted; ) {
    await until(at, signal);
    if (signal.aborted) break;
    const works = await probe(openers[chooser.names[0]], token, signal);
    if (signal.aborted) break;
    if (chooser.probed(Date.now(), works)) return true;
  }
  return false;
}

/**
 * Try a transport beside the one in use.
 * @param {Open} open
 * @param {() => Promise<string>} token
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether a hello and a ping got their answers
 */
async function probe(open, token, signal) {
  const credential = await token().catch(() => null);
  if (credential === null) return false;
  /** @type {Wire | undefined} */
  let wire;
  let limit;
  const works = await new Promise((done) => {
    limit = setTimeout(() => done(false), WELCOME_MS);
    signal.addEventListener("abort", () => done(false), { once: true });
    const opened = open({
      opened: () => opened.send([{ t: "hello", v: 1, token: credential, client: "kefu-probe/1" }]),
      received(frame) {
        if (frame.t === "welcome") opened.send([{ t: "ping" }]);
        else if (frame.t === "pong") done(true);
      },
      closed: () => done(false),
    });
    wire = opened;
  });
  clearTimeout(limit);
  wire?.close();
  return works;
}

/**
 * @param {number} at
 * @param {AbortSignal} signal
 * @returns {Promise<void>}
 */
function until(at, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(0, at - Date.now()));
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
