// What every page shares that goes where there is no signal: the PIN, the lock, asking the server, pictures.
// The page itself (field.js, round.js) says what it takes along and what it sends back.
"use strict";

/**
 * The frame of a page: `own` = {parts, entered, shutting, forget, unsent}. `entered` runs once the store is open,
 * `shutting` before it is shut, `forget` empties the page, `unsent` counts what would be lost by removing everything.
 */
function phonePage(store, own) {
  const LOCK_AFTER = 10 * 60 * 1000, PART = 48 * 1024, EDGE = 1280;
  const at = (id) => document.getElementById(id);
  const words = JSON.parse(at("words").textContent);
  const addresses = JSON.parse(at("addresses").textContent);
  const english = document.documentElement.lang === "en";
  let hiddenAt = 0;

  const say = (word, values) => (words[word] || word).replace(/\{(\w+)\}/g, (all, name) => (values && name in values ? values[name] : all));
  const two = (number) => String(number).padStart(2, "0");
  const today = () => { const now = new Date(); return now.getFullYear() + "-" + two(now.getMonth() + 1) + "-" + two(now.getDate()); };
  const hour = (moment) => { const when = new Date(moment); return two(when.getHours()) + ":" + two(when.getMinutes()); };
  const clock = (moment) => { const when = new Date(moment); return two(when.getMonth() + 1) + "-" + two(when.getDate()) + " " + hour(moment); };

  function make(tag, text, name) {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (name) element.className = name;
    return element;
  }

  function button(text, act, name) {
    const element = make("button", text, name);
    element.type = "button";
    element.addEventListener("click", act);
    return element;
  }

  function telephone(text, number) {
    const call = make("a", text);
    call.href = "tel:" + number.replace(/[^0-9+]/g, "");
    return call;
  }

  function tell(text, bad) {
    at("message").textContent = text;
    at("message").className = bad ? "note error" : "note";
    at("message").hidden = !text;
  }

  function show(id) {
    for (const part of ["setup", "unlock"].concat(own.parts)) at(part).hidden = part !== id;
    at("lock").hidden = !store.isOpen();
    window.scrollTo(0, 0);
  }

  function network() { at("network").textContent = navigator.onLine ? say("online") : say("offline"); }

  function uuid() {
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    bytes[6] = (bytes[6] & 15) | 64;
    bytes[8] = (bytes[8] & 63) | 128;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  // ---- the PIN --------------------------------------------------------------------------------------------------

  function plain(pin) {
    const steps = new Set();
    for (let place = 1; place < pin.length; place += 1) steps.add(pin.charCodeAt(place) - pin.charCodeAt(place - 1));
    return steps.size === 1 && Math.abs(steps.values().next().value) <= 1;
  }

  async function setUp(event) {
    event.preventDefault();
    const pin = at("pin1").value;
    if (pin.length < 6) return tell(say("pin_short"), true);
    if (plain(pin)) return tell(say("pin_plain"), true);
    if (pin !== at("pin2").value) return tell(say("pin_differs"), true);
    await store.begin(pin);
    at("setup").reset();
    tell("");
    return own.entered();
  }

  async function unlock(event) {
    event.preventDefault();
    const answer = await store.open(at("pin").value);
    at("unlock").reset();
    if (answer.open) { tell(""); return own.entered(); }
    if (answer.wiped) { tell(say("wiped"), true); return show("setup"); }
    return tell(answer.seconds ? say("pin_wait", answer) : say("pin_wrong", answer), true);
  }

  async function lock() {
    await own.shutting();
    store.shut();
    own.forget();
    show("unlock");
  }

  async function wipe() {
    const unsent = store.isOpen() ? await own.unsent() : 0;
    if (!window.confirm(unsent ? say("wipe_unsent", { count: unsent }) : say("wipe_sure"))) return;
    await store.wipe();
    own.forget();
    tell("");
    show("setup");
  }

  /** Every record whose name begins so, the oldest first. */
  async function records(prefix) {
    const found = [];
    for (const name of await store.names()) if (String(name).startsWith(prefix)) found.push(await store.get(name));
    return found.sort((one, other) => (one.begun_at < other.begun_at ? -1 : 1));
  }

  // ---- pictures -------------------------------------------------------------------------------------------------

  async function digest(bytes) {
    const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  function image(blob) {
    return new Promise((resolve, reject) => {
      const shown = new Image();
      shown.onload = () => resolve(shown);
      shown.onerror = reject;
      shown.src = URL.createObjectURL(blob);
    });
  }

  /** A photo made small and drawn anew: the file's own metadata, place and time among it, stays behind. */
  async function shrunk(file) {
    const shown = await image(file);
    const scale = Math.min(1, EDGE / Math.max(shown.naturalWidth, shown.naturalHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(shown.naturalWidth * scale);
    canvas.height = Math.round(shown.naturalHeight * scale);
    canvas.getContext("2d").drawImage(shown, 0, 0, canvas.width, canvas.height);
    URL.revokeObjectURL(shown.src);
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.72));
    return new Response(blob).arrayBuffer();
  }

  /** Keeps a picture of a record under a name, sealed; `one.files` says what there is. */
  async function addFile(one, name, kind, bytes) {
    await store.putFile(one.id + "/" + name, bytes);
    one.files = one.files.filter((file) => file.name !== name);
    one.files.push({ name: name, kind: kind, size: bytes.byteLength, sha256: await digest(bytes) });
  }

  async function dropFile(one, name) {
    one.files = one.files.filter((file) => file.name !== name);
    await store.removeFile(one.id + "/" + name);
  }

  async function dropFiles(one) {
    for (const file of one.files) await store.removeFile(one.id + "/" + file.name);
  }

  // ---- the server -----------------------------------------------------------------------------------------------

  /** An answer of the API: {ok, status, body}; no answer at all is status 0. */
  async function ask(path, body) {
    const token = (document.cookie.match(/(?:^|; )csrftoken=([^;]+)/) || [])[1] || "";
    try {
      const answer = await fetch(addresses.api + path, {
        method: "POST", credentials: "same-origin", cache: "no-store", redirect: "error",
        headers: { "Content-Type": "application/json", "X-CSRFToken": token }, body: JSON.stringify(body),
      });
      return { ok: answer.ok, status: answer.status, body: await answer.json().catch(() => ({})) };
    } catch (unreachable) {
      return { ok: false, status: 0, body: {} };
    }
  }

  const why = (answer) => (answer.status === 0 ? say("no_network") : (english ? answer.body.en : answer.body.zh) || say("server"));

  /** Whether sending stops here and is tried again later: signed out, no answer, a fault of the server. */
  const later = (answer) => answer.status === 401 || answer.status === 0 || answer.status >= 500 || Boolean(answer.body.retry);

  function signedOut(answer) {
    const out = answer.status === 401 || (answer.status === 403 && answer.body.code === "csrf");
    if (out) at("login").querySelector("span").textContent = say("login");
    at("login").hidden = !out;
    return out;
  }

  function base64(bytes) {
    let text = "";
    for (const byte of new Uint8Array(bytes)) text += String.fromCharCode(byte);
    return btoa(text);
  }

  /** Sends one picture on from where the server has it; null once it is whole, else the answer that stopped it. */
  async function sendFile(one, file) {
    const bytes = await store.getFile(one.id + "/" + file.name);
    let from = 0, tries = 0;
    while (bytes) {
      const answer = await ask("files", {
        client_id: one.id, name: file.name, kind: file.kind, size: file.size, sha256: file.sha256,
        offset: from, data: base64(bytes.slice(from, from + PART)),
      });
      if (!answer.ok) return answer;
      if (answer.body.complete) return null;
      tries = answer.body.received > from ? 0 : tries + 1;
      if (tries > 2) return { ok: false, status: 0, body: {} };
      from = answer.body.received;
    }
    return { ok: false, status: 422, body: { zh: say("photo_bad"), en: say("photo_bad") } };
  }

  /**
   * Sends records one after the other, until one has to be tried later; one that is refused stays and says why.
   * `send` gives the answer for one, `tookIn` puts away what the server has. Gives {done, stopped}.
   */
  async function sendEach(waiting, prefix, send, tookIn) {
    let done = 0;
    for (const one of waiting) {
      tell(say("sending") + " " + one.who);
      const answer = await send(one);
      if (!store.isOpen()) break;
      if (answer.ok) {
        await tookIn(one, answer.body);
        done += 1;
      } else if (signedOut(answer) || later(answer)) {
        return { done: done, stopped: answer };
      } else {
        one.state = "refused";
        one.said = { zh: answer.body.zh || say("server"), en: answer.body.en || say("server") };
        await store.put(prefix + one.id, one);
      }
    }
    return { done: done, stopped: null };
  }

  // ---- beginning ------------------------------------------------------------------------------------------------

  /** Wires the frame and shows the lock; `send` runs whenever there is a network again, `hide` when the page goes. */
  async function start(send, hide) {
    network();
    at("setup").addEventListener("submit", setUp);
    at("unlock").addEventListener("submit", unlock);
    at("lock").addEventListener("click", lock);
    at("wipe").addEventListener("click", wipe);
    at("wipe_locked").addEventListener("click", wipe);
    window.addEventListener("online", () => { network(); send(); });
    window.addEventListener("offline", network);
    window.addEventListener("pagehide", hide);
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) { hiddenAt = Date.now(); hide(); }
      else if (store.isOpen() && hiddenAt && Date.now() - hiddenAt > LOCK_AFTER) lock();
    });
    if (!window.isSecureContext) return tell(say("insecure"), true);
    if (!window.indexedDB || !window.crypto || !crypto.subtle || !navigator.serviceWorker) return tell(say("gone"), true);
    navigator.serviceWorker.register(addresses.worker, { scope: addresses.scope }).catch(() => undefined);
    return show((await store.begun()) ? "unlock" : "setup");
  }

  return {
    at, english, say, today, hour, clock, make, button, telephone, tell, show, uuid, records, image, shrunk,
    addFile, dropFile, dropFiles, ask, why, signedOut, sendFile, sendEach, start,
  };
}
