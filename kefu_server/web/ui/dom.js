/**
 * Build an element. Strings become text nodes; nothing here ever parses markup.
 *
 * Properties beginning with `on` are listeners, those with a hyphen and `role` are
 * attributes, `class` is the class, everything else is set as a property; undefined
 * and false leave it out.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, any> | null} [props]
 * @param {...(Node | string | null | undefined | false)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, props, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) {
    if (value === undefined || value === false || value === null) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name.includes("-") || name === "role") element.setAttribute(name, String(value));
    else Object.assign(element, { [name]: value });
  }
  fill(element, ...children);
  return element;
}

/**
 * Replace what an element holds.
 * @param {Element} element
 * @param {...(Node | string | null | undefined | false)} children
 */
export function fill(element, ...children) {
  element.replaceChildren(
    ...children.filter((c) => c !== null && c !== undefined && c !== false).map(toNode),
  );
}

/** @param {any} child */
function toNode(child) {
  return child instanceof Node ? child : document.createTextNode(String(child));
}

/**
 * Make the children of `parent` those of `items`, moving and changing as few as can be.
 * @template {{key: string}} I
 * @param {Element} parent
 * @param {I[]} items
 * @param {(item: I, old: HTMLElement | undefined) => HTMLElement} render called for new
 *   and changed items; may return the old element with new content
 * @param {string} [skin] what else the drawing depends on, such as the language
 */
export function reconcile(parent, items, render, skin = "") {
  const known = memory.get(parent) ?? new Map();
  const next = new Map();
  let cursor = parent.firstChild;
  for (const item of items) {
    const mark = skin + JSON.stringify(item);
    const old = known.get(item.key);
    const element = old?.mark === mark ? old.element : render(item, old?.element);
    next.set(item.key, { mark, element });
    if (cursor && element === cursor) {
      cursor = cursor.nextSibling;
    } else {
      if (old && old.element !== element) {
        if (cursor && old.element === cursor) cursor = cursor.nextSibling;
        old.element.remove();
      }
      parent.insertBefore(element, cursor);
    }
  }
  for (const [key, { element }] of known) {
    if (!next.has(key)) element.remove();
  }
  memory.set(parent, next);
}

/** @type {WeakMap<Element, Map<string, {mark: string, element: HTMLElement}>>} */
const memory = new WeakMap();

/** @type {Record<string, string>} the paths that a page may add to */
export const ICONS = {
  chat: "M4 5.5A2.5 2.5 0 0 1 6.5 3h11A2.5 2.5 0 0 1 20 5.5v8a2.5 2.5 0 0 1-2.5 2.5H11l-4.6 4.1c-.5.5-1.4.1-1.4-.6V16A2.5 2.5 0 0 1 4 13.500z",
  close: "M6.2 6.2l11.6 11.6M17.800 6.200L6.200 17.800",
  send: "M3.500 20.300l17.600-7.600a.8.8 0 0 0 0-1.400L3.500 3.700l-.1 6.100L14 12 3.400 14.200z",
  down: "M6 9.500l6 6 6-6",
};

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/**
 * A value and those who look at it. Listeners run once a frame of the screen, however
 * often the value changed.
 * @template S
 */
export class Store {
  /** @param {S} state */
  constructor(state) {
    this.state = state;
    /** @type {Set<(state: S) => void>} */
    this.listeners = new Set();
    this.isWaiting = false;
  }

  /** @param {Partial<S>} [change] without one: something inside has changed */
  set(change) {
    if (change) this.state = { ...this.state, ...change };
    if (this.isWaiting) return;
    this.isWaiting = true;
    // A hidden page gets no animation frames, and still must count what is unread.
    const later = document.hidden ? queueMicrotask : requestAnimationFrame;
    later(() => {
      this.isWaiting = false;
      for (const listener of this.listeners) listener(this.state);
    });
  }

  /** @param {(state: S) => void} listener called now and after every change */
  watch(listener) {
    this.listeners.add(listener);
    listener(this.state);
  }
}

/**
 * A part of a page that is loaded when it is needed: few of those who come
 * need all of them.
 * @template M, T
 */
export class Later {
  /**
   * @param {() => Promise<M>} load
   * @param {(module: M) => T} make
   * @param {() => void} changed it is there
   */
  constructor(load, make, changed) {
    this.parts = { load, make, changed };
    /** @type {T | undefined} */
    this.made = undefined;
    this.isLoading = false;
  }

  /** @returns {T | undefined} undefined: it is on its way; what failed is tried again */
  need() {
    const { load, make, changed } = this.parts;
    if (this.made || this.isLoading) return this.made;
    this.isLoading = true;
    load().then(
      (module) => {
        this.made = make(module);
        changed();
      },
      () => setTimeout(() => (this.isLoading = false), 5_000),
    );
  }
}
