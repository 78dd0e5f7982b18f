package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// server is one of those that are compared.
type server struct {
	name string
	addr string
	cmd  *exec.Cmd
	ask  func(query string, id string) []byte // a whole HTTP request
}

// work is something that is asked of each server.
type work struct {
	name, query string
	ids         []string
	path        string // of the bare handlers
	servers     []string
	fewer       []string // the ids in a tenth of the data
}

// turn is what a server did in one turn.
type turn struct {
	rate             float64 // requests a second
	p50, p99         time.Duration
	serverCPU, pgCPU time.Duration // of one request
	bytes            int
}

// byHash is the service asked with GET for a document that it trusts, by its hash.
const byHash = "testamur, GET by hash"

// tenth is the service over a tenth of the data.
const tenth = "testamur, a tenth of the data"

func measure(ctx context.Context, o options, d data, small *data) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	all, err := start(ctx, o, d)
	if err != nil {
		return err
	}
	conn, err := pgx.Connect(ctx, d.url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	postmaster := parent(int(conn.PgConn().PID()))
	works := []work{
		{name: "learner picture", query: picture, ids: d.learners, path: "/learner/", servers: []string{"testamur", "one statement", "rows and fragments"}},
		{name: "assertion by id", query: byID, ids: d.assertions, path: "/assertion/", servers: []string{"testamur", byHash, "one statement"}},
		{name: "employer search", query: search, ids: d.competencies, path: "/competency/", servers: []string{"testamur", "rows and fragments"}},
	}
	if small != nil {
		if all[tenth], err = serve(ctx, o, tenth, *small); err != nil {
			return err
		}
		for i, fewer := range [][]string{small.learners, small.assertions, small.competencies} {
			works[i].fewer = fewer
		}
	}
	if o.soak > 0 {
		return soak(ctx, o, all["testamur"], works[0])
	}
	fmt.Printf("%d connections, %d rounds of %d s, in turns; CPU of one request in ms: server + PostgreSQL\n\n", o.connections, o.rounds, o.seconds)
	fmt.Printf("| read | server | requests/s | p50 ms | p99 ms | CPU ms | of testamur |\n|---|---|---|---|---|---|---|\n")
	for _, w := range works {
		if !strings.Contains(w.name, o.only) {
			continue
		}
		if err := same(ctx, w, all); err != nil {
			return err
		}
		turns := map[string][]turn{}
		if small != nil {
			w.servers = append(w.servers, tenth)
		}
		for range o.rounds {
			for _, name := range w.servers {
				t, err := drive(ctx, o, all[name], w, postmaster, time.Duration(o.seconds)*time.Second)
				if err != nil {
					return fmt.Errorf("%s: %s: %w", w.name, name, err)
				}
				turns[name] = append(turns[name], t)
			}
		}
		ours := middle(turns["testamur"])
		for _, name := range w.servers {
			m := middle(turns[name])
			fmt.Printf("| %s (%d KB) | %s | %.0f | %.1f | %.1f | %.2f + %.2f | %.2f |\n", w.name, m.bytes>>10, name, m.rate, ms(m.p50), ms(m.p99), ms(m.serverCPU), ms(m.pgCPU), m.rate/ours.rate)
		}
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// middle is the turn with the median rate.
func middle(all []turn) turn {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b turn) int { return int(a.rate - b.rate) })
	return all[len(all)/2]
}

// start starts every server.
func start(ctx context.Context, o options, d data) (map[string]*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	ours, err := serve(ctx, o, "testamur", d)
	if err != nil {
		return nil, err
	}
	all := map[string]*server{"testamur": ours, byHash: {name: byHash, addr: ours.addr, cmd: ours.cmd, ask: func(query, id string) []byte {
		variables := url.QueryEscape(fmt.Sprintf(`{"id":%q}`, id))
		return fmt.Appendf(nil, "GET /graphql?documentId=sha256:%x&variables=%s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nAccept: application/graphql-response+json\r\n\r\n", sha256.Sum256([]byte(query)), variables, d.token)
	}}}
	for name, kind := range map[string]string{"one statement": "statement", "rows and fragments": "fragments"} {
		s := &server{name: name, cmd: exec.CommandContext(ctx, self, "-bare", kind, "-url", d.url)}
		s.ask = func(path, id string) []byte { return []byte("GET " + path + id + " HTTP/1.1\r\nHost: bench\r\n\r\n") }
		out, err := s.cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := s.cmd.Start(); err != nil {
			return nil, err
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("%s did not start: %w", name, err)
		}
		s.addr = strings.TrimSpace(line)
		all[name] = s
	}
	return all, nil
}

