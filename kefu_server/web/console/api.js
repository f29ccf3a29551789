/** @typedef {{id: string, name: string, role: string}} Me */

/**
 * @param {string} path
 * @param {Record<string, any>} [body] sent as POST
 * @returns {Promise<Response>}
 */
function ask(path, body) {
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
 * @param {string} login
 * @param {string} password
 * @returns {Promise<Me | "wrong" | "later">}
 */
export async function logIn(login, password) {
  const response = await ask("/api/agent/login", { login, password });
  if (response.ok) return (await response.json()).me;
  if (response.status === 429) return "later";
  if (response.status < 500) return "wrong";
  throw new Error(`login: ${response.status}`);
}

export async function logOut() {
  await ask("/api/agent/logout", {});
}
