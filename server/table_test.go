package server_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/client/wire"
)

// source is the program's own code, as far as it meets callers: what answers somebody is found there, so that nothing can be added
// without a row in the tables of the tests.
type source struct {
	t         *testing.T
	constants map[string]string // texts, by name
	numbers   map[string]int
	files     []*ast.File
}

// answering are the packages that answer callers, or tell of them.
var answering = []string{"access", "api", "api/ofrep", "history", "notify", "server", "web", "webhook", "client/wire"}

func readSource(t *testing.T) *source {
	t.Helper()
	s := &source{t: t, constants: map[string]string{}, numbers: map[string]int{}}
	for _, dir := range answering {
		names, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %v", dir, err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			s.files = append(s.files, f)
		}
	}
	s.each(func(n ast.Node) {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Values) == len(spec.Names) {
			for i, name := range spec.Names {
				if text, ok := s.text(spec.Values[i]); ok {
					s.constants[name.Name] = text
				}
				if literal, ok := spec.Values[i].(*ast.BasicLit); ok && literal.Kind == token.INT {
					s.numbers[name.Name], _ = strconv.Atoi(literal.Value)
				}
			}
		}
	})
	return s
}

func (s *source) each(visit func(ast.Node)) {
	for _, f := range s.files {
		ast.Inspect(f, func(n ast.Node) bool { visit(n); return true })
	}
}

// text is an expression that is a text from the start.
func (s *source) text(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil && e.Kind == token.STRING
	case *ast.Ident:
		text, ok := s.constants[e.Name]
		return text, ok
	case *ast.SelectorExpr:
		return s.text(e.Sel)
	case *ast.BinaryExpr:
		left, ok := s.text(e.X)
		right, also := s.text(e.Y)
		return left + right, ok && also
	}
	return "", false
}

// calls visits the calls of functions of some names, with the arguments that are texts; others are empty.
func (s *source) calls(names []string, visit func(call *ast.CallExpr, arguments []string)) {
	s.each(func(n ast.Node) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return
		}
		name := nameOf(call.Fun)
		if !slices.Contains(names, name) {
			return
		}
		arguments := make([]string, len(call.Args))
		for i, a := range call.Args {
			arguments[i], _ = s.text(a)
		}
		visit(call, arguments)
	})
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// routes are the patterns that routers are given, and the beginnings of paths that go past them.
func (s *source) routes() (patterns []string) {
	s.calls([]string{"Handle", "HandleFunc"}, func(call *ast.CallExpr, arguments []string) {
		if len(arguments) == 2 && arguments[0] != "" {
			patterns = append(patterns, strings.Replace(arguments[0], "...}", "}", 1))
		}
	})
	s.calls([]string{"HasPrefix", "CutPrefix"}, func(call *ast.CallExpr, arguments []string) {
		if path, ok := call.Args[0].(*ast.SelectorExpr); ok && path.Sel.Name == "Path" && nameOf(path.X) == "URL" {
			patterns = append(patterns, arguments[1])
		}
	})
	return patterns
}

// apart are patterns that are no route: what is beneath them is found otherwise, or is not there.
var apart = map[string]string{
	"/":       "nothing, or the page, which holds no configuration",
	"/v1/":    "a working tree on this machine, by the routes of api",
	"/ofrep/": "what placeOf of package ofrep knows",
	"/env/":   "the same, for one environment",
}

// described tells whether a document has a pattern.
func described(routes []string, pattern string) bool {
	method, path, named := strings.Cut(pattern, " ")
	if !named {
		method, path = "", pattern
	}
	return slices.ContainsFunc(routes, func(route string) bool {
		m, p, _ := strings.Cut(route, " ")
		return (method == "" || m == method) && (p == path || p == strings.TrimSuffix(path, "/")+"/{path}")
	})
}

func TestEveryRouteAndMessageHasARow(t *testing.T) {
	s, routes := readSource(t), routes(openAPI(t))
	patterns := s.routes()
	if len(patterns) < 25 {
		t.Fatalf("no more than these were found: %q", patterns)
	}
	for _, pattern := range patterns {
		if apart[pattern] == "" && !described(routes, pattern) {
			t.Errorf("%s is served, and docs/openapi.yaml does not describe it", pattern)
		}
	}
	for _, route := range routes {
		if surface[route] == nil {
			t.Errorf("%s has no row in the table of surfaces", route)
		}
	}
	fromClients := []string{wire.TypeHello, wire.TypeUpdate, wire.TypeAck, wire.TypeNack}
	for name, text := range s.constants {
		if strings.HasPrefix(name, "Type") && !slices.Contains(fromClients, text) && surface[text] == nil {
			t.Errorf("the message %s has no row in the table of surfaces", text)
		}
	}
}

