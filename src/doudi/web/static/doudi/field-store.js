// What lies on a telephone that goes where there is no signal: everything personal is encrypted, the PIN alone opens it.
//
// A random key (AES-256-GCM) encrypts every record; the PIN wraps that key by PBKDF2 (SHA-256, 600 000 rounds, OWASP
// 2023). IndexedDB holds the wrapped key, its salt, the count of wrong PINs, and records under random names. Neither
// the PIN nor the open key is ever stored; a reload asks for the PIN again. After ten wrong PINs everything is removed.
"use strict";
/** The store of one page, in a database of its own: a courier's round and an officer's visits have each their PIN. */
function phoneStore(NAME) {
  const ROUNDS = 600000, MOST_WRONG = 10, FREE_WRONG = 5, PAUSE = 30;
  let key = null;
  let opened = null;

  function database() {
    if (!opened) {
      opened = new Promise((resolve, reject) => {
        const request = indexedDB.open(NAME, 1);
        request.onupgradeneeded = () => {
          request.result.createObjectStore("lock");
          request.result.createObjectStore("records");
          request.result.createObjectStore("files");
        };
        request.onsuccess = () => {
          request.result.onversionchange = () => { request.result.close(); opened = null; };
          resolve(request.result);
        };
        request.onerror = () => { opened = null; reject(request.error); };
      });
    }
    return opened;
  }

  function within(store, mode, act) {
    return database().then((db) => new Promise((resolve, reject) => {
      const change = db.transaction(store, mode);
      const request = act(change.objectStore(store));
      change.oncomplete = () => resolve(request.result);
      change.onerror = change.onabort = () => reject(change.error);
    }));
  }

  const random = (length) => crypto.getRandomValues(new Uint8Array(length));

  async function wrapping(pin, salt, rounds) {
    const typed = await crypto.subtle.importKey("raw", new TextEncoder().encode(pin.normalize("NFKC")), "PBKDF2", false, ["deriveKey"]);
    return crypto.subtle.deriveKey({ name: "PBKDF2", hash: "SHA-256", salt: salt, iterations: rounds }, typed, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
  }

  // the name of a record is bound in, so that one cannot be put in another's place
  async function sealed(name, bytes) {
    const iv = random(12);
    const box = await crypto.subtle.encrypt({ name: "AES-GCM", iv: iv, additionalData: new TextEncoder().encode(name) }, key, bytes);
    return { iv: iv, box: box };
  }

  function unsealed(name, kept) {
    return crypto.subtle.decrypt({ name: "AES-GCM", iv: kept.iv, additionalData: new TextEncoder().encode(name) }, key, kept.box);
  }

  const openKey = (raw) => crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);

  return {
    mostWrong: MOST_WRONG,

    /** Whether a PIN was set on this telephone. */
    begun: () => within("lock", "readonly", (store) => store.get("lock")).then(Boolean),

    /** Whether the store is open now. */
    isOpen: () => key !== null,

    begin: async function (pin) {
      const raw = random(32), salt = random(16), iv = random(12);
      const wrapped = await crypto.subtle.encrypt({ name: "AES-GCM", iv: iv }, await wrapping(pin, salt, ROUNDS), raw);
      key = await openKey(raw);
      raw.fill(0);
      await within("lock", "readwrite", (store) => store.put({ salt: salt, iv: iv, wrapped: wrapped, rounds: ROUNDS, wrong: 0, until: 0 }, "lock"));
      // ask that the browser does not drop unsent visits when the telephone is full
      if (navigator.storage && navigator.storage.persist) navigator.storage.persist().catch(() => undefined);
    },

    /** Opens with the PIN; else tells {left}, {seconds} to wait, or {wiped}. */
    open: async function (pin) {
      const lock = await within("lock", "readonly", (store) => store.get("lock"));
      const wait = Math.ceil((lock.until - Date.now()) / 1000);
      if (wait > 0) return { open: false, seconds: Math.min(wait, PAUSE << MOST_WRONG) };
      // counted before it is tried: closing the page in between does not give a free try
      lock.wrong += 1;
      lock.until = lock.wrong >= FREE_WRONG ? Date.now() + PAUSE * 1000 * Math.pow(2, lock.wrong - FREE_WRONG) : 0;
      await within("lock", "readwrite", (store) => store.put(lock, "lock"));
      try {
        const raw = await crypto.subtle.decrypt({ name: "AES-GCM", iv: lock.iv }, await wrapping(pin, lock.salt, lock.rounds), lock.wrapped);
        key = await openKey(raw);
      } catch (wrong) {
        if (lock.wrong < MOST_WRONG) return { open: false, left: MOST_WRONG - lock.wrong };
        await this.wipe();
        return { open: false, wiped: true };
      }
      lock.wrong = 0;
      lock.until = 0;
      await within("lock", "readwrite", (store) => store.put(lock, "lock"));
      return { open: true };
    },

    shut: function () { key = null; },

    /** Removes everything, the key first. */
    wipe: async function () {
      key = null;
      for (const store of ["lock", "records", "files"]) await within(store, "readwrite", (found) => found.clear());
    },

    put: async function (name, value) {
      const kept = await sealed(name, new TextEncoder().encode(JSON.stringify(value)));
      await within("records", "readwrite", (store) => store.put(kept, name));
    },

    get: async function (name) {
      const kept = await within("records", "readonly", (store) => store.get(name));
      return kept ? JSON.parse(new TextDecoder().decode(await unsealed(name, kept))) : null;
    },

    names: () => within("records", "readonly", (store) => store.getAllKeys()),
    remove: (name) => within("records", "readwrite", (store) => store.delete(name)),

    putFile: async function (name, bytes) {
      const kept = await sealed(name, bytes);
      await within("files", "readwrite", (store) => store.put(kept, name));
    },

    getFile: async function (name) {
      const kept = await within("files", "readonly", (store) => store.get(name));
      return kept ? unsealed(name, kept) : null;
    },

    removeFile: (name) => within("files", "readwrite", (store) => store.delete(name)),
  };
}
