package main

type peopleCmd struct {
	Import peopleImportCmd `cmd:"" help:"Read people from a CSV file with a heading: user_id, email and, if you like, name, locale, time_zone."`
	List   peopleListCmd   `cmd:"" help:"List people as CSV, with the reason where mail is stopped."`
	Lift   peopleLiftCmd   `cmd:"" help:"Write to somebody again to whom mail was stopped."`
}

type peopleImportCmd struct {
	File string `arg:"" name:"file.csv" help:"The file; - reads standard input."`
}

// Run adds the people of the file, or changes them.
func (cmd *peopleImportCmd) Run(a *app) error {
	return errNotYet("people import")
}

type peopleListCmd struct{}

// Run prints all people.
func (cmd *peopleListCmd) Run(a *app) error {
	return errNotYet("people list")
}

type peopleLiftCmd struct {
	User string `arg:"" help:"The chat user's id."`
}

// Run lifts the stop on one person.
func (cmd *peopleLiftCmd) Run(a *app) error {
	return errNotYet("people lift")
}
