// What a program can judge of a page that is shown; each returns what is wrong.

/** Text that stands out too little from what lies behind it (WCAG 2.2, 1.4.3). */
const faint = () => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { rgb: [r, g, b], a: a / 255 };
  };
  const over = (top, below) => top.rgb.map((c, i) => c * top.a + below[i] * (1 - top.a));
  const behind = (element) => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) {
      const layer = rgba(getComputedStyle(e).backgroundColor);
      if (layer.a) layers.push(layer);
      if (layer.a === 1) break;
    }
    return layers.reduceRight((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = new Set();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    // Initials repeat the name beside them, what is disabled is exempt.
    if (element.closest("[aria-hidden], :disabled, .only-heard, option")) continue;
    const below = behind(element);
    const style = getComputedStyle(element);
    const [a, b] = [light(over(rgba(style.color), below)), light(below)].sort((x, y) => y - x);
    const isLarge = parseFloat(style.fontSize) >= 24;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < (isLarge ? 3 : 4.5)) faint.add(`${element.className || element.tagName} ${ratio.toFixed(2)}`);
  }
  return [...faint];
};

/** Controls that have no name for those who hear the page (WCAG 2.2, 4.1.2). */
const nameless = () => [...document.querySelectorAll("button, a, input, select, [role]")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.length
    || ["status", "alert"].includes(e.getAttribute("role"))))
  .map((e) => e.outerHTML.slice(0, 80));

/** Ids that are not unique, so that a label or a button may name the wrong thing. */
const doubled = () => {
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  return ids.filter((id, i) => ids.indexOf(id) !== i);
};

/** What reaches over an edge of the screen on which nothing can be scrolled to it. */
const outside = () => [...document.querySelectorAll("button, a, input, select, .menu")]
  .filter((e) => e.checkVisibility())
  .map((e) => [e, e.getBoundingClientRect()])
  .filter(([, at]) => at.width && (at.left < 0 || at.right > innerWidth))
  .map(([e]) => e.outerHTML.slice(0, 80));
