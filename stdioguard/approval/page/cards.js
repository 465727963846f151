// The questions that wait, one card each.
import { ago, byId, el, row, say, span, text } from "./dom.js";
import { argument, difference } from "./shown.js";
import { askLimits, askProof, closeDialogs } from "./dialogs.js";

const STEADY = 700; // milliseconds for which a button must have been where it is: nobody approves what slid under the pointer
const LINGER = 3500; // milliseconds for which a card stays after its question has gone
const TAKEN = 2500; // milliseconds in which a guard takes a decision: a question that still waits then was decided in vain
const RISKS = { low: ["Low risk", "○"], normal: ["Normal risk", "●"], high: ["High risk", "▲"] };

export class Cards {
  constructor(request) {
    this.request = request;
    this.cards = new Map();
    this.sent = new Set(); // ids that were decided here: one that is asked again was decided in vain
    this.moved = 0;
    this.offset = 0; // of the clock of deadlines, in seconds
    this.skew = 0; // of the server's wall clock
    byId("deny-all").addEventListener("click", () => this.denyAll());
  }

  setClock(clock, now) {
    if (clock === undefined) return;
    this.offset = clock - performance.now() / 1000;
    this.skew = now - Date.now() / 1000;
  }

  update(found) {
    const there = new Set(found.questions.map((question) => question.id));
    for (const [id, card] of this.cards) {
      if (!there.has(id) && !card.over) this.end(card, card.sent || "Withdrawn: it was answered elsewhere, or its time is over.", card.sent ? "" : "gone");
    }
    const news = [];
    for (const question of found.questions) {
      const card = this.cards.get(question.id);
      if (card && !card.over && card.question.version === question.version) {
        card.question = question;
        card.unfreeze();
        card.times(question.times);
      } else {
        const fresh = new Card(question, this);
        if (card) {
          card.node.replaceWith(fresh.node);
          this.moved = performance.now();
          closeDialogs(question.id);
        } else {
          byId("cards").append(fresh.node);
          news.push(question);
        }
        this.cards.set(question.id, fresh);
        if (this.sent.delete(question.id)) fresh.rejected();
      }
    }
    byId("no-passphrase").hidden = found.passphrase || !found.questions.some((question) => question.signed);
    byId("more").hidden = !found.more;
    byId("more").textContent = `${found.more} more wait. They appear when these are answered.`;
    this.count();
    if (news.length === 1) say(`A question: ${text(news[0].tool)} of ${text(news[0].server)}, ${RISKS[news[0].risk][0]}.`);
    else if (news.length > 1) say(`${news.length} new questions.`);
    this.tick();
  }

  open() {
    return [...this.cards.values()].filter((card) => !card.over);
  }

  count() {
    const open = this.open().length;
    byId("count").textContent = String(open);
    byId("count").dataset.some = String(open > 0);
    document.title = `${open ? `(${open}) ` : ""}Approvals · stdioguard`;
    byId("empty").hidden = this.cards.size > 0;
    byId("deny-all").hidden = open < 2;
    byId("deny-all").textContent = `Deny all ${open}`;
  }

  tick() {
    for (const card of this.open()) card.tick(performance.now() / 1000 + this.offset, Date.now() / 1000 + this.skew);
  }

  /** Tell whether a press was meant for what is under it now. */
  steady(card) {
    if (performance.now() - Math.max(this.moved, card ? card.born : 0) > STEADY) return true;
    say("The list has just changed. Nothing was decided; look again.", true);
    card?.warn("The list has just changed, so that press did not count. Look again.");
    return false;
  }

  /** Show how a question ended, and take its card away a little later. */
  end(card, words, kind) {
    card.finish(words, kind);
    closeDialogs(card.question.id);
    this.count();
    setTimeout(() => {
      const focused = card.node.contains(document.activeElement);
      const next = card.node.nextElementSibling || card.node.previousElementSibling;
      card.node.remove();
      if (this.cards.get(card.question.id) === card) this.cards.delete(card.question.id);
      this.moved = performance.now();
      this.count();
      if (focused) (next || byId("waiting-title")).focus();
    }, LINGER);
  }

