package server

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/trunkline/trunkline/api/ofrep"
	"github.com/trunkline/trunkline/apply"
	"github.com/trunkline/trunkline/experiment"
	"github.com/trunkline/trunkline/gitsync"
	"github.com/trunkline/trunkline/notify"
)

// metrics are what the program counts. Environments are labels, because their number is bounded; paths and clients never are.
type metrics struct {
	registry *prometheus.Registry

	looks      *prometheus.CounterVec
	lookTime   prometheus.Histogram
	fetchTime  prometheus.Histogram
	fetchBytes prometheus.Counter
	renewals   prometheus.Counter
	judgeTime  prometheus.Histogram
	verdicts   *prometheus.CounterVec
	undecided  *prometheus.CounterVec
	sessions   prometheus.Gauge
	deliveries *prometheus.CounterVec
	bytes      prometheus.Counter
	delay      prometheus.Histogram
	answers    *prometheus.CounterVec
	ended      *prometheus.CounterVec
	evaluated  prometheus.Counter
	streams    prometheus.Gauge
	notified   prometheus.Counter
	webhooks   *prometheus.CounterVec
	refused    *prometheus.CounterVec
	jwks       *prometheus.CounterVec
}

var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics(version string) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
		m.registry.MustRegister(c)
		return c
	}
	histogram := func(name, help string) prometheus.Histogram {
		h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: name, Help: help, Buckets: seconds})
		m.registry.MustRegister(h)
		return h
	}
	m.looks = counter("trunkline_looks_total", "Looks at the remote, by how they ended.", "outcome")
	m.lookTime = histogram("trunkline_look_duration_seconds", "Time a look took, fetch included.")
	m.fetchTime = histogram("trunkline_fetch_duration_seconds", "Time a fetch took.")
	m.fetchBytes = counter("trunkline_fetched_bytes_total", "Bytes of the packs fetched.").WithLabelValues()
	m.renewals = counter("trunkline_mirror_renewals_total", "Damaged mirrors that were replaced.").WithLabelValues()
	m.judgeTime = histogram("trunkline_judge_duration_seconds", "Time compiling and judging a commit took.")
	m.verdicts = counter("trunkline_verdicts_total", "Verdicts on commits.", "environment", "verdict")
	m.undecided = counter("trunkline_conditions_failed_total", "Conditions of rollouts and experiments that could not be evaluated for somebody.", "environment", "kind")
	m.deliveries = counter("trunkline_deliveries_total", "Messages handed to clients' sockets, by type.", "type")
	m.bytes = counter("trunkline_delivered_bytes_total", "Bytes of messages handed to clients' sockets.").WithLabelValues()
	m.delay = histogram("trunkline_delivery_delay_seconds", "Time from a version's going live to its being handed to a client's socket.")
	m.answers = counter("trunkline_client_messages_total", "Messages of clients after their hello, by type.", "type")
	m.ended = counter("trunkline_sessions_ended_total", "Sessions the server ended, by reason.", "reason")
	m.evaluated = counter("trunkline_flags_evaluated_total", "Flags evaluated for OpenFeature clients.").WithLabelValues()
	m.notified = counter("trunkline_flag_stream_events_total", "Times that an event stream of an OpenFeature client was told to ask again.").WithLabelValues()
	m.streams = prometheus.NewGauge(prometheus.GaugeOpts{Name: "trunkline_flag_streams", Help: "Open event streams of OpenFeature clients."})
	m.webhooks = counter("trunkline_webhooks_total", "Webhook deliveries.", "event", "outcome")
	m.refused = counter("trunkline_requests_refused_total", "Requests refused, by why.", "reason")
	m.jwks = counter("trunkline_jwks_looks_total", "Looks at the keys of issuers of JSON Web Tokens.", "issuer", "outcome")
	m.sessions = prometheus.NewGauge(prometheus.GaugeOpts{Name: "trunkline_sessions", Help: "Connected clients."})
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "trunkline_build_info", Help: "The running program.", ConstLabels: prometheus.Labels{"version": version},
	})
	info.Set(1)
	m.registry.MustRegister(m.sessions, m.streams, info, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// connections tells how many there are, and how many there may be.
func (m *metrics) connections(g *gate) {
	gauge := func(name, help string, value func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	gauge("trunkline_connections", "Open connections, sessions among them.", func() float64 { return float64(g.connections()) })
	gauge("trunkline_connections_limit", "Connections beyond which more wait.", func() float64 { return float64(g.most) })
}

func (m *metrics) following() gitsync.Observer {
	return gitsync.Observer{
		Looked: func(outcome gitsync.Outcome, took time.Duration) {
			m.looks.WithLabelValues(string(outcome)).Inc()
			m.lookTime.Observe(took.Seconds())
		},
		Fetched: func(took time.Duration, bytes int64) {
			m.fetchTime.Observe(took.Seconds())
			m.fetchBytes.Add(float64(bytes))
		},
		Renewed: m.renewals.Inc,
	}
}

func (m *metrics) judging() apply.Observer {
	return apply.Observer{
		Judged:    func(env string, v apply.Verdict) { m.verdicts.WithLabelValues(env, string(v)).Inc() },
		Took:      func(took time.Duration) { m.judgeTime.Observe(took.Seconds()) },
		Undecided: func(env string, kind experiment.Kind) { m.undecided.WithLabelValues(env, string(kind)).Inc() },
	}
}

func (m *metrics) delivering() notify.Observer {
	return notify.Observer{
		Sessions: func(change int) { m.sessions.Add(float64(change)) },
		Delivered: func(kind string, bytes int, delay time.Duration) {
			m.deliveries.WithLabelValues(kind).Inc()
			m.bytes.Add(float64(bytes))
			if delay >= 0 {
				m.delay.Observe(delay.Seconds())
			}
		},
		Answered: func(kind string) { m.answers.WithLabelValues(kind).Inc() },
		Ended:    func(code string) { m.ended.WithLabelValues(code).Inc() },
	}
}

func (m *metrics) evaluating() ofrep.Observer {
	return ofrep.Observer{
		Evaluated: func(flags int) { m.evaluated.Add(float64(flags)) },
		Streams:   func(change int) { m.streams.Add(float64(change)) },
		Notified:  m.notified.Inc,
	}
}

// state reads, at each scrape, what is a state rather than a count.
type state struct {
	status  func() *apply.Status
	look    func() gitsync.State
	log     *logState
	started time.Time
}

var (
	liveInfo = prometheus.NewDesc("trunkline_live_version_info", "The commit each environment serves.", []string{"environment", "commit"}, nil)
	lookAge  = prometheus.NewDesc("trunkline_last_good_look_age_seconds", "Time since the last good look at the remote, or since the start when there was none.", nil, nil)
	blocked  = prometheus.NewDesc("trunkline_blocked_seconds", "Time since newer commits are rejected, or a rewritten branch is refused; 0 when the newest is live.", []string{"environment"}, nil)
	waiting  = prometheus.NewDesc("trunkline_pending_seconds", "Time since a commit has no verdict; 0 when all have.", []string{"environment"}, nil)
	stopped  = prometheus.NewDesc("trunkline_stopped", "Rollouts and experiments that an operator has stopped.", []string{"environment"}, nil)
	pinned   = prometheus.NewDesc("trunkline_pinned_seconds", "Time since an environment is pinned; 0 when it is not.", []string{"environment"}, nil)
)

// Describe names what Collect reads.
func (s state) Describe(ch chan<- *prometheus.Desc) {
	ch <- liveInfo
	ch <- lookAge
	ch <- blocked
	ch <- waiting
	ch <- pinned
	ch <- stopped
	s.log.describe(ch)
}

// Collect reads the state.
func (s state) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	status := s.status()
	for _, e := range status.Environments {
		if e.Live != nil {
			gauge(liveInfo, 1, e.Name, e.Live.Commit.Hash.String())
		}
		since := 0.0
		switch {
		case e.Blocked != nil:
			since = time.Since(e.Blocked.Since).Seconds()
		case status.Refused != nil:
			since = time.Since(status.Refused.Since).Seconds()
		}
		gauge(blocked, since, e.Name)
		since = 0
		if e.Pending != nil {
			since = time.Since(e.Pending.Since).Seconds()
		}
		gauge(waiting, since, e.Name)
		since = 0
		if e.Pin != nil {
			since = time.Since(e.Pin.At).Seconds()
		}
		gauge(pinned, since, e.Name)
		gauge(stopped, float64(len(e.Stops)), e.Name)
	}
	good := s.look().LastGood
	if good.IsZero() {
		good = s.started
	}
	gauge(lookAge, time.Since(good).Seconds())
	s.log.collect(ch)
}
