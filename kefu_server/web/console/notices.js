/** @import {Desk, Row} from "./desk.js" */
import { visitorName } from "./people.js";
import { say } from "./phrases.js";

const SOUND = "kefu.sound", DESKTOP = "kefu.desktop";
const QUIET_MS = 3_000;
/** Notes of each tone: hertz, and the second at which it begins. */
const TONES = {
  message: [[880, 0]],
  conversation: [[660, 0], [990, 0.14], [660, 0.28]],
  alarm: [[440, 0], [330, 0.2], [440, 0.4], [330, 0.6]],
};

/** @type {(key: string, otherwise: boolean) => boolean} */
function kept(key, otherwise) {
  try {
    return (localStorage.getItem(key) ?? String(otherwise)) === "true";
  } catch {
    return otherwise;
  }
}

/** @type {(key: string, value: boolean) => void} */
function keep(key, value) {
  try {
    localStorage.setItem(key, String(value));
  } catch {
    // The choice then lasts until the reload.
  }
}

/** Tells an agent of what happens while they look elsewhere. */
export class Notices {
  constructor() {
    this.hasSound = kept(SOUND, true);
    this.hasDesktop = kept(DESKTOP, false);
    /** @type {AudioContext | null} */
    this.audio = null;
    /** @type {Map<number, Row> | null} what was known at the last look */
    this.known = null;
    this.quietUntil = 0;
    this.wasLive = false;
  }

  /** @param {boolean} isOn */
  useSound(isOn) {
    this.hasSound = isOn;
    keep(SOUND, isOn);
  }

  /**
   * @param {boolean} isOn
   * @returns {Promise<boolean>} false: the browser refuses
   */
  async useDesktop(isOn) {
    const isAllowed = !isOn || (await Notification.requestPermission()) === "granted";
    this.hasDesktop = isOn && isAllowed;
    keep(DESKTOP, this.hasDesktop);
    return isAllowed;
  }

  /**
   * Compare the list with what it was, and tell what is new.
   * @param {Desk} desk
   * @param {number | null} shown the conversation before the agent's eyes
   */
  look(desk, shown) {
    const { isLive } = desk.chat;
    const before = this.known;
    if (!desk.hasList) return;
    // What came while nothing was received is a count in the title, not a flood.
    const isBack = isLive && !this.wasLive;
    this.wasLive = isLive;
    this.known = new Map(desk.rows);
    if (!before || !isLive || isBack) return;
    const isElsewhere = document.hidden || !document.hasFocus();
    const fresh = [...desk.rows.values()].filter((row) => {
      if (row.status === "closed" || row.last_sender !== row.visitor) return false;
      if (row.assignee && row.assignee !== desk.me.id) return false;
      return row.last_seq > (before.get(row.id)?.last_seq ?? 0) && (isElsewhere || row.id !== shown);
    });
    const waiting = [...desk.rows.values()].filter((row) => row.status === "queued" && before.get(row.id)?.status !== "queued");
    if (fresh.length || waiting.length) this.tell(waiting[0] ?? fresh[0], waiting.length > 0, isElsewhere, fresh.length + waiting.length);
  }

  /**
   * @param {Row} row
   * @param {boolean} isNew a conversation that nobody had
   * @param {boolean} isElsewhere
   * @param {number} count
   */
  tell(row, isNew, isElsewhere, count) {
    if (this.hasSound && (isNew || Date.now() > this.quietUntil)) {
      this.quietUntil = Date.now() + QUIET_MS;
      this.play(isNew ? "conversation" : "message");
    }
    if (!this.hasDesktop || !isElsewhere || Notification.permission !== "granted") return;
    const title = isNew ? say("newConversation", { name: visitorName(row) }) : visitorName(row);
    // One tag: a later notice takes the place of an earlier one.
    const body = count > 1 ? say("newMessages", { count }) : row.last_line;
    const notice = new Notification(title, { body, tag: "kefu" });
    notice.onclick = () => {
      focus();
      location.hash = "#/";
      notice.close();
    };
  }

  /** The agent receives nothing: to be heard even while they look elsewhere. */
  ring() {
    if (this.hasSound) this.play("alarm");
  }

  /** @param {keyof typeof TONES} name */
  play(name) {
    this.audio ??= new AudioContext();
    const { audio } = this;
    if (audio.state === "suspended") void audio.resume().catch(() => {});
    for (const [hertz, after] of TONES[name]) {
      const tone = audio.createOscillator(), volume = audio.createGain();
      const at = audio.currentTime + after;
      tone.frequency.value = hertz;
      volume.gain.setValueAtTime(0.14, at);
      volume.gain.exponentialRampToValueAtTime(0.001, at + 0.22);
      tone.connect(volume).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.24);
    }
  }
}

export const notices = new Notices();
