package host

import "time"

// SetIdle shortens the time after which a transfer ends in which nothing came.
func (h *Host) SetIdle(d time.Duration) { h.blob.transfers.idle = d }
