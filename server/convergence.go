package server

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunkline/trunkline/api"
	"github.com/trunkline/trunkline/notify"
)

// convergence reads, at each scrape, how far the clients have followed. Neither commits nor clients are labels: both are many.
type convergence struct{ hub *notify.Hub }

var followed = prometheus.NewDesc("trunkline_environment_sessions",
	"Connected clients of each environment, by what they say of the live version.", []string{"environment", "state"}, nil)

// Describe names what Collect reads.
func (c convergence) Describe(ch chan<- *prometheus.Desc) { ch <- followed }

// Collect reads the state.
func (c convergence) Collect(ch chan<- prometheus.Metric) {
	for _, e := range c.hub.Convergence() {
		for state, n := range map[string]int{
			"current": e.Current, "pending": e.Pending, "rejected": e.Rejected, "behind": e.Sessions - e.Current - e.Pending - e.Rejected,
		} {
			ch <- prometheus.MustNewConstMetric(followed, prometheus.GaugeValue, float64(n), e.Environment, state)
		}
	}
}

// status is that of one environment, as the status page tells of it.
func (c convergence) status(env string) (api.SessionsStatus, bool) {
	for _, e := range c.hub.Convergence() {
		if e.Environment == env {
			return sessionsStatus(e), true
		}
	}
	return api.SessionsStatus{}, false
}

func sessionsStatus(e notify.Convergence) api.SessionsStatus {
	s := api.SessionsStatus{
		Total: e.Sessions, Current: e.Current, Pending: e.Pending, Rejected: e.Rejected, OtherVersions: e.OtherVersions, OtherClients: e.OtherClients,
		ByVersion: []api.VersionSessions{}, ByClient: []api.ClientSessions{},
	}
	for _, v := range e.Versions {
		s.ByVersion = append(s.ByVersion, api.VersionSessions(v))
	}
	for _, c := range e.Clients {
		s.ByClient = append(s.ByClient, api.ClientSessions(c))
	}
	for _, r := range e.Rejections {
		s.Rejections = append(s.Rejections, api.SessionRejection(r))
	}
	return s
}
