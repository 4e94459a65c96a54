"use strict";
// what is wider than the window says so: page.css
(() => {
  const regions = document.querySelectorAll(".scroll");
  const say = () => regions.forEach((region) => region.classList.toggle("wider", region.scrollWidth > region.clientWidth));
  say();
  const watcher = new ResizeObserver(say); // of the window, and of what a <details> opens
  regions.forEach((region) => watcher.observe(region));
})();
