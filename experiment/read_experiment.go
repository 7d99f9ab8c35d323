package experiment

import (
	"slices"
	"time"

	"github.com/trunkline/trunkline/value"
)

// experiment reads the document of experiments/key.yaml.
func (r *reader) experiment(key string, doc *value.Value) *Experiment {
	x := &Experiment{Key: key, Phase: 1, Control: "control", at: doc, phaseAt: doc}
	var status, weights string
	var traffic int
	r.members(doc, "an experiment", []member{
		{"environments", "environments: [prod]", r.environments(&x.Environments)},
		{"description", "", r.text("description", &x.Description)},
		{"owner", "", r.text("owner", &x.Owner)},
		{"status", "status: draft", r.oneOf("status", &status, string(Draft), string(Running), string(Paused), string(Decided))},
		{"layer", "layer: checkout", func(v *value.Value) { x.layer = v; r.text("layer", &x.Layer)(v) }},
		{"salt", "salt: '8f3a1c90d2b7', some random letters and digits", r.salt(&x.salt)},
		{"phase", "", func(v *value.Value) { x.phaseAt = v; r.count("phase", 1, &x.Phase)(v) }},
		{"traffic", "", r.share("traffic", &traffic)},
		{"slots", "", r.slots("slots", &x.Slots)},
		{"targeting", "", r.condition("targeting", &x.targeting)},
		{"weights", "", r.oneOf("weights", &weights, "equal")},
		{"variants", "variants: {control: {weight: 50%}, green: {weight: 50%, set: {…}}}", func(v *value.Value) { r.variants(x, v, weights == "equal") }},
		{"control", "", r.text("control", &x.Control)},
		{"force", "", r.force(&x.Force, x.forced(r))},
		{"prerequisites", "", r.prerequisites(&x.Prerequisites)},
		{"metrics", "", func(v *value.Value) { r.metrics(x, v) }},
		{"plan", "", func(v *value.Value) { x.Plan = r.plan(v) }},
	})
	x.Status, x.Targeting = Status(status), x.targeting.text
	r.traffic(x, doc, traffic)
	if _, ok := doc.Get("variants"); ok && r.errors == 0 && !slices.ContainsFunc(x.Variants, func(v Variant) bool { return v.Name == x.Control }) {
		r.wrong(doc, "name one variant control, or add control: NAME", "no variant is named %s: others are compared with it", x.Control)
	}
	if x.Status.holds() && x.Plan == nil && !r.known.exported {
		r.fail(doc, "noPlan", "add plan: {unitsTotal: 120000, minimumEffect: {relative: 10%}}; `trunkline experiment plan` computes it", "the experiment is %s and has no plan", status)
	}
	return x
}

// traffic settles which slots of the layer the experiment has: those it lists, or else its share from slot 0 on.
func (r *reader) traffic(x *Experiment, doc *value.Value, traffic int) {
	written, shared := doc.Get("traffic")
	listed, has := doc.Get("slots")
	switch {
	case !shared && !has:
		r.wrong(doc, "add traffic: 20%, or slots: [0-1999]", "the experiment has neither traffic nor slots")
	case !has:
		x.Slots = first(traffic)
	case shared && r.errors == 0 && x.Slots.Count() != traffic:
		r.fail(written, "slots", "write traffic: "+share(x.Slots.Count())+", or remove it", "traffic is %s, and the slots are %s", share(traffic), share(x.Slots.Count()))
	case x.Slots.Count() == 0 && r.errors == 0:
		r.fail(listed, "slots", "write slots: [0-1999]", "the experiment has no slots")
	}
}

// count reads a whole number.
func (r *reader) count(name string, least int, to *int) func(*value.Value) {
	return func(v *value.Value) {
		if v.Kind() != value.Int || v.Int() < int64(least) || v.Int() > 1e12 {
			r.wrong(v, "write a whole number", "%s is no whole number from %d on", name, least)
			return
		}
		*to = int(v.Int())
	}
}

