package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/trunkline/trunkline/apply/compile"
	"github.com/trunkline/trunkline/server"
)

// writeGitHub writes problems as the annotations of a GitHub workflow.
func writeGitHub(w io.Writer, problems []compile.Problem) {
	for _, p := range problems {
		level := "error"
		if p.Severity == compile.Warning {
			level = "warning"
		}
		fields := []string{"title=" + annotationField(p.Rule)}
		if p.File != "" {
			fields = append(fields, "file="+annotationField(p.File))
		}
		if p.Line > 0 {
			fields = append(fields, fmt.Sprintf("line=%d", p.Line), fmt.Sprintf("col=%d", p.Column))
		}
		fmt.Fprintf(w, "::%s %s::%s\n", level, strings.Join(fields, ","), annotationText(sentence(p)))
	}
}

// sentence is a problem in words, without its place.
func sentence(p compile.Problem) string {
	text := p.Message
	if p.Path != "" {
		text = p.Path + ": " + text
	}
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text + " (" + strings.Join(p.Environments, ", ") + ")"
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
		Locations []sarifLocation `json:"locations,omitempty"`
	}
	sarifMessage struct {
		Text string `json:"text"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)

// writeSARIF writes problems as a SARIF log, which code scanning services read.
func writeSARIF(w io.Writer, problems []compile.Problem) error {
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "trunkline", Version: server.Version, Rules: []sarifRule{}}},
		ColumnKind: "unicodeCodePoints", Results: []sarifResult{},
	}
	for _, p := range problems {
		if !slices.Contains(run.Tool.Driver.Rules, sarifRule{p.Rule}) {
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{p.Rule})
		}
		result := sarifResult{RuleID: p.Rule, Level: string(p.Severity), Message: sarifMessage{sentence(p)}}
		if p.File != "" {
			place := sarifPhysical{Artifact: sarifArtifact{p.File}}
			if p.Line > 0 {
				place.Region = &sarifRegion{p.Line, max(p.Column, 1)}
			}
			result.Locations = []sarifLocation{{place}}
		}
		run.Results = append(run.Results, result)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}
