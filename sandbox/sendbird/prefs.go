package sendbird

import "maps"

// autoAccepts: a user's own preference goes before the application's, and that before the switch.
func (s *Server) autoAccepts(u *user) bool {
	switch {
	case u.autoAccept != nil:
		return *u.autoAccept
	case s.st.autoAccept != nil:
		return *s.st.autoAccept
	}
	return !s.sw.InviteByAcceptance
}

func (c *call) autoAccept() (*bool, error) {
	v := c.body.boolean("auto_accept", true)
	switch {
	case c.body.err != nil:
		return nil, c.body.err
	case !c.body.has("auto_accept"):
		return nil, missing("auto_accept")
	}
	return &v, nil
}

func getDefaultInvitation(s *Server, _ *call) (any, error) {
	return obj{"auto_accept": s.autoAccepts(&user{})}, nil
}

func putDefaultInvitation(s *Server, c *call) (any, error) {
	v, err := c.autoAccept()
	if err != nil {
		return nil, err
	}
	s.st.autoAccept = v
	return obj{"auto_accept": *v}, nil
}

func getInvitation(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	return obj{"auto_accept": s.autoAccepts(u)}, nil
}

func putInvitation(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	v, err := c.autoAccept()
	if err != nil {
		return nil, err
	}
	u.autoAccept = v
	return obj{"auto_accept": *v}, nil
}

// pushPreference is what webhooks and member lists repeat, and the hours of do-not-disturb, which nothing acts upon.
func (u *user) pushPreference() obj {
	o := obj{"push_trigger_option": u.pushTrigger, "do_not_disturb": u.dnd, "snooze_enabled": false, "snooze_start_ts": nil,
		"snooze_end_ts": nil, "start_hour": 0, "start_min": 0, "end_hour": 0, "end_min": 0, "timezone": "UTC",
		"push_sound": "default", "block_push_from_bots": false, "push_blocked_bot_ids": []string{}}
	maps.Copy(o, u.pushOther)
	return o
}

func getPush(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	return u.pushPreference(), nil
}

func putPush(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	a := c.body
	trigger := a.oneOf("push_trigger_option", u.pushTrigger, "default", "all", "mention_only", "off")
	dnd, zone, sound := a.boolean("do_not_disturb", u.dnd), a.str("timezone"), a.str("push_sound")
	hours := map[string]int64{}
	for key, high := range map[string]int64{"start_hour": 23, "end_hour": 23, "start_min": 59, "end_min": 59} {
		if a.has(key) {
			hours[key] = a.between(key, 0, 0, high)
		}
	}
	if a.err != nil {
		return nil, a.err
	}
	u.pushTrigger, u.dnd = trigger, dnd
	if u.pushOther == nil {
		u.pushOther = obj{}
	}
	for key, n := range hours {
		u.pushOther[key] = n
	}
	if zone != "" {
		u.pushOther["timezone"] = zone
	}
	if sound != "" {
		u.pushOther["push_sound"] = sound
	}
	s.pushChanged(u)
	return u.pushPreference(), nil
}

func (s *Server) pushChanged(u *user) {
	event := u.pushPreference()
	event["user"], event["push_enabled"] = stub(u), !u.pushOff
	s.emit("user:push_preference", nil, "", event)
}