func (r *reader) variants(x *Experiment, v *value.Value, equal bool) {
	const example = "variants: {control: {weight: 50%}, green: {weight: 50%, set: {…}}}"
	var weights []int
	var weighed, listed int
	r.named(v, "variants", example, MaxVariants, func(e value.Entry) {
		variant, weight := r.variant(e)
		if weight >= 0 {
			weighed++
		}
		if _, own := e.Value.Get("slots"); own {
			listed++
		}
		weights = append(weights, weight)
		x.Variants = append(x.Variants, variant)
		x.arms = append(x.arms, newArm(variant.Name, variant.Set, e.Value))
	})
	if v.Kind() != value.Map || r.errors > 0 {
		return
	}
	if len(x.Variants) < 2 {
		r.wrong(v, "write "+example, "an experiment compares two variants or more")
		return
	}
	if !slices.ContainsFunc(x.Variants, func(v Variant) bool { return len(v.Set) > 0 }) && !r.known.exported {
		r.wrong(v, "add set: {checkout.ui.button.color: green} to a variant; to compare alike with alike set what is configured", "no variant sets anything, so nobody can see the experiment")
	}
	r.weights(x, v, weights, weighed, listed, equal)
	x.bounds = boundsOf(x.Variants)
}

// variant reads one variant; its weight is -1 where there is none.
func (r *reader) variant(e value.Entry) (variant Variant, weight int) {
	variant.Name, weight = e.Key, -1
	if !isKey(e.Key) {
		r.wrong(e.Value, keyHint, "%q is no name of a variant", e.Key)
	}
	if e.Value.Kind() == value.Null {
		return variant, weight
	}
	r.members(e.Value, "a variant", []member{
		{"weight", "", r.share("weight", &weight)},
		{"slots", "", r.slots("slots", &variant.Slots)},
		{"set", "", r.settings(&variant.Set)},
	})
	return variant, weight
}

// weights settles which slots each variant has: those it lists, or else as many as its weight says, in the order of the names.
func (r *reader) weights(x *Experiment, at *value.Value, weights []int, weighed, listed int, equal bool) {
	const hint = "give every variant a weight, or every variant slots, or write weights: equal and neither"
	switch n := len(x.Variants); {
	case equal && weighed+listed > 0, !equal && listed == 0 && weighed < n, listed > 0 && listed < n:
		r.fail(at, "weights", hint, "some variants have weights or slots and others do not")
		return
	case listed == n:
		r.listed(x, at, weights)
		return
	case equal:
		weights = equalWeights(n)
	}
	total := 0
	for _, weight := range weights {
		total += weight
	}
	if total != Slots {
		r.fail(at, "weights", "let the weights sum to 100%", "the weights sum to %s", share(total))
		return
	}
	from := 0
	for i, weight := range weights {
		if x.Variants[i].Slots = nil; weight > 0 {
			x.Variants[i].Slots = Ranges{{from, from + weight - 1}}
		}
		from += weight
	}
}

// equalWeights cuts all slots into n parts; where they do not divide, the first have one more.
func equalWeights(n int) []int {
	weights := make([]int, n)
	for i := range weights {
		weights[i] = Slots / n
		if i < Slots%n {
			weights[i]++
		}
	}
	return weights
}

// listed checks that variants share all slots among them, and that weights beside the slots say the same.
func (r *reader) listed(x *Experiment, at *value.Value, weights []int) {
	total := 0
	for i, v := range x.Variants {
		total += v.Slots.Count()
		if weights[i] >= 0 && weights[i] != v.Slots.Count() {
			r.fail(x.arms[i].at, "weights", "write weight: "+share(v.Slots.Count())+", or remove it", "the weight of %s is %s, and its slots are %s", v.Name, share(weights[i]), share(v.Slots.Count()))
		}
		for j, other := range x.Variants[:i] {
			if both := v.Slots.And(other.Slots); both != nil {
				r.fail(x.arms[i].at, "slots", "let each slot be of one variant", "%s has the slots %s, and so has %s", v.Name, both, x.arms[j].name)
			}
		}
	}
	if total < Slots {
		var all Ranges
		for _, v := range x.Variants {
			all = all.with(v.Slots)
		}
		r.fail(at, "weights", "let the slots of all variants be 0-9999 together", "no variant has the slots %s", all.rest())
	}
}

// boundsOf are the ends of all variants' ranges, in order.
func boundsOf(variants []Variant) []bound {
	var bounds []bound
	for i, v := range variants {
		for _, one := range v.Slots {
			bounds = append(bounds, bound{uint16(one.Last), uint8(i)})
		}
	}
	slices.SortFunc(bounds, func(a, b bound) int { return int(a.last) - int(b.last) })
	return bounds
}

