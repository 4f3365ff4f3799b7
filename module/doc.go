// Package module is what a module in Go is written with.
package module
