package server

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/trunkline/trunkline/audit"
)

const sizeAge = 5 * time.Second // of what is told of the log's size, at most, while the log answers

var (
	logPending = prometheus.NewDesc("trunkline_audit_records_pending", "Records that wait for the audit log.", nil, nil)
	logLost    = prometheus.NewDesc("trunkline_audit_records_lost_total", "Records that the audit log will not hold, because too many waited for it or they were too large.", nil, nil)
	logRecords = prometheus.NewDesc("trunkline_audit_records", "Records in the audit log.", nil, nil)
	logBytes   = prometheus.NewDesc("trunkline_audit_bytes", "Size of the audit log.", nil, nil)
	logLimit   = prometheus.NewDesc("trunkline_audit_limit_bytes", "Size at which the audit log takes no more records until it is trimmed.", nil, nil)
	logFirst   = prometheus.NewDesc("trunkline_audit_first_timestamp_seconds", "When the oldest record of the audit log was stored.", nil, nil)
)

// logState tells of the audit log. Its size is asked for now and then; while the log does not answer, the last answer stays.
type logState struct {
	log *audit.Log

	mu    sync.Mutex
	size  audit.Size
	asked time.Time // zero before the first answer
}

func (s *logState) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{logPending, logLost, logRecords, logBytes, logLimit, logFirst} {
		ch <- d
	}
}

func (s *logState) collect(ch chan<- prometheus.Metric) {
	tell := func(d *prometheus.Desc, kind prometheus.ValueType, v float64) {
		ch <- prometheus.MustNewConstMetric(d, kind, v)
	}
	pending, _ := s.log.Pending()
	tell(logPending, prometheus.GaugeValue, float64(pending))
	tell(logLost, prometheus.CounterValue, float64(s.log.Lost()))
	size, known := s.now()
	if !known {
		return
	}
	tell(logRecords, prometheus.GaugeValue, float64(size.Records))
	tell(logBytes, prometheus.GaugeValue, float64(size.Bytes))
	tell(logLimit, prometheus.GaugeValue, float64(size.MaxBytes))
	if !size.Oldest.IsZero() {
		tell(logFirst, prometheus.GaugeValue, float64(size.Oldest.UnixMilli())/1000)
	}
}

func (s *logState) now() (size audit.Size, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.asked) < sizeAge {
		return s.size, true
	}
	ctx, cancel := context.WithTimeout(context.Background(), sizePatience)
	defer cancel()
	if size, err := s.log.Size(ctx); err == nil {
		s.size, s.asked = size, time.Now()
	}
	return s.size, !s.asked.IsZero()
}
