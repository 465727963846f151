// What a model has chosen, shown: an argument, and the difference that a write would make.
import { el, row, text } from "./dom.js";

const FOLDED = 14; // rows of an argument that are shown before it is unfolded

export function argument(one) {
  const head = el("h5", {}, row(one.name, "code"), el("span", { className: "dim" }, detail(one)));
  return el("div", { className: `argument k-${one.kind}` }, head, block(one));
}

function detail(one) {
  return one.characters > 200 ? `${one.characters.toLocaleString("en")} characters` : "";
}

function block(one) {
  const numbered = one.rows.length > 1;
  const body = el("div", { className: numbered ? "rows numbered" : "rows" });
  one.rows.forEach((pieces, at) => {
    if (one.gap && at === one.gap[0]) body.append(el("div", { className: "missing" }, `${one.gap[1].toLocaleString("en")} lines are not shown here (SHA-256 of all ${one.digest})`));
    const line = el("div", { className: "row" });
    if (numbered) line.append(el("span", { className: "number", "aria-hidden": "true" }, String(one.gap && at >= one.gap[0] ? at + one.gap[1] + 1 : at + 1)));
    line.append(row(pieces, "span"));
    body.append(line);
  });
  const long = one.rows.length > FOLDED || text(one.rows.flat().slice(0, 500)).length > 1500;
  return foldable(body, long, one.rows.length);
}

/** Let what is long be folded; the button says that something is hidden. */
function foldable(body, folded, rows) {
  const frame = el("div", { className: "box" }, body);
  if (!folded) return frame;
  const button = el("button", { type: "button", className: "unfold", "aria-expanded": "false" });
  const set = (is) => {
    frame.unfold = () => set(false);
    frame.classList.toggle("folded", is);
    button.setAttribute("aria-expanded", String(!is));
    button.textContent = is ? (rows > 1 ? `Show all ${rows} lines` : "Show all of it") : "Show less";
  };
  button.addEventListener("click", () => set(!frame.classList.contains("folded")));
  set(true);
  return el("div", {}, frame, button);
}

const SIGNS = { add: ["+", "added: "], del: ["−", "removed: "], same: [" ", ""], hunk: ["", ""] };

export function difference(diff) {
  const body = el("div", { className: "rows diff" });
  diff.rows.forEach(([kind, pieces], at) => {
    if (diff.gap && at === diff.gap[0]) body.append(el("div", { className: "missing" }, `${diff.gap[1].toLocaleString("en")} lines of the comparison are not shown here`));
    const [sign, spoken] = SIGNS[kind] || SIGNS.same;
    body.append(el("div", { className: `row d-${kind}` },
      el("span", { className: "number", "aria-hidden": "true" }, sign), spoken ? el("span", { className: "hidden" }, spoken) : null, row(pieces, "span")));
  });
  const counts = diff.rows.length ? el("span", { className: "counts" }, el("span", { className: "plus" }, `+${diff.added}`), " ", el("span", { className: "minus" }, `−${diff.removed}`)) : null;
  return el("section", { className: "arguments" },
    el("h4", {}, "What it would change", el("span", { className: "by" }, " · chosen by the model"), counts),
    diff.path ? el("p", { className: "target box rows" }, el("span", { className: "row" }, row(diff.path, "span"))) : null,
    ...diff.notes.map((note) => el("p", { className: "dim" }, note)),
    diff.rows.length ? foldable(body, diff.rows.length > 60, diff.rows.length) : diff.covers.length ? el("p", {}, "Nothing: the file has this text already.") : null);
}
