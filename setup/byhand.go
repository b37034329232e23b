package setup

import (
	"github.com/postern-chat/postern"
	"github.com/postern-chat/postern/setup/lookup"
)

// Instructions are what the operator has to enter where the zone is kept, as
// DNSConfig.Page puts it.
func (d *DNS) Instructions() string {
	if d.cfg.Host != nil || len(d.edits) == 0 || d.cfg.Page == nil {
		return ""
	}
	var adds, removes []postern.DNSRecord
	for _, e := range d.edits {
		adds, removes = append(adds, e.Add...), append(removes, e.Remove...)
	}
	keeper, _ := lookup.HostOf(d.zone.ServerNames())
	return d.cfg.Page(keeper, d.zone.Name, removes, adds)
}
