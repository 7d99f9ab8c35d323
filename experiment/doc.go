// Package experiment decides who gets which values: rollouts, experiments, and the layers that experiments share.
//
// [Parse] reads the files of one tree to [Definitions] and says what is wrong with them. [Definitions.In] is the [Set] that is in effect in
// one environment. [Set.Choose] decides for one client, told by its [Context], what is in effect; [Set.Values] lays that over the values
// that are configured. [Set.Export] and [Import] carry a set, as far as somebody sees it, to where it is decided by. [Compare] tells what a
// change does to those who are in it already, and refuses what would move them by accident.
//
// Everything here is pure: no clock, no network, no chance. The same files, context and time give the same answer on every machine and in
// every version, because a unit's place is [Slot] alone: a hash of a salt that stands in the file and of the unit's name. Everything is
// immutable and may be used from any goroutine; deciding takes no memory.
package experiment
