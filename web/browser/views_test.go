//go:build browser

// Package browser_test looks at the page as people do: in a real Chromium, on a real server that follows a real Git remote. Every test
// fails on an error on the console, an exception, or a violation of the page's policy.
package browser_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/access"
	"github.com/trunkline/trunkline/internal/gittest"
)

// history is a remote in which everything has happened that views show.
type history struct {
	*world
	begin, shorter, bad, mended, ranked, reverted, hostile, blocked string
}

// hostile is text that would act if anything in the page read it as HTML.
const hostile = `<img src=x onerror="console.error('it acted')"><script>console.error('it acted')</script>`

func tell(t *testing.T) *history {
	t.Helper()
	w := begin(t)
	h := &history{world: w, begin: w.remote.Head()}
	w.remote.Git("tag", "v1.0")
	w.edit("config/checkout.yaml", "timeout: 30s", "timeout: 20s")
	h.shorter = w.push("Give up on checkouts after 20 s", "Ada Lovelace")
	w.edit("config/checkout.yaml", "retries: 3", "retries: 30")
	h.bad = w.push("Try much harder", "Grace Hopper")
	w.edit("config/checkout.yaml", "retries: 30", "retries: 5")
	h.mended = w.push("Try five times, as the schema allows", "Grace Hopper")
	w.edit("config/search.toml", "newRanking = false", "newRanking = true")
	h.ranked = w.push("Rank search results anew", "Alan Turing")
	w.remote.Git("revert", "--no-edit", "HEAD")
	w.announce()
	h.reverted = w.remote.Head()
	w.judged(h.reverted)
	w.remote.Write(map[string]string{"config/notes.yaml": "text: " + quoted(hostile) + "\nnumbers: [9007199254740993, 1.0]\nempty: {}\nnames: " + quoted(strings.Repeat("many words ", 40)) + "\n"})
	h.hostile = w.push("Note "+hostile, "Mallory "+hostile)
	w.edit("environments/staging/checkout.yaml", "timeout: 60s", "timeout: a minute")
	h.blocked = w.push("Wait for a minute in staging", "Alan Turing")
	w.pin("prodEu", h.mended, "checkout fails in Europe since the new ranking")
	return h
}

// view is one of the page, with what it must show.
type view struct {
	name, hash string
	shows      []string
}

// looksWell has a view checked for what keeps people out, light and dark, wide and on a phone.
func (p *tab) looksWell(v view) {
	p.Helper()
	p.follow(v.hash)
	p.settled()
	for _, text := range v.shows {
		p.shows(text)
	}
	for _, scheme := range []string{"light", "dark"} {
		p.prefer(scheme)
		p.accessible(scheme)
		p.shot(v.name + "-" + scheme)
	}
	p.prefer("light")
	p.size(narrow, 740)
	p.fits()
	p.accessible("on a phone")
	p.shot(v.name + "-phone")
	p.size(wide, 900)
	p.check()
}

