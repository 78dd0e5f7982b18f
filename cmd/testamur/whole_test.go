package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/testamur/testamur/internal/access"
	"github.com/testamur/testamur/internal/demo"
	"github.com/testamur/testamur/internal/exchange"
	"github.com/testamur/testamur/internal/id"
	"github.com/testamur/testamur/internal/institution"
	"github.com/testamur/testamur/internal/keyring"
	"github.com/testamur/testamur/internal/pg"
	"github.com/testamur/testamur/internal/pgtest"
)

// termRows is how many results a term's close brings.
const termRows = 12_000

// term is a file of results of the demonstration's learners, three of which are
// wrong, and the lines of those.
func term(t testing.TB) (file []byte, wrong []int) {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"learner_id", "course_code", "completed_on", "term", "grade", "credits_earned"})
	codes := courseCodes(t)
	for n := range termRows {
		row := []string{fmt.Sprintf("S%06d", 100001+n%200), codes[n/200%len(codes)], "2019-12-20", fmt.Sprintf("Term %d", n/200/len(codes)), "B+", "4"}
		switch n {
		case 1_000:
			row[0] = "S999999"
		case 6_000:
			row[2] = "20 December"
		case 11_998:
			row[1] = "NO 100"
		}
		if row[0] == "S999999" || row[2] != "2019-12-20" || row[1] == "NO 100" {
			wrong = append(wrong, n+2)
		}
		w.Write(row)
	}
	w.Flush()
	if w.Error() != nil {
		t.Fatal(w.Error())
	}
	return b.Bytes(), wrong
}

func courseCodes(t testing.TB) []string {
	t.Helper()
	for _, f := range demo.Files() {
		if f.Name == "courses.csv" {
			rows, err := csv.NewReader(bytes.NewReader(f.Data)).ReadAll()
			if err != nil {
				t.Fatal(err)
			}
			var codes []string
			for _, r := range rows[1:] {
				codes = append(codes, r[0])
			}
			return codes
		}
	}
	t.Fatal("the demonstration has no courses")
	return nil
}

// TestTermClose is the first scenario: 12,000 results with three bad rows, in
// through the API as a background job of a running service and in again, and the
// same through the command line on the database.
func TestTermClose(t *testing.T) {
	t.Parallel()
	file, wrong := term(t)
	name := filepath.Join(t.TempDir(), "term.csv")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, way := range []struct {
		name string
		into func(t *testing.T, url string) []string // the flags that say where to
	}{
		{"through the API", func(t *testing.T, url string) []string {
			address, token := running(t, url)
			return []string{"--url", address, "--token", token}
		}},
		{"on the database", func(t *testing.T, url string) []string {
			return []string{"--database-url", url, "--data", t.TempDir()}
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			url := pgtest.URL(t)
			catalogue(t, url)
			errors := filepath.Join(t.TempDir(), "errors.csv")
			args := append([]string{"import", "--kind", "results", "--system", demo.System, "--errors", errors, name}, way.into(t, url)...)
			want := []string{"term.csv: 11997 created, 0 updated, 0 unchanged, 3 failed", "term.csv: 0 created, 0 updated, 11997 unchanged, 3 failed"}
			var states []string
			for _, w := range want {
				var out, said bytes.Buffer
				err := run(t.Context(), args, os.Getenv, nil, &out, &said)
				if code(err, io.Discard) != 1 || !strings.HasPrefix(out.String(), w+"\n") {
					t.Fatalf("%v: %s%s; want %s", err, &out, &said, w)
				}
				checkErrors(t, errors, wrong)
				states = append(states, state(t, url))
			}
			if diff := cmp.Diff(states[0], states[1]); diff != "" {
				t.Errorf("the second import changed something: %s", diff)
			}
		})
	}
}

