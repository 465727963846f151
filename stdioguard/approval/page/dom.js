// Elements out of names and texts. Nothing here takes markup: a text becomes a text node, whoever wrote it.

/** Make an element. `props` are properties, or attributes where the name has a dash or is `role` or `for`; children are nodes or texts. */
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (name.includes("-") || name === "role" || name === "for") node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

const KINDS = new Set(["escape", "odd", "gap", "folder", "name", "meta", "end"]);
const WORDS = { escape: "not a plain character", gap: "left out here", meta: "has a meaning to a shell", end: "line ends here" };

/** Make the text of a server's or a model's: `row` is what `pieces.py` made. */
export function row(pieces, tag = "bdi") {
  const node = el(tag, { className: "theirs", dir: "ltr" });
  for (const piece of pieces) {
    if (typeof piece === "string") node.append(piece);
    else {
      const kind = KINDS.has(piece[1]) ? piece[1] : "escape";
      node.append(el("span", { className: `p-${kind}`, title: piece[2] || WORDS[kind] || "" }, piece[0]));
    }
  }
  return node;
}

/** Return the plain text of a row, for what is spoken or compared. */
export const text = (pieces) => pieces.map((piece) => (typeof piece === "string" ? piece : piece[0])).join("");

/** Say something to who listens instead of looking. */
export function say(words, urgent = false) {
  byId(urgent ? "alert" : "live").textContent = words;
}

/** Return a span of time in words: "4:05", "2 h 10 min", "3 d". */
export function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 3600) return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
  if (s < 172800) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d`;
}

/** Return how long ago something was, in words. */
export function ago(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 5) return "just now";
  if (s < 60) return `${s} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  return `${span(s)} ago`;
}
