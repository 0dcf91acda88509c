// A second click does nothing: the button rests while its form is on the way, and wakes when the page is shown again.
document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (!button || event.target.method === "get") return;
  // after the browser has gathered the form, or the button's own name and value would be lost; and after the page's own
  // script has had its say: a form that it sends itself keeps its button
  setTimeout(() => {
    if (event.defaultPrevented) return;
    button.disabled = true;
    if (button.dataset.busy) button.textContent = button.dataset.busy;
  });
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
// an error beside a form is brought into view and read out
document.addEventListener("DOMContentLoaded", () => {
  const wrong = document.querySelector("main [aria-invalid], main form .note.error");
  if (wrong) wrong.matches("input, select, textarea") ? wrong.focus() : wrong.scrollIntoView({ block: "center" });
});
