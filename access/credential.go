package access

import (
	"strings"
)

type credentialKind uint8

const (
	noCredential credentialKind = iota
	tokenCredential
	jwtCredential
	ticketCredential
)

// credential is what a request brings, of the right shape and not yet looked up.
type credential struct {
	kind credentialKind
	text string
}

// bring finds the one credential of a request. What it cannot read for certain is refused, because a proxy may have read it otherwise.
func bring(authorization []string, query string, tickets bool) (credential, *Refused) {
	if query != "" {
		inURL, refused := bringInURL(query, tickets)
		switch {
		case refused != nil:
			return credential{}, refused
		case inURL.kind != noCredential && authorization != nil:
			return credential{}, refusedTwice
		case inURL.kind != noCredential:
			return inURL, nil
		}
	}
	switch len(authorization) {
	case 0:
		return credential{}, nil
	case 1:
		return parseBearer(authorization[0])
	default:
		return credential{}, refusedTwice
	}
}

// parseBearer reads the value of an Authorization header (RFC 6750, section 2.1).
func parseBearer(header string) (credential, *Refused) {
	if len(header) > maxCredential {
		return credential{}, refusedMalformed
	}
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return credential{}, refusedScheme
	}
	text = strings.TrimLeft(text, " ")
	switch {
	case tokenShaped(text):
		return credential{tokenCredential, text}, nil
	case strings.ContainsAny(text, ", "):
		return credential{}, refusedTwice
	case jwtShaped(text):
		return credential{jwtCredential, text}, nil
	default:
		return credential{}, refusedMalformed
	}
}

// keysAmong are the values of X-API-Key headers that are credentials of ours, as Authorization headers: OpenFeature clients may send them so.
// So is what only begins as one of our tokens: it was copied badly, and is not to be taken for none. Others are passed over, because gateways
// have keys of their own.
func keysAmong(values []string) []string {
	var keys []string
	for _, v := range values {
		if strings.HasPrefix(v, tokenPrefix) || len(v) <= maxCredential && jwtShaped(v) {
			keys = append(keys, "Bearer "+v)
		}
	}
	return keys
}

// jwtShaped tells whether text is three parts of base64url, the first of which begins a JSON object.
func jwtShaped(text string) bool {
	dots := 0
	for i := range len(text) {
		switch c := text[i]; {
		case c == '.':
			dots++
		case !alphanumeric(c) && c != '-' && c != '_':
			return false
		}
	}
	return dots == 2 && strings.HasPrefix(text, "ey")
}

// bringInURL finds a ticket, where one is accepted, and refuses what else is a credential for certain.
func bringInURL(query string, tickets bool) (credential, *Refused) {
	var found credential
	for pair := range strings.SplitSeq(query, "&") {
		name, text, _ := strings.Cut(pair, "=")
		switch {
		case name == ticketParam && tickets && found.kind == noCredential:
			found = credential{ticketCredential, text}
		case name == ticketParam && tickets:
			return credential{}, refusedTwice
		case name == ticketParam, name == "access_token", wellFormed(text), jwtShaped(text):
			return credential{}, refusedInURL
		}
	}
	if found.kind == ticketCredential && !ticketShaped(found.text) {
		return credential{}, refusedTicket
	}
	return found, nil
}
