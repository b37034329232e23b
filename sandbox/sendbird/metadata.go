package sendbird

import "strings"

// Limits of metadata, the same for users and channels (managing-metadata).
const (
	metaItems = 5
	metaKey   = 128
	metaValue = 190
)

func userMetadata(s *Server, c *call) (map[string]string, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	return u.metadata, nil
}

func channelMetadata(s *Server, c *call) (map[string]string, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	return ch.metadata, nil
}

// metaOf finds the metadata that a call is about; the map is the state's own.
type metaOf func(*Server, *call) (map[string]string, error)

func getMetadata(of metaOf) handle {
	return func(s *Server, c *call) (any, error) {
		m, err := of(s, c)
		if err != nil {
			return nil, err
		}
		keys := append(c.query.list("keys"), c.query.list("key")...)
		if len(keys) == 0 {
			return copyMap(m), nil
		}
		out := map[string]string{}
		for _, k := range keys {
			if v, ok := m[k]; ok {
				out[k] = v
			}
		}
		return out, nil
	}
}

func createMetadata(of metaOf) handle {
	return func(s *Server, c *call) (any, error) {
		m, err := of(s, c)
		if err != nil {
			return nil, err
		}
		add, err := metadataIn(c)
		if err != nil {
			return nil, err
		}
		for k := range add {
			if _, ok := m[k]; ok {
				return nil, fail(codeExists, "\"%s\" already exists.", k)
			}
		}
		return mergeMetadata(m, add)
	}
}

func updateMetadata(of metaOf) handle {
	return func(s *Server, c *call) (any, error) {
		m, err := of(s, c)
		if err != nil {
			return nil, err
		}
		add, err := metadataIn(c)
		if err != nil {
			return nil, err
		}
		upsert := c.body.boolean("upsert", false)
		if c.body.err != nil {
			return nil, c.body.err
		}
		for k := range add {
			if _, ok := m[k]; !ok && !upsert {
				delete(add, k) // without upsert only what exists is changed
			}
		}
		return mergeMetadata(m, add)
	}
}

func metadataIn(c *call) (map[string]string, error) {
	add := c.body.stringMap("metadata")
	if c.body.err != nil {
		return nil, c.body.err
	}
	if !c.body.has("metadata") {
		return nil, missing("metadata")
	}
	return add, nil
}

func mergeMetadata(m, add map[string]string) (any, error) {
	if err := checkMetadata(add, m); err != nil {
		return nil, err
	}
	for k, v := range add {
		m[k] = v
	}
	return add, nil
}

func deleteMetadata(of metaOf) handle {
	return func(s *Server, c *call) (any, error) {
		m, err := of(s, c)
		if err != nil {
			return nil, err
		}
		clear(m)
		return obj{}, nil
	}
}

func getMetadataKey(of metaOf) handle {
	return func(s *Server, c *call) (any, error) {
		m, err := of(s, c)
		if err != nil {
			return nil, err
		}
		v, ok := m[c.path["key"]]
		if !ok {
			return nil, notFound("Metadata")
		}
		return obj{c.path["key"]: v}, nil
	}
}

func updateMetadataKey(of metaOf) handle {
	return func(s *Server, c *call) (any, error) {
		m, err := of(s, c)
		if err != nil {
			return nil, err
		}
		value, upsert := c.body.str("value"), c.body.boolean("upsert", false)
		if c.body.err != nil {
			return nil, c.body.err
		}
		if !c.body.has("value") {
			return nil, missing("value")
		}
		if _, ok := m[c.path["key"]]; !ok && !upsert {
			return nil, notFound("Metadata")
		}
		return mergeMetadata(m, map[string]string{c.path["key"]: value})
	}
}

func deleteMetadataKey(of metaOf) handle {
	return func(s *Server, c *call) (any, error) {
		m, err := of(s, c)
		if err != nil {
			return nil, err
		}
		if _, ok := m[c.path["key"]]; !ok {
			return nil, notFound("Metadata")
		}
		delete(m, c.path["key"])
		return obj{}, nil
	}
}

// checkMetadata holds add, to be merged into have, against the limits.
func checkMetadata(add, have map[string]string) error {
	n := len(have)
	for k, v := range add {
		if _, ok := have[k]; !ok {
			n++
		}
		switch {
		case k == "" || strings.Contains(k, ","):
			return fail(codeBadCharacter, "Metadata key \"%s\" is not allowed.", k)
		case len([]rune(k)) > metaKey:
			return fail(codeTooLong, "Metadata key must be at most %d characters.", metaKey)
		case len([]rune(v)) > metaValue:
			return fail(codeTooLong, "Metadata value must be at most %d characters.", metaValue)
		}
	}
	if n > metaItems {
		return fail(codeTooMany, "\"metadata\" must have at most %d items.", metaItems)
	}
	return nil
}
