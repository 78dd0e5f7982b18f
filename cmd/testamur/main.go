// Command testamur is the whole service in one program: it serves, shows a
// demonstration, migrates, imports, verifies, and says what is wrong.
//
// Every command works on the data directory (--data), where a private PostgreSQL
// lives, or on a server of the operator's (--database-url). A command that is
// given while the service runs joins the service's database. What a command
// prints on standard output is its answer, for people and for scripts; what it
// says besides goes to standard error.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/testamur/testamur/internal/fault"
)

func main() {
	time.Local = time.UTC // a day is the same day wherever the service runs
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code(err, os.Stderr))
}

// exit ends the program with a code, when everything was said already.
type exit int

// Error names the code.
func (e exit) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// code is the exit code for an error, which it tells unless that was done.
func code(err error, stderr io.Writer) int {
	var e exit
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return int(e)
	}
	fmt.Fprintln(stderr, "testamur:", sentence(err))
	return 1
}

// sentence is an error as the operator reads it, with its cause: at a terminal
// there is nobody to hide it from.
func sentence(err error) string {
	if f, ok := fault.Of(err); ok && f.Err == nil {
		return f.Message
	}
	return strings.TrimSpace(err.Error())
}

// cli is every command, and what all of them share.
type cli struct {
	Serve       serveCmd       `cmd:"" help:"Serve the API."`
	Demo        demoCmd        `cmd:"" help:"Serve a demonstration institution, loaded the first time."`
	Institution institutionCmd `cmd:"" help:"Institutions: create one, list them."`
	Token       tokenCmd       `cmd:"" help:"Bearer tokens for API clients."`
	Import      importCmd      `cmd:"" help:"Import files, into a running service or into the database."`
	Keys        keysCmd        `cmd:"" help:"Signing keys: list, rotate, withdraw."`
	Issue       issueCmd       `cmd:"" help:"Sign a credential: of an unsigned one in a file, or of awards that are on file."`
	Archive     archiveCmd     `cmd:"" help:"Write an institution to a folder that anyone can check without it."`
	Verify      verifyCmd      `cmd:"" help:"Verify a credential, a record, a badge, a picture, a PDF, a ZIP of them or an archive."`
	Bake        bakeCmd        `cmd:"" help:"Put a credential into a PNG or SVG picture."`
	Unbake      unbakeCmd      `cmd:"" help:"Take a credential out of a picture."`
	Canonize    canonizeCmd    `cmd:"" help:"Print the canonical N-Quads of a document, or every value that leads to the bytes its proofs sign."`
	NQuads      nquadsCmd      `cmd:"" name:"nquads" help:"Print the statements of a document as N-Quads."`
	Expand      expandCmd      `cmd:"" help:"Print a document as expanded JSON-LD: what each term means."`
	Migrate     migrateCmd     `cmd:"" help:"Bring the database to the newest version."`
	Doctor      doctorCmd      `cmd:"" help:"Say what was found on this machine, and what is wrong."`
	Obtain      obtainCmd      `cmd:"" help:"Get PostgreSQL for this machine if there is none, and print where its programs are."`
	Version     versionCmd     `cmd:"" help:"Print the version."`
}

// place is where a command finds the world.
type place struct {
	ctx            context.Context
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// say tells the person at the terminal something that is not the answer.
func (p *place) say(format string, args ...any) { fmt.Fprintf(p.stderr, format+"\n", args...) }

// print writes a line of the answer.
func (p *place) print(format string, args ...any) { fmt.Fprintf(p.stdout, format+"\n", args...) }

// run is the program without its globals.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) error {
	var c cli
	ended := false
	parser, err := kong.New(&c, kong.Name("testamur"), kong.Description("An extended transcript and competency record service."),
		kong.Writers(stdout, stderr), kong.Exit(func(int) { ended = true }), kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return err
	}
	command, err := parser.Parse(args)
	if ended {
		return nil // the help was asked for
	}
	if err != nil {
		var bad *kong.ParseError
		if errors.As(err, &bad) && len(args) == 0 {
			_ = bad.Context.PrintUsage(false)
			return exit(2)
		}
		fmt.Fprintf(stderr, "testamur: %s (--help shows what there is)\n", err)
		return exit(2)
	}
	return command.Run(&place{ctx, getenv, stdin, stdout, stderr})
}
