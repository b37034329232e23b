package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// fileValue is what the file says for a key, and where.
type fileValue struct {
	line  int
	value any // string, int64, bool, []any and what else TOML has
}

type fileValues map[string]fileValue

// readConfigFile reads a TOML file, strictly: keys that are not ours are errors with
// the line they stand in.
func readConfigFile(path string, errs *configError) fileValues {
	data, err := readLimited(path, maxConfigFile)
	if errors.Is(err, fs.ErrNotExist) {
		errs.addf("%s is not there; `postern init` writes one", path)
		return nil
	}
	if err != nil {
		errs.addf("configuration: %s", err)
		return nil
	}
	// Decoding finds what is not TOML and what stands there twice.
	tree := map[string]any{}
	if err := toml.Unmarshal(data, &tree); err != nil {
		line := 0
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, _ = de.Position()
		}
		errs.addf("%s:%d: %s", path, line, err)
		return nil
	}
	w := fileWalk{path: path, lines: keyLines(data), values: fileValues{}, errs: errs}
	for _, s := range sections() {
		w.tables = append(w.tables, s.Name)
		for _, o := range s.Options {
			w.keys = append(w.keys, o.Key)
		}
	}
	w.table("", tree)
	return w.values
}

// exposed remarks on a file that holds secrets and can be read by everybody.
func (v fileValues) exposed(path string) []string {
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o004 == 0 {
		return nil
	}
	for _, o := range options() {
		if _, ok := v[o.Key]; ok && o.secret() {
			return []string{path + " holds secrets and can be read by everybody; chmod 600 it"}
		}
	}
	return nil
}

type fileWalk struct {
	path   string
	lines  map[string]int
	tables []string
	keys   []string
	values fileValues
	errs   *configError
}

func (w *fileWalk) table(prefix string, t map[string]any) {
	for name, v := range t {
		key := prefix + name
		sub, isTable := v.(map[string]any)
		switch {
		case isTable && slices.Contains(w.tables, key):
			w.table(key+".", sub)
		case slices.Contains(w.keys, key):
			w.values[key] = fileValue{line: w.lines[key], value: v}
		default:
			candidates := w.keys
			if isTable {
				candidates = w.tables
			}
			hint := didYouMean(key, candidates)
			if hint == "" {
				hint = w.elsewhere(name)
			}
			w.errs.addf("%s:%d: %s is not a setting%s", w.path, w.lines[key], key, hint)
		}
	}
	// Maps have no order; the file has.
	slices.SortStableFunc(w.errs.lines, byLine)
}

// elsewhere looks for a key of the same name in other sections: one put below the
// wrong header is as common a mistake as a misspelt one.
func (w *fileWalk) elsewhere(name string) string {
	for _, k := range w.keys {
		if k == name || strings.HasSuffix(k, "."+name) {
			return "; did you mean " + k + "?"
		}
	}
	return "; `postern init --stdout` shows all there are"
}

// byLine orders "file:LINE: ..." by number.
func byLine(a, b string) int { return lineOf(a) - lineOf(b) }

func lineOf(s string) int {
	parts := strings.SplitN(s, ":", 3)
	if len(parts) < 3 {
		return 0
	}
	n, _ := strconv.Atoi(parts[1])
	return n
}

// keyLines tells the line of each key and table of a valid document. The decoder
// does not tell it, so the syntax tree is asked.
func keyLines(data []byte) map[string]int {
	var (
		p      unstable.Parser
		lines  = map[string]int{}
		header string
	)
	note := func(prefix string, n *unstable.Node) string {
		var parts []string
		line := 0
		for it := n.Key(); it.Next(); {
			parts = append(parts, string(it.Node().Data))
			if line == 0 {
				line = p.Shape(it.Node().Raw).Start.Line
			}
			if k := prefix + strings.Join(parts, "."); lines[k] == 0 {
				lines[k] = line
			}
		}
		return prefix + strings.Join(parts, ".")
	}
	var keyValue func(prefix string, n *unstable.Node)
	keyValue = func(prefix string, n *unstable.Node) {
		key := note(prefix, n)
		if v := n.Value(); v.Kind == unstable.InlineTable {
			for it := v.Children(); it.Next(); {
				keyValue(key+".", it.Node())
			}
		}
	}
	p.Reset(data)
	for p.NextExpression() {
		switch e := p.Expression(); e.Kind {
		case unstable.Table, unstable.ArrayTable:
			header = note("", e) + "."
		case unstable.KeyValue:
			keyValue(header, e)
		}
	}
	return lines
}

// set puts a value of the file into the option's field.
func (v fileValue) set(o option, c *Config) error {
	switch x := v.value.(type) {
	case string:
		if x = strings.TrimSpace(x); x == "" {
			return nil
		}
		return o.set(c, x)
	case int64:
		if o.kind() == "text" {
			return errors.New("must be text in quotes")
		}
		return o.set(c, strconv.FormatInt(x, 10))
	case float64:
		if o.Type.Kind() != reflect.Float64 {
			return fmt.Errorf("must be a %s", o.kind())
		}
		return o.set(c, strconv.FormatFloat(x, 'g', -1, 64))
	case bool:
		if o.kind() != "true or false" {
			return fmt.Errorf("must be a %s, not true or false", o.kind())
		}
		return o.set(c, strconv.FormatBool(x))
	case []any:
		if !o.list() {
			return fmt.Errorf("must be one %s, not a list", o.kind())
		}
		items := make([]string, len(x))
		for i, item := range x {
			s, ok := item.(string)
			if !ok {
				return errors.New("must be a list of texts in quotes")
			}
			items[i] = s
		}
		return o.setList(c, items)
	}
	return fmt.Errorf("must be a %s", o.kind())
}
