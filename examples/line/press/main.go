// Press decides by what other modules know: it calls the historian, keeps a count, follows a limit that anybody may set with
// `ixt kv put line-limits ...`, and raises an alarm.
package main

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"

	"github.com/ixtrun/ixt/module"
)

func main() { module.Main(&press{limits: map[string]float64{}}) }

// usual is the limit of a line that nobody has set one for, in degrees above its average.
const usual = 5.0

type press struct {
	module.Base
	host *module.Host

	mu     sync.Mutex
	limits map[string]float64
}

type reading struct {
	Line string  `json:"line"`
	Temp float64 `json:"temp"`
}

type average struct {
	Temp  float64 `json:"temp"`
	Count int     `json:"count"`
}

type verdict struct {
	OK      bool    `json:"ok"`
	Average float64 `json:"average"`
	Checks  int64   `json:"checks"` // ever made for the line, whatever was restarted meanwhile
}

func (p *press) Init(ctx context.Context, in *module.Init) error {
	p.host = in.Host
	module.HandleJSON(in, "press.check", p.check)
	module.HandleJSON(in, "press.report", p.report)
	return p.host.KV("line-limits").Watch(ctx, ">", p.limit)
}

// limit follows the limits: first those that are set, then every change.
func (p *press) limit(ctx context.Context, c *module.KVChange) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.Deleted {
		delete(p.limits, c.Key)
		return nil
	}
	limit, err := strconv.ParseFloat(string(bytes.TrimSpace(c.Value)), 64)
	if err != nil {
		module.Log(ctx).Warn().Str("line", c.Key).Bytes("limit", c.Value).Msg("not a number; the limit stays")
		return nil
	}
	p.limits[c.Key] = limit
	return nil
}

func (p *press) limitOf(line string) float64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if limit, ok := p.limits[line]; ok {
		return limit
	}
	return usual
}

func (p *press) check(ctx context.Context, r reading) (verdict, error) {
	avg, err := module.CallJSON[average](ctx, p.host, "historian.average", r)
	if err != nil {
		return verdict{}, err
	}
	checks, err := p.host.KV().Add(ctx, "checks."+r.Line, 1)
	if err != nil {
		return verdict{}, err
	}
	v := verdict{OK: avg.Count == 0 || r.Temp <= avg.Temp+p.limitOf(r.Line), Average: avg.Temp, Checks: checks}
	if !v.OK {
		err = errors.Join(
			module.PublishJSON(ctx, p.host, "press.alarm", r),
			p.host.Send(ctx, "historian.archive", []byte(r.Line)), // nobody waits for the archive
		)
	}
	return v, err
}

type archived struct {
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// report says what the historian has archived of a line.
func (p *press) report(ctx context.Context, r reading) (archived, error) {
	info, err := p.host.Blob("historian").Stat(ctx, r.Line+".csv")
	if err != nil {
		return archived{}, err
	}
	return archived{info.Size, info.SHA256}, nil
}
