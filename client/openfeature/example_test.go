package openfeature_test

import (
	"context"
	"fmt"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/trunkline/trunkline/client"
	"github.com/trunkline/trunkline/client/local"
	trunkline "github.com/trunkline/trunkline/client/openfeature"
)

// Where OpenFeature is used already, its provider is all that there is to write.
func Example() {
	provider := trunkline.New(local.Options{Options: client.Options{URL: "https://config.example", Env: "prod"}})
	if err := openfeature.SetProvider(provider); err != nil {
		fmt.Println(err)
		return
	}
	flags := openfeature.NewDefaultClient()
	who := openfeature.NewEvaluationContext("user-1", map[string]any{"country": "DE"})
	fmt.Println(flags.Boolean(context.Background(), "search.newRanking", false, who))
}
