package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// defaultConfigFile is read when no --config is given, if it is there.
const defaultConfigFile = "postern.toml"

// maxValueFile bounds what is read for a _FILE variable, maxConfigFile the file itself.
const (
	maxValueFile  = 64 << 10
	maxConfigFile = 1 << 20
)

// environment is a process's variables by name.
type environment map[string]string

func newEnvironment(environ []string) environment {
	e := make(environment, len(environ))
	for _, kv := range environ {
		if k, v, ok := strings.Cut(kv, "="); ok {
			e[k] = v
		}
	}
	return e
}

// configError holds everything that is wrong with a configuration, a line each.
type configError struct{ lines []string }

func (e *configError) Error() string { return strings.Join(e.lines, "\n") }

func (e *configError) addf(format string, args ...any) {
	e.lines = append(e.lines, fmt.Sprintf(format, args...))
}

// defaultConfig is the configuration when nothing is set.
func defaultConfig() *Config {
	c := new(Config)
	for _, o := range options() {
		if o.Default == "" {
			continue
		}
		if err := o.set(c, o.Default); err != nil {
			panic("Config has a bad default: " + o.Key + ": " + err.Error())
		}
	}
	return c
}

// loadConfig reads the configuration: the environment before the file before the
// defaults. path "" means that there is no file. The error lists all that is wrong.
func loadConfig(path string, environ []string) (*Config, error) {
	var (
		c    = defaultConfig()
		env  = newEnvironment(environ)
		file fileValues
		errs = new(configError)
	)
	if path != "" {
		file = readConfigFile(path, errs)
	}
	for _, o := range options() {
		v, where, err := env.lookup(o)
		switch {
		case err != nil:
			errs.addf("%s", err)
		case v != "":
			if err := o.set(c, v); err != nil {
				errs.addf("%s (%s): %s", where, o.Key, err)
			}
		default:
			if fv, ok := file[o.Key]; ok {
				if err := fv.set(o, c); err != nil {
					errs.addf("%s:%d: %s (%s): %s", path, fv.line, o.Key, o.Env, err)
				}
			}
		}
	}
	if len(errs.lines) > 0 {
		return nil, errs
	}
	c.derive()
	c.Warnings = append(env.misspelt(), file.exposed(path)...)
	return c, nil
}

// lookup finds an option's value in the environment, and says which variable or file
// gave it. "" means that it is not set there.
func (e environment) lookup(o option) (value, where string, err error) {
	v, fileVar := strings.TrimSpace(e[o.Env]), o.Env+"_FILE"
	path := e[fileVar]
	switch {
	case v != "" && path != "":
		return "", "", fmt.Errorf("%s and %s are both set (%s); unset one of them", o.Env, fileVar, o.Key)
	case v != "":
		return v, o.Env, nil
	case path != "":
		if v, err = readValue(path); err != nil {
			return "", "", fmt.Errorf("%s (%s): %w", fileVar, o.Key, err)
		}
		return v, fileVar, nil
	}
	// systemd's LoadCredential=, systemd.exec(5).
	if dir := e["CREDENTIALS_DIRECTORY"]; dir != "" && o.secret() {
		path = filepath.Join(dir, o.Key)
		v, err = readValue(path)
		if errors.Is(err, fs.ErrNotExist) {
			return "", "", nil
		}
		if err != nil {
			return "", "", fmt.Errorf("credential %s (%s): %w", o.Key, o.Env, err)
		}
		return v, path, nil
	}
	return "", "", nil
}

// readValue reads a value from a file of its own.
func readValue(path string) (string, error) {
	b, err := readLimited(path, maxValueFile)
	if err != nil {
		return "", err
	}
	v := strings.TrimSpace(string(b))
	if v == "" {
		return "", fmt.Errorf("%s is empty; put the value in it", path)
	}
	return v, nil
}

func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // only read
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, limit)
	}
	return b, nil
}

// misspelt remarks on variables that look like ours and are not. They are no errors:
// Kubernetes puts POSTERN_PORT and the like into the environment of its own accord.
func (e environment) misspelt() []string {
	known := map[string]bool{"POSTERN_CONFIG": true}
	for _, o := range options() {
		known[o.Env], known[o.Env+"_FILE"] = true, true
	}
	var all []string
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if !strings.HasPrefix(name, "POSTERN_") || known[name] || strings.HasPrefix(name, "POSTERN_TEST_") {
			continue
		}
		short := strings.TrimPrefix(name, "POSTERN_")
		for _, k := range slices.Sorted(maps.Keys(known)) {
			if editDistance(short, strings.TrimPrefix(k, "POSTERN_")) <= 2 {
				all = append(all, name+" is not a setting of ours; did you mean "+k+"?")
				break
			}
		}
	}
	return all
}

// require names everything that a command needs and that is not set, a line each.
func (c *Config) require(command, path string) error {
	if path == "" {
		path = defaultConfigFile
	}
	errs := new(configError)
	byKey := map[string]option{}
	for _, o := range options() {
		byKey[o.Key] = o
	}
	for _, o := range options() {
		if !slices.Contains(o.Need, command) || !o.field(c).IsZero() {
			continue
		}
		if o.Unless != "" && !byKey[o.Unless].field(c).IsZero() {
			continue
		}
		errs.addf("%s is missing: set it in %s or as %s. %s", o.Key, path, o.Env, firstSentence(o.Doc))
	}
	if len(errs.lines) > 0 {
		return errs
	}
	return nil
}

func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}
