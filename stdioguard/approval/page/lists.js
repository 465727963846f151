// The other sections: what was decided, what runs, what is remembered.
import { ago, byId, el, row, say, span } from "./dom.js";

const shownAs = new Map(); // section: what it was made of, so that nothing is made anew, and no focus lost, while nothing changes

/** Fetch and show one section. */
export async function show(name, request, again = false) {
  const place = byId(name);
  if (!again && !place.hasChildNodes()) place.append(el("p", { className: "dim" }, "Loading…"));
  try {
    const found = await request(`/api/${name}`);
    const made = JSON.stringify(found);
    if (shownAs.get(name) === made) return;
    shownAs.set(name, made);
    place.replaceChildren(...{ decisions, sessions, grants }[name](found[name], request));
  } catch (error) {
    shownAs.delete(name);
    if (!again) place.replaceChildren(el("p", { className: "notice" }, error.message));
  }
}

const nothing = (title, words) => [el("h2", {}, title), el("div", { className: "empty" }, el("p", {}, words))];
const when = (stamp) => new Date(stamp).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

function decisions(found) {
  if (!found.length) return nothing("Recent decisions", "Nobody has decided anything yet.");
  return [
    el("h2", {}, "Recent decisions"),
    el("p", { className: "dim" }, "The newest fifty, from the records. Arguments are shortened, and secrets in them removed."),
    el("ul", { className: "list" }, ...found.map((one) => el("li", { className: one.approved ? "yes" : "no" },
      el("span", { className: "verdict" }, el("span", { "aria-hidden": "true" }, one.approved ? "✓" : "✕"), one.approved ? " Allowed" : " Refused"),
      el("div", {},
        el("p", {}, row(one.tool, "code"), el("span", { className: "of" }, " of "), row(one.server)),
        el("p", { className: "theirs-line" }, row(one.arguments)),
        el("p", { className: "dim" }, when(one.time), ...label(" · client ", one.client), ...label(" · by ", one.channel), ...label(" · grant ", one.grant)),
        one.detail.length && !one.approved ? el("p", { className: "dim" }, row(one.detail)) : null)))),
  ];
}

const label = (words, pieces) => (pieces.length ? [words, row(pieces)] : []);

function sessions(found) {
  if (!found.length) return nothing("Running sessions", "No guarded server runs now.");
  return [
    el("h2", {}, "Running sessions"),
    ...found.map((one) => el("article", { className: "card plain" },
      el("header", {}, el("h3", {}, row(one.server)), el("span", { className: "left" }, `process ${one.pid}`)),
      el("dl", { className: "facts" },
        fact("Since", when(one.started)), fact("Client", one.client.length ? row(one.client) : "not identified"),
        one.scopes.length ? fact("Scopes", ...one.scopes.flatMap((scope) => [row(scope), " "])) : null,
        fact("Command", row(one.command, "code")), fact("Profile", row(one.profile))),
      el("h4", {}, "What it may reach"),
      one.problem ? el("p", { className: "notice" }, `Not known: ${one.problem}.`) : null,
      el("dl", { className: "reach" }, ...one.reach.map((group) => el("div", {}, el("dt", {}, group.what),
        el("dd", {}, group.entries.length ? el("ul", { className: "chips" }, ...group.entries.map((entry) => el("li", {}, row(entry, "code")))) : el("span", { className: "dim" }, "nothing"))))),
      el("h4", {}, "What holds it"),
      one.started_server
        ? el("ul", { className: "holds" }, ...one.guarantees.map((guarantee) => el("li", { className: guarantee.enforced ? "yes" : "no" },
          el("span", { className: "verdict" }, el("span", { "aria-hidden": "true" }, guarantee.enforced ? "✓" : "✕"), " ", row(guarantee.state)),
          el("span", {}, row(guarantee.name, "strong"), guarantee.means ? `: ${guarantee.means}` : "", el("span", { className: "dim" }, " (", row(guarantee.how), ")")))))
        : el("p", { className: "dim" }, "The server has not been started yet."))),
  ];
}

const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));

function grants(found, request) {
  if (!found.length) return nothing("Grants", "Nothing is remembered: every call that needs consent is asked about.");
  const now = Date.now() / 1000;
  return [
    el("h2", {}, "Grants"),
    el("p", { className: "dim" }, "What you have decided for later. Each holds for one client, and ends when its server or tool changes. What you allowed for a session ends with it."),
    el("ul", { className: "list" }, ...found.map((one) => {
      const button = el("button", { type: "button", className: "quiet small" }, "Revoke", el("span", { className: "hidden" }, " ", row(one.tool), " of ", row(one.server)));
      button.addEventListener("click", async () => {
        button.disabled = true;
        try {
          await request("/api/revoke", { id: one.id });
          say("Revoked.");
        } catch (error) {
          say(error.message, true);
        }
        show("grants", request, true);
      });
      return el("li", { className: one.approved ? "yes" : "no" },
        el("span", { className: "verdict" }, el("span", { "aria-hidden": "true" }, one.approved ? "✓" : "✕"), one.approved ? " Runs" : " Denied"),
        el("div", {},
          el("p", {}, row(one.tool, "code"), el("span", { className: "of" }, " of "), row(one.server), one.risk === "high" ? el("span", { className: "tag" }, "high risk") : null),
          one.limits.length ? el("ul", { className: "limits" }, ...one.limits.map((limit) => el("li", {}, row(limit.name, "code"), " is ", row(limit.limit)))) : el("p", {}, "without arguments"),
          el("p", { className: "dim" }, `${ending(one, now)} · made ${ago(now - one.created)}`, ...label(" · client ", one.client), ...label(" · by ", one.channel))),
        button);
    })),
  ];
}

function ending(one, now) {
  if (one.scope === "session") return "until its session ends";
  return one.until ? `${span(one.until - now)} left` : "until you revoke it";
}