// serve starts the service over data.
func serve(ctx context.Context, o options, name string, d data) (*server, error) {
	port, err := free()
	if err != nil {
		return nil, err
	}
	ours := &server{name: name, addr: port}
	trusted := filepath.Join(o.data, "trusted.json")
	manifest, err := json.Marshal(map[string]string{fmt.Sprintf("%x", sha256.Sum256([]byte(byID))): byID})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(trusted, manifest, 0o644); err != nil {
		return nil, err
	}
	ours.cmd = exec.CommandContext(ctx, o.testamur, "serve", "--addr", port, "--database-url", d.url, "--data", filepath.Join(o.data, "keys"), "--trusted-documents", trusted)
	ours.ask = func(query, id string) []byte {
		body, err := json.Marshal(map[string]any{"query": query, "variables": map[string]string{"id": id}})
		if err != nil {
			panic(err) // two strings
		}
		token := d.token
		if query == search {
			token = d.employer
		}
		return fmt.Appendf(nil, "POST /graphql HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nAccept: application/graphql-response+json\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
	}
	if err := ours.cmd.Start(); err != nil {
		return nil, err
	}
	return ours, reachable(ctx, ours.addr)
}

func free() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

func reachable(ctx context.Context, addr string) error {
	for range 200 {
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the service did not start to listen in 10 seconds")
}

func (w work) request(s *server, id string) []byte {
	if strings.HasPrefix(s.name, "testamur") {
		return s.ask(w.query, id)
	}
	return s.ask(w.path, id)
}

// same holds every server to the same answer.
func same(ctx context.Context, w work, all map[string]*server) error {
	for _, id := range []string{w.ids[0], w.ids[len(w.ids)/2], w.ids[len(w.ids)-1]} {
		var want any
		for _, name := range w.servers {
			raw, err := one(ctx, all[name], w.request(all[name], id))
			if err != nil {
				return fmt.Errorf("%s: %s: %w", w.name, name, err)
			}
			var got struct{ Data, Errors any }
			if err := json.Unmarshal(raw, &got); err != nil || got.Errors != nil {
				return fmt.Errorf("%s: %s answers %.500s", w.name, name, raw)
			}
			if want == nil {
				want = got.Data
			} else if !reflect.DeepEqual(got.Data, want) {
				ours, _ := json.Marshal(want)
				theirs, _ := json.Marshal(got.Data)
				return fmt.Errorf("%s of %s: %s answers\n%.1500s\nand testamur\n%.1500s", w.name, id, name, theirs, ours)
			}
		}
	}
	return nil
}

func one(ctx context.Context, s *server, request []byte) ([]byte, error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var body bytes.Buffer
	_, err = exchange(c, bufio.NewReader(c), request, &body)
	return body.Bytes(), err
}

// exchange sends a request and reads its answer, which has a length. It does as
// little as it can, because it shares the machine with those it measures.
func exchange(c net.Conn, r *bufio.Reader, request []byte, into io.Writer) (int, error) {
	if _, err := c.Write(request); err != nil {
		return 0, err
	}
	length, status := -1, ""
	for {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if status == "" {
			status = string(line)
		}
		if len(line) == 2 {
			break
		}
		if name, value, ok := bytes.Cut(line, []byte(":")); ok && len(name) == len("Content-Length") && strings.EqualFold(string(name), "Content-Length") {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return 0, err
			}
		}
	}
	if length < 0 {
		return 0, errors.New("an answer without a length")
	}
	if into == nil {
		if _, err := r.Discard(length); err != nil {
			return 0, err
		}
	} else if _, err := io.CopyN(into, r, int64(length)); err != nil {
		return 0, err
	}
	if !strings.Contains(status, " 200 ") {
		said := ""
		if b, ok := into.(*bytes.Buffer); ok {
			said = b.String()
		}
		return 0, fmt.Errorf("answered %s: %s", strings.TrimSpace(status), said)
	}
	return length, nil
}

// drive asks one server for a while over all connections.
func drive(ctx context.Context, o options, s *server, w work, postmaster int, d time.Duration) (turn, error) {
	warm := time.Now().Add(d / 5)
	end := warm.Add(d)
	var mu sync.Mutex
	var took []time.Duration
	var t turn
	var failed error
	var group sync.WaitGroup
	var serverBefore, pgBefore time.Duration
	var began time.Time
	time.AfterFunc(time.Until(warm), func() {
		mu.Lock()
		defer mu.Unlock()
		serverBefore, pgBefore, began = cpu(s.cmd.Process.Pid), children(postmaster), time.Now()
	})
	for n := range o.connections {
		group.Go(func() {
			own, size, err := ask(ctx, s, w, n, o.connections, warm, end)
			mu.Lock()
			defer mu.Unlock()
			took = append(took, own...)
			t.bytes = max(t.bytes, size)
			failed = errors.Join(failed, err)
		})
	}
	group.Wait()
	wall := time.Since(began)
	server, pg := cpu(s.cmd.Process.Pid)-serverBefore, children(postmaster)-pgBefore
	if failed != nil || ctx.Err() != nil {
		return t, errors.Join(failed, ctx.Err())
	}
	if len(took) == 0 {
		return t, errors.New("nothing was answered in the whole turn")
	}
	slices.Sort(took)
	n := time.Duration(len(took))
	t.rate = float64(len(took)) / wall.Seconds()
	t.p50, t.p99 = took[len(took)/2], took[len(took)*99/100]
	t.serverCPU, t.pgCPU = server/n, pg/n
	return t, nil
}

// ask asks over one connection and times what falls between warm and end.
func ask(ctx context.Context, s *server, w work, at, step int, warm, end time.Time) (took []time.Duration, size int, err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.addr)
	if err != nil {
		return nil, 0, err
	}
	defer c.Close()
	r := bufio.NewReaderSize(c, 64<<10)
	ids := w.ids
	if s.name == tenth {
		ids = w.fewer
	}
	for i := at; ctx.Err() == nil; i += step {
		request := w.request(s, ids[i*7919%len(ids)])
		before := time.Now()
		if before.After(end) {
			return took, size, nil
		}
		n, err := exchange(c, r, request, nil)
		if err != nil {
			return took, size, err
		}
		size = max(size, n)
		if before.After(warm) {
			took = append(took, time.Since(before))
		}
	}
	return took, size, ctx.Err()
}

