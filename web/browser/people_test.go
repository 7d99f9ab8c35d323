//go:build browser

package browser_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/server"
)

// TestKeyboard goes through the page without a mouse.
func TestKeyboard(t *testing.T) {
	w := begin(t)
	p := launch(t).open(t)
	p.visit(w.url)
	p.shows("Up to date")
	want := []string{"Skip to the content", "Trunkline", "Overview", "Versions", "Values", "Compare", "Audit", "Token", "Theme"}
	for _, name := range want {
		p.press("Tab")
		if got := p.focused(); got != name {
			t.Fatalf("the focus is on %q, and not on %q", got, name)
		}
		p.outlined(name)
	}
	for range want[1:] {
		p.press("Tab", true)
	}
	p.press("Enter") // skips
	p.until(`document.activeElement.id === "main"`)
	p.press("Tab")
	p.until(`document.activeElement.closest("main")`)

	p.eval(`document.querySelector("nav.views a[data-view=versions]").focus()`, nil)
	p.press("Enter")
	p.until(`document.activeElement.tagName === "H1" && document.activeElement.innerText === "Versions"`)
	p.until(`document.title === "Versions · Trunkline"`)
	p.until(`document.querySelector("nav.views [aria-current=page]").innerText === "Versions"`)
	p.settled()

	// Everything that can be operated is reached, in the order in which it stands.
	var order []string
	p.eval(`void (document.activeElement.blur(), scrollTo(0, 0))`, nil)
	p.visit(w.url + "#/values?env=prod")
	p.settled()
	var all []string
	p.eval(`[...document.querySelectorAll("main a, main button, main input, main select, main summary, main [tabindex='0']")].filter((e) => e.checkVisibility()).map((e) => e.labels?.[0]?.innerText || e.innerText || e.getAttribute("aria-label")).map((t) => t.trim())`, &all)
	p.eval("document.getElementById('theme').focus()", nil)
	for range all {
		p.press("Tab")
		order = append(order, p.focused())
	}
	if !slices.Equal(order, all) {
		t.Errorf("the focus goes\n%q\nand what stands there is\n%q", order, all)
	}

	// A form is sent from any of its fields.
	p.eval(`document.querySelector("input[name=pattern]").focus()`, nil)
	p.write("database.primary")
	p.press("Enter")
	p.until(`location.hash.includes("pattern=database.primary")`)
	p.until(`[...document.querySelectorAll("tbody th")].every((e) => e.innerText.startsWith("database.primary"))`)
	if got := p.focused(); got != "Path" {
		t.Errorf("after the search the focus is on %q", got)
	}
}

// outlined checks that the focus can be seen.
func (p *tab) outlined(what string) {
	p.Helper()
	var style string
	p.eval(`(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + " " + parseFloat(s.outlineWidth) })()`, &style)
	if !strings.HasPrefix(style, "solid ") || strings.HasSuffix(style, " 0") {
		p.Errorf("the focus on %s cannot be seen: %s", what, style)
	}
}

// TestTheme follows the system until somebody chooses, and then the choice, after a reload too.
func TestTheme(t *testing.T) {
	w := begin(t)
	p := launch(t).open(t)
	dark := func(want bool) {
		t.Helper()
		p.until(fmt.Sprintf(`(() => { const c = getComputedStyle(document.body).backgroundColor.match(/[\d.]+/g).map(Number); return (c[0] < 100) === %t })()`, want))
	}
	p.prefer("light")
	p.visit(w.url)
	p.shows("Up to date")
	dark(false)
	p.prefer("dark")
	dark(true)
	p.prefer("light")
	p.eval(`document.getElementById("theme").focus()`, nil)
	for range 2 {
		p.press("ArrowDown")
	}
	dark(true)
	p.visit(w.url)
	dark(true)
	p.shows("Up to date")
	p.eval(`(() => { const s = document.getElementById("theme"); s.value = ""; s.dispatchEvent(new Event("change")) })()`, nil)
	dark(false)
	p.visit(w.url)
	p.shows("Up to date")
	dark(false)
}

