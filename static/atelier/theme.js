// Follows the system's choice of light or dark. The stylesheet does so by itself; the attribute is for Bootstrap's own rules.
// Stands in the head and is not deferred, so that a page is never painted in the wrong one.
(function () {
  "use strict";
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.setAttribute("data-bs-theme", dark.matches ? "dark" : "light");
  follow();
  dark.addEventListener("change", follow);
})();