// views are all there are.
func (h *history) views() []view {
	return []view{
		{"overview", "#/", []string{"prod", "staging", "Blocked", "environments/staging/checkout.yaml:1:10", "Pinned", "checkout fails in Europe", "Recent versions", h.blocked[:7]}},
		{"versions", "#/versions", []string{"Try five times", "rejected in prod, prodEu, staging", "Restores exactly", "v1.0", "Grace Hopper"}},
		{"versions-filtered", "#/versions?verdict=rejected&env=prod&author=grace", []string{"Try much harder"}},
		{"versions-none", "#/versions?author=nobody", []string{"No version is like that."}},
		{"version", "#/versions/" + h.mended, []string{"Try five times", "Verdicts", "checkout.retries", "config/checkout.yaml", "How to go back to it"}},
		{"version-rejected", "#/versions/" + h.bad, []string{"Try much harder", "30 is more than the maximum, 10", "config/checkout.yaml:2:10"}},
		{"version-rollback", "#/versions/" + h.reverted, []string{"Restores exactly " + h.mended[:7]}},
		{"version-unknown", "#/versions/" + strings.Repeat("0", 40), []string{"No record tells of this version."}},
		{"values", "#/values?env=prod", []string{"checkout.timeout", `"20s"`, "9007199254740993", "redacted"}},
		{"values-tree", "#/values?env=prod&view=tree", []string{"checkout", "timeout"}},
		{"values-blamed", "#/values?env=prod&pattern=checkout&who=yes", []string{"checkout.retries", h.mended[:7], "Grace Hopper"}},
		{"values-past", "#/values?env=prod&at=v1.0&pattern=checkout", []string{`"30s"`, "as of " + h.begin[:7]}},
		{"values-text", "#/values?env=prod&text=20S", []string{"checkout.timeout"}},
		{"values-widened", "#/values?env=prod&pattern=pool", []string{"these are all paths with it", "database.primary.pool"}},
		{"values-none", "#/values?env=prod&text=nowhere", []string{"No value holds that text."}},
		{"value", "#/value?env=staging&path=checkout.timeout", []string{`"60s"`, "config/checkout.yaml", "environments/staging/checkout.yaml", "overrides it", h.shorter[:7], "In other environments", "The value is as it was when judging began."}},
		{"value-map", "#/value?env=prod&path=checkout", []string{`"retries": 5`, "checkout.retries " + h.mended[:7] + " Grace Hopper", "4 values differ between environments", "Give up on checkouts after 20 s"}},
		{"value-missing", "#/value?env=prod&path=checkout.none", []string{"checkout.none holds no value"}},
		{"compare", "#/compare", []string{"Choose what to compare."}},
		{"compare-versions", "#/compare?env=prod&from=v1.0&to=" + h.mended, []string{"checkout.timeout", `"30s"`, `"20s"`, "changed", "2 differences"}},
		{"compare-environments", "#/compare?env=prod&toEnv=staging", []string{"checkout.timeout"}},
		{"compare-matrix", "#/compare?mode=matrix", []string{"checkout.timeout", "prodEu", "staging"}},
		{"compare-unknown", "#/compare?env=prod&from=v9.9", []string{"There is no such thing"}},
		{"audit", "#/audit", []string{"prodEu", "Pinned at " + h.mended[:7], "checkout fails in Europe"}},
		{"audit-verdicts", "#/audit?kind=commit&env=staging", []string{"Rejected " + h.blocked[:7]}},
		{"token", "#/token", []string{"You see what callers of this machine may.", "How to get one"}},
		{"nothing", "#/nothing", []string{"There is nothing here"}},
	}
}

// TestEveryView visits each view, light and dark, wide and on a phone, and has each checked for what keeps people out.
func TestEveryView(t *testing.T) {
	h := tell(t)
	c := launch(t)
	p := c.open(t)
	p.expect("status of 404") // of what is not there, which is told in words
	p.visit(h.url)
	p.settled()
	for _, view := range h.views() {
		t.Run(view.name, func(t *testing.T) {
			defer func(whole testing.TB) { p.TB = whole }(p.TB)
			p.TB = t
			p.looksWell(view)
		})
	}
}

