/**
 * Use a site's colour for what is pressed and for one's own bubbles.
 * @param {string | null | undefined} color such as #2457e6
 */
export function setAccent(color) {
  if (!color || !/^#[0-9a-f]{6}$/i.test(color)) return;
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16) / 255);
  const light = (/** @type {number} */ c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  const luminance = 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
  const style = document.documentElement.style;
  style.setProperty("--accent", color);
  // Whichever of white and near-black has the higher contrast on it.
  style.setProperty("--on-accent", luminance > 0.36 ? "#10131a" : "#ffffff");
}
