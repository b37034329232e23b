package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writeConfigFile writes a commented configuration in which everything stands at its
// default, commented out, except the values given by key.
func writeConfigFile(w io.Writer, values map[string]string) error {
	b := new(strings.Builder)
	b.WriteString(`# Configuration of Postern. Lines that are commented out show the default; those
# marked "required" have none.
#
# Each setting is also an environment variable, which beats this file:
# sendbird.app_id is POSTERN_SENDBIRD_APP_ID, or POSTERN_SENDBIRD_APP_ID_FILE for a
# file that holds the value. This file holds secrets: let nobody else read it.
`)
	for _, s := range sections() {
		if s.Name != "" {
			fmt.Fprintf(b, "\n\n# %s\n[%s]\n", s.Doc, s.Name)
		}
		for _, o := range s.Options {
			b.WriteString("\n")
			for _, line := range wrap(o.fileDoc(), 84) {
				b.WriteString("# " + line + "\n")
			}
			name := strings.TrimPrefix(o.Key, s.prefix())
			if v, ok := values[o.Key]; ok {
				fmt.Fprintf(b, "%s = %s\n", name, o.literal(v))
			} else {
				fmt.Fprintf(b, "# %s = %s\n", name, o.literal(o.Default))
			}
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o option) fileDoc() string {
	doc := o.Doc
	if o.Enum != nil {
		doc += " One of " + strings.Join(o.Enum, ", ") + "."
	}
	if least := o.least(); least != "" {
		doc += " " + least
	}
	if o.Says != "" {
		doc += " Default: " + o.Says + "."
	}
	if by := o.requiredBy(); by != "" {
		doc += " Required" + strings.TrimPrefix(by, "required") + "."
	}
	return doc
}

// requiredBy says who cannot do without: the gateway itself, or only the set-up.
func (o option) requiredBy() string {
	switch {
	case o.Need == nil:
		return ""
	case slices.Contains(o.Need, "serve"):
		return "required"
	}
	return "required by `postern setup`"
}

// least says what a duration may be at least; "" = nothing to say.
func (o option) least() string {
	if o.Min == 0 || o.kind() != "duration" {
		return ""
	}
	d := time.Duration(o.Min)
	if d%(24*time.Hour) == 0 {
		return fmt.Sprintf("At least %dd, or 0s.", d/(24*time.Hour))
	}
	return fmt.Sprintf("At least %v, or 0s.", d)
}

// literal writes a value as TOML.
func (o option) literal(v string) string {
	switch {
	case o.list():
		var items []string
		for item := range strings.SplitSeq(v, ",") {
			if item != "" {
				items = append(items, strconv.Quote(item))
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	case o.kind() == "number", o.kind() == "true or false":
		return v
	}
	return strconv.Quote(v)
}

// wrap breaks a text into lines of at most width bytes where it has spaces.
func wrap(s string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(s) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// writeConfigDoc writes docs/configuration.md.
func writeConfigDoc(w io.Writer) error {
	b := new(strings.Builder)
	b.WriteString(`# Configuration

<!-- Made by "make generate" from cmd/postern/config.go; do not edit. -->

Postern reads a TOML file: the one named by ` + "`--config FILE`, else by `POSTERN_CONFIG`, else `postern.toml`" + ` in the
current folder if there is one. ` + "`postern init`" + ` writes a commented one. A key that Postern does not know is an error.

Every key is also an environment variable, which beats the file. With the suffix ` + "`_FILE`" + ` the variable names a file that holds
the value; setting both is an error. Secrets may also lie, named by their key, in the folder that ` + "`$CREDENTIALS_DIRECTORY`" + ` names
(systemd's ` + "`LoadCredential=sendbird.api_token:/path`" + `). An empty value counts as not set.

Durations are written like ` + "`10s`, `5m`, `1h30m` or `90d`, sizes like `18MB` (10^6) or `16MiB` (2^20)" + `. Lists are arrays in the file and
comma separated in the environment.
`)
	for _, s := range sections() {
		if s.Name != "" {
			fmt.Fprintf(b, "\n## %s\n\n%s\n", s.Name, s.Doc)
		}
		b.WriteString("\n| key | variable | kind | default | meaning |\n|---|---|---|---|---|\n")
		for _, o := range s.Options {
			fmt.Fprintf(b, "| `%s` | `%s` | %s | %s | %s |\n", o.Key, o.Env, o.docKind(), o.docDefault(), o.docText())
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (o option) docKind() string {
	if o.secret() {
		if o.list() {
			return "list of secrets"
		}
		return "secret"
	}
	return o.kind()
}

func (o option) docDefault() string {
	switch {
	case o.Says != "":
		return o.Says
	case o.Unless != "":
		return "required, unless `" + o.Unless + "` is set"
	case o.Need != nil:
		return o.requiredBy()
	case o.Default != "":
		return "`" + o.Default + "`"
	}
	return ""
}

func (o option) docText() string {
	s := o.Doc
	if o.Enum != nil {
		s = "`" + strings.Join(o.Enum, "`, `") + "`. " + s
	}
	if least := o.least(); least != "" {
		s += " " + least
	}
	return strings.ReplaceAll(s, "|", `\|`)
}
