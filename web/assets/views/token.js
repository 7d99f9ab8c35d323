// Signing in: a token for this tab.
import { h, icon } from "../dom.js";
import { command, refusal } from "../parts.js";
import { token } from "../store.js";

export function open(app, failure) {
  const locked = failure instanceof Error;
  const text = h("input", {
    id: "token-text",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    maxlength: 16384,
    "aria-describedby": "token-hint",
  });
  const form = h(
    "form",
    { class: "sign-in", onsubmit: use },
    h("label", { for: "token-text" }, "Token"),
    text,
    h(
      "p",
      { class: "field-hint", id: "token-hint" },
      "It begins with tlk_, or is a JSON Web Token. This tab keeps it until it is closed, and sends it to this server alone.",
    ),
    h(
      "div",
      { class: "actions" },
      h("button", { type: "submit" }, "Use it"),
      token.get() && h("button", { type: "button", class: "second", onclick: forget }, "Forget the token"),
    ),
  );

  function use(event) {
    event.preventDefault();
    const given = text.value.trim();
    if (!given) return;
    token.set(given);
    app.signedIn();
  }

  function forget() {
    token.set(null);
    app.signedIn();
  }

  return {
    title: "Token",
    node: h(
      "div",
      { class: "narrow" },
      h("h1", {}, locked ? "This server asks for a token" : "Token"),
      locked && (token.get() ? refusal(failure) : h("p", { class: "lead" }, "It shows what your token grants, and only reads.")),
      !locked &&
        h(
          "p",
          { class: "lead" },
          token.get()
            ? "A token is in use: you see what it grants."
            : "You see what callers of this machine may. With a token you see what it grants.",
        ),
      form,
      h(
        "details",
        {},
        h("summary", {}, "How to get one"),
        h("p", {}, "An operator makes it on the server’s machine. For this page it should have the right history:"),
        command("trunkline token new my-browser '**' --for '*' --right history --expires 30d"),
        h("p", { class: "hint" }, icon("more"), "What a token is not granted is as if it were not there."),
      ),
    ),
    show() {},
  };
}