// TestOverrides looks at what a rollout does to the views.
func TestOverrides(t *testing.T) {
	w := begin(t)
	rollout := "environments: [prod, staging]\nsalt: '41be77c20a9d'\nset: {checkout.timeout: 10s}\nrules:\n  - {name: some, percentage: 20%}\n"
	w.remote.Write(map[string]string{"rollouts/quick.yaml": rollout})
	w.push("Begin with a fifth", "Ada Lovelace")
	w.edit("rollouts/quick.yaml", "20%", "40%")
	grown := w.push("Go on to two fifths", "Ada Lovelace")
	body := []byte(`{"environment": "prod", "key": "quick", "reason": "carts are lost since then"}`)
	w.ask(http.MethodPost, "/v1/stops", body, w.operator(), nil)
	token := w.token("ada", []string{"*"}, []string{"**"}, access.History|access.Define)
	p := launch(t).open(t)
	p.visit(w.url + "#/token")
	p.shows("How to get one")
	p.eval(`document.getElementById("token-text").focus()`, nil)
	p.write(token)
	p.press("Enter")
	p.until(`document.getElementById("credential").innerText === "Token in use"`)
	for _, view := range []view{
		{"stopped", "#/", []string{"1 stopped", "Stopped: rollout quick", "carts are lost since then", "Everybody gets what is configured", "rollout quick (some): adds 2,000 slots in prod, staging"}},
		{"versions-effects", "#/versions", []string{"rollout quick (some): adds 2,000 slots in prod, staging"}},
		{"version-effects", "#/versions/" + grown, []string{"Rollouts and experiments", "adds 2,000 slots", "rollouts/quick.yaml:5:5", "who gets what; see above"}},
		{"audit-stops", "#/audit?kind=stop", []string{"Stopped the rollout quick", "carts are lost since then", "prod"}},
		{"value-owned", "#/value?env=prod&path=checkout.timeout", []string{"Some may get another value: it is set by the rollout quick.", "trunkline explain 'checkout.timeout' --env prod --context targetingKey=u1"}},
	} {
		p.looksWell(view)
	}
	p.follow("#/value?env=prodEu&path=checkout.timeout")
	p.settled()
	if strings.Contains(p.text(), "Some may get another value") {
		t.Error("a rollout is told of where it does not count")
	}
	w.ask(http.MethodDelete, "/v1/stops/prod/quick", []byte(`{"reason": "they were not"}`), w.operator(), nil)
	p.follow("#/")
	p.until(`!document.querySelector("main").innerText.includes("Stopped: rollout quick")`)
}

// accessible has axe-core judge what is shown.
func (p *tab) accessible(what string) {
	p.Helper()
	var loaded bool
	if p.eval("Boolean(window.axe)", &loaded); !loaded {
		axe, err := os.ReadFile(filepath.Join("..", "node_modules", "axe-core", "axe.min.js"))
		if err != nil {
			p.Fatalf("%v: run web/setup.sh", err)
		}
		p.eval(string(axe)+";0", nil)
	}
	var found []struct {
		ID, Help string
		Nodes    []struct {
			HTML           string
			FailureSummary string
		}
	}
	// What is still arriving has not the colours yet that it will have.
	p.eval(`Promise.all(document.getAnimations().map((a) => a.finished.catch(() => 0))).then(() => 0)`, nil)
	p.eval(`axe.run(document, {resultTypes: ["violations"]}).then((r) => r.violations)`, &found)
	for _, v := range found {
		var where []string
		for _, n := range v.Nodes[:min(3, len(v.Nodes))] {
			where = append(where, n.HTML+"\n\t"+n.FailureSummary)
		}
		p.Errorf("%s: %s: %s\n%s", what, v.ID, v.Help, strings.Join(where, "\n"))
	}
}

// fits checks that nothing sticks out to the right, so that nobody has to scroll the page sideways.
func (p *tab) fits() {
	p.Helper()
	var wide []string
	p.eval(`[...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, .views, .unseen, pre")).map((e) => e.outerHTML.slice(0, 200))`, &wide)
	var scrolls bool
	p.eval(`document.documentElement.scrollWidth > innerWidth`, &scrolls)
	if len(wide) > 0 || scrolls {
		p.Errorf("it is wider than the screen: %q", wide)
	}
}

// TestAPushAppears keeps a page open while commits are pushed.
func TestAPushAppears(t *testing.T) {
	w := begin(t)
	p := launch(t).open(t)
	p.visit(w.url)
	p.shows("Up to date")
	p.eval("void (window.same = true)", nil)

	w.edit("config/checkout.yaml", "timeout: 30s", "timeout: 20s")
	good := w.push("Give up after 20 s", "Ada Lovelace")
	p.shows(good[:7])
	p.until(`document.getElementById("news").innerText.includes("prod is live with ` + good[:7] + `: Give up after 20 s")`)

	w.edit("config/checkout.yaml", "retries: 3", "retries: 30")
	bad := w.push("Try much harder", "Grace Hopper")
	p.shows("Rejected: " + bad[:7])
	p.shows("30 is more than the maximum, 10")

	p.follow("#/values?env=prod&pattern=checkout")
	p.shows(`"20s"`)
	w.edit("config/checkout.yaml", "retries: 30", "retries: 4")
	w.push("Try four times", "Grace Hopper")
	p.shows("just changed")
	p.until(`[...document.querySelectorAll("tr.fresh th")].map((e) => e.innerText).join() === "checkout.retries"`)

	p.follow("#/versions")
	p.settled()
	last := w.push("Change nothing", "Ada Lovelace")
	p.shows(last[:7])
	var same bool
	if p.eval("window.same === true", &same); !same {
		t.Error("the page was loaded anew")
	}
}

