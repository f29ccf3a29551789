/** @typedef {{id: string, name: string, role: string, language: string}} Me */

/**
 * @param {string} path
 * @param {Record<string, any>} [body] sent as POST
 * @returns {Promise<Response>}
 */
export function ask(path, body) {
  if (!body) return fetch(path, { headers: { accept: "application/json" } });
  const headers = { "content-type": "application/json" };
  return fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
}

/** @returns {Promise<Me | null>} who is logged in; null for nobody */
export async function whoAmI() {
  const response = await ask("/api/agent/me");
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`me: ${response.status}`);
  return (await response.json()).me;
}

/**
 * @typedef {import("./account/parts.js").Offer} Offer
 * @typedef {{me: Me, codes?: string[]} | {needs: "code" | "password" | "factor", offer: Offer | null} | {fault: "wrong" | "weak" | "later"}} Answered
 */

/**
 * @param {{login: string, password: string, code: string, new_password: string}} shown
 * @returns {Promise<Answered>}
 */
export async function logIn(shown) {
  const response = await ask("/api/agent/login", shown);
  if (response.ok) return response.json();
  if (response.status === 429) return { fault: "later" };
  if (response.status === 400) return { fault: "weak" };
  if (response.status < 500) return { fault: "wrong" };
  throw new Error(`login: ${response.status}`);
}

export async function logOut() {
  await ask("/api/agent/logout", {});
}
