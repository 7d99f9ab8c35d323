package audit

// ForgetIndex makes the index know only what comes after a record, as that of a log does that is larger than it.
func (l *Log) ForgetIndex(upTo uint64) { l.index.forget(upTo) }
