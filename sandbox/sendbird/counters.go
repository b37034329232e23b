package sendbird

import (
	"encoding/json"
	"strconv"
)

// getCounters answers all counters, those of ?keys=, or the one of the path.
func getCounters(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	if key, ok := c.path["key"]; ok {
		if v, ok := ch.counters[key]; ok {
			return obj{key: v}, nil
		}
		return nil, notFound("Metacounter")
	}
	keys := append(c.query.list("keys"), c.query.list("key")...)
	out := map[string]int64{}
	for k, v := range ch.counters {
		if len(keys) == 0 || contains(keys, k) {
			out[k] = v
		}
	}
	return out, nil
}

// countersIn reads metacounter, or the value of the one in the path.
func countersIn(c *call) (map[string]int64, error) {
	in := c.body.object("metacounter")
	if key, ok := c.path["key"]; ok {
		in = obj{key: c.body.m["value"]}
	} else if c.body.err == nil && in == nil {
		return nil, missing("metacounter")
	}
	if c.body.err != nil {
		return nil, c.body.err
	}
	out := map[string]int64{}
	for k, v := range in {
		n, ok := v.(json.Number)
		i, err := strconv.ParseInt(n.String(), 10, 64)
		if !ok || err != nil {
			return nil, fail(codeNotNumber, "\"metacounter\" must hold integers.")
		}
		out[k] = i
	}
	return out, nil
}

func createCounters(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	in, err := countersIn(c)
	if err != nil {
		return nil, err
	}
	for k := range in {
		if _, ok := ch.counters[k]; ok {
			return nil, fail(codeExists, "\"%s\" already exists.", k)
		}
	}
	if len(ch.counters)+len(in) > metaItems {
		return nil, fail(codeTooMany, "\"metacounter\" must have at most %d items.", metaItems)
	}
	for k, v := range in {
		ch.counters[k] = v
	}
	return in, nil
}

func updateCounters(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	in, err := countersIn(c)
	if err != nil {
		return nil, err
	}
	mode, upsert := c.body.oneOf("mode", "set", "increase", "decrease"), c.body.boolean("upsert", false)
	if c.body.err != nil {
		return nil, c.body.err
	}
	out := map[string]int64{}
	for k, v := range in {
		have, ok := ch.counters[k]
		switch {
		case !ok && !upsert:
			continue
		case mode == "increase":
			v = have + v
		case mode == "decrease":
			v = have - v
		}
		ch.counters[k], out[k] = v, v
	}
	return out, nil
}

func deleteCounters(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	key, ok := c.path["key"]
	if !ok {
		clear(ch.counters)
		return obj{}, nil
	}
	if _, ok := ch.counters[key]; !ok {
		return nil, notFound("Metacounter")
	}
	delete(ch.counters, key)
	return obj{}, nil
}
