// What is asked before a decision is sent: how far it reaches, and the passphrase.
import { byId, el, row, say } from "./dom.js";

let current = null; // the id of the question that a dialog is about

/** Close what is open about a question, or, without one, everything. Nothing is decided by that. */
export function closeDialogs(id) {
  if (id !== undefined && id !== current) return;
  for (const dialog of document.querySelectorAll("dialog[open]")) {
    if (id === undefined || dialog.id !== "help") dialog.close("gone");
  }
}

/** Show a dialog; return what it was closed with. */
function shown(dialog, id) {
  current = id;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => { current = null; done(dialog.returnValue); }, { once: true }));
}

const SPANS = { 3600: "for one hour", 86400: "for one day", 604800: "for seven days", 2592000: "for thirty days", "": "until you revoke it" };

/** Ask how far a decision reaches. Return `{body, words}`, or `null`. */
export async function askLimits(question, approved, scope) {
  const dialog = byId("editor");
  const choices = new Map();
  byId("editor-title").textContent = approved ? (scope ? "Allow for the session" : "Allow calls like this one") : "Deny calls like this one";
  byId("editor-what").replaceChildren(
    "For ", row(question.tool, "code"), " of ", row(question.server), ", asked by ", row(question.client), ". It ends when the server or the tool changes.");
  byId("editor-limits").replaceChildren(...question.limits.map((limit, at) => field(limit, at, choices, summarise)));
  byId("editor-time").hidden = scope === "session";
  byId("editor-span").value = approved ? "604800" : "";
  const done = byId("editor-done");
  done.className = approved ? "allow" : "deny";
  done.textContent = approved ? (question.signed ? "Allow…" : "Allow these calls") : "Deny these calls";
  done.onclick = () => dialog.close("done");
  byId("editor-span").onchange = summarise;

  function summarise() {
    const parts = question.limits.map((limit) => {
      const choice = choices.get(limit.name);
      const value = choice === "any" ? ["anything"] : choice === "equals" ? ["exactly ", row(limit.value)] : ["inside ", row(limit.folders.find((one) => one.folder === choice.inside).shown)];
      return el("li", {}, row(limit.shown, "code"), " is ", ...value);
    });
    const time = scope === "session" ? "until the session ends" : SPANS[byId("editor-span").value];
    byId("editor-summary").replaceChildren(
      approved ? "Runs without asking " : "Is denied without asking ", el("strong", {}, time), parts.length ? ", when" : ", when called without arguments.", parts.length ? el("ul", {}, ...parts) : "");
    const open = question.limits.filter((limit) => choices.get(limit.name) === "any").length;
    byId("editor-warning").hidden = !approved || open === 0;
    byId("editor-warning").textContent = open === question.limits.length
      ? "Nothing is held to anything: every call of this tool will run, whatever the model makes of it."
      : `${open === 1 ? "One argument is" : `${open} arguments are`} not looked at: the model may put anything there.`;
  }
  summarise();

  if ((await shown(dialog, question.id)) !== "done") return null;
  const seconds = byId("editor-span").value;
  const limits = Object.fromEntries(choices);
  if (scope === "session") return { body: { scope, limits }, words: "Allowed for the session." };
  const body = seconds ? { scope: "until", seconds: Number(seconds), limits } : { scope: "always", limits };
  return { body, words: `${approved ? "Allowed" : "Denied"}, and remembered ${SPANS[seconds]}.` };
}

/** Make the choices for one argument: what it is held to. The narrowest is chosen. */
function field(limit, at, choices, changed) {
  choices.set(limit.name, "equals");
  const name = `limit-${at}`;
  const radio = (value, label, more) => {
    const input = el("input", { type: "radio", name, value, checked: value === "equals" });
    input.addEventListener("change", () => { choices.set(limit.name, more ? { inside: more.value } : value); changed(); });
    if (more) more.addEventListener("change", () => { input.checked = true; choices.set(limit.name, { inside: more.value }); changed(); });
    return el("div", { className: "choice" }, el("label", {}, input, " ", ...label), more ?? null);
  };
  const rows = [radio("equals", ["exactly ", row(limit.value)])];
  if (limit.folders.length) {
    const folders = el("select", { "aria-label": "Folder" }, ...limit.folders.map((one) => el("option", { value: one.folder }, row(one.shown).textContent)));
    rows.push(radio("inside", ["a path inside"], folders));
  }
  rows.push(radio("any", ["anything"]));
  return el("fieldset", {}, el("legend", {}, row(limit.shown, "code")), ...rows);
}

/** Ask for the passphrase until `send` takes it or the person gives up. Return whether it was taken; throws what else `send` throws. */
export function askProof(question, words, send) {
  const dialog = byId("proof");
  const input = byId("proof-secret");
  const error = byId("proof-error");
  const done = byId("proof-done");
  byId("proof-what").replaceChildren(
    "High risk: ", row(question.tool, "code"), " of ", row(question.server), ". What you sign: ", el("strong", {}, words.replace(/^Allowed/, "allowed")));
  error.hidden = true;
  input.value = "";
  return new Promise((resolve, reject) => {
    let waiting = false;
    const submit = async () => {
      if (waiting || !input.value) return input.focus();
      waiting = done.disabled = true;
      done.textContent = "Signing…";
      const passphrase = input.value;
      input.value = "";
      error.hidden = true;
      try {
        await send(passphrase);
        dialog.close("done");
      } catch (problem) {
        if (problem.status === 403 && dialog.open) {
          error.textContent = problem.message;
          error.hidden = false;
          input.focus();
        } else {
          reject(problem);
          dialog.close("failed");
        }
      } finally {
        waiting = done.disabled = false;
        done.textContent = "Sign and allow";
      }
    };
    done.onclick = submit;
    input.onkeydown = (event) => { if (event.key === "Enter" && !event.repeat) { event.preventDefault(); submit(); } };
    shown(dialog, question.id).then((how) => {
      input.value = "";
      if (how === "gone") say("The question waits no more.", true);
      resolve(how === "done");
    });
  });
}
