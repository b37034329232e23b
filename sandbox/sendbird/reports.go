package sendbird

// report is what a user, or the API for him, holds against a user, a channel or a message.
type report struct {
	seq  int64
	body obj
}

// newReport reads what the three kinds share. The answer and the webhook carry the same properties.
func (s *Server) newReport(c *call, kind string) (obj, error) {
	a := c.body
	category := a.oneOf("report_category", "", "suspicious", "harassing", "inappropriate", "spam")
	text, by := a.str("report_description"), a.str("reporting_user_id")
	switch {
	case a.err != nil:
		return nil, a.err
	case category == "":
		return nil, missing("report_category")
	}
	o := obj{"report_type": kind, "report_category": category, "report_description": text, "created_at": s.tick()}
	if by != "" {
		u, err := s.st.user(by)
		if err != nil {
			return nil, err
		}
		o["reporting_user"] = stub(u)
	}
	return o, nil
}

// filed keeps the report and tells of it.
func (s *Server) filed(category string, ch *channel, o obj) obj {
	s.st.reports = append(s.st.reports, report{s.nextSeq(), copyMap(o)})
	s.emit(category, ch, "", copyMap(o))
	return o
}

func reportUser(s *Server, c *call) (any, error) {
	u, err := s.st.user(c.path["user_id"])
	if err != nil {
		return nil, err
	}
	o, err := s.newReport(c, "user")
	if err != nil {
		return nil, err
	}
	o["offending_user"] = stub(u)
	return s.filed("user:report", nil, o), nil
}

func reportChannel(s *Server, c *call) (any, error) {
	ch, err := c.channel(s)
	if err != nil {
		return nil, err
	}
	o, err := s.newReport(c, "channel")
	if err != nil {
		return nil, err
	}
	o["channel"] = hookChannel(ch)
	return s.filed(hookCategory(ch, "report"), ch, o), nil
}

func reportMessage(s *Server, c *call) (any, error) {
	ch, m, err := c.message(s)
	if err != nil {
		return nil, err
	}
	o, err := s.newReport(c, "message")
	if err != nil {
		return nil, err
	}
	o["channel"], o["reported_message"] = hookChannel(ch), s.messageResource(m, messageView{})
	o["offending_user"] = s.stubOf(m.senderID)
	return s.filed("message:report", ch, o), nil
}

func listReports(s *Server, c *call) (any, error) {
	return pageOf(c.query, "report_logs", s.st.reports, func(r report) string { return seqKey(r.seq) },
		func(r report) obj { return copyMap(r.body) })
}
