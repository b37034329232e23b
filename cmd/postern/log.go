package main

import (
	"io"
	"log/slog"
)

// newLogger makes the log: a line each, as text or JSON, at the level asked for.
func newLogger(w io.Writer, c LogConfig) *slog.Logger {
	level := slog.LevelInfo
	_ = level.UnmarshalText([]byte(c.Level)) // checked when the configuration was read
	o := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
