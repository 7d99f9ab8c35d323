package value_test

import (
	"fmt"
	"time"

	"github.com/trunkline/trunkline/value"
)

func ExampleDecode() {
	root, _ := value.ParseJSON([]byte(`{"database": {"host": "db.local", "pool": {"max": 20, "timeout": "90s"}}}`))
	config := struct {
		Host string `trunkline:"host,required"`
		Port uint16
		Pool struct {
			Max     int
			Timeout time.Duration
		}
	}{Port: 5432}
	if err := value.Decode(root, "database", &config); err != nil {
		fmt.Println(err)
	}
	fmt.Printf("%+v\n", config)
	_, err := value.Get(root, "database.pool.timeout", 30)
	fmt.Println(err)
	// Output:
	// {Host:db.local Port:5432 Pool:{Max:20 Timeout:1m30s}}
	// database.pool.timeout: expected an integer, found the string "90s"
}

func ExampleParseQuery() {
	root, _ := value.ParseJSON([]byte(`{"api": {"timeout": "90s"}, "web": {"timeout": "5s"}, "job": {"timeout": "2m", "owner": "team-a"}}`))
	query, err := value.ParseQuery([]byte(`{"pattern": "*", "where": {"all": [
		{"path": "timeout", "gt": "60s", "as": "duration"},
		{"not": {"path": "owner", "startsWith": "team-"}}]}}`))
	if err != nil {
		fmt.Println(err)
	}
	answer, _ := query.Run(root, value.QueryBudget{})
	for _, m := range answer.Matches {
		fmt.Println(m.Path, m.Value)
	}
	// Output:
	// api {"timeout":"90s"}
}