  async denyAll() {
    if (!this.steady(null)) return;
    const questions = this.open().map((card) => ({ id: card.question.id, digest: card.question.digest }));
    try {
      const { denied } = await this.request("/api/deny", { questions });
      say(`${denied} denied.`);
    } catch (error) {
      say(error.message, true);
    }
  }

  freeze() {
    for (const card of this.open()) card.freeze();
  }

  step(by) {
    const nodes = [...byId("cards").children];
    const at = nodes.findIndex((node) => node.contains(document.activeElement));
    const next = nodes[at < 0 ? (by > 0 ? 0 : nodes.length - 1) : Math.min(nodes.length - 1, Math.max(0, at + by))];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  }

  /** Put the focus on a button of the question that has it, or of the first one; it is not pressed. */
  goTo(name) {
    const open = this.open();
    const card = open.find((one) => one.node.contains(document.activeElement)) || open[0];
    const button = card?.buttons[name];
    if (button && !button.disabled) button.focus();
    else card?.node.focus();
  }
}

class Card {
  constructor(question, cards) {
    this.question = question;
    this.cards = cards;
    this.born = performance.now();
    this.over = false;
    this.sent = "";
    this.total = Math.max(1, question.deadline - (performance.now() / 1000 + cards.offset));
    this.buttons = {};
    this.node = this.build();
  }

