// Package stats is the mathematics of experiments and nothing else: how many units find an effect, and whether counts are as they should be.
//
// Everything is a pure function of numbers. Each formula names its source.
package stats
