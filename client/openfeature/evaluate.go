package openfeature

import (
	"context"
	"fmt"

	"github.com/open-feature/go-sdk/openfeature"

	"github.com/trunkline/trunkline/client/local"
	"github.com/trunkline/trunkline/value"
)

type flattened = openfeature.FlattenedContext

// BooleanEvaluation evaluates a flag that is a boolean.
func (p *Provider) BooleanEvaluation(_ context.Context, flag string, otherwise bool, of flattened) openfeature.BoolResolutionDetail {
	return evaluated(p, flag, otherwise, of, func(v *value.Value) (bool, bool) { return v.Bool(), v.Kind() == value.Bool })
}

// StringEvaluation evaluates a flag that is a string.
func (p *Provider) StringEvaluation(_ context.Context, flag, otherwise string, of flattened) openfeature.StringResolutionDetail {
	return evaluated(p, flag, otherwise, of, func(v *value.Value) (string, bool) { return v.Str(), v.Kind() == value.String })
}

// FloatEvaluation evaluates a flag that is a number, integers included.
func (p *Provider) FloatEvaluation(_ context.Context, flag string, otherwise float64, of flattened) openfeature.FloatResolutionDetail {
	return evaluated(p, flag, otherwise, of, func(v *value.Value) (float64, bool) {
		return v.Float(), v.Kind() == value.Float || v.Kind() == value.Int
	})
}

// IntEvaluation evaluates a flag that is an integer.
func (p *Provider) IntEvaluation(_ context.Context, flag string, otherwise int64, of flattened) openfeature.IntResolutionDetail {
	return evaluated(p, flag, otherwise, of, func(v *value.Value) (int64, bool) { return v.Int(), v.Kind() == value.Int })
}

// ObjectEvaluation evaluates a flag of any kind: nil, bool, int64, float64, string, []any or map[string]any.
func (p *Provider) ObjectEvaluation(_ context.Context, flag string, otherwise any, of flattened) openfeature.InterfaceResolutionDetail {
	return evaluated(p, flag, otherwise, of, func(v *value.Value) (any, bool) {
		var object any
		err := value.Decode(v, "", &object)
		return object, err == nil
	})
}

// evaluated evaluates a flag, and reads it as a type.
func evaluated[T any](
	p *Provider, flag string, otherwise T, of flattened, read func(*value.Value) (T, bool),
) openfeature.GenericResolutionDetail[T] {
	e, failed := p.evaluate(flag, of)
	d := openfeature.GenericResolutionDetail[T]{Value: otherwise}
	d.FlagMetadata = p.metadata(&e)
	if failed != nil {
		d.ResolutionError, d.Reason = *failed, openfeature.ErrorReason
		return d
	}
	got, ok := read(e.Value)
	if !ok {
		d.ResolutionError = openfeature.NewTypeMismatchResolutionError(fmt.Sprintf("%s is %s", flag, e.Value.Kind().Article()))
		d.Reason = openfeature.ErrorReason
		return d
	}
	d.Value, d.Reason, d.Variant = got, reasons[e.Reason], e.Variant
	return d
}

const noUnit = "a part of the units is included, and the context names none: " +
	"send targetingKey, or the attribute that the rollout or the experiment goes by"

// reasons are those of OFREP, too. What is stopped or rests is no DISABLED: that means that the default of the program counts, and what is
// configured counts here. The metadata tell that it is not in effect.
var reasons = map[local.Reason]openfeature.Reason{
	local.Static: openfeature.StaticReason, local.Default: openfeature.DefaultReason, local.Disabled: openfeature.DefaultReason,
	local.Matched: openfeature.TargetingMatchReason, local.Split: openfeature.SplitReason,
}

// evaluate is what somebody has, or why there is nothing for them. A condition that cannot be evaluated leaves out whom it is asked of, as it
// does everywhere: it is told, and no error.
func (p *Provider) evaluate(flag string, of flattened) (e local.Evaluation, failed *openfeature.ResolutionError) {
	fail := func(err openfeature.ResolutionError) (local.Evaluation, *openfeature.ResolutionError) { return e, &err }
	c := p.following()
	if c == nil || c.Configured() == nil {
		return fail(openfeature.ProviderNotReadyError)
	}
	who, err := local.Context(of)
	if err != nil {
		return fail(openfeature.NewInvalidContextResolutionError(err.Error()))
	}
	e = c.For(who).Evaluate(flag)
	switch {
	case e.Variant == "" && e.NoUnit:
		return fail(openfeature.NewTargetingKeyMissingResolutionError(noUnit))
	case e.Value == nil:
		return fail(openfeature.NewFlagNotFoundResolutionError(fmt.Sprintf("%q holds no value", flag)))
	case hidden(e.Value):
		return fail(openfeature.NewGeneralResolutionError("the value is sensitive, and the credential has not the right to reveal"))
	}
	return e, nil
}

// hidden tells whether a value is redacted, or something in it.
func hidden(v *value.Value) bool {
	if v.Kind() == value.Redacted {
		return true
	}
	for _, e := range v.Entries() {
		if hidden(e.Value) {
			return true
		}
	}
	return false
}

// metadata tells of which version an evaluation is, and who decided it.
func (p *Provider) metadata(e *local.Evaluation) openfeature.FlagMetadata {
	m := openfeature.FlagMetadata{}
	texts := map[string]string{"commit": e.Commit, "environment": p.o.Env, "layer": e.Layer, "rule": e.Rule, "variant": e.Variant}
	if e.Key != "" {
		texts[string(e.Kind)] = e.Key
		m["inEffect"] = e.Variant != ""
	}
	if e.Err != nil {
		texts["condition"] = e.Err.Error()
	}
	for key, text := range texts {
		if text != "" {
			m[key] = text
		}
	}
	if e.Phase > 0 {
		m["phase"] = int64(e.Phase)
	}
	if e.Forced {
		m["forced"] = true
	}
	return m
}
