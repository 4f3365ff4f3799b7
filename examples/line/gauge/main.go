// Gauge takes readings and publishes them: whoever wants to know subscribes.
package main

import (
	"context"

	"github.com/ixtrun/ixt/module"
)

func main() { module.Main(&gauge{}) }

type gauge struct {
	module.Base
	host *module.Host
}

type reading struct {
	Line string  `json:"line"`
	Temp float64 `json:"temp"`
}

func (g *gauge) Init(_ context.Context, in *module.Init) error {
	g.host = in.Host
	module.HandleJSON(in, "gauge.read", g.read)
	return nil
}

// read publishes a reading. The event is stored when this returns: the historian has asked for that.
func (g *gauge) read(ctx context.Context, r reading) (reading, error) {
	return r, module.PublishJSON(ctx, g.host, "line."+r.Line+".temp", r)
}
