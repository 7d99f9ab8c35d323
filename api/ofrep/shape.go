package ofrep

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
)

// Entry stands before the guard of a Handler. It gives what the guard refuses the form of OFREP, with the status and the headers that it
// has.
func Entry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := shapers.Get().(*shaper)
		*s = shaper{ResponseWriter: w, path: r.URL.Path}
		defer func() {
			*s = shaper{}
			shapers.Put(s)
		}()
		next.ServeHTTP(s, r)
		if s.foreign != 0 { // an error without a word
			_, _ = s.Write(nil)
		}
	})
}

var shapers = sync.Pool{New: func() any { return new(shaper) }}

// shaper writes the answers of a handler as they are, and errors of others in the form of OFREP.
type shaper struct {
	http.ResponseWriter
	path    string
	own     bool // the error is one of this package
	foreign int  // the status of one that is not
}

// Unwrap lets an http.ResponseController reach what is beneath.
func (s *shaper) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *shaper) WriteHeader(status int) {
	if status >= http.StatusBadRequest && !s.own {
		s.foreign = status // what is wrong follows
		return
	}
	s.ResponseWriter.WriteHeader(status)
}

func (s *shaper) Write(data []byte) (int, error) {
	if s.foreign == 0 {
		return s.ResponseWriter.Write(data)
	}
	f := &failure{s.foreign, codeGeneral, detailsOf(data)}
	s.foreign = 0
	at, _ := placeOf(s.path)
	if at.single {
		f.writeOf(s, at.key)
	} else {
		f.write(s, "")
	}
	return len(data), nil
}

// detailsOf are the words of an error of this server: {"error": {"message": …, "hint": …}}.
func detailsOf(data []byte) string {
	var answer struct {
		Error struct{ Message, Hint string }
	}
	if json.Unmarshal(data, &answer) != nil || answer.Error.Message == "" {
		return strings.TrimSpace(clip(string(data)))
	}
	if answer.Error.Hint == "" {
		return answer.Error.Message
	}
	return answer.Error.Message + ": " + answer.Error.Hint
}
