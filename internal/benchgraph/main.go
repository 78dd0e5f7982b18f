// Command benchgraph measures the GraphQL API beside bare handlers that answer
// the same over the same data: 100,000 learners, 2,000,000 assertions, 200
// achievements aligned into a framework of 5,000 competencies. It asks the
// service over a tenth of the learners and assertions as well, because a read is
// to cost the same in a larger database.
//
// The data is made once and kept in a private database under --data. Each
// server is a process of its own: the service as it is served, a handler that
// runs one hand-written SQL statement which builds the JSON, and a handler that
// reads plain rows and joins them to JSON kept in memory. They are asked in
// turns over --connections connections, and what each cost is read from the
// kernel: requests a second, the median and the 99th percentile, and the CPU of
// the server and of PostgreSQL for a request.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/testamur/testamur/internal/postgres"
)

// options of a run.
type options struct {
	data        string // where the database lies
	testamur    string // the service's program
	postgres    string // the folder of PostgreSQL's programs
	connections int
	seconds     int // of one turn
	rounds      int
	scale       float64 // how many times the data
	tenth       bool    // compare with a tenth of the data as well
	bare        string
	url         string
	soak        time.Duration
	only        string // a part of the name of what is asked; "" asks all
}

func main() {
	var o options
	flag.StringVar(&o.data, "data", ".cache/benchgraph", "where the data is kept between runs")
	flag.StringVar(&o.testamur, "testamur", "bin/testamur", "the service's program")
	flag.StringVar(&o.postgres, "postgres", "", "the folder of PostgreSQL's programs; found unless said")
	flag.IntVar(&o.connections, "connections", 16, "how many connections ask at once")
	flag.IntVar(&o.seconds, "seconds", 5, "how long a server is asked in its turn")
	flag.IntVar(&o.rounds, "rounds", 3, "how many turns each server has")
	flag.Float64Var(&o.scale, "scale", 1, "how many times as many learners and assertions")
	flag.BoolVar(&o.tenth, "tenth", true, "ask the service over a tenth of the data as well")
	flag.StringVar(&o.only, "only", "", "ask only what has this in its name, such as assertion")
	flag.DurationVar(&o.soak, "soak", 0, "ask the service alone for so long, and print its memory each tenth of it")
	flag.StringVar(&o.bare, "bare", "", "be a bare handler: statement or fragments")
	flag.StringVar(&o.url, "url", "", "the database of a bare handler")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "benchgraph:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if o.bare != "" {
		return serveBare(ctx, o.bare, o.url)
	}
	in, err := postgres.Find(os.Getenv("PATH"), o.postgres)
	if err != nil {
		return err
	}
	dir, err := filepath.Abs(filepath.Join(o.data, fmt.Sprintf("postgres-%d", in.Major)))
	if err != nil {
		return err
	}
	server, err := postgres.Start(ctx, postgres.Options{Dir: dir, Install: in})
	if err != nil {
		return err
	}
	defer server.Stop()
	d, err := prepare(ctx, o, server.URL())
	if err != nil {
		return err
	}
	if !o.tenth || o.soak > 0 {
		return measure(ctx, o, d, nil)
	}
	small := o
	small.scale /= 10
	tenth, err := prepare(ctx, small, server.URL())
	if err != nil {
		return err
	}
	return measure(ctx, o, d, &tenth)
}