  build() {
    const q = this.question;
    const [risk, mark] = RISKS[q.risk];
    const title = `title-${q.id}`;
    this.left = el("span", { className: "left" });
    this.bar = el("progress", { max: this.total, value: this.total, "aria-label": "Time left" });
    this.age = el("dd");
    this.times(q.times);
    this.note = el("p", { className: "notice", role: "alert", hidden: true });
    const facts = [["Client", row(q.client)], ["Rule", row(q.rule)], ["Runs in", row(q.cwd)]].filter(([, value]) => value.textContent);
    return el(
      "article", { className: `card risk-${q.risk}`, tabIndex: -1, "aria-labelledby": title, "data-id": q.id },
      el("header", {},
        el("span", { className: "risk" }, el("span", { "aria-hidden": "true" }, mark), ` ${risk}`),
        el("h3", { id: title }, row(q.tool, "code"), el("span", { className: "of" }, " of "), row(q.server), q.task ? el("span", { className: "tag" }, "as a task") : null),
        this.left),
      this.bar,
      el("dl", { className: "facts" },
        ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))),
        el("div", {}, el("dt", {}, "Asked"), this.age),
        el("div", {}, el("dt", {}, "Question"), el("dd", {}, el("code", {}, q.id)))),
      q.parked ? el("p", { className: "notice" }, "This call was refused meanwhile, because nobody could be asked. If you allow it, the next call that is exactly the same runs.") : null,
      q.size ? el("p", { className: "notice" }, `The arguments have ${q.size.toLocaleString("en")} bytes, too many to be shown.`) : null,
      q.diff ? difference(q.diff) : null,
      this.argumentList(),
      q.blocked ? el("p", { className: "notice" }, q.blocked) : null,
      this.note, this.actions(),
    );
  }

  argumentList() {
    const q = this.question;
    if (!q.arguments.length) return q.diff?.covers.length || q.size ? null : el("p", { className: "dim" }, "The call has no arguments.");
    return el("section", { className: "arguments" },
      el("h4", {}, q.diff?.covers.length ? "Other arguments" : "Arguments", el("span", { className: "by" }, " · chosen by the model")),
      ...q.arguments.map(argument),
      q.more_count ? el("p", { className: "notice" }, `${q.more_count} more arguments are not shown: `, ...q.more.flatMap((name) => [row(name), " "])) : null);
  }

  actions() {
    const q = this.question;
    const button = (name, className, label, act) => {
      const made = el("button", { type: "button", className }, label);
      made.addEventListener("click", (event) => {
        if (event.isTrusted && !this.over && this.cards.steady(this) && (className === "deny" || this.isRead())) act();
      });
      this.buttons[name] = made;
      return made;
    };
    const deny = [button("deny", "deny", "Deny", () => this.decide({ approved: false }, "Denied."))];
    const allow = [];
    if (q.remember) deny.push(button("never", "quiet", "Deny always…", () => this.limits(false)));
    if (!q.blocked) {
      if (q.lasting) allow.push(button("always", "quiet", "Always for arguments like these…", () => this.limits(true)));
      if (q.remember) {
        allow.push(button("session", "quiet", "Allow for the session…", () => this.limits(true, "session")));
      }
      allow.push(button("once", "allow", q.signed ? "Allow once…" : "Allow once", () => this.decide({ approved: true }, "Allowed once.")));
    }
    return el("div", { className: "actions", role: "group", "aria-label": "Your decision" }, ...deny, el("span", { className: "gap" }), ...allow);
  }

  /** Tell whether nothing of a call of high risk is folded away; if something is, show it. */
  isRead() {
    const folded = this.question.signed ? [...this.node.querySelectorAll(".folded")] : [];
    for (const frame of folded) frame.unfold();
    if (folded.length) this.warn("There was more than you saw: it is unfolded now. Look at all of it, and decide then.");
    return folded.length === 0;
  }

  async limits(approved, scope) {
    const choice = await askLimits(this.question, approved, scope);
    if (choice) this.decide({ approved, ...choice.body }, choice.words);
  }

  async decide(body, words) {
    const { id, digest, version, signed } = this.question;
    const pressed = document.activeElement; // a button that is off meanwhile gets no focus back from a dialog
    const send = (more) => this.cards.request("/api/decide", { id, digest, version, ...body, ...more });
    try {
      this.busy(true);
      if (body.approved && signed) {
        if (!(await askProof(this.question, words, (passphrase) => send({ passphrase })))) {
          this.busy(false);
          if (this.node.contains(pressed)) pressed.focus();
          return;
        }
      } else await send({});
      this.cards.sent.add(id);
      this.sent = words;
      say(words);
      setTimeout(() => { if (this.sent && !this.over) this.rejected(); }, TAKEN);
    } catch (error) {
      if (this.over) return;
      this.busy(false);
      this.warn(error.message);
    }
  }

  busy(is) {
    this.frozen = is;
    for (const button of Object.values(this.buttons)) button.disabled = is;
    if (is && !document.querySelector("dialog[open]")) this.node.focus();
  }

  freeze() {
    this.lost = true;
    for (const button of Object.values(this.buttons)) button.disabled = true;
  }

  unfreeze() {
    if (!this.lost) return;
    this.lost = false;
    for (const button of Object.values(this.buttons)) button.disabled = this.frozen === true;
  }

  warn(words) {
    this.note.textContent = words;
    this.note.hidden = false;
  }

  /** The guard took the decision and asks still. */
  rejected() {
    this.sent = "";
    this.cards.sent.delete(this.question.id);
    this.busy(false);
    this.warn("The session did not accept this decision. It may have begun before your passphrase was set: start it again.");
  }

  times(count) {
    this.often = count > 1 ? `, ${count} times` : "";
  }

  tick(clock, now) {
    const left = this.question.deadline - clock;
    this.left.textContent = left > 0 ? `${span(left)} left` : "time is over";
    this.left.classList.toggle("soon", left < 20);
    this.bar.value = Math.max(0, left);
    this.age.textContent = ago(now - this.question.created) + this.often;
  }

  finish(words, kind) {
    this.over = true;
    this.freeze();
    this.node.classList.add("over");
    if (kind) this.node.classList.add(kind);
    this.left.textContent = "";
    this.note.hidden = true;
    this.node.querySelector(".actions").replaceWith(el("p", { className: `outcome ${kind || (words.startsWith("Allowed") ? "yes" : "no")}` }, words));
    if (kind === "gone") say(words);
  }
}
