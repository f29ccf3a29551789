/** @import {Row} from "../desk.js" */

/**
 * @typedef {object} Message one entry of a log, as the archive gives it
 * @property {number} seq
 * @property {string} sender
 * @property {string} kind
 * @property {number} at
 * @property {string} body
 * @property {Record<string, any> | null} data
 * @property {number | null} [ref]
 *
 * @typedef {Row & {seq?: number, snippet?: string, marks?: [number, number][]}} FoundRow
 *
 * @typedef {object} Hit
 * @property {Row} conversation
 * @property {number} seq
 * @property {string} sender
 * @property {string} kind
 * @property {number} at
 * @property {string} snippet
 * @property {[number, number][]} marks
 *
 * @typedef {Record<string, string>} Names participants by id
 *
 * @typedef {object} ListAnswer
 * @property {FoundRow[]} conversations
 * @property {string | null} next
 * @property {boolean} is_complete
 * @property {Names} names
 *
 * @typedef {object} SearchAnswer
 * @property {Hit[]} hits
 * @property {string | null} next
 * @property {boolean} is_complete
 * @property {{messages: number, oldest_at: number | null}} behind
 * @property {Names} names
 *
 * @typedef {object} MessagesAnswer
 * @property {Row} conversation
 * @property {Message[]} messages
 * @property {boolean} has_older
 * @property {boolean} has_newer
 * @property {Names} names
 *
 * @typedef {object} Facets
 * @property {{id: number, name: string}[]} sites
 * @property {{id: string, name: string, is_active: boolean}[]} agents
 * @property {string[]} labels
 *
 * @typedef {(path: string, params: URLSearchParams, signal?: AbortSignal) => Promise<any>} Ask
 */

const ROOT = "/api/history/";

/** What the server refused. */
export class Refused extends Error {
  /**
   * @param {string} code `bad_request`, `unauthorized`, `rate_limited` …
   * @param {string} text for a developer
   */
  constructor(code, text) {
    super(text);
    this.code = code;
  }
}

/**
 * @param {string} path below the history's own
 * @param {URLSearchParams} params
 * @returns {string}
 */
export function urlOf(path, params) {
  const query = String(params);
  return ROOT + path + (query ? `?${query}` : "");
}

/**
 * Ask the archive. Throws `Refused`, or what `fetch` throws.
 * @type {Ask}
 */
export async function askArchive(path, params, signal) {
  const headers = { accept: "application/json" };
  const response = await fetch(urlOf(path, params), { headers, signal });
  if (response.ok) return response.json();
  const answer = await response.json().catch(() => null);
  throw new Refused(answer?.error?.code ?? "internal", answer?.error?.text ?? String(response.status));
}
