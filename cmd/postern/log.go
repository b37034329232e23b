package main

import (
	"io"
	"log/slog"

	"github.com/postern-chat/postern"
)

// newLogger makes the log: a line each, as text or JSON, at the level asked for.
func newLogger(w io.Writer, c LogConfig) *slog.Logger {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(c.Level)) // checked when the configuration was read
	o := &slog.HandlerOptions{Level: level}
	if level <= slog.LevelDebug {
		o.ReplaceAttr = withWords
	}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// withWords adds to an error what the other side said, which may hold anything.
func withWords(_ []string, a slog.Attr) slog.Attr {
	if err, ok := a.Value.Any().(error); ok {
		if said := postern.SaidOf(err); said != "" {
			return slog.String(a.Key, err.Error()+": "+said)
		}
	}
	return a
}