// telling are the codes of errors whose words or hints hold something of the configuration, its history or its environments: rows of the
// table of surfaces must bring them out.
var telling = []string{"pathNotFound", "unknownEnvironment", "unfit", "unknownVersion"}

// silent are the codes of the others: their words are the program's own and what the caller sent, or the names of what is granted: those about
// pins, stops and definitions are for who may operate a whole environment. OpenFeature's codes are its own.
var silent = strings.Fields(`
	ambiguousDefinition ambiguousVersion badBody badCommit badContext badFormat badHead badLimit badMessage badPath badPattern
	badPeriod badQuery badTime badToken badTrim beforeHistory broken brokenOff busy contextOfThePast credentialInURL
	credentialMalformed credentialMissing credentialScheme credentialTwice fault fledFrom forbidden forwarded hostNotLocal incomplete
	invalid jwtAlgorithm jwtAudience jwtExpired jwtIssuer jwtKey jwtKeysUnavailable jwtNoGrant jwtNotYetValid jwtSignature logUnavailable
	manyStops methodNotAllowed needed noEnvironment noHello noHistory noReason noVersion notAccepted notFound notMade notPinned notReady notRecorded
	notRevoked notStopped operatorNotLocal originForeign pastUnavailable peerNotLocal queryTooMuch requestUnread rightMissing serverStops silent
	ticketNeedsCredential ticketUnknown tokenExpired tokenUnknown tooLarge tooManyConnectionsAddress tooManyFailures tooManyFollowers tooManyFollowersIdentity tooManyMessages
	tooManyPatterns tooManyPatternsAddress tooManyRequests tooManyRequestsAddress tooManySessions tooManySessionsAddress
	tooManySessionsServer tooManyStreamsAddress tooManyStreamsServer tooManyTickets tooManyUpdates tooManyViews tooManyWebhooks tooSlow unauthorized unavailable
	unknownCommit unknownDefinition unknownToken unsupportedType webhookTooLarge webhookUnauthorized
`)

// ofSnapshots are reasons that are no errors.
var ofSnapshots = []string{wire.ReasonHello, wire.ReasonUpdate, wire.ReasonUnknownCursor, wire.ReasonStaleCursor, wire.ReasonLargeChange}

// labels are those that metrics may have. None holds a path, a value or a name of a file; environments are told to whoever may see metrics.
var labels = []string{
	"branch", "commit", "environment", "event", "goversion", "issuer", "kind", "le", "outcome", "quantile", "reason", "revision", "state", "type", "verdict", "version",
}

var labelled = regexp.MustCompile(`[{,]([a-zA-Z_]+)="`)

func TestEveryLabelHasARow(t *testing.T) {
	s, _ := planted(t)
	_, metrics := s.request(http.MethodGet, s.ops+"/metrics", nil, nil)
	for line := range strings.Lines(string(metrics)) {
		for _, found := range labelled.FindAllStringSubmatch(line, -1) {
			if !strings.HasPrefix(line, "#") && !slices.Contains(labels, found[1]) {
				t.Errorf("the label %s has no row: %s", found[1], line)
			}
		}
	}
}

// logged are the keys of what the log tells beside its messages, which are the program's own words. None is of a value.
var logged = strings.Fields(`component issuer err env fault untold stack reason identity network count file mode was is records addr repo branch maxSessions`)

func TestEveryKeyOfTheLogHasARow(t *testing.T) {
	s := readSource(t)
	s.calls([]string{"Debug", "Info", "Warn", "Error"}, func(call *ast.CallExpr, arguments []string) {
		if on, method := call.Fun.(*ast.SelectorExpr); !method || nameOf(on.X) == "http" {
			return
		}
		for i := 1; i+1 < len(arguments); i += 2 {
			if key := arguments[i]; key != "" && !slices.Contains(logged, key) {
				t.Errorf("the log tells %s, which has no row", key)
			}
		}
	})
}
