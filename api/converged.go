package api

import (
	"time"

	"github.com/trunkline/trunkline/access"
)

// SessionsStatus tells how far the connected clients of an environment have followed, those who may read everything in it. Names and
// reasons are clients' own words, and a reason may quote a value.
type SessionsStatus struct {
	Total int `json:"total"` // which have had their first values
	// Of the total, by what they say of the live version: those that use it, were sent it and have not answered, and could not use it.
	Current  int `json:"current"`
	Pending  int `json:"pending"`
	Rejected int `json:"rejected"`

	ByVersion     []VersionSessions  `json:"byVersion"` // the newest first
	OtherVersions int                `json:"otherVersions,omitempty"`
	ByClient      []ClientSessions   `json:"byClient"` // the most sessions first
	OtherClients  int                `json:"otherClients,omitempty"`
	Rejections    []SessionRejection `json:"rejections,omitempty"`
}

// VersionSessions are the sessions of one version.
type VersionSessions struct {
	Commit   string `json:"commit"`
	Sessions int    `json:"sessions"` // use it
	Pending  int    `json:"pending"`
	Rejected int    `json:"rejected"`
}

// ClientSessions are the sessions of clients that call themselves the same.
type ClientSessions struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Sessions int    `json:"sessions"`
	Current  int    `json:"current"`  // use the live version
	Rejected int    `json:"rejected"` // could not use it
}

// SessionRejection is what a client said of a version that it could not use.
type SessionRejection struct {
	Client  string    `json:"client"`
	Version string    `json:"version"` // of the client
	Commit  string    `json:"commit"`
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// sessionsStatus is what a reader with the right history may know of an environment's sessions; nil where nothing is known. Most are of
// clients that read other paths than a reader of some: who they are, how many, and what they could not use is not such a reader's to know.
func (a *api) sessionsStatus(env string, who *access.Identity) *SessionsStatus {
	if a.o.Convergence == nil || !who.Grant.Everything() {
		return nil
	}
	s, ok := a.o.Convergence(env)
	if !ok {
		return nil
	}
	return &s
}