// checkErrors reads an error file and finds the three rows in it.
func checkErrors(t *testing.T, name string, lines []int) {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range rows[1:] {
		if !strings.HasSuffix(r[4], ".") {
			t.Errorf("line %s says %q, which is no sentence", r[0], r[4])
		}
		got = append(got, strings.Join(r[:4], " "))
	}
	want := []string{fmt.Sprintf("%d learner_id learner-known S999999", lines[0]), fmt.Sprintf("%d completed_on date 20 December", lines[1]),
		fmt.Sprintf("%d course_code course-known NO 100", lines[2])}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// over wires services over a test's database.
func over(t testing.TB, url string) *services {
	t.Helper()
	text, err := keyring.NewMaster()
	if err != nil {
		t.Fatal(err)
	}
	master, err := keyring.ParseMaster(text)
	if err != nil {
		t.Fatal(err)
	}
	all, err := wire(parts{db: pgtest.Open(t, url, pg.Options{MaxConns: 4}), now: time.Now, newID: id.New, master: master,
		origin: "http://localhost:8080", log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// catalogue founds the demonstration institution and loads what results need.
func catalogue(t testing.TB, url string) {
	t.Helper()
	all := over(t, url)
	in, err := all.institutions.Found(context.Background(), demo.Slug, institution.Profile{Name: demo.Name})
	if err != nil {
		t.Fatal(err)
	}
	d := &demonstration{services: all, who: access.SystemOf(string(in.ID), "demo"), p: &place{stderr: io.Discard}}
	for _, f := range demo.Files() {
		if f.Kind != "COURSES" && f.Kind != "LEARNERS" {
			continue
		}
		if err := d.load(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
}

// running is a service with its workers, and a registrar's token.
func running(t testing.TB, url string) (address, token string) {
	t.Helper()
	all := over(t, url)
	handler, err := all.handler(queryPage{})
	if err != nil {
		t.Fatal(err)
	}
	workers, err := all.workers()
	if err != nil {
		t.Fatal(err)
	}
	if err := workers.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(func() {
		server.Close()
		if err := workers.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	who, err := all.operator(context.Background(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err = all.institutions.CreateClient(context.Background(), who, institution.NewClient{Name: "test", Roles: []access.Role{access.Registrar}})
	if err != nil {
		t.Fatal(err)
	}
	return server.URL, token
}

// state is what an institution holds of earned things, as one hash and counts,
// without what differs from one run to the next: ids and instants.
func state(t testing.TB, url string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	var text string
	err = conn.QueryRow(ctx, `
		select format('%s assertions %s; %s achievements %s', count(a.id),
			md5(string_agg(concat_ws('|', l.ref_value, v.definition->>'humanCode', a.version, a.achieved_on, a.term, a.grade, a.credits_earned, a.results), E'\n'
				order by l.ref_value, v.definition->>'humanCode', a.achieved_on, a.term)),
			(select count(*) from achievement), (select md5(string_agg(definition::text, E'\n' order by definition::text)) from achievement_version))
		from assertion a
		join learner l on l.institution_id = a.institution_id and l.id = a.learner_id
		join achievement_version v on v.institution_id = a.institution_id and v.achievement_id = a.achievement_id and v.version = a.achievement_version`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestKilledImport kills the service in the middle of an import and starts it
// again: it ends in the same state as an import
// that nobody disturbed.
func TestKilledImport(t *testing.T) {
	t.Parallel()
	file, _ := term(t)
	undisturbed := pgtest.URL(t)
	catalogue(t, undisturbed)
	name := filepath.Join(t.TempDir(), "term.csv")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"import", "--kind", "results", "--system", demo.System, "--database-url", undisturbed, "--data", t.TempDir(),
		"--errors", filepath.Join(t.TempDir(), "e.csv"), name}, os.Getenv, nil, io.Discard, io.Discard)
	if code(err, io.Discard) != 1 {
		t.Fatal(err)
	}

	url := pgtest.URL(t)
	catalogue(t, url)
	data := t.TempDir()
	p := start(t, url, data)
	all := over(t, url)
	who, err := all.operator(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := all.institutions.CreateClient(t.Context(), who, institution.NewClient{Name: "test", Roles: []access.Role{access.Registrar}})
	if err != nil {
		t.Fatal(err)
	}
	far, err := newRemote(p.address, token)
	if err != nil {
		t.Fatal(err)
	}
	job, err := far.begin(t.Context(), "term.csv", bytes.NewReader(file), exchange.Order{Kind: exchange.Results,
		Options: exchange.Options{System: demo.System, ErrorPolicy: exchange.RejectFailedRows}})
	if err != nil {
		t.Fatal(err)
	}
	kills := 0
	for {
		j, err := all.exchange.Find(t.Context(), who, job)
		if err != nil {
			t.Fatal(err)
		}
		if j.Finished() {
			break
		}
		if j.LineDone > 0 && kills == 0 { // a batch is done, and others are not
			p.kill(t)
			kills++
			p = start(t, url, data)
		}
		time.Sleep(2 * time.Millisecond)
	}
	p.kill(t)
	if kills == 0 {
		t.Fatal("the import was over before it could be killed")
	}
	j, err := all.exchange.Find(t.Context(), who, job)
	if err != nil || j.State != exchange.Succeeded || j.CreatedCount != termRows-3 || j.FailedCount != 3 || j.UnchangedCount+j.UpdatedCount > 0 {
		t.Errorf("%+v, %v", j, err)
	}
	if diff := cmp.Diff(state(t, undisturbed), state(t, url)); diff != "" {
		t.Errorf("not the state of an undisturbed import: %s", diff)
	}
}

// TestVerifyAFile verifies a record of the service from a file, with the issuer's
// key at hand, without it, and after one word was changed.
func TestVerifyAFile(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.given("catalogue")
	w := s.ask("registrar", `mutation { a: awardAchievement(input: {award: {learnerId: "ref:sis:S100001", courseId: "DA 101", facts: {achievedOn: "2026-05-29", term: "Spring 2026"}}}) { userErrors { message } }
		b: assembleRecord(input: {learnerId: "ref:sis:S100001"}) { userErrors { message } record { credential { document } } } }`)
	var said struct {
		Data struct {
			B struct {
				Record struct{ Credential struct{ Document string } }
			}
		}
	}
	s.must(json.Unmarshal(w.Body.Bytes(), &said))
	record := said.Data.B.Record.Credential.Document
	if record == "" {
		t.Fatal(w.Body)
	}
	keys := filepath.Join(t.TempDir(), "did.json")
	s.must(os.WriteFile(keys, s.ask("visitor", "GET /i/aldersound/did.json\n").Body.Bytes(), 0o600))
	for _, c := range []struct {
		name, file string
		args       []string
		codes      []int
		lines      []string
	}{
		{"key at hand", record, []string{"--with", keys}, []int{0, exitNotChecked}, []string{"passed          proof", "passed          issuer", "passed          binding"}},
		{"no key", record, nil, []int{exitNotChecked}, []string{"could not check proof", "which was not asked", "could not check binding"}},
		{"changed", strings.Replace(record, "Spring 2026", "Spring 2020", 1), []string{"--with", keys}, []int{exitFailed}, []string{"FAILED          proof", "FAILED          embedded"}},
	} {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"verify", "-"}, c.args...), os.Getenv, strings.NewReader(c.file), &out, &out)
		if got := code(err, &out); !slices.Contains(c.codes, got) {
			t.Errorf("%s: exit %d\n%s", c.name, got, &out)
		}
		for _, l := range c.lines {
			if !strings.Contains(out.String(), l) {
				t.Errorf("%s: no line %q in\n%s", c.name, l, &out)
			}
		}
	}
}

// process is a service that can be killed.
type process struct {
	cmd     *exec.Cmd
	address string
}

// start starts a service in a process of its own and waits until it is ready.
func start(t *testing.T, url, data string) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test program is the command when it is called by the command's name.
	name := filepath.Join(data, "testamur")
	if err := os.Symlink(self, name); err != nil && !os.IsExist(err) {
		t.Fatal(err)
	}
	cmd := exec.Command(name, "serve", "--addr", "127.0.0.1:0", "--database-url", url, "--data", data)
	r, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd}
	t.Cleanup(func() { cmd.Process.Kill() })
	first := make(chan string, 1)
	go func() {
		for log := bufio.NewScanner(r); log.Scan(); { // to its end, or the service would wait
			if _, rest, found := strings.Cut(log.Text(), `"address":"`); found {
				first <- "http://" + rest[:strings.IndexByte(rest, '"')]
			}
		}
	}()
	select {
	case p.address = <-first:
	case <-time.After(time.Minute):
		t.Fatal("the service does not start")
	}
	answer, err := http.Get(p.address + "/readyz")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("not ready: %v", err)
	}
	answer.Body.Close()
	return p
}

func (p *process) kill(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // it was killed
}

// TestDatabaseGoesAway kills the private database under a service that is being
// asked: answers are whole or 503 with a sentence, never anything else, and the
// service gets its database back by itself.
func TestDatabaseGoesAway(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "testamur-away-") // PostgreSQL's user cannot enter a test's own folder
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &place{ctx: ctx, getenv: os.Getenv, stderr: io.Discard, stdout: io.Discard}
	all, err := store{Data: dir}.open(p, "127.0.0.1:0", false, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	in, err := all.institutions.Found(ctx, "lakeview", institution.Profile{Name: "Lakeview College"})
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := all.institutions.CreateClient(ctx, access.SystemOf(string(in.ID), "test"), institution.NewClient{Name: "test", Roles: []access.Role{access.Registrar}})
	if err != nil {
		t.Fatal(err)
	}
	listening, ended := make(chan string, 1), make(chan error, 1)
	go func() {
		ended <- all.serve(ctx, "127.0.0.1:0", quota{}, queryPage{}, func(a net.Addr) { listening <- "http://" + a.String() })
	}()
	base := <-listening
	asked := map[string]map[int]int{}
	ask := func(method, path, media, content string) int {
		r, err := http.NewRequestWithContext(ctx, method, base+path, strings.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", media)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		raw, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		if answer.StatusCode >= 500 && !strings.Contains(string(raw), "database") || strings.Contains(string(raw), "goroutine") || strings.Contains(string(raw), "socket") {
			t.Errorf("%s %s: %d %s", method, path, answer.StatusCode, raw)
		}
		if asked[path] == nil {
			asked[path] = map[int]int{}
		}
		asked[path][answer.StatusCode]++
		return answer.StatusCode
	}
	all3 := func() (down bool) {
		down = ask("GET", "/readyz", "", "") != http.StatusOK
		down = ask("POST", "/graphql", "application/json", `{"query":"{ institution { name } }"}`) != http.StatusOK || down
		return ask("POST", "/imports/uploads?name=x.csv", "text/csv", "code,title\n") != http.StatusCreated || down
	}
	if all3() {
		t.Fatal("not up")
	}
	raw, err := os.ReadFile(filepath.Join(dir, "postgres", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Sscan(string(raw), &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil { // at once, without a farewell
		t.Fatal(err)
	}
	wentDown := false
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		down := all3()
		wentDown = wentDown || down
		if wentDown && !down {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the database does not come back, or never went: %v", asked)
		}
	}
	for path, codes := range asked {
		for code := range codes {
			if code != http.StatusOK && code != http.StatusCreated && code != http.StatusServiceUnavailable {
				t.Errorf("%s answered %d", path, code)
			}
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := all.close(); err != nil {
		t.Error(err)
	}
}
