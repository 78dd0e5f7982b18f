package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/tools/txtar"

	"github.com/testamur/testamur/graph"
	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/credential"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/interop"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/mail"
	"github.com/testamur/testamur/internal/page"
	"github.com/testamur/testamur/internal/pgtest"
	"github.com/testamur/testamur/internal/record"
	"github.com/testamur/testamur/internal/testbed"
	"github.com/testamur/testamur/internal/verify"
)

var update = flag.Bool("update", false, "write the answers of stories and sessions anew")

// now is when every story happens.
var now = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

// TestStories tells the behaviour of the whole service: a file is a story, in
// which somebody asks and the service answers, through the handler that serve
// runs. The clock stands still, ids are counted, and what is random is masked.
//
//	-- given catalogue --     the demonstration's catalogue and learners; demo: what was
//	                          earned as well; degree: the degree program besides
//	-- as registrar --        a GraphQL operation, or METHOD PATH, headers, an empty line, a body
//	-- answer 200 ETag --     its status and body, and the headers that are named
//	-- work --                the background jobs that were asked for are done
//	-- cut 7 --               they are begun, and the process dies as it signs for the
//	                          seventh time; what is done next takes them up again
//	-- delivered --           what was sent to webhooks and by mail since it was looked at last
//	-- later 48h --           that much time passes; on other days nobody has to wait
//	-- keep --                the last answer is kept: in a JSON body "@kept" is its text,
//	                          "@kept Ada=>Bob" its text with one thing changed, and
//	                          "@kept /name" its member of that name;
//	                          @token@ is the token in it, @secret@ the secret of a webhook,
//	                          @etag@ the tag that it came with
//	-- keep pdf --            it is kept under a name besides: "@file pdf" is it in base64,
//	                          {{pdf}} its bytes
//	-- elsewhere --           every record that is on file is taken to the official schemas
//	                          and to Digital Bazaar's verifier, and each award in it alone
//	-- outside --             who has no account here verifies what is kept with a program of
//	                          their own, by the documents that the service publishes
//	-- token jwt --           what is kept, as a signed token instead of with a proof
//	-- stranger abroad --     a badge that somebody signed of whom nobody here knows
//
// Ids are written by their number: job_#2 is the second job. @times 12 {ab}@ is
// {ab} twelve times. /s/@2 is the second link that was told, /v/@2 the second page
// of a print. A PDF is told by the text on its pages.
// as takes a role, or a role and an institution (registrar@hillside), or
// learner and whose (learner S100001), or visitor.
func TestStories(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/stories/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txt"), func(t *testing.T) {
			t.Parallel()
			tell(t, f)
		})
	}
}

