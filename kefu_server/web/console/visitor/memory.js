/**
 * @param {string} name
 * @returns {boolean} what is not remembered is open
 */
export function wasOpen(name) {
  try {
    return localStorage.getItem(name) !== "closed";
  } catch {
    return true;
  }
}

/**
 * @param {string} name
 * @param {boolean} isOpen
 */
export function remember(name, isOpen) {
  try {
    localStorage.setItem(name, isOpen ? "open" : "closed");
  } catch {
    // It is as it was after the next reload.
  }
}
