// Package manifest reads the two files of a module: manifest.toml, which its author writes, and supervisor.toml, in which an
// operator changes what is to be different on one machine. Both have the same keys, listed in docs/manifest.md, which is
// generated from the types of this package.
//
// # From files to a module
//
//	Find          directories      -> manifest files
//	Load          manifest.toml    -> *Manifest, what the author says
//	LoadOperator  supervisor.toml  -> *Operator, what the operator says
//	ParseSet      --set flags      -> Set, what is said for this run
//	Resolve       all of them      -> *Module, what runs
//	StartOrder    all modules      -> in the order in which they start
//
// Each layer lies over the one before: defaults, manifest.toml with its overrides for the platform, supervisor.toml, flags.
// Tables are laid over each other key by key; any other value, arrays and config values included, is replaced as a whole.
// [Module.Settings] tells for each value which layer it came from.
//
// # Errors
//
// Mistakes in files and flags are [Problems]: all at once, each a [Problem] with its place and what to write instead. A file
// that is not TOML is the exception; what stands behind a syntax error is not looked at. A program that cannot be run is an
// [*EntryError], a directory that cannot be searched a [*FindError].
//
// # Types
//
// Nothing is converted silently. The one exception loses nothing: where a float is asked for an integer will do. Durations and
// sizes are strings with their unit, [Duration] and [Size].
//
// # Concurrency
//
// Functions keep no state between calls. A value that has been returned is not touched again and may be read by any number
// of goroutines.
package manifest

//go:generate go run ./internal/gendocs ../docs
