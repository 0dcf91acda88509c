// The courier's round without a signal (离线送餐): doors taken along, what happened at each, and sent back once there is one.
// Every act is kept by itself with its moment; what the server took in leaves nothing here but its outcome.
"use strict";
const roundStore = phoneStore("doudi-round");
(function () {
  const page = phonePage(roundStore, { parts: ["list", "door"], entered: enter, shutting: keepNothing, forget: forget, unsent: unsent });
  const { at, english, say, today, hour, clock, make, button, telephone, tell, show, uuid, ask, why, signedOut } = page;
  let bundle = null;
  let door = null;
  let draft = null;
  let busy = false;
  let again = false;

  const acts = () => page.records("act-");
  async function unsent() { return (await acts()).filter((one) => !one.done_at).length; }
  async function keepNothing() { if (draft) await page.dropFiles(draft); draft = null; }

  function forget() {
    bundle = door = draft = null;
    for (const id of ["rounds", "who", "about", "happened", "calls"]) at(id).textContent = "";
    at("key").value = "";
    pad.clear();
  }

  // ---- the list -------------------------------------------------------------------------------------------------

  /** Yesterday's round goes, and with it what came of its doors; what was not sent stays. */
  async function purge() {
    bundle = await roundStore.get("bundle");
    if (bundle && bundle.day !== today()) {
      await roundStore.remove("bundle");
      bundle = null;
    }
    for (const one of await acts()) if (one.done_at && one.day !== today()) await roundStore.remove("act-" + one.id);
  }

  async function enter() {
    await purge();
    await list();
    if (navigator.onLine) sendAll(false);
  }

  const byLanguage = (said) => (english ? said.en : said.zh);

  /** A door as it stands here: what the server said of it, then what this telephone has and the server may not. */
  function standing(place, mine) {
    let state = place.state, warning = place.warning_no;
    const called = {};
    for (const contact of place.contacts) if (contact.called) called[contact.whom] = contact.called;
    for (const one of mine.filter((act) => act.stop === place.stop && act.state !== "refused")) {
      if (one.door_state) { state = one.door_state; warning = one.warning_no; }
      else if (one.kind === "hand") state = "handed";
      else if (one.kind === "shut" && state === "waiting") state = "shut";
      else if (one.kind === "call" && one.result === "safe" && state === "shut") state = "safe";
      if (one.kind === "call") called[one.whom] = called[one.whom] || one.result;
    }
    const left = place.contacts.filter((contact) => contact.phone && !called[contact.whom]);
    return { state: state, warning: warning, called: called, next: state === "shut" ? left[0] : undefined };
  }

  async function list() {
    const mine = await acts();
    const waiting = mine.filter((one) => !one.done_at).length;
    at("rounds").textContent = "";
    at("taken").textContent = bundle ? say("taken", { time: clock(bundle.taken_at) }) : say("no_tasks");
    at("waiting").textContent = waiting ? say("waiting", { count: waiting }) : "";
    for (const round of bundle ? bundle.rounds : []) at("rounds").appendChild(roundCard(round, mine));
    show("list");
  }

  function roundCard(round, mine) {
    const box = make("section");
    const title = make("h2", round.site + " " + round.meal + " " + say("trip", { n: round.place }));
    title.lang = "zh-Hans";
    box.appendChild(title);
    const done = round.doors.filter((place) => standing(place, mine).state !== "waiting").length;
    box.appendChild(make("p", hour2(round.leaves_at) + " · " + say("portions", { n: round.load }) + (round.mine ? " · " + say("done_of", { done: done, all: round.doors.length }) : ""), "hint"));
    if (!round.mine) box.appendChild(button(say("take_round"), () => leave(round)));
    for (const place of round.doors) box.appendChild(doorCard(place, mine));
    return box;
  }

  const hour2 = (time) => time.slice(0, 5);

  function doorCard(place, mine) {
    const now = standing(place, mine);
    const card = make("article", undefined, "task " + { waiting: "blue", handed: "", shut: "red", safe: "yellow" }[now.state]);
    const head = make("p");
    head.appendChild(make("b", place.place + ". " + place.name));
    head.appendChild(make("span", say("state_" + now.state), now.state === "shut" ? "late" : "hint"));
    card.appendChild(head);
    const where = make("p", hour2(place.due_at) + " · " + (place.address || "—"));
    where.lang = "zh-Hans";
    card.appendChild(where);
    for (const one of mine.filter((act) => act.stop === place.stop && (act.state === "refused" || (act.done_at && act.state !== "recorded")))) {
      card.appendChild(make("p", hour(one.begun_at) + " " + say("kind_" + one.kind) + (english ? ": " : "：") + (one.said ? byLanguage(one.said) : say("outcome_" + one.state)), "late"));
    }
    if (mine.some((act) => act.stop === place.stop && !act.done_at && act.state !== "refused")) card.appendChild(make("p", say("ready"), "hint"));
    card.appendChild(button(say(now.state === "waiting" ? "open_door" : "look"), () => open(place), now.state === "waiting" ? "" : "second"));
    return card;
  }

  // ---- one door -------------------------------------------------------------------------------------------------

  async function open(place) {
    await keepNothing();
    door = place;
    draft = fresh("hand");
    at("who").textContent = place.place + ". " + place.name;
    at("key").value = "";
    at("photo").value = "";
    at("photo_said").textContent = "";
    at("wrong").hidden = true;
    pad.clear();
    await facts();
    tell("");
    show("door");
  }

  function fresh(kind) {
    return { id: uuid(), kind: kind, stop: door.stop, who: door.name, day: today(), begun_at: Date.now(), state: "draft", files: [] };
  }

  function line(box, text, name) {
    const made = make("p", text, name);
    made.lang = "zh-Hans";
    box.appendChild(made);
    return made;
  }

  /** What the courier has to know of the door, and what can be done there now. */
  async function facts() {
    const mine = await acts();
    const now = standing(door, mine);
    const about = at("about");
    about.textContent = "";
    line(about, hour2(door.due_at) + " · " + (door.address || "—"));
    if (door.phone) about.appendChild(make("p")).appendChild(telephone(say("call") + " " + door.phone, door.phone));
    line(about, [door.texture, door.proof === "signature" ? say("by_signature") : "", door.remark].filter(Boolean).join(" · "), "hint");
    at("happened").textContent = say("state_" + now.state) + (now.warning ? " · " + say("raised", { number: now.warning }) : "");
    at("happened").className = now.state === "shut" ? "late" : "hint";
    at("handing").hidden = now.state === "handed" || now.state === "safe" || Boolean(now.warning);
    at("shut").hidden = now.state !== "waiting";
    calls(now);
  }

  function calls(now) {
    const box = at("calls");
    box.textContent = "";
    box.hidden = now.state !== "shut";
    for (const contact of door.contacts) {
      if (now.called[contact.whom]) line(box, contact.label + " " + contact.name + (english ? ": " : "：") + say("result_" + now.called[contact.whom]), "hint");
    }
    if (!now.next) {
      box.appendChild(make("p", say(now.warning ? "raised_already" : "nobody_left"), "note error"));
      return;
    }
    const whom = now.next;
    const asked = make("p", undefined, "note");
    asked.appendChild(make("b", say("now_call", { label: whom.label, name: whom.name })));
    asked.appendChild(document.createTextNode(" "));
    asked.appendChild(telephone(whom.phone, whom.phone));
    box.appendChild(asked);
    const note = make("input");
    note.maxLength = 80;
    note.id = "note";
    note.autocomplete = "off";
    const label = make("label", say("heard") + " ");
    label.appendChild(note);
    box.appendChild(label);
    for (const result of ["safe", "no_answer", "unknown"]) {
      box.appendChild(button(say("result_" + result), () => called(whom.whom, result, note.value.trim()), result === "safe" ? "" : "second"));
    }
  }

  async function keep(one) {
    one.state = "ready";
    one.begun_at = Date.now();
    await roundStore.put("act-" + one.id, one);
    if (navigator.onLine) sendAll(false);
  }

  async function called(whom, result, note) {
    await keep(Object.assign(fresh("call"), { whom: whom, result: result, note: note }));
    await facts();
    window.scrollTo(0, 0);
  }

  async function shut() {
    await keep(fresh("shut"));
    await facts();
    tell(say("shut_kept"));
  }

  /** Two hex digits that came along tell most mistyped codes at the door, where the old person can still be asked. */
  async function fits(key) {
    if (!/^\d{6}$/.test(key)) return true;
    const found = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(door.stop + ":" + key)));
    return found[0].toString(16).padStart(2, "0") === door.check;
  }

  async function hand(event) {
    event.preventDefault();
    const key = at("key").value.trim();
    const picture = draft.files[0];
    const wrong = !key && !picture ? say("need_proof") : key && !(await fits(key)) ? say("code_wrong") : "";
    at("wrong").textContent = wrong;
    at("wrong").hidden = !wrong;
    if (wrong) return;
    // a code that was shown is the better proof; a picture is kept only where there is none
    if (key) await page.dropFiles(draft);
    const one = Object.assign(draft, { key: key, files: key ? [] : draft.files.slice(0, 1) });
    draft = null;
    await keep(one);
    door = null;
    await list();
    tell(say("handed_kept", one));
  }

  async function picture(name, kind, bytes) {
    for (const file of draft.files) await page.dropFile(draft, file.name);
    if (bytes) await page.addFile(draft, name, kind, bytes);
  }

  async function takePhoto() {
    const chosen = at("photo").files[0];
    if (!chosen || !draft) return;
    try {
      await picture("photo-1", "photo", await page.shrunk(chosen));
      pad.clear();
      at("photo_said").textContent = say("photo_kept");
    } catch (unreadable) {
      tell(say("photo_bad"), true);
    }
    at("photo").value = "";
  }

  const pad = signaturePad(at("pad"), at("clear_pad"), async (blank) => {
    if (!draft) return;
    await picture("signature", "signature", blank ? null : await pad.bytes());
    at("photo_said").textContent = "";
  });

  // ---- the server -----------------------------------------------------------------------------------------------

  async function take(quiet) {
    if (busy) return;
    busy = true;
    at("take").disabled = true;
    if (!quiet) tell(say("taking"));
    const answer = await ask("along", {});
    busy = false;
    at("take").disabled = false;
    if (signedOut(answer)) { tell(""); return; }
    if (!answer.ok) { tell(say("not_taken", { why: why(answer) }), true); return; }
    const other = (await acts()).find((one) => !one.done_at && one.account && one.account !== answer.body.account);
    if (other || (bundle && bundle.account !== answer.body.account && (await unsent()))) { tell(say("other_account", other || bundle), true); return; }
    bundle = Object.assign(answer.body, { day: today() });
    await roundStore.put("bundle", bundle);
    if (!quiet) tell("");
    if (!door) await list();
  }

  async function leave(round) {
    const answer = await ask("take", { round: round.round });
    if (signedOut(answer)) return;
    if (!answer.ok) { tell(why(answer), true); return; }
    await take(false);
  }

  async function sendAct(one) {
    for (const file of one.files) {
      const stopped = await page.sendFile(one, file);
      if (stopped) return stopped;
    }
    const sent = { client_id: one.id, stop: one.stop, kind: one.kind, at: new Date(one.begun_at).toISOString() };
    if (one.kind === "hand" && one.key) sent.key = one.key;
    if (one.files.length) sent.picture = one.files[0].name;
    if (one.kind === "call") Object.assign(sent, { whom: one.whom, result: one.result, note: one.note });
    return ask("acts", sent);
  }

  async function tookIn(one, answer) {
    await page.dropFiles(one);
    await roundStore.put("act-" + one.id, {
      id: one.id, kind: one.kind, stop: one.stop, day: one.day, begun_at: one.begun_at, whom: one.whom, result: one.result, files: [],
      state: answer.state, door_state: answer.door_state, warning_no: answer.warning_no, done_at: Date.now(),
    });
  }

  async function sendAll(asked) {
    if (!roundStore.isOpen()) return;
    if (busy) { again = true; return; }
    const waiting = (await acts()).filter((one) => one.state === "ready");
    if (!waiting.length) { if (asked) tell(say("nothing")); return; }
    busy = true;
    at("send").disabled = true;
    const { done, stopped } = await page.sendEach(waiting, "act-", sendAct, tookIn);
    busy = false;
    at("send").disabled = false;
    if (!roundStore.isOpen()) return;
    tell(say("sent", { done: done, left: await unsent() }) + (stopped && stopped.status !== 401 ? " " + why(stopped) : ""), Boolean(stopped));
    if (door) await facts(); else await list();
    if (again && !stopped) { again = false; await sendAll(false); }
    again = false;
  }

  // ---- beginning ------------------------------------------------------------------------------------------------

  at("take").addEventListener("click", () => take(false));
  at("send").addEventListener("click", () => sendAll(true));
  at("handing").addEventListener("submit", hand);
  at("shut").addEventListener("click", shut);
  at("photo").addEventListener("change", takePhoto);
  at("back").addEventListener("click", async () => { await keepNothing(); door = null; tell(""); await list(); });
  page.start(() => sendAll(false), () => undefined);
})();
