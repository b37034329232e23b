package letter

// verdicts draws the conclusions that need the body and the parts.
func (rd *reader) verdicts(root *part) error {
	var err error
	if rd.msg.Bounce, err = rd.bounce(root); err != nil {
		return err
	}
	rd.msg.Auto = rd.automatic(root)
	return nil
}
