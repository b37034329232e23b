package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/console"
)

type peopleCmd struct {
	Import peopleImportCmd `cmd:"" help:"Read people from a CSV file with a heading: user_id, email and, if you like, name, locale, time_zone."`
	List   peopleListCmd   `cmd:"" help:"List people as CSV, with the reason where mail is stopped."`
	Lift   peopleLiftCmd   `cmd:"" help:"Write to somebody again to whom mail was stopped."`
}

type peopleImportCmd struct {
	File string `arg:"" name:"file.csv" help:"The file; - reads standard input."`
}

// Run adds the people of the file, or changes them. A file with a mistake changes nothing.
func (cmd *peopleImportCmd) Run(a *app) error {
	in := a.stdin
	if cmd.File != "-" {
		f, err := os.Open(cmd.File)
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }()
		in = f
	}
	people, err := readPeople(in)
	if err != nil {
		return usageError{err}
	}
	return a.withMemory(func(s memory) error {
		for chunk := range slices.Chunk(people, 500) {
			if err := s.PutPeople(a.ctx, chunk...); err != nil {
				return err
			}
		}
		_, err := fmt.Fprintf(a.stdout, "%d people imported\n", len(people))
		return err
	})
}

var peopleColumns = []string{"user_id", "email", "name", "locale", "time_zone"}

// readPeople reads CSV (RFC 4180) with a heading; the columns may stand in any order.
func readPeople(in io.Reader) ([]postern.Person, error) {
	r := csv.NewReader(in)
	r.TrimLeadingSpace = true
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("no heading line such as %s: %w", strings.Join(peopleColumns, ","), err)
	}
	place := map[string]int{}
	for i, name := range head {
		name = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(name, "\ufeff"))) // spreadsheets begin with a byte order mark
		if !slices.Contains(peopleColumns, name) {
			return nil, fmt.Errorf("line 1: unknown column %q; known are %s", name, strings.Join(peopleColumns, ", "))
		}
		place[name] = i
	}
	for _, name := range peopleColumns[:2] {
		if _, ok := place[name]; !ok {
			return nil, fmt.Errorf("line 1: the column %s is missing", name)
		}
	}
	var people []postern.Person
	for {
		row, err := r.Read()
		if err == io.EOF {
			return people, nil
		}
		if err != nil {
			return nil, err
		}
		get := func(name string) string {
			if i, ok := place[name]; ok {
				return strings.TrimSpace(row[i])
			}
			return ""
		}
		p := postern.Person{UserID: postern.UserID(get("user_id")), Email: get("email"), Name: get("name"), Locale: get("locale"), TimeZone: get("time_zone")}
		if err := console.CheckPerson(p); err != nil {
			line, _ := r.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		people = append(people, p)
	}
}

type peopleListCmd struct{}

// Run prints all people as CSV.
func (cmd *peopleListCmd) Run(a *app) error {
	return a.withMemory(func(s memory) error {
		w := csv.NewWriter(a.stdout)
		_ = w.Write(append(slices.Clone(peopleColumns), "stopped")) // Flush tells of errors
		var after postern.UserID
		for {
			people, err := s.People(a.ctx, after, 500)
			if err != nil {
				return err
			}
			for _, p := range people {
				_ = w.Write([]string{string(p.UserID), p.Email, p.Name, p.Locale, p.TimeZone, string(p.Stopped)})
				after = p.UserID
			}
			if len(people) == 0 {
				w.Flush()
				return w.Error()
			}
		}
	})
}

type peopleLiftCmd struct {
	User string `arg:"" help:"The chat user's id."`
}

// Run lifts the stop on one person, here and at the e-mail provider.
func (cmd *peopleLiftCmd) Run(a *app) error {
	cfg, err := a.loadConfig("serve")
	if err != nil {
		return err
	}
	lift := func() (bool, error) { return newRemote(cfg).Lift(a.ctx, postern.UserID(cmd.User)) }
	g, err := newGateway(a.ctx, cfg, newLogger(a.stderr, cfg.Log))
	switch {
	case err == nil:
		defer g.Close()
		lift = func() (bool, error) { return g.rules.Lift(a.ctx, postern.UserID(cmd.User)) }
	case postern.CauseOf(err) != postern.CauseBusy:
		return err
	}
	ok, err := lift()
	if err == nil && !ok {
		err = fmt.Errorf("%s is not stopped", cmd.User)
	}
	return err
}
