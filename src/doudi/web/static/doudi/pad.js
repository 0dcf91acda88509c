// A signature drawn with finger, pen or mouse (手写签名): on the pages without a signal, and in ordinary forms.
"use strict";

/**
 * A pad to sign on with finger or mouse. `changed(blank)` is told after each stroke and after it was wiped.
 * Gives {blank(), clear(), bytes(), draw(image)}; the bytes are a PNG on a clear ground.
 */
function signaturePad(pad, wipe, changed) {
  const pen = pad.getContext("2d");
  let drawing = false, empty = true;
  const spot = (event) => {
    const box = pad.getBoundingClientRect();
    return [((event.clientX - box.left) * pad.width) / box.width, ((event.clientY - box.top) * pad.height) / box.height];
  };
  const clear = () => { pen.clearRect(0, 0, pad.width, pad.height); empty = true; };
  pen.lineWidth = 4;
  pen.lineCap = pen.lineJoin = "round";
  pen.strokeStyle = "#10202b";
  pad.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    drawing = true;
    if (pad.setPointerCapture) pad.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo.apply(pen, spot(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    pen.lineTo.apply(pen, spot(event));
    pen.stroke();
    empty = false;
  });
  for (const end of ["pointerup", "pointercancel"]) {
    pad.addEventListener(end, () => {
      if (!drawing) return;
      drawing = false;
      if (!empty) changed(false);
    });
  }
  wipe.addEventListener("click", () => { clear(); changed(true); });
  return {
    blank: () => empty,
    clear: clear,
    bytes: () => new Promise((resolve) => pad.toBlob(resolve, "image/png")).then((blob) => new Response(blob).arrayBuffer()),
    draw: (image) => { pen.drawImage(image, 0, 0); empty = false; },
  };
}

// an ordinary form: what was drawn goes along in the hidden field of its box, as a PNG in Base64
for (const box of document.querySelectorAll("[data-sign]")) {
  const kept = box.querySelector("input[type=hidden]");
  const pad = signaturePad(box.querySelector("canvas"), box.querySelector("button"), async (blank) => {
    kept.value = "";
    if (blank) return;
    let text = "";
    for (const byte of new Uint8Array(await pad.bytes())) text += String.fromCharCode(byte);
    kept.value = btoa(text);
  });
  box.hidden = false;
}
