// The offline visit (离线入户): tasks taken along, visits filled in without a signal, and sent back once there is one.
// What the server took in is removed here; what it has not taken in stays until a person removes it.
"use strict";
const fieldStore = phoneStore("doudi-field");
(function () {
  const page = phonePage(fieldStore, { parts: ["list", "visit"], entered: enter, shutting: keepDraft, forget: forget, unsent: unsent });
  const { at, english, say, today, clock, make, button, telephone, tell, show, uuid, ask, why, signedOut } = page;
  const DAY = 24 * 3600 * 1000, MOST_PHOTOS = 6;
  const FIELDS = ["visited_on", "visitor_1", "visitor_2", "witness_1", "witness_2", "consent_by", "consent_how", "finding"];
  const TRY = "attempt";
  let bundle = null;
  let visit = null;
  let saving = null;
  let busy = false;

  const visits = () => page.records("visit-");

  async function unsent() { return (await visits()).filter((one) => !one.done_at).length; }

  function forget() {
    bundle = visit = null;
    for (const id of ["tasks", "visits", "about", "photos", "results", "who"]) at(id).textContent = "";
    at("visit").reset();
  }

  // ---- the list -------------------------------------------------------------------------------------------------

  /** What is past its time goes: tasks, and the trace of visits the server took in. */
  async function purge() {
    bundle = await fieldStore.get("bundle");
    if (bundle && Date.now() - Date.parse(bundle.taken_at) > bundle.keep_days * DAY) {
      await fieldStore.remove("bundle");
      bundle = null;
    }
    for (const one of await visits()) {
      if (one.done_at && Date.now() - one.done_at > one.keep_days * DAY) await fieldStore.remove("visit-" + one.id);
    }
  }

  async function enter() {
    await purge();
    await list();
    if (navigator.onLine) sendAll(false);
  }

  async function list() {
    const mine = await visits();
    at("tasks").textContent = at("visits").textContent = "";
    at("taken").textContent = bundle ? say("taken", { count: bundle.tasks.length, time: clock(bundle.taken_at) }) : say("no_tasks");
    for (const task of bundle ? bundle.tasks : []) at("tasks").appendChild(taskCard(task, mine));
    at("visits_title").hidden = !mine.length;
    for (const one of mine) at("visits").appendChild(visitCard(one));
    show("list");
  }

  function facts(task) {
    const box = make("div");
    box.appendChild(make("p", [task.region_name, task.address].filter(Boolean).join(" ")));
    box.appendChild(make("p", task.signals.join("、"), "hint"));
    if (task.people.length) {
      const people = task.people.map((who) => who.name + "（" + who.relation + (who.age === null ? "" : "，" + say("years", who)) + "）");
      box.appendChild(make("p", say("people") + (english ? ": " : "：") + people.join("、"), "hint"));
    }
    if (task.phone) {
      const line = make("p");
      line.appendChild(telephone(say("call") + " " + task.phone, task.phone));
      box.appendChild(line);
    }
    return box;
  }

  function taskCard(task, mine) {
    const card = make("article", undefined, "task " + task.level);
    const head = make("p");
    head.appendChild(make("b", task.head_name || task.household_no));
    if (task.due_on) head.appendChild(make("span", say("due", { day: task.due_on }), task.due_on < today() ? "late" : "hint"));
    card.appendChild(head);
    const about = facts(task);
    about.lang = "zh-Hans";
    card.appendChild(about);
    const draft = mine.find((one) => one.number === task.number && one.state === "draft");
    card.appendChild(button(say(draft ? "go_on" : "fill"), () => edit(draft || begin(task))));
    return card;
  }

  function visitCard(one) {
    const card = make("article", undefined, "task");
    const head = make("p");
    head.appendChild(make("b", one.who));
    head.appendChild(make("span", say(one.state), one.state === "recorded" ? "hint" : "late"));
    card.appendChild(head);
    card.appendChild(make("p", clock(one.done_at || one.begun_at), "hint"));
    if (one.said && one.state !== "recorded") card.appendChild(make("p", english ? one.said.en : one.said.zh));
    if (!one.done_at) card.appendChild(button(say("go_on"), () => edit(one), "second"));
    return card;
  }

  // ---- one visit ------------------------------------------------------------------------------------------------

  function begin(task) {
    return {
      id: uuid(), number: task.number, seen: task.version, who: task.head_name || task.household_no, task: task,
      results: bundle.results, account: bundle.account, keep_days: bundle.keep_days, begun_at: Date.now(), state: "draft", files: [],
      fields: { visited_on: today(), visitor_1: "", visitor_2: "", witness_1: "", witness_2: "", consent_by: "", consent_how: "", result_code: "", finding: "", consent: false, location: "" },
    };
  }

  async function edit(one) {
    visit = one;
    visit.state = "draft";
    at("who").textContent = one.who;
    at("about").textContent = "";
    at("about").appendChild(facts(one.task));
    at("visited_on").max = today();
    for (const name of FIELDS) at(name).value = one.fields[name] || "";
    at("consent").checked = one.fields.consent;
    at("place").checked = Boolean(one.fields.location);
    at("place_said").textContent = one.fields.location ? say("place", { metres: one.fields.location.split(",")[2] }) : "";
    at("saved").textContent = "";
    at("wrong").hidden = true;
    at("results").textContent = "";
    const tries = one.results.some((result) => result.tries) ? [{ code: TRY, label: say(TRY), label_en: say(TRY) }] : [];
    for (const result of one.results.concat(tries)) {
      const label = make("label", undefined, "result");
      const radio = document.createElement("input");
      radio.type = "radio";
      radio.name = "result_code";
      radio.value = result.code;
      radio.checked = result.code === one.fields.result_code;
      const asks = [result.visitors > 1 ? say("two_visitors") : "", result.ground ? say("with_ground") : "", result.signature ? say("signature_or_witnesses") : ""].filter(Boolean);
      label.appendChild(radio);
      label.appendChild(make("span", (result.code === TRY ? "" : result.code + " ") + (english ? result.label_en : result.label) + (asks.length ? " · " + asks.join(" · ") : "")));
      at("results").appendChild(label);
    }
    witnessed();
    tell("");
    show("visit");
    await pictures();
  }

  /** Witnesses are asked for only where the result asks for a signature or two of them; whose consent, where it was given. */
  function witnessed() {
    const chosen = document.querySelector("input[name=result_code]:checked");
    const result = chosen && visit.results.find((one) => one.code === chosen.value);
    at("witnesses").hidden = !(result && result.signature);
    at("consented").hidden = !at("consent").checked;
  }

  function read() {
    for (const name of FIELDS) visit.fields[name] = at(name).value;
    const chosen = document.querySelector("input[name=result_code]:checked");
    visit.fields.result_code = chosen ? chosen.value : "";
    visit.fields.consent = at("consent").checked;
  }

  /** The draft as it stands; called on every change, and when the page goes out of sight. */
  async function keepDraft() {
    clearTimeout(saving);
    saving = null;
    if (!visit || !fieldStore.isOpen()) return;
    const one = visit;
    read();
    await fieldStore.put("visit-" + one.id, one);
    if (visit === one) at("saved").textContent = say("saved", { time: clock(Date.now()) });
  }

  function changed() {
    witnessed();
    clearTimeout(saving);
    saving = setTimeout(keepDraft, 300);
  }

  const signed = () => visit.files.some((file) => file.kind === "signature");
  const named = (names) => Array.from(new Set(names.map((name) => name.trim()).filter(Boolean)));

  /** The days on which nobody was found: on record, on this telephone, and this one. */
  async function daysTried() {
    const here = (await visits()).filter((one) => one.number === visit.number && one.id !== visit.id && !one.done_at && one.fields.result_code === TRY);
    return new Set((visit.task.tried_on || []).concat(here.map((one) => one.fields.visited_on), visit.fields.visited_on)).size;
  }

  /** What the workbench would refuse, said here where nobody can be asked (the pack's rules came along). */
  async function faults() {
    const typed = visit.fields, found = [];
    const trying = typed.result_code === TRY;
    const result = trying ? { label: say(TRY), label_en: say(TRY), visitors: 1 } : visit.results.find((one) => one.code === typed.result_code);
    if (!typed.visited_on || typed.visited_on > today()) found.push(say("need_day"));
    if (!result) return found.concat(say("need_result"));
    const label = english ? result.label_en : result.label;
    if (named([typed.visitor_1, typed.visitor_2]).length < result.visitors) found.push(say("need_visitors", { result: label, count: result.visitors }));
    const least = result.ground ? 10 : 4;
    if (typed.finding.trim().length < least) found.push(say("need_finding", { count: least }));
    if ((result.consent || result.follow_up === "charity") && !typed.consent) found.push(say("need_consent"));
    if (result.signature && !signed() && named([typed.witness_1, typed.witness_2]).length < 2) found.push(say("need_signature", { result: label }));
    if (result.tries) {
      const have = await daysTried();
      if (have < result.tries) found.push(say("need_tries", { result: label, count: result.tries, have: have }));
    }
    return found;
  }

  async function finish(event) {
    event.preventDefault();
    read();
    const wrong = await faults();
    at("wrong").textContent = wrong.join("\n");
    at("wrong").hidden = !wrong.length;
    if (wrong.length) return;
    visit.state = "ready";
    visit.filled_at = new Date().toISOString();
    await keepDraft();
    visit = null;
    await list();
    if (navigator.onLine) sendAll(false);
  }

  async function discard() {
    if (!window.confirm(say("discard_sure"))) return;
    const one = visit;
    clearTimeout(saving);
    visit = null;
    await page.dropFiles(one);
    await fieldStore.remove("visit-" + one.id);
    await list();
  }

  // ---- pictures -------------------------------------------------------------------------------------------------

  async function addFile(one, name, kind, bytes) {
    await page.addFile(one, name, kind, bytes);
    await keepDraft();
  }

  async function dropFile(one, name) {
    await page.dropFile(one, name);
    await keepDraft();
  }

  async function takePhoto() {
    const chosen = at("photo").files[0];
    const one = visit;
    if (!chosen || !one) return;
    const taken = one.files.filter((file) => file.kind === "photo");
    if (taken.length >= MOST_PHOTOS) { tell(say("photo_many", { count: MOST_PHOTOS }), true); return; }
    try {
      const bytes = await page.shrunk(chosen);
      let number = 1;
      while (taken.some((file) => file.name === "photo-" + number)) number += 1;
      await addFile(one, "photo-" + number, "photo", bytes);
      tell("");
    } catch (unreadable) {
      tell(say("photo_bad"), true);
    }
    at("photo").value = "";
    await pictures();
  }

  async function pictures() {
    const one = visit;
    at("photos").textContent = "";
    pad.clear();
    for (const file of one.files) {
      const bytes = await fieldStore.getFile(one.id + "/" + file.name);
      if (!bytes || visit !== one) continue;
      const shown = await page.image(new Blob([bytes], { type: file.kind === "photo" ? "image/jpeg" : "image/png" }));
      if (file.kind === "signature") pad.draw(shown);
      else {
        const figure = make("figure");
        shown.alt = say("photo");
        figure.appendChild(shown);
        figure.appendChild(button(say("remove"), () => dropFile(one, file.name).then(pictures), "plain"));
        at("photos").appendChild(figure);
      }
    }
  }

  const pad = signaturePad(at("pad"), at("clear_pad"), async (blank) => {
    const one = visit;
    if (!one) return;
    if (blank) await dropFile(one, "signature");
    else await addFile(one, "signature", "signature", await pad.bytes());
  });

  function locate() {
    const one = visit;
    at("place_said").textContent = "";
    one.fields.location = "";
    if (!at("place").checked) return changed();
    const failed = () => { at("place").checked = false; at("place_said").textContent = say("no_place"); };
    if (!navigator.geolocation) return failed();
    return navigator.geolocation.getCurrentPosition((found) => {
      if (visit !== one || !at("place").checked) return;
      const where = found.coords;
      one.fields.location = [where.latitude.toFixed(6), where.longitude.toFixed(6), Math.round(where.accuracy)].join(",");
      at("place_said").textContent = say("place", { metres: Math.round(where.accuracy) });
      changed();
    }, failed, { enableHighAccuracy: true, timeout: 30000, maximumAge: 60000 });
  }

  // ---- the server -----------------------------------------------------------------------------------------------

  async function take() {
    if (busy) return;
    busy = true;
    at("take").disabled = true;
    tell(say("taking"));
    const answer = await ask("tasks", {});
    busy = false;
    at("take").disabled = false;
    if (signedOut(answer)) { tell(""); return; }
    if (!answer.ok) { tell(say("not_taken", { why: why(answer) }), true); return; }
    const unsent = (await visits()).find((one) => !one.done_at && one.account !== answer.body.account);
    if (unsent) { tell(say("other_account", unsent), true); return; }
    bundle = answer.body;
    await fieldStore.put("bundle", bundle);
    tell("");
    await list();
  }

  async function sendVisit(one) {
    for (const file of one.files) {
      const stopped = await page.sendFile(one, file);
      if (stopped) return stopped;
    }
    const typed = one.fields;
    return ask("visits", {
      client_id: one.id, number: one.number, seen: one.seen, filled_at: one.filled_at, visited_on: typed.visited_on,
      visitors: named([typed.visitor_1, typed.visitor_2]), result_code: typed.result_code === TRY ? "" : typed.result_code,
      attempt: typed.result_code === TRY, signed: one.files.some((file) => file.kind === "signature"), witnesses: named([typed.witness_1, typed.witness_2]),
      finding: typed.finding.trim(), consent: typed.consent, consent_by: typed.consent ? (typed.consent_by || "").trim() : "",
      consent_how: typed.consent ? typed.consent_how || "" : "", location: typed.location, files: one.files.map((file) => file.name),
    });
  }

  /** The server has it: the pictures and what was typed leave the telephone, a line of what came of it stays. */
  async function tookIn(one, answer) {
    await page.dropFiles(one);
    await fieldStore.put("visit-" + one.id, {
      id: one.id, number: one.number, who: one.who, account: one.account, keep_days: one.keep_days, begun_at: one.begun_at, files: [],
      state: answer.state, said: { zh: answer.zh, en: answer.en }, done_at: Date.now(),
    });
    if (bundle) {
      bundle.tasks = bundle.tasks.filter((task) => task.number !== one.number);
      await fieldStore.put("bundle", bundle);
    }
  }

  async function sendAll(asked) {
    if (busy || !fieldStore.isOpen()) return;
    const waiting = (await visits()).filter((one) => one.state === "ready");
    if (!waiting.length) { if (asked) tell(say("nothing")); return; }
    busy = true;
    at("send").disabled = true;
    const { done, stopped } = await page.sendEach(waiting, "visit-", sendVisit, tookIn);
    busy = false;
    at("send").disabled = false;
    if (!fieldStore.isOpen()) return;
    tell(say("sent", { done: done, left: waiting.length - done }) + (stopped && stopped.status !== 401 ? " " + why(stopped) : ""), Boolean(stopped));
    if (!visit) await list();
  }

  // ---- beginning ------------------------------------------------------------------------------------------------

  function wire() {
    at("take").addEventListener("click", take);
    at("send").addEventListener("click", () => sendAll(true));
    at("visit").addEventListener("input", (event) => { if (event.target.id !== "photo" && event.target.id !== "place") changed(); });
    at("visit").addEventListener("submit", finish);
    at("back").addEventListener("click", async () => { await keepDraft(); visit = null; await list(); });
    at("discard").addEventListener("click", discard);
    at("photo").addEventListener("change", takePhoto);
    at("place").addEventListener("change", locate);
  }

  wire();
  page.start(() => sendAll(false), keepDraft);
})();