// TestTextStaysText shows what a commit and its values hold as they are, whatever they would be as HTML.
func TestTextStaysText(t *testing.T) {
	h := tell(t)
	p := launch(t).open(t)
	p.visit(h.url)
	for _, hash := range []string{"#/", "#/versions", "#/versions/" + h.hostile, "#/values?env=prod&pattern=notes", "#/value?env=prod&path=notes.text", "#/compare?env=prod&path=notes.text&from=" + h.reverted, "#/audit?kind=commit"} {
		p.follow(hash)
		p.shows("<img src=x onerror=")
		var acted int
		if p.eval(`document.querySelectorAll("main img, main script").length`, &acted); acted > 0 {
			t.Errorf("%s: text has become %d elements", hash, acted)
		}
	}
}

// TestBackAndForth takes every step back, and opens addresses that others were sent.
func TestBackAndForth(t *testing.T) {
	h := tell(t)
	p := launch(t).open(t)
	p.visit(h.url + "#/versions?env=prod&verdict=rejected")
	p.shows("Try much harder")
	var chosen string
	if p.eval(`document.querySelector("select[name=verdict]").value`, &chosen); chosen != "rejected" {
		t.Errorf("the form says %q", chosen)
	}
	p.click("a.version-title")
	p.shows("30 is more than the maximum")
	p.follow("#/values?env=prod")
	p.shows("checkout.timeout")
	for _, text := range []string{"30 is more than the maximum", "Versions"} {
		p.eval("history.back()", nil)
		p.shows(text)
	}
	p.until(`location.hash === "#/versions?env=prod&verdict=rejected"`)
	p.eval("history.forward()", nil)
	p.shows("30 is more than the maximum")
}

// TestPages asks for a few versions at a time, however many there are.
func TestPages(t *testing.T) {
	w := begin(t)
	var commits []string
	for i := range 45 {
		w.remote.Write(map[string]string{"config/count.yaml": fmt.Sprintf("n: %d\n", i)})
		commits = append(commits, w.remote.Commit(fmt.Sprintf("Count to %d", i), gittest.Author("Ada", "ada@shop.example")))
	}
	w.announce()
	w.judged(commits[44])
	p := launch(t).open(t)
	p.visit(w.url + "#/versions")
	var seen []string
	for range 3 {
		p.settled()
		var page []string
		p.until(`!document.querySelector("main [aria-busy]") && document.querySelectorAll("a.version-title").length > 0`)
		p.eval(`[...document.querySelectorAll("a.version-title")].map((e) => e.hash.slice(-40))`, &page)
		if len(page) > 20 {
			t.Errorf("%d versions at a time", len(page))
		}
		seen = append(seen, page...)
		p.until(fmt.Sprintf(`(() => { const last = [...document.querySelectorAll(".pager a")].find((e) => e.innerText === "Older"); if (last) last.click(); return %t || last })()`, len(seen) >= 46))
		p.until(fmt.Sprintf(`%t || !document.querySelector("main").innerText.includes(%q)`, len(seen) >= 46, page[0][:7]))
	}
	slices.Reverse(seen)
	if len(seen) != 46 || !slices.Equal(seen[1:], commits) {
		t.Errorf("%d versions were shown, of 46", len(seen))
	}
	if n := len(p.asked("limit=20")); n < 3 {
		t.Errorf("%d pages were asked for", n)
	}
}
