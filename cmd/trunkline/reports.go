package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/server"
)

// finding is a problem as forges are told of it: its file is named as in the Git repository.
type finding struct {
	compile.Problem
	commit string // the first of several commits that have it; "" where one alone is judged
}

// findings are the problems of all that was judged, each once.
func findings(all []judged, folder string) []finding {
	var list []finding
	seen := map[string]bool{}
	for _, j := range all {
		for _, p := range j.problems {
			if seen[identity(p)] {
				continue
			}
			seen[identity(p)] = true
			f := finding{Problem: p}
			if f.File != "" {
				f.File = path.Join(folder, f.File)
			}
			if len(all) > 1 {
				f.commit = j.name()
			}
			list = append(list, f)
		}
	}
	return list
}

// identity is the same for problems that people would be told of in the same words.
func identity(p compile.Problem) string { return p.String() + " " + strings.Join(p.Environments, " ") }

// writeGitHub writes findings as the annotations of a GitHub workflow.
func writeGitHub(w io.Writer, findings []finding) {
	for _, f := range findings {
		level := "error"
		if f.Severity == compile.Warning {
			level = "warning"
		}
		fields := []string{"title=" + annotationField(f.Rule)}
		if f.File != "" {
			fields = append(fields, "file="+annotationField(f.File))
		}
		if f.Line > 0 {
			fields = append(fields, fmt.Sprintf("line=%d", f.Line), fmt.Sprintf("col=%d", f.Column))
		}
		fmt.Fprintf(w, "::%s %s::%s\n", level, strings.Join(fields, ","), annotationText(f.sentence()))
	}
}

// sentence is a finding in words, without its place.
func (f finding) sentence() string {
	text := f.Message
	if f.Path != "" {
		text = f.Path + ": " + text
	}
	if f.Hint != "" {
		text += "; " + f.Hint
	}
	if f.commit != "" {
		text += "; in commit " + f.commit
	}
	if len(f.Environments) > 0 {
		text += " (" + strings.Join(f.Environments, ", ") + ")"
	}
	return text
}

var (
	annotationText  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace
	annotationField = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace
)

// The types of SARIF 2.1.0 (OASIS), as far as they are used.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID string `json:"id"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI       string `json:"uri"`
		URIBaseID string `json:"uriBaseId"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

// sarifSchema is where OASIS publishes the schema of what writeSARIF writes.
const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// writeSARIF writes findings as a SARIF log, which code scanning services read. folder is that of the config repo in the Git
// repository.
func writeSARIF(w io.Writer, findings []finding, folder string) error {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "trunkline", Version: server.Version, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
	}
	for _, f := range findings {
		if !slices.Contains(run.Tool.Driver.Rules, sarifRule{f.Rule}) {
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{f.Rule})
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Rule, Level: string(f.Severity), Message: sarifMessage{f.sentence()},
			Locations: []sarifLocation{{f.sarifPlace(folder)}},
		})
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

// sarifPlace is where a finding is shown. SARIF could do without, but GitHub refuses a whole log for one result that has no file, or no
// line: what concerns no file in particular is said of the manifest, and what concerns a whole file of its first line.
func (f finding) sarifPlace(folder string) sarifPhysical {
	file := f.File
	if file == "" {
		file = path.Join(folder, compile.ManifestFile)
	}
	uri := url.URL{Path: file} // escapes what a URI cannot hold
	return sarifPhysical{
		Artifact: sarifArtifact{URI: uri.String(), URIBaseID: "%SRCROOT%"},
		Region:   sarifRegion{max(f.Line, 1), max(f.Column, 1)},
	}
}
