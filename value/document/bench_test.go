package document_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/trunkline/trunkline/value"
	"github.com/trunkline/trunkline/value/document"
)

// services is a configuration as teams write it, of at least so many bytes.
func services(format document.Format, size int) string {
	var b strings.Builder
	if format == document.JSON {
		b.WriteString("{\n")
	}
	for i := 0; b.Len() < size; i++ {
		if format == document.JSON && i > 0 {
			b.WriteString(",\n")
		}
		fmt.Fprintf(&b, serviceForms[format], i)
	}
	if format == document.JSON {
		b.WriteString("\n}\n")
	}
	return b.String()
}

var serviceForms = map[document.Format]string{
	document.YAML: `service%[1]d:
  enabled: true   # switched on with the launch
  owner: team-%[1]d
  endpoint: https://service%[1]d.internal.example.com:8443/v1
  timeout: 30s
  retries: {max: 3, backoff: 1.5, jitter: 0.2}
  pool:
    min: 2
    max: 5%[1]d
  regions: [eu-west-1, us-east-1, ap-south-1]
  labels:
    tier: gold
    "cost.center": cc-%[1]d
`,
	document.JSON: `  "service%[1]d": {
    "enabled": true,
    "owner": "team-%[1]d",
    "endpoint": "https://service%[1]d.internal.example.com:8443/v1",
    "timeout": "30s",
    "retries": {"max": 3, "backoff": 1.5, "jitter": 0.2},
    "pool": {"min": 2, "max": 5%[1]d},
    "regions": ["eu-west-1", "us-east-1", "ap-south-1"],
    "labels": {"tier": "gold", "cost.center": "cc-%[1]d"}
  }`,
	document.TOML: `[service%[1]d]
enabled = true   # switched on with the launch
owner = "team-%[1]d"
endpoint = "https://service%[1]d.internal.example.com:8443/v1"
timeout = "30s"
retries = {max = 3, backoff = 1.5, jitter = 0.2}
pool.min = 2
pool.max = 5%[1]d
regions = ["eu-west-1", "us-east-1", "ap-south-1"]
[service%[1]d.labels]
tier = "gold"
"cost.center" = "cc-%[1]d"
`,
}

func BenchmarkDecode(b *testing.B) {
	for _, format := range []document.Format{document.YAML, document.JSON, document.TOML} {
		data := []byte(services(format, 50_000))
		b.Run(formatName(format), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if v, problems := document.Decode(&value.File{}, format, data, document.Limits{}); v == nil {
					b.Fatal(problems)
				}
			}
		})
	}
}
