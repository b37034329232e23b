package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// option is one key of the configuration, read off the tags of Config.
type option struct {
	Key     string // "sendbird.api_token"
	Env     string // "POSTERN_SENDBIRD_API_TOKEN"
	Doc     string
	Default string
	Says    string
	Enum    []string
	Form    string
	Min     int64
	Need    []string
	Unless  string
	Type    reflect.Type
	index   []int
}

// section is a table of the file; the first has no name, one within another a dotted one.
type section struct {
	Name    string
	Doc     string
	Options []option
}

// prefix is what stands before the names of its keys.
func (s section) prefix() string {
	if s.Name == "" {
		return ""
	}
	return s.Name + "."
}

// sections lists all options in the order of Config: a section's own keys, then the
// sections within it.
func sections() []section { return sectionsOf(section{}, reflect.TypeFor[Config](), nil) }

func sectionsOf(s section, t reflect.Type, index []int) []section {
	var below []section
	for i := range t.NumField() {
		f := t.Field(i)
		at := append(slices.Clone(index), i)
		switch key := f.Tag.Get("key"); {
		case key == "": // not a setting
		case f.Type.Kind() == reflect.Struct:
			below = append(below, sectionsOf(section{Name: s.prefix() + key, Doc: f.Tag.Get("doc")}, f.Type, at)...)
		default:
			s.Options = append(s.Options, newOption(s.prefix(), f, at))
		}
	}
	return append([]section{s}, below...)
}

// options lists all options, flat.
func options() []option {
	var all []option
	for _, s := range sections() {
		all = append(all, s.Options...)
	}
	return all
}

func newOption(prefix string, f reflect.StructField, index []int) option {
	o := option{
		Key:     prefix + f.Tag.Get("key"),
		Doc:     f.Tag.Get("doc"),
		Default: f.Tag.Get("default"),
		Says:    f.Tag.Get("says"),
		Form:    f.Tag.Get("form"),
		Unless:  f.Tag.Get("unless"),
		Type:    f.Type,
		index:   index,
	}
	o.Env = "POSTERN_" + strings.ToUpper(strings.ReplaceAll(o.Key, ".", "_"))
	if e := f.Tag.Get("enum"); e != "" {
		o.Enum = strings.Split(e, ",")
	}
	if n := f.Tag.Get("need"); n != "" {
		o.Need = strings.Split(n, ",")
	}
	if o.Type == reflect.TypeFor[time.Duration]() {
		d, _ := parseDuration(f.Tag.Get("min"))
		o.Min = int64(d)
	} else {
		o.Min, _ = strconv.ParseInt(f.Tag.Get("min"), 10, 64)
	}
	return o
}

// secret tells whether the value must not be shown.
func (o option) secret() bool {
	switch o.Type {
	case reflect.TypeFor[Secret](), reflect.TypeFor[[]Secret](), reflect.TypeFor[DSN]():
		return true
	}
	return false
}

func (o option) list() bool { return o.Type.Kind() == reflect.Slice }

func (o option) field(c *Config) reflect.Value {
	return reflect.ValueOf(c).Elem().FieldByIndex(o.index)
}

// kind names the type for the documents.
func (o option) kind() string {
	switch o.Type {
	case reflect.TypeFor[time.Duration]():
		return "duration"
	case reflect.TypeFor[ByteSize]():
		return "size"
	}
	switch o.Type.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	}
	return "text"
}