// tell plays a story. Its queries are answered alike by both ways to answer one.
func tell(t *testing.T, name string) {
	told, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if len(told.Comment) == 0 {
		t.Error("a story begins with what it shows")
	}
	s := newStage(t)
	var last, before *httptest.ResponseRecorder
	for i, f := range told.Files {
		words := strings.Fields(f.Name)
		switch words[0] {
		case "given":
			s.given(words[1])
		case "work":
			s.work()
		case "cut":
			n, err := strconv.Atoi(words[1])
			s.must(err)
			s.cut(n)
		case "later":
			d, err := time.ParseDuration(words[1])
			s.must(err)
			s.passed.Add(int64(d))
		case "delivered":
			data := s.out.told()
			if *update {
				told.Files[i].Data = []byte(data)
			} else if diff := cmp.Diff(string(f.Data), data); diff != "" {
				t.Errorf("delivered:\n%s", diff)
			}
		case "elsewhere", "outside":
			data := map[string]func() string{"elsewhere": s.elsewhere, "outside": s.outsider}[words[0]]()
			if *update {
				told.Files[i].Data = []byte(data)
			} else if diff := cmp.Diff(string(f.Data), data); diff != "" {
				t.Errorf("%s:\n%s", words[0], diff)
			}
		case "keep":
			if last != nil {
				last, before = nil, last
			}
			s.kept, s.tag = before.Body.String(), before.Header().Get("ETag")
			if len(words) > 1 {
				s.files[words[1]] = before.Body.Bytes()
			}
		case "token":
			s.files[words[1]] = s.asToken([]byte(s.kept))
		case "stranger":
			abroad := testbed.NewAbroad(1)
			s.files[words[1]] = abroad.Signed(t, abroad.Badge(1, "urn:uuid:00000000-0000-4000-8000-000000000009"))
		case "as":
			last = s.ask(strings.Join(words[1:], " "), string(f.Data))
		case "answer":
			if last == nil {
				t.Fatalf("%s: an answer without a question", f.Name)
			}
			headers := slices.DeleteFunc(words[1:], func(w string) bool { return w[0] <= '9' })
			name, data := "answer "+strings.Join(append([]string{fmt.Sprint(last.Code)}, headers...), " "), body(t, last, headers)
			if *update {
				told.Files[i] = txtar.File{Name: name, Data: []byte(data)}
			} else if diff := cmp.Diff(f.Name+"\n"+string(f.Data), name+"\n"+data); diff != "" {
				t.Errorf("question %d:\n%s\n%s", i, told.Files[i-1].Data, diff)
			}
			last, before = nil, last
		default:
			t.Fatalf("a story does not have %q", f.Name)
		}
	}
	t.Logf("%d queries were asked both ways", s.both)
	if queries := countQueries(told); s.both < queries {
		t.Errorf("%d of %d queries were asked both ways", s.both, queries)
	}
	if *update {
		if err := os.WriteFile(name, txtar.Format(told), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// countQueries are the queries of a story that can be asked twice.
func countQueries(told *txtar.Archive) (n int) {
	for _, f := range told.Files {
		if strings.HasPrefix(f.Name, "as ") && reading.Match(f.Data) && !leaving.Match(f.Data) {
			n++
		}
	}
	return n
}

// TestOpeningQueriesRun asks what the query page of the demonstration opens with.
func TestOpeningQueriesRun(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.given("degree")
	d := &demonstration{services: s.all, tokens: []roleToken{{access.Registrar, s.token("registrar"), ""}}}
	tabs := d.tabs(defaultAddr)
	if len(tabs) < 4 {
		t.Fatalf("%d tabs", len(tabs))
	}
	for _, tab := range tabs {
		if !strings.Contains(tab.Headers, d.tokens[0].Token) {
			t.Error("a tab has no token")
		}
		w := s.ask("registrar", tab.Query)
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"errors"`) || strings.Contains(w.Body.String(), `"userErrors":[{`) || w.Body.Len() < 200 {
			t.Errorf("%s\n%d %s", tab.Query, w.Code, w.Body)
		}
	}
	for _, tab := range d.tabs("0.0.0.0:8080") {
		if tab.Headers != "" {
			t.Error("a page that others can open holds a token")
		}
	}
}

// stage is a whole service on which a story happens.
type stage struct {
	t       testing.TB
	all     *services
	handler http.Handler
	plain   http.Handler // answers queries by gqlgen's own executor
	both    int          // how many were asked of both
	log     bytes.Buffer
	places  map[string]institution.ID
	tokens  map[string]string
	kept    string
	files   map[string][]byte // that were kept under a name
	tag     string            // that came with what is kept
	links   []string          // tokens of shares that were given out, in their order
	pages   []string          // and of the pages of prints
	out     *outside
	passed  atomic.Int64 // nanoseconds since the story began
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s := &stage{t: t, places: map[string]institution.ID{}, tokens: map[string]string{}, files: map[string][]byte{}}
	var mu sync.Mutex
	next := id.Sequence()
	text, err := keyring.NewMaster()
	s.must(err)
	master, err := keyring.ParseMaster(text)
	s.must(err)
	s.all, err = wire(parts{db: pgtest.New(t), now: func() time.Time { return now.Add(time.Duration(s.passed.Load())) }, master: master, origin: "https://records.example",
		newID: func(prefix string) string { mu.Lock(); defer mu.Unlock(); return next(prefix) }, log: slog.New(slog.NewJSONHandler(&s.log, nil))})
	s.must(err)
	s.out = &outside{t: t, guard: verify.NewFetcher(verify.Options{}), box: testbed.NewMailbox(t, nil)}
	s.all.shares.Webhooks = s.out
	s.all.shares.Mail, err = mail.New(mail.Settings{Server: s.out.box.Address, From: "records@records.example"})
	s.must(err)
	s.handler, err = s.all.handler(queryPage{})
	s.must(err)
	s.plain = graph.NewHandler(graph.Config{Resolver: s.all.resolver(), Actor: s.all.actor, Ordinary: true})
	url, email := demo.URL, demo.Email
	for _, p := range []struct {
		slug    string
		profile institution.Profile
	}{{demo.Slug, institution.Profile{Name: demo.Name, URL: &url, Email: &email}}, {"hillside", institution.Profile{Name: "Hillside Institute"}}} {
		in, err := s.all.institutions.Found(context.Background(), p.slug, p.profile)
		s.must(err)
		s.places[p.slug] = in.ID
	}
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) given(what string) {
	files := demo.Files()
	if what == "catalogue" {
		files = files[:5]
	}
	d := &demonstration{services: s.all, who: access.SystemOf(string(s.places[demo.Slug]), "demo"), p: &place{stderr: io.Discard}}
	for _, f := range files {
		s.must(d.load(context.Background(), f))
	}
	if what == "demo" || what == "degree" {
		s.must(d.consent(context.Background()))
	}
	if what == "degree" {
		s.must(d.study(context.Background()))
	}
}

// work does what the queue would do, here and now.
func (s *stage) work() {
	ctx := context.Background()
	for _, in := range s.places {
		who := access.SystemOf(string(in), "import")
		all, err := s.all.exchange.List(ctx, who, page.Args{})
		s.must(err)
		for _, j := range all.Nodes {
			if j.State == exchange.Queued || j.State == exchange.Running {
				s.must(s.all.exchange.Run(ctx, who, j.ID))
			}
		}
		fixes, err := s.all.records.Corrections(ctx, who, record.CorrectionFilter{}, page.Args{})
		s.must(err)
		for _, c := range fixes.Nodes {
			s.must(s.all.records.RunCorrection(ctx, access.SystemOf(string(in), "correct"), string(c.ID)))
		}
		_, err = s.all.programs.Reconcile(ctx, access.SystemOf(string(in), "award"))
		s.must(err)
		_, err = s.all.shares.SettleDue(ctx, access.SystemOf(string(in), "jobs"))
		s.must(err)
		_, err = s.all.shares.Tell(ctx, access.SystemOf(string(in), "jobs"), nil)
		s.must(err)
		_, err = s.all.shares.Deliver(ctx, access.SystemOf(string(in), "jobs"))
		s.must(err)
	}
}

// cut begins the jobs that were asked for and ends them where what is signed for
// the nth time is not kept yet.
func (s *stage) cut(n int) {
	ctx, died := context.Background(), errors.New("the process died")
	s.all.credentials.Step = func(step string) error {
		if step != credential.StepSealed {
			return nil
		}
		if n--; n > 0 {
			return nil
		}
		return died
	}
	defer func() { s.all.credentials.Step = nil }()
	for _, in := range s.places {
		who := access.SystemOf(string(in), "import")
		all, err := s.all.exchange.List(ctx, who, page.Args{})
		s.must(err)
		for _, j := range all.Nodes {
			if j.State != exchange.Queued {
				continue
			}
			if err := s.all.exchange.Run(ctx, who, j.ID); !errors.Is(err, died) {
				s.t.Fatalf("%s was not cut off: %v", j.ID, err)
			}
		}
	}
}

// token is the bearer token of somebody in a story.
func (s *stage) token(who string) string {
	if who == "visitor" {
		return ""
	}
	if t, ok := s.tokens[who]; ok {
		return t
	}
	role, slug, ok := strings.Cut(who, "@")
	if !ok {
		slug = demo.Slug
	}
	role, ref, isLearner := strings.Cut(role, " ")
	ctx, system := context.Background(), access.SystemOf(string(s.places[slug]), "story")
	n := institution.NewClient{Name: who, Roles: []access.Role{access.Role(role)}}
	if isLearner {
		l, err := s.all.learners.Find(ctx, system, "ref:"+demo.System+":"+ref)
		s.must(err)
		text := string(l.ID)
		n.LearnerID = &text
	}
	_, token, err := s.all.institutions.CreateClient(ctx, system, n)
	s.must(err)
	s.tokens[who] = token
	return token
}

var requestLine = regexp.MustCompile(`^(GET|HEAD|POST|PUT|DELETE|OPTIONS|PATCH) (\S+)\n`)

// ask sends a request as somebody.
func (s *stage) ask(who, text string) *httptest.ResponseRecorder {
	s.t.Helper()
	text = numbered.ReplaceAllStringFunc(text, func(short string) string {
		prefix, n, _ := strings.Cut(short, "_#")
		var u uuid.UUID
		number, err := strconv.ParseUint(n, 10, 64)
		s.must(err)
		binary.BigEndian.PutUint64(u[8:], number)
		return id.Of(prefix, u)
	})
	text = quoted.ReplaceAllStringFunc(text, func(q string) string {
		document := s.kept
		if name, ok := strings.CutPrefix(strings.Trim(q, `"`), "@kept /"); ok {
			var members map[string]json.RawMessage
			s.must(json.Unmarshal([]byte(s.kept), &members))
			document = string(members[name])
		}
		if old, changed, ok := strings.Cut(strings.TrimPrefix(strings.Trim(q, `"`), "@kept "), "=>"); ok {
			document = strings.Replace(document, old, changed, 1)
		}
		raw, err := json.Marshal(document)
		s.must(err)
		return string(raw)
	})
	text = strings.ReplaceAll(text, "@token@", token.FindString(s.kept))
	text = strings.ReplaceAll(text, "@secret@", secret.FindString(s.kept))
	text = strings.ReplaceAll(text, "@etag@", s.tag)
	text = repeated.ReplaceAllStringFunc(text, func(r string) string {
		m := repeated.FindStringSubmatch(r)
		n, err := strconv.Atoi(m[1])
		s.must(err)
		return strings.Repeat(m[2], n)
	})
	text = named.ReplaceAllStringFunc(text, func(short string) string {
		m := named.FindStringSubmatch(short)
		raw, ok := s.files[m[1]+m[2]]
		if !ok {
			s.t.Fatalf("%s: nothing is kept under that name", short)
		}
		if m[1] != "" {
			return `"` + base64.StdEncoding.EncodeToString(raw) + `"`
		}
		return string(raw)
	})
	text = givenOut.ReplaceAllStringFunc(text, func(short string) string {
		n, err := strconv.Atoi(short[len("/s/@"):])
		s.must(err)
		given := s.links
		if strings.HasPrefix(short, "/v/") {
			given = s.pages
		}
		if n < 1 || n > len(given) {
			s.t.Fatalf("%s: %d were given out", short, len(given))
		}
		return short[:len("/s/")] + given[n-1]
	})
	m := requestLine.FindStringSubmatch(text)
	var r *http.Request
	if m == nil {
		raw, err := json.Marshal(map[string]string{"query": text})
		s.must(err)
		r = httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(raw))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/graphql-response+json")
	} else {
		head, content, _ := strings.Cut(text[len(m[0]):], "\n\n")
		if strings.HasPrefix(text[len(m[0]):], "\n") {
			head, content = "", text[len(m[0])+1:]
		}
		r = httptest.NewRequest(m[1], m[2], strings.NewReader(content))
		for line := range strings.Lines(head) {
			if name, value, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
				r.Header.Add(name, value)
			}
		}
	}
	if t := s.token(who); t != "" && r.Header.Get("Authorization") == "" {
		r.Header.Set("Authorization", "Bearer "+t)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	if m == nil {
		s.again(r, text, w)
	}
	s.links = found(s.links, address, w.Body.String())
	s.pages = found(s.pages, onPrint, w.Body.String())
	s.out.secrets = append(s.out.secrets, secret.FindAllString(w.Body.String(), -1)...)
	return w
}

// found are the tokens that were known, and those that a text tells besides.
func found(known []string, where *regexp.Regexp, text string) []string {
	for _, m := range where.FindAllStringSubmatch(text, -1) {
		if !slices.Contains(known, m[1]) {
			known = append(known, m[1])
		}
	}
	return known
}

// again asks a query once more, which is answered by what is remembered of the
// first time, and once of gqlgen's own executor; both answer the same bytes. One
// that leaves a trace, as being shown by a search does, is asked once.
func (s *stage) again(r *http.Request, text string, first *httptest.ResponseRecorder) {
	s.t.Helper()
	if !reading.MatchString(text) || leaving.MatchString(text) {
		return
	}
	raw, err := json.Marshal(map[string]string{"query": text})
	s.must(err)
	for how, h := range map[string]http.Handler{"a second time": s.handler, "by the executor": s.plain} {
		r = r.Clone(context.Background())
		r.Body = io.NopCloser(bytes.NewReader(raw))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != first.Code || w.Body.String() != first.Body.String() {
			s.t.Errorf("%s\nis answered by the writers with %d\n%s\nand %s with %d\n%s", text, first.Code, first.Body, how, w.Code, w.Body)
		}
	}
	s.both++
}

var (
	reading  = regexp.MustCompile(`^\s*(\{|query\b)`)
	leaving  = regexp.MustCompile(`\b(searchLearners|verifyCredentials?|credential[^{}]*\{[^{}]*\bdocument|items *\{[^{}]*\bdocument)\b`)
	numbered = regexp.MustCompile(`\b[a-z]{3}_#[0-9]+`)
	counted  = regexp.MustCompile(`\b[a-z]{3}_0{12}[0-9a-z]{14}\b`)
	quoted   = regexp.MustCompile(`"@kept[^"]*"`)
	address  = regexp.MustCompile(`/s/([\w-]{48})`)
	onPrint  = regexp.MustCompile(`/v/([\w-]+\.[\w-]{32})`)
	named    = regexp.MustCompile(`"@file ([a-z]+)"|\{\{([a-z]+)\}\}`)
	givenOut = regexp.MustCompile(`/[sv]/@\d+`)
	token    = regexp.MustCompile(`tmr1\.[\w.-]+`)
	secret   = regexp.MustCompile(`whsec_[\w+/]{64}`)
	repeated = regexp.MustCompile(`@times (\d+) ([^@]+)@`)
)

// outside are the webhooks and mailboxes of a story.
type outside struct {
	t       testing.TB
	guard   *verify.Fetcher
	box     *testbed.Mailbox
	read    int
	posts   []string
	secrets []string // that were told
}

// CheckAddress is the service's own.
func (o *outside) CheckAddress(address string) error { return o.guard.CheckAddress(address) }

// Post takes a message whose signature holds with a secret that was told.
func (o *outside) Post(_ context.Context, address string, header http.Header, body []byte) (int, error) {
	held := slices.ContainsFunc(o.secrets, func(secret string) bool {
		h, err := standardwebhooks.NewWebhook(secret)
		return err == nil && h.VerifyIgnoringTimestamp(body, header) == nil
	})
	if !held {
		o.t.Errorf("%s: nobody can verify %s", address, body)
	}
	o.posts = append(o.posts, fmt.Sprintf("POST %s\nwebhook-id: %s\n\n%s\n", address, header.Get("Webhook-Id"), body))
	return http.StatusNoContent, nil
}

// told is what came since it was asked last, with what differs masked.
func (o *outside) told() string {
	all := o.posts
	o.posts = nil
	letters := o.box.Letters()
	for _, l := range letters[o.read:] {
		_, body, _ := strings.Cut(l.Raw, "\r\n\r\n")
		text, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(body)))
		if err != nil {
			o.t.Error(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(l.Header.Get("Subject"))
		if err != nil {
			o.t.Error(err)
		}
		all = append(all, fmt.Sprintf("MAIL to %s\nSubject: %s\n\n%s\n", l.To, subject, strings.TrimSpace(strings.ReplaceAll(string(text), "\r\n", "\n"))))
	}
	o.read = len(letters)
	told := strings.Join(all, "\n")
	for _, m := range masks {
		told = m.what.ReplaceAllString(told, m.with)
	}
	return counted.ReplaceAllStringFunc(told, short)
}

// short is an id by its number.
func short(name string) string {
	u, err := id.UUID(name)
	if err != nil {
		return name
	}
	return fmt.Sprintf("%s_#%d", id.Prefix(name), binary.BigEndian.Uint64(u[8:]))
}

// masks are what differs from one run to the next.
var masks = []struct {
	what *regexp.Regexp
	with string
}{
	{regexp.MustCompile(`("proofValue": ?"|\\"proofValue\\":\\")z[1-9A-HJ-NP-Za-km-z]+`), "${1}z…"},
	{regexp.MustCompile(`("publicKeyMultibase": ?")z[1-9A-HJ-NP-Za-km-z]+`), "${1}z…"},
	{regexp.MustCompile(`("encodedList": ?")u[\w-]+`), "${1}u…"},
	{regexp.MustCompile(`("(?:x|y)": ?")[\w-]{43,}`), "${1}…"},
	{regexp.MustCompile(`,?\n  "extensions": \{\n    "cost": \{\n      "allowed": \d+,\n      "requested": \d+\n    \}\n  \}`), ""},
	{regexp.MustCompile(`(/status/\d+#|"statusListIndex": ")\d+`), "${1}…"},
	{regexp.MustCompile(`(?s)<style>.*?</style>`), "<style>…</style>"},
	{token, "tmr1.…"},
	{regexp.MustCompile(`/s/[\w-]{48}`), "/s/…"},
	{regexp.MustCompile(`(/v/[\w-]+\.)[\w-]{32}`), "${1}…"},
	{regexp.MustCompile(`/w/[\w-]{64}`), "/w/…"},
	{secret, "whsec_…"},
	{regexp.MustCompile(`(/assets/[a-z]+-)[0-9a-f]{12}`), "${1}…"},
	{regexp.MustCompile(`(<footer class="foot">\s*<p>Testamur )[^<]+`), "${1}…"},
	{regexp.MustCompile(`("proofValue": ?"|\\"proofValue\\":\\")u[\w-]+`), "${1}u…"},
	{regexp.MustCompile(`("requestId": ?")[a-z2-7]{16}|(this request id: )[a-z2-7]{16}`), "${1}${2}…"},
}

// body is an answer as a story tells it.
func body(t testing.TB, w *httptest.ResponseRecorder, headers []string) string {
	var b strings.Builder
	for _, h := range headers {
		fmt.Fprintf(&b, "%s: %s\n", h, strings.Join(w.Header().Values(h), ", "))
	}
	raw := w.Body.Bytes()
	if w.Header().Get("Content-Type") == "application/pdf" {
		raw = onPaper(t, raw)
	}
	var indented bytes.Buffer
	if json.Indent(&indented, bytes.TrimSpace(raw), "", "  ") == nil {
		raw = indented.Bytes()
	}
	text := strings.TrimRight(strings.ReplaceAll(string(raw), "\r\n", "\n"), "\n")
	for _, m := range masks {
		text = m.what.ReplaceAllString(text, m.with)
	}
	if b.Len() > 0 && text != "" {
		b.WriteByte('\n')
	}
	b.WriteString(text)
	if text != "" {
		b.WriteByte('\n')
	}
	return counted.ReplaceAllStringFunc(b.String(), short)
}

// onPaper is what stands on the pages of a PDF, a line each.
func onPaper(t testing.TB, raw []byte) []byte {
	name := filepath.Join(t.TempDir(), "print.pdf")
	if err := os.WriteFile(name, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	said, content := interop.Run(t, "pdftotext", "-layout", name, "-")
	if !content {
		t.Fatalf("pdftotext: %s", said)
	}
	var b strings.Builder
	for line := range strings.Lines(said) {
		if words := strings.Fields(line); len(words) > 0 {
			b.WriteString(strings.Join(words, " ") + "\n")
		}
	}
	return []byte(b.String())
}
