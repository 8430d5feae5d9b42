// Unfold writes JavaScript into attributes and expects Alpine to compile it. Our Content-Security-Policy forbids eval, so the
// console runs Alpine's CSP build, which reads a subset: one expression, no globals, no arrow functions, no templates.
// This file gives that build what Unfold's attributes need: its components, stand-ins for the globals they name, and a
// handler for each expression outside the subset. Expressions of every supported version of Unfold are listed.
(() => {
  "use strict";

  const stored = (key, fallback) => (localStorage.getItem(key) === null ? fallback : localStorage.getItem(key) === "1");

  // Handlers run with the component's scope as `this`.
  const handlers = {
    bridgeSidebarToggle() {
      this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
      localStorage.setItem("sidebarDesktopOpen", this.sidebarDesktopOpen ? "1" : "0");
    },
    bridgeSidebarStored() {
      return stored("sidebarDesktopOpen", true);
    },
    bridgeSidebarWidth() {
      return `width: ${this.sidebarWidth}px`;
    },
    bridgeSidebarResize(event) {
      if (!this.resizing) return;
      const rightToLeft = getComputedStyle(document.documentElement).direction === "rtl";
      const edge = document.getElementById("nav-sidebar").getBoundingClientRect().right;
      const width = rightToLeft ? edge - event.clientX : event.clientX;
      this.sidebarWidth = Math.min(this.max, Math.max(this.min, width));
      localStorage.setItem("sidebarWidth", this.sidebarWidth);
    },
    bridgeFormAction() {
      const here = window.location.pathname + window.location.search;
      return this.activeTab && this.activeTab !== "general" ? `${here}#${this.activeTab}` : here;
    },
    bridgeSearchFocus() {
      this.openSearchResults = true;
      this.currentIndex = 0;
    },
    bridgeSearchEscape(event) {
      this.openSearchResults = false;
      if (event.target.value === "") event.target.blur();
      else event.target.value = "";
    },
    bridgeCommandEnter(event, remember) {
      if (!event.metaKey && !event.ctrlKey) this.selectItem(remember, false);
    },
    bridgeUserLinks(event) {
      if (!event.target.closest("a")) this.openUserLinks = !this.openUserLinks;
    },
    getCurrentTab() {
      return typeof window.getCurrentTab === "function" ? window.getCurrentTab() : null;
    },
  };

  const storedSidebar = "(localStorage.getItem('sidebarDesktopOpen') !== null) ? (localStorage.getItem('sidebarDesktopOpen') == '1') : true";
  const rewrites = [
    [storedSidebar, "bridgeSidebarStored()"],
    [/;\s*\$watch\('sidebarDesktopOpen'.*$/, ""],
    [/^sidebarDesktopOpen = !sidebarDesktopOpen; localStorage.*$/, "bridgeSidebarToggle()"],
    ["`width: ${sidebarWidth}px`", "bridgeSidebarWidth()"],
    [/^if \(resizing\).*$/, "bridgeSidebarResize($event)"],
    [/^activeTab && activeTab !== 'general' \? window\.location.*$/, "bridgeFormAction()"],
    [/^openSearchResults = true; currentIndex = 0$/, "bridgeSearchFocus()"],
    [/^openSearchResults = false; if \(\$refs.*$/, "bridgeSearchEscape($event)"],
    [/^if \(!\$event\.metaKey && !\$event\.ctrlKey\) selectItem\((true|false), false\)$/, "bridgeCommandEnter($event, $1)"],
    [/^if \(!\$event\.target\.closest\('a'\)\).*$/, "bridgeUserLinks($event)"],
  ];

  function translate(root) {
    for (const element of root.querySelectorAll("*")) {
      for (const { name, value } of Array.from(element.attributes)) {
        if (!/^(x-|@|:)/.test(name) || !value) continue;
        const before = value.replace(/\s+/g, " ").trim();
        const after = rewrites.reduce((text, [from, to]) => text.replace(from, to), before);
        if (after !== before) element.setAttribute(name, after);
      }
      if (element.tagName === "TEMPLATE") translate(element.content);
    }
  }

  function register() {
    for (const element of document.querySelectorAll("[x-data]")) {
      const name = /^\s*(\w+)\(/.exec(element.getAttribute("x-data"))?.[1];
      const component = name && window[name];
      if (typeof component !== "function") continue;
      window.Alpine.data(name, (...given) => {
        const made = component(...given);
        const root = element === document.documentElement;
        return root ? Object.defineProperties(made, Object.getOwnPropertyDescriptors(handlers)) : made;
      });
    }
  }

  document.addEventListener("alpine:init", () => {
    translate(document);
    register();
  });
})();