// TestAToken signs in where nobody is let in without, and sees what the token grants and nothing else.
func TestAToken(t *testing.T) {
	w := begin(t, func(s *server.Settings) { s.CredentialsOnly = true })
	w.edit("config/checkout.yaml", "timeout: 30s", "timeout: 20s")
	first := w.push("Give up after 20 s", "Ada Lovelace")
	w.edit("config/search.toml", "newRanking = false", "newRanking = true")
	second := w.push("Rank search results anew", "Alan Turing")
	reader := w.token("reader", []string{"prod"}, []string{"checkout.**"}, 0)
	historian := w.token("historian", []string{"prod"}, []string{"checkout.**"}, access.History)

	p := launch(t).open(t)
	p.expect("status of 401")
	p.expect("status of 403")
	p.expect("status of 404")
	p.visit(w.url)
	p.shows("This server asks for a token")

	sign := func(token string) {
		p.eval(`document.getElementById("token-text").focus()`, nil)
		p.write(token)
		p.press("Enter")
	}
	sign("tlk_" + strings.Repeat("a", 50))
	p.shows("The server asks for a credential that it knows.")

	sign(reader)
	p.shows("Your credential does not include the right history.")
	p.hides("staging", "prodEu", "Alan Turing", "search")
	p.follow("#/values")
	p.shows("checkout.timeout")
	p.hides("staging", "search", "database")
	p.follow("#/versions")
	p.shows("The credential you use does not allow this.")
	p.shows("--right history")
	p.follow("#/values?env=staging")
	p.shows("There is no such thing, or your credential does not show it.")
	p.follow("#/audit")
	p.shows("The credential you use does not allow this.")

	p.follow("#/token")
	p.shows("A token is in use")
	sign(historian)
	p.shows("Up to date")
	p.hides("staging", "prodEu")
	p.follow("#/versions")
	p.shows(first[:7])
	p.hides(second[:7], "Rank search", "staging")
	p.follow("#/versions/" + second)
	p.shows("No record tells of this version.")
	p.follow("#/versions/" + first)
	p.shows("checkout.timeout")
	p.hides("staging", "search")

	var kept struct{ Session, Local, Cookie, Address string }
	p.eval(`({Session: sessionStorage.getItem("trunkline.token"), Local: JSON.stringify(localStorage), Cookie: document.cookie, Address: location.href})`, &kept)
	if kept.Session != historian || strings.Contains(kept.Local+kept.Cookie+kept.Address, "tlk_") {
		t.Errorf("the token is kept as %+v", kept)
	}
	for _, r := range p.asked("/v1/") {
		if strings.Contains(r.url, "tlk_") {
			t.Errorf("the token stands in the address %s", r.url)
		}
	}

	p.follow("#/token")
	p.click("button.second")
	p.shows("This server asks for a token")
	p.visit(w.url)
	p.shows("This server asks for a token")
}

// hides checks that nothing of the page says what is not granted.
func (p *tab) hides(texts ...string) {
	p.Helper()
	p.settled()
	shown := p.text()
	for _, text := range texts {
		if strings.Contains(shown, text) {
			p.Errorf("the page shows %q:\n%s", text, shown)
		}
	}
}

// TestAHiddenPageAsksNothing looks again at once when it is seen again.
func TestAHiddenPageAsksNothing(t *testing.T) {
	w := begin(t)
	p := launch(t).open(t)
	p.visit(w.url)
	p.shows("Up to date")
	hide := func(hidden bool) {
		p.eval(fmt.Sprintf(`(() => { Object.defineProperty(document, "hidden", {value: %t, configurable: true}); document.dispatchEvent(new Event("visibilitychange")) })()`, hidden), nil)
	}
	looks := func() int { return len(p.asked("/v1/status")) }
	hide(true)
	w.edit("config/checkout.yaml", "timeout: 30s", "timeout: 20s")
	commit := w.push("Give up after 20 s", "Ada Lovelace")
	before := looks()
	// Three looks' time, counted by the browser's own clock.
	p.eval(`new Promise((done) => setTimeout(done, 6500))`, nil)
	if now := looks(); now > before+1 {
		t.Errorf("a hidden page has looked %d times", now-before)
	}
	if strings.Contains(p.text(), commit[:7]) {
		t.Error("a hidden page has looked")
	}
	hide(false)
	p.shows(commit[:7])
}

// TestTheServerGoes says so, and goes on when it is back.
func TestTheServerGoes(t *testing.T) {
	w := begin(t)
	p := launch(t).open(t)
	p.expect("ERR_INTERNET_DISCONNECTED")
	p.visit(w.url)
	p.shows("Up to date")
	offline := func(is bool) {
		p.do("Network.emulateNetworkConditions", map[string]any{"offline": is, "latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}, nil)
	}
	offline(true)
	p.until(`document.getElementById("connection").innerText.includes("Not reachable")`)
	p.shows("Up to date") // what was seen stays
	p.follow("#/versions")
	p.shows("The server does not answer.")
	offline(false)
	p.until(`document.getElementById("connection").innerText.includes("Connected")`)
	p.shows("Begin with the shop's configuration")
}