// set reads s, as it stands in the environment or as a string of the file, into the
// option's field. The error says what is wrong and what to write, and never repeats
// a secret.
func (o option) set(c *Config, s string) error {
	f := o.field(c)
	switch o.Type {
	case reflect.TypeFor[time.Duration]():
		d, err := parseDuration(s)
		if err != nil {
			return fmt.Errorf("%q is not a duration; write it like 10s, 5m, 1h30m or 90d", s)
		}
		if d != 0 && int64(d) < o.Min {
			return fmt.Errorf("%s is too short; at least %v, or 0s", s, time.Duration(o.Min))
		}
		f.SetInt(int64(d))
		return nil
	case reflect.TypeFor[ByteSize]():
		b, err := parseByteSize(s)
		if err != nil {
			return fmt.Errorf("%q is %w", s, err)
		}
		f.SetInt(int64(b))
		return o.checkMin(int64(b))
	}
	switch o.Type.Kind() {
	case reflect.Bool:
		if s != "true" && s != "false" {
			return fmt.Errorf("%q is neither true nor false", s)
		}
		f.SetBool(s == "true")
	case reflect.Int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		f.SetInt(int64(n))
		return o.checkMin(int64(n))
	case reflect.Float64:
		n, err := strconv.ParseFloat(s, 64)
		if err != nil || n < 0 || n > 1e6 || n != n {
			return fmt.Errorf("%q is not a number such as 10 or 0.5", s)
		}
		f.SetFloat(n)
	case reflect.Slice:
		return o.setList(c, strings.Split(s, ","))
	case reflect.String:
		return o.setString(f, s)
	default:
		panic("Config has a field of a type that option.set does not know: " + o.Key)
	}
	return nil
}

// setList fills a list; empty items are left out.
func (o option) setList(c *Config, items []string) error {
	f := o.field(c)
	f.SetZero()
	for _, item := range items {
		if item = strings.TrimSpace(item); item != "" {
			if o.Form != "" {
				var err error
				if item, err = checkForm(o.Form, item); err != nil {
					return err
				}
			}
			f.Set(reflect.Append(f, reflect.ValueOf(item).Convert(o.Type.Elem())))
		}
	}
	return nil
}

func (o option) setString(f reflect.Value, s string) error {
	if o.Enum != nil && !contains(o.Enum, s) {
		return fmt.Errorf("%q is not one of %s%s", s, strings.Join(o.Enum, ", "), didYouMean(s, o.Enum))
	}
	if o.Form != "" {
		var err error
		if s, err = checkForm(o.Form, s); err != nil {
			return err
		}
	}
	f.SetString(s)
	return nil
}

func (o option) checkMin(n int64) error {
	if n < o.Min {
		return fmt.Errorf("%d is too small; at least %d", n, o.Min)
	}
	return nil
}

// checkForm checks a text and gives it back tidied.
func checkForm(form, s string) (string, error) {
	switch form {
	case "listen":
		if _, port, err := net.SplitHostPort(s); err != nil || !isPort(port) {
			return "", fmt.Errorf("%q is not an address with a port; write it like 127.0.0.1:8080 or :8080", s)
		}
	case "url":
		u, err := url.Parse(s)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" {
			return "", fmt.Errorf("%q is not a web address; write it like https://host.example.com", s)
		}
		if u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return "", errors.New("must be a plain web address, without user, ? or #")
		}
		return strings.TrimRight(s, "/"), nil
	case "domain":
		if !isDomain(s) {
			return "", fmt.Errorf("%q is not a domain; write it like mail.example.com", s)
		}
		return strings.ToLower(s), nil
	case "database":
		file, lite := strings.CutPrefix(s, "sqlite:")
		if (lite && file == "") || (!lite && !strings.HasPrefix(s, "postgres://") && !strings.HasPrefix(s, "postgresql://")) {
			return "", errors.New("must be sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME")
		}
	case "hostport":
		host, port, err := net.SplitHostPort(s)
		if err != nil {
			host, port = s, "53"
		}
		if host == "" || strings.ContainsAny(host, " /") || !isPort(port) {
			return "", fmt.Errorf("%q is not a server; write it like 192.0.2.53 or ns.example.net:53", s)
		}
		return net.JoinHostPort(strings.Trim(host, "[]"), port), nil
	case "address":
		if local, domain, ok := strings.Cut(s, "@"); !ok || local == "" || !isDomain(domain) {
			return "", fmt.Errorf("%q is not an e-mail address", s)
		}
	case "keys":
		_, err := decodeKeys(s)
		return s, err
	default:
		panic("Config names a form that is not there: " + form)
	}
	return s, nil
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// isDomain tells a host name with at least two labels, by RFC 1123 section 2.1.
func isDomain(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' {
			return false
		}
		if strings.Trim(strings.ToLower(l), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}
