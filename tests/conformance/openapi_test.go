package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// The vendors' files, by service; the first that has an operation is asked.
var openAPIFiles = map[string][]string{
	Mailgun:  {"mailgun-openapi.yaml"},
	Sendbird: {"sendbird-openapi.yaml", "sendbird-openapi-2024-09.yaml"},
}

// reference finds ../shared/reference beside the repository, or "".
func reference(t *testing.T) string {
	dir := must(os.Getwd())(t, "Getwd")
	for filepath.Dir(dir) != dir {
		if b, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(b), "module github.com/postern-chat/postern\n") {
			shared := filepath.Join(dir, "..", "shared", "reference")
			if _, err := os.Stat(shared); err != nil {
				return ""
			}
			return shared
		}
		dir = filepath.Dir(dir)
	}
	return ""
}

// operation is one operation of a file.
type operation struct {
	doc    *openapi3.T
	file   string
	path   string
	item   *openapi3.PathItem
	params map[string]string
}

type openAPI map[string][]struct {
	name string
	doc  *openapi3.T
}

func loadOpenAPI(t *testing.T, dir string) openAPI {
	all := openAPI{}
	for service, names := range openAPIFiles {
		for _, name := range names {
			doc := must(openapi3.NewLoader().LoadFromFile(filepath.Join(dir, name)))(t, name)
			all[service] = append(all[service], struct {
				name string
				doc  *openapi3.T
			}{name, doc})
		}
	}
	return all
}

// find gives the operation with the most literal segments that fits the call.
func (all openAPI) find(x Exchange) *operation {
	segments := strings.Split(strings.TrimSuffix(x.Path, "/"), "/")
	var best *operation
	literal := -1
	for _, f := range all[x.Service] {
		for _, path := range f.doc.Paths.InMatchingOrder() {
			item := f.doc.Paths.Value(path)
			pattern := strings.Split(path, "/")
			if item.GetOperation(x.Method) == nil || !fits(pattern, segments) {
				continue
			}
			params, n := map[string]string{}, 0
			for i, p := range pattern {
				if !strings.HasPrefix(p, "{") {
					n++
					continue
				}
				v, err := url.PathUnescape(segments[i])
				if err != nil {
					continue
				}
				params[strings.Trim(p, "{}")] = v
			}
			if n > literal {
				best, literal = &operation{f.doc, f.name, path, item, params}, n
			}
		}
	}
	return best
}

func (op *operation) input(x Exchange) *openapi3filter.RequestValidationInput {
	target := x.Path
	if x.Query != "" {
		target += "?" + x.Query
	}
	req, err := http.NewRequest(x.Method, "http://api.test"+target, bytes.NewReader(x.Body))
	if err != nil {
		panic(err)
	}
	req.Header = x.Header.Clone()
	req.ContentLength = int64(len(x.Body))
	return &openapi3filter.RequestValidationInput{
		Request: req, PathParams: op.params,
		Route:   &routers.Route{Spec: op.doc, Path: op.path, PathItem: op.item, Method: x.Method, Operation: op.item.GetOperation(x.Method)},
		Options: &openapi3filter.Options{MultiError: true, IncludeResponseStatus: true, SkipSettingDefaults: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
	}
}

// complaints flattens a validator's error to lines "/pointer: what".
func complaints(err error) []string {
	var out []string
	var many openapi3.MultiError
	var schema *openapi3.SchemaError
	var req *openapi3filter.RequestError
	var resp *openapi3filter.ResponseError
	switch {
	case err == nil:
	case errors.As(err, &req) && error(req) == err:
		if req.Err != nil && req.Parameter == nil {
			return complaints(req.Err)
		}
		what := req.Reason
		if req.Parameter != nil {
			what = "parameter " + req.Parameter.Name + ": " + orText(what, fmt.Sprint(req.Err))
		}
		what, _, _ = strings.Cut(what, "; boundary=")
		out = append(out, oneLine(what))
	case errors.As(err, &resp) && error(resp) == err:
		if resp.Err != nil {
			return complaints(resp.Err)
		}
		what, _, _ := strings.Cut(resp.Reason, "; boundary=")
		out = append(out, oneLine(fmt.Sprintf("status %d: %s", resp.Input.Status, what)))
	case errors.As(err, &schema) && error(schema) == err:
		if inner := complaints(schema.Origin); len(inner) > 0 && schema.SchemaField != "oneOf" {
			return inner // of an allOf: what really is wrong
		}
		pointer := []string{}
		for _, p := range schema.JSONPointer() {
			if strings.Trim(p, "0123456789") == "" {
				p = "*" // which item of a list does not matter
			}
			pointer = append(pointer, p)
		}
		out = append(out, "/"+strings.Join(pointer, "/")+" "+schema.SchemaField+": "+oneLine(schema.Reason))
	case errors.As(err, &many):
		for _, e := range many {
			out = append(out, complaints(e)...)
		}
	default:
		out = append(out, oneLine(err.Error()))
	}
	return out
}

func orText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// testOpenAPI holds Postern's requests, and the emulators' answers to whoever asked, against the vendors' files.
func testOpenAPI(t *testing.T, rec *Recorder) {
	dir := reference(t)
	if dir == "" {
		t.Skip("../shared/reference is absent: the vendors' OpenAPI files are not part of the repository")
	}
	for _, kind := range []string{"message/rfc2822", "application/octet-stream", "text/plain"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.FileBodyDecoder)
	}
	all := loadOpenAPI(t, dir)
	seen := map[string]int{}
	asked, answered, unknown := 0, 0, map[string]bool{}
	for _, x := range rec.Exchanges() {
		op := all.find(x)
		if op == nil && x.Endpoint == "" {
			continue // a file, a pixel
		}
		if op == nil {
			unknown[x.Service+" "+x.Endpoint] = true
			continue
		}
		name := x.Method + " " + op.path
		in := op.input(x)
		if x.Client == PosternClients {
			asked++
			for _, c := range complaints(openapi3filter.ValidateRequest(context.Background(), in)) {
				seen["request "+name+" "+c]++
			}
		}
		if x.Service == Sendbird && x.Status != http.StatusOK {
			continue // the files know no error answers at all
		}
		answered++
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: x.Status, Header: x.AnswerHeader, Options: in.Options}
		out.SetBodyBytes(x.Answer)
		for _, c := range complaints(openapi3filter.ValidateResponse(context.Background(), out)) {
			seen["answer "+name+" "+c]++
		}
	}
	complete := len(silent(rec)) == 0
	judge(t, seen, complete)
	if complete && (asked < 20 || answered < 100) {
		t.Errorf("only %d requests and %d answers were held against the files", asked, answered)
	}
	t.Logf("%d requests of Postern and %d answers held against the files; not in them: %s", asked, answered, strings.Join(keys(unknown), ", "))
}

func keys(m map[string]bool) []string {
	out := []string{}
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}
