// The theme, as the system has it unless the reader chose one. This is a script of its own, and not a module, because
// it must run before the page is drawn: otherwise a dark page would flash up light.
(() => {
  // A browser may forbid storage. The choice then holds until the page is left.
  const kept = () => {
    try {
      return localStorage.getItem("sextant-theme");
    } catch {
      return null;
    }
  };
  const keep = (theme) => {
    try {
      localStorage.setItem("sextant-theme", theme);
    } catch {
      // Nothing is lost but the choice.
    }
  };
  const show = (theme) => {
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  show(kept());
  addEventListener("DOMContentLoaded", () => {
    const choice = document.getElementById("theme");
    choice.value = document.documentElement.dataset.theme || "auto";
    choice.addEventListener("change", () => {
      show(choice.value);
      keep(choice.value);
    });
  });
})();