// soak asks the service alone and prints its memory as it goes.
func soak(ctx context.Context, o options, s *server, w work) error {
	for n := range 10 {
		t, err := drive(ctx, o, s, w, os.Getpid(), o.soak/10)
		if err != nil {
			return err
		}
		fmt.Printf("%3d%%  %.0f requests/s, p50 %.1f ms, p99 %.1f ms, %d MB\n", (n+1)*10, t.rate, ms(t.p50), ms(t.p99), resident(s.cmd.Process.Pid)>>20)
	}
	return nil
}

// stat are the fields of a process's stat behind its name.
func stat(pid int) []string {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(raw), ") ")
	return strings.Fields(rest)
}

const tick = 10 * time.Millisecond // of the kernel's accounts

// cpu is how long a process has worked.
func cpu(pid int) time.Duration {
	f := stat(pid)
	if len(f) < 15 {
		return 0
	}
	user, _ := strconv.Atoi(f[11])
	system, _ := strconv.Atoi(f[12])
	return time.Duration(user+system) * tick
}

func parent(pid int) int {
	f := stat(pid)
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n
}

// children is how long the children of a process have worked, those that are
// there.
func children(pid int) time.Duration {
	var sum time.Duration
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		child, err := strconv.Atoi(filepath.Base(dir))
		if err == nil && parent(child) == pid {
			sum += cpu(child)
		}
	}
	return sum
}

// resident is the memory of a process in bytes.
func resident(pid int) int {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	f := strings.Fields(string(raw))
	if len(f) < 2 {
		return 0
	}
	n, _ := strconv.Atoi(f[1])
	return n * syscall.Getpagesize()
}