func (x *Experiment) forced(r *reader) func(*value.Value) (int, bool) {
	return func(v *value.Value) (int, bool) {
		var names []string
		for i, variant := range x.Variants {
			if variant.Name == v.Str() {
				return i, true
			}
			names = append(names, variant.Name)
		}
		r.wrong(v, value.Suggestion(v.Str(), names, "variants are "), "a unit is forced to what is no variant")
		return 0, false
	}
}

func (r *reader) metrics(x *Experiment, v *value.Value) {
	names := func(name string, to *[]string) func(*value.Value) {
		return func(v *value.Value) {
			r.each(v, name, name+": [purchase-rate]", MaxRules, func(_ int, item *value.Value) {
				*to = append(*to, "")
				r.metricName(x, &(*to)[len(*to)-1])(item)
			})
		}
	}
	r.members(v, "a set of metrics", []member{
		{"primary", "primary: [purchase-rate]", names("primary", &x.Metrics.Primary)},
		{"secondary", "", names("secondary", &x.Metrics.Secondary)},
		{"guardrails", "", func(v *value.Value) { r.guardrails(x, v) }},
	})
}

// metricName reads the key of a metric, and keeps where it stands.
func (r *reader) metricName(x *Experiment, to *string) func(*value.Value) {
	return func(v *value.Value) {
		r.key("metric", to)(v)
		x.metricsAt = append(x.metricsAt, v)
	}
}

func (r *reader) guardrails(x *Experiment, v *value.Value) {
	const example = "guardrails: [{metric: error-rate, margin: {absolute: 0.2%}}]"
	r.each(v, "guardrails", example, MaxRules, func(_ int, item *value.Value) {
		var g Guardrail
		r.members(item, "a guardrail", []member{
			{"metric", "metric: error-rate", r.metricName(x, &g.Metric)},
			{"margin", "margin: {absolute: 0.2%}", r.amount("margin", &g.Margin)},
		})
		x.Metrics.Guardrails = append(x.Metrics.Guardrails, g)
	})
}

// amount reads a difference, relative or absolute, as a percentage or a number.
func (r *reader) amount(name string, to *Amount) func(*value.Value) {
	return func(v *value.Value) {
		read := func(v *value.Value) {
			to.Size = v.Float()
			if slots, err := parseShare(v.Str()); err == nil {
				to.Size = float64(slots) / Slots
			}
			if to.Size <= 0 {
				r.wrong(v, "write a percentage, as 10%, or a number", "%s is neither a percentage nor a number above 0", name)
			}
		}
		r.members(v, "the "+name, []member{
			{"relative", "", func(v *value.Value) { to.Relative = true; read(v) }},
			{"absolute", "", read},
		})
		if v.Kind() == value.Map && v.Len() != 1 {
			r.wrong(v, "write "+name+": {relative: 10%}", "the %s is either relative or absolute", name)
		}
	}
}

func (r *reader) plan(v *value.Value) *Plan {
	p := &Plan{Alpha: 0.05, Power: 0.8, MinRuntime: int64((7 * 24 * time.Hour).Seconds()), OnInconclusive: "rollback"}
	r.members(v, "a plan", []member{
		{"unitsTotal", "unitsTotal: 120000", r.count("unitsTotal", 1, &p.UnitsTotal)},
		{"minimumEffect", "minimumEffect: {relative: 10%}", r.amount("minimumEffect", &p.MinimumEffect)},
		{"alpha", "", r.probability("alpha", 0, 0.5, &p.Alpha)},
		{"power", "", r.probability("power", 0.5, 1, &p.Power)},
		{"minRuntime", "", r.duration("minRuntime", MaxRamp, &p.MinRuntime)},
		{"end", "", func(v *value.Value) { var at int64; p.End = v.Str(); r.instant("end", &at)(v) }},
		{"onInconclusive", "", r.oneOf("onInconclusive", &p.OnInconclusive, "rollback", "ship")},
	})
	return p
}

func (r *reader) probability(name string, above, below float64, to *float64) func(*value.Value) {
	return func(v *value.Value) {
		if *to = v.Float(); *to <= above || *to >= below {
			r.wrong(v, "write a number, as "+name+": 0.05", "%s is not between %g and %g", name, above, below)
		}
	}
}
